/** What every transport of byte streams must do, whatever carries it. Each runs this whole suite. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { Connection, Dial, Listener } from "../../core/connection.ts";
import { TransportError } from "../../core/errors.ts";

/** A transport under test. */
export interface Subject {
  /** Opens a listener on a place of its own choice. */
  listen(): Listener | Promise<Listener>;
  dial(listener: Listener): ReturnType<Dial>;
  dialWith(listener: Listener, signal: AbortSignal): ReturnType<Dial>;
  /** Bytes that a write to a silent peer is sure not to take: more than all the buffers on the way. */
  readonly overflow: number;
}

/** Bytes that differ from place to place, so that a lost, doubled or moved one shows. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) + seed) & 0xff;
  return bytes;
}

/** Writes all of it. */
export async function writeAll(connection: Connection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const count = await connection.write(bytes.subarray(at));
    assert(count >= 1 && count <= bytes.length - at, `write took ${count} of ${bytes.length - at}`);
    at += count;
  }
}

/** Reads until there is so much, or to the end. */
export async function readUpTo(connection: Connection, length = Infinity, size = 4096): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  while (total < length) {
    const into = new Uint8Array(Math.min(size, length - total));
    const count = await connection.read(into);
    if (count === null) break;
    assert(count >= 1 && count <= into.length, `read gave ${count} of ${into.length}`);
    parts.push(into.subarray(0, count));
    total += count;
  }
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function withPair(subject: Subject, body: (here: Connection, there: Connection) => Promise<void>): Promise<void> {
  using listener = await subject.listen();
  const [here, there] = await Promise.all([subject.dial(listener), listener.accept()]);
  assert(there !== null);
  using _here = here;
  using _there = there;
  await body(here, there);
}

/** Answers with everything that comes, once it has ended. */
async function echo(accepted: Connection): Promise<void> {
  using connection = accepted;
  await writeAll(connection, await readUpTo(connection));
  await connection.closeWrite();
}

