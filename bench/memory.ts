/**
 * What a server's memory costs: 10,000 idle connections, 10,000 subscribed ones, and 10,000 topics with one message each.
 *
 * `deno task bench` does not run it; run it by hand, on Linux, where a process may have 20,000 open files:
 *
 *     deno run -A bench/memory.ts [--connections 10000] [--topics 10000]
 *
 * Each figure is what a fresh server process grew by, divided. *Resident* is what the system gave it; of that, *live* is
 * what its script still refers to after a collection, which leaves out what the runtime holds beside the script (sockets)
 * and what the collector keeps in reserve. The aims are under 20 KiB a connection and under 2 KiB a topic.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { FrameWriter } from "../core/frame_writer.ts";
import { hello, preamble, subscribe } from "../core/control.ts";
import { noId } from "../core/bytes.ts";
import { connect, listen, serve } from "../mod.ts";

const { values: given } = parseArgs({
  args: Deno.args,
  options: {
    role: { type: "string", default: "bench" },
    connections: { type: "string", default: "10000" },
    topics: { type: "string", default: "10000" },
  },
});
const connections = Number(given.connections);
const topics = Number(given.topics);
/** How many connections are opened at a time: the system queues no more than so many. */
const atATime = 100;

/** Memory of a process, in bytes. */
interface Memory {
  readonly resident: number;
  readonly live: number;
}

/** The server's process: says where it listens, then what memory it has, whenever it is asked. */
async function beServer(): Promise<void> {
  await using server = serve({ limits: { connections: connections + 10 } });
  using listener = await listen("tcp://127.0.0.1:0");
  server.serve(listener);
  console.log(listener.endpoint);
  const { gc } = globalThis as unknown as { gc(): void };
  for await (const _ of Deno.stdin.readable) {
    gc();
    const { heapUsed, external } = Deno.memoryUsage();
    const status = await Deno.readTextFile("/proc/self/status");
    const resident = 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]);
    console.log(JSON.stringify({ resident, live: heapUsed + external }));
  }
}

/** A server in a process of its own. */
class MeasuredServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #output: ReadableStreamDefaultReader<string>;
  endpoint = "";

  private constructor() {
    const role = ["--role", "server", "--connections", `${connections}`];
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", "--v8-flags=--expose-gc", new URL(import.meta.url).pathname, ...role],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(): Promise<MeasuredServer> {
    const server = new MeasuredServer();
    server.endpoint = (await server.#line()).trim();
    return server;
  }

  async memory(): Promise<Memory> {
    // What was closed and answered last is still on its way through the server.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await this.#input.write(new TextEncoder().encode("?"));
    return JSON.parse(await this.#line());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#output.cancel();
    await this.#input.abort().catch(() => {});
    await this.#child.status;
  }

  async #line(): Promise<string> {
    const { value } = await this.#output.read();
    if (value === undefined) throw new Error("the server has ended");
    return value;
  }
}

/** What each of `count` things takes. */
function each(before: Memory, after: Memory, count: number): Memory {
  return { resident: (after.resident - before.resident) / count, live: (after.live - before.live) / count };
}

/** Opens a connection and greets; with a topic it subscribes too. Resolves once the server has answered. */
async function openConnection(endpoint: string, id: number, topic: string | null): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(endpoint.replace("tcp:", "http:"));
  const writer = new FrameWriter();
  writer.raw(preamble);
  hello.write(writer, {
    features: 0,
    session: id.toString(16).padStart(32, "0"),
    agent: "bench",
    user: "",
    secret: "",
  });
  if (topic !== null) {
    const patterns = [{ pattern: topic }];
    subscribe.write(writer, { subscription: 1, policy: 0, start: 0, value: 0, epoch: noId, patterns });
  }
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(writer.bytes());
  await connection.read(new Uint8Array(4096));
  return connection;
}

async function measureConnections(subscribed: boolean): Promise<Memory> {
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
    return each(before, await server.memory(), connections);
  } finally {
    for (const connection of opened) connection.close();
  }
}

/** The first topics of a server, and as many again: the collector takes its reserve with the first. */
async function measureTopics(payload: string): Promise<[first: Memory, more: Memory]> {
  await using server = await MeasuredServer.start();
  const bytes = new TextEncoder().encode(payload);
  const publish = async (room: string, count: number) => {
    await using link = await connect(server.endpoint);
    for (let i = 0; i < count; i++) {
      await link.publisher.ready();
      link.publisher.send(`sensors/${room}-${i}/temperature`, bytes);
    }
    await link.publisher.flush();
    const held = (await link.topics(`sensors/#`)).filter(({ name }) => name.startsWith(`sensors/${room}`)).length;
    if (held !== count) throw new Error(`the server holds ${held} topics, not ${count}`);
    return await server.memory();
  };
  const before = await publish("warm-up", 1);
  const first = await publish("room", topics);
  const more = await publish("hall", topics);
  return [each(before, first, topics), each(first, more, topics)];
}

function report(what: string, { resident, live }: Memory): void {
  const kibibytes = (bytes: number) => `${(bytes / 1024).toFixed(2).padStart(6)} KiB`;
  console.log(`${what.padEnd(46)} resident ${kibibytes(resident)}   live ${kibibytes(live)}`);
}

if (given.role === "server") {
  await beServer();
} else {
  report(`${connections} idle connections, each`, await measureConnections(false));
  report(`${connections} connections that subscribe, each`, await measureConnections(true));
  for (const length of [4, 200]) {
    const [first, more] = await measureTopics("x".repeat(length));
    report(`${topics} topics with a message of ${length} B, each`, first);
    report(`as many again, each`, more);
  }
}
