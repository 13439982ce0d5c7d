/**
 * Servers of other kinds, as tests start them: on a free port of loopback, and gone with the test.
 *
 * @module
 */

import { Process } from "../process.ts";

/** The programs, as they are installed. */
export type PeerName = "nats-server" | "redis-server" | "mosquitto";

/** Where programs are; servers are often where only the administrator's PATH leads. */
const directories = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Whether a program is on this machine. A test that needs it is ignored otherwise; CI fails on ignored tests. */
export function installed(name: PeerName): boolean {
  return locate(name) !== null;
}

/** A server that runs. Disposing of it kills it. */
export class Peer implements AsyncDisposable {
  /** Where it listens: `nats://127.0.0.1:41235`. */
  readonly endpoint: string;
  readonly #process: Process;
  readonly #directory: string | undefined;

  constructor(endpoint: string, process: Process, directory?: string) {
    this.endpoint = endpoint;
    this.#process = process;
    this.#directory = directory;
  }

  /** Its host and port. */
  get address(): string {
    return this.endpoint.replace(/^.*\/\//, "");
  }

  /** Ends it without warning. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    if (this.#directory !== undefined) await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Starts nats-server until it listens. */
export async function startNats(...args: readonly string[]): Promise<Peer> {
  const process = start("nats-server", ["-a", "127.0.0.1", "-p", "-1", ...args]);
  const line = await ready(process, () => process.stderr.line(/Listening for client connections on /));
  await ready(process, () => process.stderr.line(/Server is ready/));
  return new Peer(`nats://127.0.0.1:${/:(\d+)$/.exec(line)![1]}`, process);
}

/** Starts redis-server until it listens. */
export async function startRedis(...args: readonly string[]): Promise<Peer> {
  const port = freePort();
  const directory = await Deno.makeTempDir();
  const given = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", directory, ...args];
  const process = start("redis-server", given);
  await ready(process, () => process.stdout.line(/Ready to accept connections/));
  return new Peer(`redis://127.0.0.1:${port}`, process, directory);
}

/**
 * Starts mosquitto until it listens.
 *
 * @param configuration unless given, it admits everyone and drops nothing: with its own limit, messages to a subscriber
 *   that 1000 are queued for are lost
 */
export async function startMosquitto(
  configuration = "allow_anonymous true\nmax_queued_messages 0",
): Promise<Peer> {
  const port = freePort();
  const directory = await Deno.makeTempDir();
  const file = `${directory}/mosquitto.conf`;
  await Deno.writeTextFile(file, `listener ${port} 127.0.0.1\n${configuration}\n`);
  const process = start("mosquitto", ["-c", file]);
  await ready(process, () => process.stderr.line(/mosquitto version \S+ running/));
  return new Peer(`mqtt://127.0.0.1:${port}`, process, directory);
}

function locate(name: PeerName): string | null {
  for (const directory of directories) {
    try {
      if (Deno.statSync(`${directory}/${name}`).isFile) return `${directory}/${name}`;
    } catch {
      // It is not there.
    }
  }
  return null;
}

function start(name: PeerName, args: readonly string[]): Process {
  return new Process([locate(name)!, ...args]);
}

async function ready(process: Process, wait: () => Promise<string>): Promise<string> {
  try {
    return await wait();
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