/** Registers the suite for one transport. */
export function contract(name: string, subject: Subject): void {
  const test = (what: string, body: () => Promise<void>) => Deno.test(`${name}: ${what}`, body);
  const pairTest = (what: string, body: (here: Connection, there: Connection) => Promise<void>) =>
    test(what, () => withPair(subject, body));

  pairTest("bytes arrive in both directions, in order and unchanged", async (here, there) => {
    const sent = pattern(1_000_000);
    const echoing = (async () => {
      const buffer = new Uint8Array(10_000);
      for (let count; (count = await there.read(buffer)) !== null;) await writeAll(there, buffer.subarray(0, count));
      await there.closeWrite();
    })();
    const [received] = await Promise.all([
      readUpTo(here),
      writeAll(here, sent).then(() => here.closeWrite()),
      echoing,
    ]);
    assertEquals(received.length, sent.length);
    assert(received.every((byte, at) => byte === sent[at]));
  });

  pairTest("both ends say who the other is", (here, there) => {
    assert(here.peer.length > 0 && there.peer.length > 0);
    return Promise.resolve();
  });

  pairTest("a read gives what there is, into as little as one byte", async (here, there) => {
    const sent = pattern(300);
    await writeAll(here, sent);
    assertEquals(await readUpTo(there, 100, 1), sent.subarray(0, 100));
    assertEquals(await readUpTo(there, 200, 7), sent.subarray(100));
  });

  pairTest("what was written stays as it was when the writer reuses its memory", async (here, there) => {
    const bytes = pattern(100);
    await writeAll(here, bytes);
    bytes.fill(0);
    assertEquals(await readUpTo(there, 100), pattern(100));
  });

  pairTest("closeWrite is the other's end of file, and reading goes on", async (here, there) => {
    await writeAll(here, pattern(10));
    await here.closeWrite();
    assertEquals(await readUpTo(there), pattern(10));
    assertEquals(await there.read(new Uint8Array(1)), null);
    await writeAll(there, pattern(20));
    await there.closeWrite();
    assertEquals(await readUpTo(here), pattern(20));
  });

  pairTest("after close, what was written arrives, and then the end", async (here, there) => {
    await writeAll(here, pattern(10));
    here.close();
    assertEquals(await readUpTo(there), pattern(10));
  });

  pairTest("writing to a peer that is gone fails with a TransportError", async (here, there) => {
    there.close();
    // How many writes the system takes before it learns of it is its own affair; a fixed number is not.
    const error = await assertRejects(() => writeAll(here, new Uint8Array(subject.overflow)), TransportError);
    assert(error.message.startsWith(`cannot write to ${here.peer}: `), error.message);
  });

  pairTest("a write to a silent peer waits, and goes on when it reads", async (here, there) => {
    const sent = pattern(subject.overflow);
    let written = false;
    const writing = writeAll(here, sent).then(() => written = true);
    const first = await readUpTo(there, 1);
    assertEquals(written, false);
    const rest = await readUpTo(there, sent.length - 1, 1 << 20);
    await writing;
    assertEquals(first[0], sent[0]);
    assert(rest.every((byte, at) => byte === sent[at + 1]));
  });

  pairTest("close rejects a write that waits", async (here, _there) => {
    const writing = writeAll(here, new Uint8Array(subject.overflow));
    const closed = assertRejects(() => writing, TransportError);
    here.close();
    await closed;
  });

  pairTest("close rejects a read that waits", async (here, _there) => {
    const reading = assertRejects(() => here.read(new Uint8Array(1)), TransportError);
    here.close();
    await reading;
  });

  pairTest("after close reading and writing fail, and closing again does nothing", async (here, _there) => {
    here.close();
    here.close();
    here[Symbol.dispose]();
    await here.closeWrite();
    await assertRejects(() => here.read(new Uint8Array(1)), TransportError);
    await assertRejects(() => here.write(new Uint8Array(1)), TransportError);
  });

  test("many connections at once keep apart", async () => {
    using listener = await subject.listen();
    const count = 50;
    const serving = (async () => {
      const echoes: Promise<void>[] = [];
      while (echoes.length < count) {
        const there = await listener.accept();
        assert(there !== null);
        echoes.push(echo(there));
      }
      await Promise.all(echoes);
    })();
    await Promise.all(Array.from({ length: count }, async (_, at) => {
      using here = await subject.dial(listener);
      const sent = pattern(5_000, at);
      await writeAll(here, sent);
      await here.closeWrite();
      assertEquals(await readUpTo(here), sent);
    }));
    await serving;
  });

  test("connections outlive their listener", async () => {
    const listener = await subject.listen();
    const [here, there] = await Promise.all([subject.dial(listener), listener.accept()]);
    assert(there !== null);
    using _here = here;
    using _there = there;
    listener.close();
    await writeAll(here, pattern(10));
    assertEquals(await readUpTo(there, 10), pattern(10));
  });

  test("closing a listener ends a pending accept, later ones, and nothing twice", async () => {
    const listener = await subject.listen();
    const accepting = listener.accept();
    listener.close();
    assertEquals(await accepting, null);
    assertEquals(await listener.accept(), null);
    listener.close();
    listener[Symbol.dispose]();
  });

  test("dialling a closed listener fails with a TransportError that names it", async () => {
    const listener = await subject.listen();
    listener.close();
    const error = await assertRejects(() => subject.dial(listener), TransportError);
    assertEquals(error.endpoint, listener.endpoint);
    assert(error.message.startsWith(`cannot connect to ${listener.endpoint}: connection refused`), error.message);
  });

  test("an aborted dial rejects with the signal's reason and leaves nothing open", async () => {
    using listener = await subject.listen();
    const reason = new Error("no longer wanted");
    const error = await assertRejects(() => subject.dialWith(listener, AbortSignal.abort(reason)));
    assertStrictEquals(error, reason);
  });

  test("a signal that aborts after the dial leaves the connection alone", async () => {
    using listener = await subject.listen();
    const controller = new AbortController();
    const [here, there] = await Promise.all([subject.dialWith(listener, controller.signal), listener.accept()]);
    assert(there !== null);
    using _here = here;
    using _there = there;
    controller.abort();
    await writeAll(here, pattern(10));
    assertEquals(await readUpTo(there, 10), pattern(10));
  });
}
