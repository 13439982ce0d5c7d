import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readU64 } from "../../core/bytes.ts";
import {
  checksumSeal,
  DatagramFlag,
  type DatagramHeader,
  datagramHeader,
  inDatagram,
  openDatagram,
  type Seal,
  writeDatagramHeader,
} from "../../core/datagram.ts";
import { largestSequence } from "../../core/limits.ts";
import { Random, viewOf, VirtualPlatform } from "./fixtures.ts";

const seal = checksumSeal(new VirtualPlatform());
const group = 0xfedcba98;

/** A sealed datagram at an offset of a larger buffer. */
function sealed(body: Uint8Array, fields: Partial<DatagramHeader> = {}, by: Seal = seal, offset = 3) {
  const bytes = new Uint8Array(offset + datagramHeader + body.length + by.length + 5);
  const view = viewOf(bytes);
  const session = new Random(1).bytes(16);
  const header = { flags: DatagramFlag.numbered, group, session, counter: 7, number: 5, ...fields };
  const from = writeDatagramHeader(bytes, view, offset, header);
  bytes.set(body, from);
  by.close(bytes, view, offset, from + body.length);
  return { bytes, view, start: offset, end: from + body.length + by.length, session };
}

const open = ({ bytes, view, start, end }: ReturnType<typeof sealed>, by: Seal = seal) =>
  openDatagram(by, bytes, view, start, end, group);

Deno.test("a datagram is as it was sealed, wherever it stands", () => {
  for (const offset of [0, 1, 8]) {
    const datagram = sealed(new Uint8Array([1, 2, 3]), { counter: 2 ** 40 + 1, number: 2 ** 52 }, seal, offset);
    assertEquals(open(datagram), null);
    const { bytes, view, start, session } = datagram;
    assertEquals(readU64(view, start + inDatagram.counter), 2 ** 40 + 1);
    assertEquals(readU64(view, start + inDatagram.number), 2 ** 52);
    assertEquals(bytes.slice(start + inDatagram.session, start + inDatagram.session + 16), session);
    assertEquals([...bytes.slice(start + datagramHeader, start + datagramHeader + 3)], [1, 2, 3]);
  }
});

Deno.test("one bit that is wrong anywhere, or one byte that is missing, is found", () => {
  const datagram = sealed(new Random(2).bytes(30));
  const { bytes, start, end } = datagram;
  for (let bit = start * 8; bit < end * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert(open(datagram) !== null, `bit ${bit}`);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  for (let cut = start; cut < end; cut++) assert(open({ ...datagram, end: cut }) !== null, `cut at ${cut}`);
  assert(open({ ...datagram, end: end + 1 }) !== null);
  assertEquals(open(datagram), null);
});

Deno.test("what is not ours is told apart from what is damaged", () => {
  const with_ = (change: (bytes: Uint8Array, view: DataView, start: number) => void) => {
    const datagram = sealed(new Uint8Array(8));
    change(datagram.bytes, datagram.view, datagram.start);
    return open(datagram);
  };
  assertEquals(with_((bytes, _, start) => bytes[start] = 0), "foreign");
  assertEquals(with_((_, view, start) => view.setUint32(start + inDatagram.group, 1, true)), "foreign");
  assertEquals(with_((bytes, _, start) => bytes[start + inDatagram.version] = 2), "version");
  assertEquals(with_((bytes, _, start) => bytes[start + inDatagram.flags]! |= DatagramFlag.encrypted), "encrypted");
  assertEquals(with_((bytes, _, start) => bytes[start + inDatagram.header] = 39), "damaged");
  assertEquals(with_((bytes, _, start) => bytes[start + inDatagram.header] = 255), "damaged");
  const keyed: Seal = { ...seal, flag: DatagramFlag.encrypted };
  assertEquals(open(sealed(new Uint8Array(8)), keyed), "plain");
});

Deno.test("a header that grew is passed over, and numbers that cannot be are refused", () => {
  const longer = sealed(new Uint8Array(8));
  longer.bytes[longer.start + inDatagram.header] = datagramHeader + 8;
  seal.close(longer.bytes, longer.view, longer.start, longer.end - seal.length);
  assertEquals(open(longer), null);
  for (const wrong of [{ counter: 0 }, { number: 0 }]) assertEquals(open(sealed(new Uint8Array(8), wrong)), "damaged");
  const huge = sealed(new Uint8Array(8), { number: largestSequence });
  assertEquals(open(huge), null);
  huge.bytes[huge.start + inDatagram.number + 7] = 1;
  seal.close(huge.bytes, huge.view, huge.start, huge.end - seal.length);
  assertEquals(open(huge), "damaged");
});

Deno.test("whatever comes is told what it is, and nothing is thrown", () => {
  const junk = fc.uint8Array({ maxLength: 100 });
  fc.assert(fc.property(junk, fc.nat(3), (bytes, kind) => {
    // Some look right at first sight.
    if (kind > 0 && bytes.length > 8) {
      bytes.set([0xd5, 1, kind === 2 ? 40 : bytes[2]!, bytes[3]! & 7]);
      viewOf(bytes).setUint32(inDatagram.group, group, true);
    }
    const outcome = openDatagram(seal, bytes, viewOf(bytes), 0, bytes.length, group);
    assert(outcome !== null, "no checksum is right by chance, for these seeds");
  }));
});
