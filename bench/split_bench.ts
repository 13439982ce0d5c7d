/** How fast input is cut into messages. One iteration is one chunk of 128 KiB. */

import { LineSplitter } from "../cli/lines.ts";
import { DelimitedSplitter } from "../cli/split.ts";

const chunkSize = 128 * 1024;
let sum = 0;
const take = (_buffer: Uint8Array, start: number, end: number) => {
  sum += end - start;
};

for (const length of [8, 32, 128, 1024]) {
  const lines = new Uint8Array(chunkSize).fill(0x61);
  for (let at = length - 1; at < chunkSize; at += length) lines[at] = 0x0a;
  const splitter = new LineSplitter(1024 * 1024, take, () => {});
  Deno.bench(`${chunkSize / length} lines of ${length} bytes`, { group: "lines" }, () => {
    splitter.push(lines);
  });

  const delimited = new Uint8Array(chunkSize);
  const view = new DataView(delimited.buffer);
  for (let at = 0; at < chunkSize; at += length) view.setUint32(at, length - 4);
  const delimitedSplitter = new DelimitedSplitter(1024 * 1024, take, () => {});
  Deno.bench(`${chunkSize / length} delimited messages of ${length} bytes`, { group: "delimited" }, () => {
    delimitedSplitter.push(delimited);
  });
}

Deno.bench("lines, cut at every 1,000 bytes", () => {
  const splitter = new LineSplitter(1024 * 1024, take, () => {});
  const input = new Uint8Array(chunkSize).fill(0x61);
  for (let at = 63; at < chunkSize; at += 64) input[at] = 0x0a;
  for (let at = 0; at < chunkSize; at += 1000) splitter.push(input.subarray(at, at + 1000));
});

if (sum < 0) throw new Error("the sum is kept so that the work is not optimised away");
