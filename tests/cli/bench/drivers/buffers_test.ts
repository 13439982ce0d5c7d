import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../../../cli/bench/drivers/address.ts";
import { Input, type Parser } from "../../../../cli/bench/drivers/input.ts";
import { copy, decimal, Output } from "../../../../cli/bench/drivers/output.ts";
import { UsageError } from "../../../../core/errors.ts";
import { latin1 } from "./codec.ts";

const KiB = 1024;

/** Takes items of a fixed size, and does not tell before all of one is there how large it is, unless asked to. */
class Blocks implements Parser {
  needed = 0;
  taken: number[] = [];
  readonly #size: number;
  readonly #tells: boolean;

  constructor(size: number, tells: boolean) {
    this.#size = size;
    this.#tells = tells;
  }

  parse(bytes: Uint8Array, _view: DataView, start: number, end: number): number {
    this.needed = 0;
    let at = start;
    for (; at + this.#size <= end; at += this.#size) this.taken.push(bytes[at]!, bytes[at + this.#size - 1]!);
    if (this.#tells && at < end) this.needed = this.#size;
    return at;
  }

  stop(): void {}
}

/** Reads so many items of a size, each all of one number, with reads of at most so many bytes. */
function readBlocks(size: number, count: number, most: number, tells: boolean): Input {
  const input = new Input();
  const parser = new Blocks(size, tells);
  for (let sent = 0; sent < size * count;) {
    const space = input.space();
    assert(space.length > 0, "there is always room for a byte");
    const length = Math.min(space.length, most, size * count - sent);
    for (let i = 0; i < length; i++) space[i] = Math.floor((sent + i) / size);
    sent += length;
    input.received(length, parser);
  }
  assertEquals(parser.taken, Array.from({ length: 2 * count }, (_, i) => i >> 1 & 0xff));
  return input;
}

Deno.test("an input buffer stays small where little comes, and grows to 256 KiB where reads fill it", () => {
  assertEquals(readBlocks(100, 2000, 1000, true).capacity, 16 * KiB);
  assertEquals(readBlocks(100, 50_000, Infinity, true).capacity, 256 * KiB);
});

Deno.test("an input buffer grows for one large message, however that comes", () => {
  for (const tells of [true, false]) {
    for (const most of [10 * KiB + 1, 100 * KiB, Infinity]) {
      assertLessOrEqual(readBlocks(700 * KiB, 5, most, tells).capacity, 2048 * KiB);
    }
  }
});

Deno.test("items of any size come out whole, with reads of any size", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40_000 }),
      fc.integer({ min: 1, max: 50_000 }),
      fc.boolean(),
      (size, most, tells) => {
        readBlocks(size, Math.min(100, Math.ceil(300_000 / size)), Math.max(most, 100), tells);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("an output gathers while what was taken is written", () => {
  const output = new Output();
  output.text("ab");
  output.append(new Uint8Array(100).fill(0x63));
  const taken = output.take();
  output.append(new Uint8Array(3000).fill(0x64));
  assertEquals(latin1(taken), `ab${"c".repeat(100)}`);
  assertEquals(latin1(output.take()), "d".repeat(3000));
  assertEquals(output.take().length, 0);
});

Deno.test("an output does not keep the memory of a huge message, nor anything after it was told to discard", () => {
  const output = new Output();
  output.append(new Uint8Array(5_000_000));
  output.take();
  output.take();
  assertEquals(output.bytes.length, KiB);
  output.discard();
  for (let i = 0; i < 1000; i++) output.append(new Uint8Array(1000));
  assertEquals(output.bytes.length, KiB);
});

Deno.test("bytes are copied, and numbers written, where they belong", () => {
  for (const length of [0, 1, 48, 49, 1000]) {
    const into = new Uint8Array(length + 3);
    const source = new Uint8Array(length + 2).fill(7).subarray(1, length + 1);
    assertEquals(copy(into, 2, source), length + 2);
    assertEquals(into, new Uint8Array([0, 0, ...source, 0]));
  }
  for (const value of [0, 9, 10, 99, 100, 12_345, 999_999_999, 1_000_000_000, 2 ** 31 - 1]) {
    const into = new Uint8Array(12);
    assertEquals(latin1(into.subarray(1, decimal(into, 1, value))), `${value}`);
  }
});

Deno.test("an address has a host, a port and maybe a user", () => {
  assertEquals(parseAddress("nats://localhost", "nats", 4222), {
    text: "nats://localhost:4222",
    host: "localhost",
    port: 4222,
    user: null,
    password: null,
  });
  assertEquals(parseAddress("redis://:p%40ss@[::1]:7000/", "redis", 6379), {
    text: "redis://[::1]:7000",
    host: "::1",
    port: 7000,
    user: "",
    password: "p@ss",
  });
  assertEquals(parseAddress("mqtt://me@10.0.0.1", "mqtt", 1883).user, "me");
});

Deno.test("a wrong address is refused, and its password not shown", () => {
  for (
    const text of [
      "",
      "localhost",
      "tcp://localhost",
      "nats://",
      "nats://a:0",
      "nats://a/b",
      "nats://a?b",
      "nats://a#b",
    ]
  ) {
    assertThrows(() => parseAddress(text, "nats", 4222), UsageError, `wrong endpoint ${JSON.stringify(text)}`);
  }
  const error = assertThrows(() => parseAddress("nats://me:secret@a/b", "nats", 4222), UsageError);
  assert(!error.message.includes("secret"));
  assertThrows(() => parseAddress("nats://me:%zz@a", "nats", 4222), UsageError, "hex");
});
