/**
 * What a server's memory costs: 10,000 idle connections, 10,000 subscribed ones, and 10,000 topics with one message each.
 *
 * `deno task bench` does not run it; run it by hand, on Linux, where a process may have 20,000 open files:
 *
 *     deno run -A bench/memory.ts [--connections 10000] [--topics 10000]
 *
 * Each figure is the growth of a fresh server process's resident memory, divided. The aims are under 20 KiB a connection
 * and under 2 KiB a topic.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { FrameWriter } from "../core/frame_writer.ts";
import { hello, preamble, subscribe } from "../core/control.ts";
import { noId } from "../core/bytes.ts";
import { connect } from "../mod.ts";

const { values: given } = parseArgs({
  args: Deno.args,
  options: {
    connections: { type: "string", default: "10000" },
    topics: { type: "string", default: "10000" },
  },
});
const connections = Number(given.connections);
const topics = Number(given.topics);
/** How many connections are opened at a time: the system queues no more than so many. */
const atATime = 100;

/** A server in a process of its own. */
class MeasuredServer implements AsyncDisposable {
  readonly endpoint: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, endpoint: string) {
    this.#child = child;
    this.endpoint = endpoint;
  }

  static async start(): Promise<MeasuredServer> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-net", "--allow-env", "--allow-read", "cli/main.ts", "serve", "--quiet"].concat(
        "--listen",
        "tcp://127.0.0.1:0",
        "--max-connections",
        `${connections + 10}`,
      ),
      cwd: new URL("../", import.meta.url),
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    return new MeasuredServer(child, new TextDecoder().decode(value).trim().replace("listening ", ""));
  }

  /** Resident memory in bytes, once it has stopped to change: the least of some looks at it. */
  async memory(): Promise<number> {
    let least = Infinity;
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
      least = Math.min(least, 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]));
    }
    return least;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.stdout.cancel();
    await this.#child.status;
  }
}

/** Opens a connection and greets; with a topic it subscribes too. Resolves once the server has answered. */
async function openConnection(endpoint: string, id: number, topic: string | null): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(endpoint.replace("tcp:", "http:"));
  const writer = new FrameWriter();
  writer.raw(preamble);
  hello.write(writer, { features: 0, session: id.toString(16).padStart(32, "0"), agent: "bench" });
  if (topic !== null) {
    const patterns = [{ pattern: topic }];
    subscribe.write(writer, { subscription: 1, policy: 0, start: 0, value: 0, epoch: noId, patterns });
  }
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(writer.bytes());
  await connection.read(new Uint8Array(4096));
  return connection;
}

async function measureConnections(subscribed: boolean): Promise<number> {
  await using server = await MeasuredServer.start();
  const opened: Deno.TcpConn[] = [];
  try {
    opened.push(await openConnection(server.endpoint, 1, subscribed ? "warm/up" : null));
    const before = await server.memory();
    while (opened.length <= connections) {
      const from = opened.length + 1;
      const count = Math.min(atATime, connections + 1 - opened.length);
      const topic = (id: number) => subscribed ? `quiet/${id}` : null;
      const batch = Array.from({ length: count }, (_, i) => openConnection(server.endpoint, from + i, topic(from + i)));
      opened.push(...await Promise.all(batch));
    }
    return (await server.memory() - before) / connections;
  } finally {
    for (const connection of opened) connection.close();
  }
}

async function measureTopics(payload: string): Promise<number> {
  await using server = await MeasuredServer.start();
  await using link = await connect(server.endpoint);
  await link.publisher.publish("warm/up", payload);
  const before = await server.memory();
  for (let i = 0; i < topics; i++) {
    await link.publisher.ready();
    link.publisher.send(`sensors/room-${i}/temperature`, new TextEncoder().encode(payload));
  }
  await link.publisher.flush();
  const held = (await link.topics("sensors/#")).length;
  if (held !== topics) throw new Error(`the server holds ${held} topics, not ${topics}`);
  return (await server.memory() - before) / topics;
}

function report(what: string, bytes: number, aim: number): void {
  const verdict = bytes < aim ? "" : `, MORE THAN ${aim / 1024} KiB`;
  console.log(`${what.padEnd(40)} ${(bytes / 1024).toFixed(2).padStart(7)} KiB${verdict}`);
}

report(`${connections} idle connections, each`, await measureConnections(false), 20 * 1024);
report(`${connections} connections that subscribe, each`, await measureConnections(true), 20 * 1024);
report(`${topics} topics with a message of 4 B, each`, await measureTopics("21.5"), 2 * 1024);
report(`${topics} topics with a message of 200 B, each`, await measureTopics("x".repeat(200)), 2 * 1024);
