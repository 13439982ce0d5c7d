import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Segment } from "../../core/segment.ts";
import { TransmitIndex } from "../../core/transmit_index.ts";

const memory = new Uint8Array(8);
const segmentOf = (base: number) => new Segment(memory, new DataView(memory.buffer), 0, 8, base, 1);

function found(index: TransmitIndex, number: number) {
  const pieces: [number, number, number, number][] = [];
  const there = index.find(number, (segment, start, end, origin) => pieces.push([segment.base, start, end, origin]));
  return there ? pieces : null;
}

Deno.test("a datagram is found again as the pieces it was made of", () => {
  const index = new TransmitIndex(8, 16);
  const segment = segmentOf(7);
  index.add(segment, 0, 100);
  index.add(segmentOf(8), 50, 60, 20);
  assertEquals(found(index, 1), null, "it is not finished");
  assertEquals(index.finish(), 1);
  index.add(segment, 100, 130);
  assertEquals(found(index, 1), [[7, 0, 100, 0], [8, 50, 60, 20]]);
  assertEquals([index.finish(), index.next], [2, 3]);
  assertEquals(found(index, 2), [[7, 100, 130, 100]]);
  assertEquals([found(index, 0), found(index, 3)], [null, null]);
});

Deno.test("what the log has dropped is not there, in whole or in part", () => {
  const index = new TransmitIndex(8, 16);
  const [kept, dropped] = [segmentOf(1), segmentOf(2)];
  index.add(kept, 0, 1);
  index.finish();
  index.add(kept, 1, 2);
  index.add(dropped, 0, 1);
  index.finish();
  dropped.dropped = true;
  assert(found(index, 1));
  assertEquals(found(index, 2), null);
});

Deno.test("it remembers as many datagrams and pieces as it was made for, and no wrong ones", () => {
  fc.assert(fc.property(fc.array(fc.nat(4), { maxLength: 60 }), (counts) => {
    const index = new TransmitIndex(8, 16);
    const model: [number, number, number, number][][] = [];
    let base = 0;
    for (const count of counts) {
      const pieces: [number, number, number, number][] = [];
      for (let i = 0; i < count; i++) {
        index.add(segmentOf(base), i, i + 1);
        pieces.push([base++, i, i + 1, i]);
      }
      assertEquals(index.finish(), model.push(pieces));
      let total = 0;
      for (let number = model.length; number >= 1; number--) {
        total += model[number - 1]!.length;
        const kept = number > model.length - 8 && total <= 16;
        assertEquals(found(index, number), kept ? model[number - 1]! : null, `number ${number} of ${model.length}`);
      }
    }
  }));
});
