/**
 * What real clients send, byte for byte: recorded once, to be cut, changed and sent again.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { connectTo, CuttingProxy } from "../cutting_proxy.ts";
import type { ServerProcess } from "./process.ts";

/** Where the id of a session stands: behind the preamble, the prefix of HELLO and the features. */
const idAt = 8 + 8 + 4;

/** What `publish` sends for three messages to `recorded/topic`: preamble, HELLO, DECLARE, a frame of messages, CLOSE. */
export async function recordedPublisher(server: ServerProcess): Promise<Uint8Array> {
  return await record(server, ["publish", "recorded/topic", "-m", "one", "-m", "two", "-m", "three"]);
}

/** What `subscribe` sends for a pattern: preamble, HELLO, SUBSCRIBE, UNSUBSCRIBE, CLOSE. */
export async function recordedSubscriber(server: ServerProcess): Promise<Uint8Array> {
  return await record(server, ["subscribe", "recorded/#", "--from", "earliest", "-n", "1"]);
}

async function record(server: ServerProcess, args: readonly string[]): Promise<Uint8Array> {
  await using proxy = new CuttingProxy(server.endpoint, { record: true });
  const { status, stderr } = await server.run([...args, "-s", proxy.endpoint]);
  assertEquals(status, 0, stderr);
  return Uint8Array.from(proxy.recorded[0]!.flatMap((chunk) => [...chunk]));
}

/** The same session as if it were another program's. */
export function withId(session: Uint8Array, id: number): Uint8Array {
  const copy = session.slice();
  if (copy.length >= idAt + 4) new DataView(copy.buffer).setUint32(idAt, id);
  return copy;
}

/** Where each frame begins in a recorded session. */
export function framesOf(session: Uint8Array): number[] {
  const view = new DataView(session.buffer, session.byteOffset, session.byteLength);
  const starts: number[] = [];
  for (let at = 8; at < session.length; at += view.getUint32(at, true)) starts.push(at);
  return starts;
}

/** Sends bytes and the end, and reads until the server ends it too. Returns what the server said. */
export async function exchange(endpoint: string, bytes: Uint8Array): Promise<Uint8Array> {
  using connection = await connectTo(endpoint);
  const answer: number[] = [];
  const buffer = new Uint8Array(4096);
  try {
    await sendAll(connection, bytes);
    await connection.closeWrite();
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      answer.push(...buffer.subarray(0, count));
    }
  } catch {
    // Reset, which is an end as well.
  }
  return Uint8Array.from(answer);
}

/** Writes all of the bytes. */
export async function sendAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** How many sockets a process has open. Linux alone tells. */
export async function socketsOf(pid: number): Promise<number> {
  let sockets = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    try {
      if ((await Deno.readLink(`/proc/${pid}/fd/${name}`)).startsWith("socket:")) sockets++;
    } catch {
      // Closed meanwhile.
    }
  }
  return sockets;
}

/** Waits until a process has so many sockets; there is no event for it. Rejects after ten seconds. */
export async function untilSockets(pid: number, count: number): Promise<void> {
  const until = performance.now() + 10_000;
  for (;;) {
    const open = await socketsOf(pid);
    if (open === count) return;
    if (performance.now() > until) throw new Error(`process ${pid} has ${open} sockets open, not ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Random numbers that are the same at every run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to below `limit`. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % limit;
  }

  /** So many random bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
