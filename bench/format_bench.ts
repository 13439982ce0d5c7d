/** How fast messages are written out. One iteration is 1,000 messages. */

import { type FormatName, messageFormat } from "../cli/format.ts";
import { OutputBuffer } from "../cli/output_buffer.ts";

const formats: ReadonlyArray<readonly [FormatName, boolean]> = [
  ["lines", false],
  ["lines", true],
  ["raw", false],
  ["json", false],
  ["hex", false],
  ["delimited", false],
];

for (const length of [32, 128, 1024]) {
  const payload = new Uint8Array(length).fill(0x61);
  for (const [name, withTopic] of formats) {
    const output = new OutputBuffer();
    const format = messageFormat(name, output, withTopic);
    Deno.bench(`${name}${withTopic ? " -v" : ""}`, { group: `${length} bytes` }, () => {
      output.clear();
      for (let seq = 1; seq <= 1000; seq++) format.message("ticks/a", seq, 1.7e15, payload, 0, length);
    });
  }
}
