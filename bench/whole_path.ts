/**
 * The whole path: one publisher process, one server process, N subscriber processes, all over TCP on loopback; and the
 * same load through a byte copier, which knows no messages and so is the limit.
 *
 * `deno task bench` does not run it; run it by hand:
 *
 *     deno run -A bench/whole_path.ts [--subscribers 10] [--size 128] [--seconds 3] [--rounds 5]
 *
 * Both sides are run in turn, and each figure is deliveries a second: messages that subscribers counted, from the first
 * to the last, in the slowest process.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { connect } from "../mod.ts";
import { varintLength, writeVarint } from "../core/payload.ts";

const { values: given } = parseArgs({
  args: Deno.args,
  options: {
    role: { type: "string", default: "bench" },
    target: { type: "string", default: "" },
    subscribers: { type: "string", default: "10" },
    size: { type: "string", default: "128" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
  },
});
const subscribers = Number(given.subscribers);
const size = Number(given.size);
const seconds = Number(given.seconds);

const topic = "bench";
/** What the copier's load is: the payload of a full frame, over and over. */
const batch = makeBatch();

function makeBatch(): { bytes: Uint8Array; count: number } {
  const each = varintLength(size) + size;
  const count = Math.max(1, Math.floor(65_000 / each));
  const bytes = new Uint8Array(count * each);
  for (let offset = 0; offset < bytes.length;) offset = writeVarint(bytes, offset, size) + size;
  return { bytes, count };
}

/** Serves the copier: the first connection publishes, the others get its bytes; nobody is overtaken. */
async function copy(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(`listening tcp://127.0.0.1:${listener.addr.port}`);
  const readers: Deno.TcpConn[] = [];
  while (readers.length < subscribers) {
    const reader = await listener.accept();
    reader.setNoDelay(true);
    readers.push(reader);
  }
  const source = await listener.accept();
  const buffers = [new Uint8Array(256 * 1024), new Uint8Array(256 * 1024)];
  let writing: Promise<unknown> = Promise.resolve();
  for (let turn = 0;; turn ^= 1) {
    const buffer = buffers[turn]!;
    const count = await source.read(buffer);
    await writing;
    if (count === null) break;
    const bytes = buffer.subarray(0, count);
    writing = Promise.all(readers.map((reader) => writeAll(reader, bytes)));
  }
  for (const reader of readers) reader.close();
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await connection.write(bytes.subarray(written));
}

/** What a subscriber has done, from its first message to its last. */
interface Result {
  readonly messages: number;
  readonly milliseconds: number;
}

function report(messages: number, milliseconds: number): void {
  const result: Result = { messages, milliseconds };
  console.log(JSON.stringify(result));
}

/** Counts messages until the last one has come; every sequence must follow the one before. */
async function subscribe(): Promise<void> {
  const link = await connect(given.target);
  const subscription = link.subscribe(topic, { lagPolicy: "wait" });
  await subscription.ready;
  console.log("ready");
  let first = 0;
  let next = 1;
  for await (const received of subscription.batches()) {
    first ||= performance.now();
    if (received.sequence !== next) throw new Error(`lost: ${next} to ${received.sequence - 1}`);
    next += received.count;
    const last = received.count - 1;
    if (received.end(last) === received.start(last)) break;
  }
  report(next - 1, performance.now() - first);
  await link.close();
}

/** Counts the copier's bytes as messages of that size. */
async function drain(): Promise<void> {
  const connection = await Deno.connect(addressOf(given.target));
  console.log("ready");
  const buffer = new Uint8Array(256 * 1024);
  let first = 0;
  let bytes = 0;
  for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
    first ||= performance.now();
    bytes += count;
  }
  report(bytes / (batch.bytes.length / batch.count), performance.now() - first);
}

/** Publishes as fast as it goes for the time given; an empty message is the last. */
async function publish(): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const link = await connect(given.target);
  const { publisher } = link;
  const payload = new Uint8Array(size).fill(120);
  while (performance.now() < end) {
    for (let i = 0; i < 1000; i++) if (!publisher.send(topic, payload)) await publisher.ready();
  }
  publisher.send(topic, new Uint8Array(0));
  await publisher.flush();
  await link.close();
}

/** Gives the copier the bytes of full frames for the time given. */
async function pour(): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const connection = await Deno.connect(addressOf(given.target));
  while (performance.now() < end) await writeAll(connection, batch.bytes);
  connection.close();
}

function addressOf(target: string): { hostname: string; port: number } {
  const { hostname, port } = new URL(target.replace("tcp:", "http:"));
  return { hostname, port: Number(port) };
}

interface Process {
  readonly child: Deno.ChildProcess;
  readonly lines: AsyncIterator<string>;
}

function start(args: readonly string[]): Process {
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", ...args], stdout: "piped", stderr: "inherit" })
    .spawn();
  return { child, lines: split(child.stdout.pipeThrough(new TextDecoderStream())) };
}

async function* split(chunks: ReadableStream<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** One run; returns deliveries a second, in millions. */
async function round(side: "stream" | "copier"): Promise<number> {
  const self = new URL(import.meta.url).pathname;
  const shared = ["--subscribers", `${subscribers}`, "--size", `${size}`, "--seconds", `${seconds}`];
  const server = side === "copier"
    ? start([self, "--role", "copy", ...shared])
    : start([new URL("../cli/main.ts", import.meta.url).pathname, "serve", "-q", "-l", "tcp://127.0.0.1:0"]);
  const target = (await line(server)).replace("listening ", "");
  const role = (name: string) => start([self, "--role", name, "--target", target, ...shared]);
  const [receive, send] = side === "copier" ? ["drain", "pour"] as const : ["subscribe", "publish"] as const;
  const receivers = Array.from({ length: subscribers }, () => role(receive));
  for (const receiver of receivers) await line(receiver);
  const sender = role(send);
  const results = await Promise.all(receivers.map(async (receiver) => JSON.parse(await line(receiver)) as Result));
  await sender.child.status;
  if (side === "stream") server.child.kill("SIGTERM");
  await server.child.status;
  const slowest = Math.max(...results.map(({ milliseconds }) => milliseconds));
  return results.reduce((sum, { messages }) => sum + messages, 0) / slowest / 1000;
}

async function line(one: Process): Promise<string> {
  const { value, done } = await one.lines.next();
  if (done) throw new Error("a process ended without a word");
  return value;
}

async function bench(): Promise<void> {
  const ratios: number[] = [];
  for (let turn = 0; turn < Number(given.rounds); turn++) {
    const ours = await round("stream");
    const limit = await round("copier");
    ratios.push(ours / limit);
    console.log(
      `1 to ${subscribers}, ${size} B: stream ${ours.toFixed(1)} M/s, byte copier ${limit.toFixed(1)} M/s, ` +
        `ratio ${(ours / limit).toFixed(2)}`,
    );
  }
  ratios.sort((a, b) => a - b);
  console.log(`median ratio to the byte copier: ${ratios[ratios.length >> 1]!.toFixed(2)}`);
}

const roles: Record<string, () => Promise<void>> = { bench, copy, subscribe, drain, publish, pour };
await roles[given.role]!();
