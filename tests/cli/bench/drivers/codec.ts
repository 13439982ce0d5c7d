/**
 * What every codec is tested with: a sink that records, and what any parser must hold to.
 *
 * @module
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Input, type Parser } from "../../../../cli/bench/drivers/input.ts";
import type { Sink } from "../../../../cli/bench/driver.ts";
import { ProtocolError } from "../../../../core/errors.ts";

/** Records what comes, as text: `message hello`, `arrived`, `damaged why`, and what {@linkcode note} is told. */
export class Recorder implements Sink {
  readonly events: string[] = [];
  reads = 0;

  arrived(): void {
    this.reads++;
  }

  take(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    assertLessOrEqual(start, end);
    assertLessOrEqual(end, bytes.length);
    assert(view.buffer === bytes.buffer && view.byteOffset === bytes.byteOffset && view.byteLength === bytes.length);
    this.note(`message ${latin1(bytes.subarray(start, end))}`);
  }

  damaged(why: string): void {
    this.note(`damaged ${why}`);
  }

  note(event: string): void {
    this.events.push(event);
  }
}

/** A codec under test. */
export interface Codec {
  /** A parser that tells the recorder everything. */
  make(recorder: Recorder): Parser;
  /** Something that a server may send, and what is recorded of it. */
  readonly item: fc.Arbitrary<readonly [bytes: string, events: readonly string[]]>;
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The inverse of {@linkcode latin1}. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Text of any bytes. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength }).map(latin1);
}

/** Gives a parser everything, in pieces of these sizes in turn. */
export function feed(parser: Parser, text: string, sizes: readonly number[] = [text.length]): void {
  const input = new Input();
  const bytes = bytesOf(text);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const space = input.space();
    assert(space.length > 0, "there is always room for a byte");
    const count = Math.min(space.length, bytes.length - at, sizes[turn % sizes.length]!);
    space.set(bytes.subarray(at, at + count));
    at += count;
    input.received(count, parser);
  }
}

/** What is recorded of a text that is given in pieces of these sizes. */
export function recorded(codec: Codec, text: string, sizes?: readonly number[]): string[] {
  const recorder = new Recorder();
  feed(codec.make(recorder), text, sizes);
  return recorder.events;
}

/** Whole items come out as they went in, whatever the pieces; and of a part, what of it is whole. */
export function assertFindsItems(codec: Codec): void {
  const items = fc.array(codec.item, { maxLength: 20 });
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(items, sizes, (items, sizes) => {
    const text = items.map(([bytes]) => bytes).join("");
    const expected = items.flatMap(([, events]) => events);
    assertEquals(recorded(codec, text), expected);
    assertEquals(recorded(codec, text, [1]), expected);
    assertEquals(recorded(codec, text, sizes), expected);
  }));
  fc.assert(
    fc.property(fc.array(codec.item, { minLength: 1, maxLength: 4 }), (items) => {
      const text = items.map(([bytes]) => bytes).join("");
      for (let length = 0; length < text.length; length++) {
        let end = 0;
        const whole = items.filter(([bytes]) => (end += bytes.length) <= length).flatMap(([, events]) => events);
        assertEquals(recorded(codec, text.slice(0, length)), whole);
      }
    }),
    { numRuns: 30 },
  );
}

/** What it makes of bytes: where it stops, what it recorded, or that it is a `ProtocolError`. What follows them is not to be looked at. */
function outcome(codec: Codec, bytes: Uint8Array, after: Uint8Array): unknown {
  const recorder = new Recorder();
  const parser = codec.make(recorder);
  const all = new Uint8Array(bytes.length + after.length);
  all.set(bytes);
  all.set(after, bytes.length);
  try {
    const at = parser.parse(all, new DataView(all.buffer), 0, bytes.length);
    assert(at >= 0 && at <= bytes.length, `it stopped at ${at} of ${bytes.length}`);
    assert(parser.needed === 0 || parser.needed > bytes.length - at, "it needs what it has");
    return [at, recorder.events];
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return [error.message.slice(0, 20), recorder.events];
  }
}

/** Garbage, and items with some bytes changed, give messages or a `ProtocolError`, and nothing is read that has not come. */
export function assertSurvivesGarbage(codec: Codec): void {
  const changed = fc.tuple(
    fc.array(codec.item, { minLength: 1, maxLength: 4 }).map((items) =>
      bytesOf(items.map(([bytes]) => bytes).join(""))
    ),
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    fc.nat(),
  ).map(([bytes, changes, cut]) => {
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.slice(0, cut % (bytes.length + 1));
  });
  const garbage = fc.oneof(fc.uint8Array({ maxLength: 200 }), changed);
  fc.assert(
    fc.property(garbage, fc.uint8Array({ maxLength: 30 }), (bytes, after) => {
      assertEquals(outcome(codec, bytes, after), outcome(codec, bytes, new Uint8Array(0)));
    }),
    { numRuns: 3000 },
  );
}
