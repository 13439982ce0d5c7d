/**
 * What compression brings: of three kinds of lines, how much smaller frames get, what that costs, and how many messages a
 * second it makes of a link that is slow.
 *
 * `deno task bench` does not run it; run it by hand, on Linux and as root, who alone may make the link (with `ip` and `tc`;
 * others get the first table):
 *
 *     deno run -A bench/compression.ts [--rate 100mbit] [--lines 1000000] [--rounds 3]
 *
 * The first table is of frames as a publisher makes them, each compressed by itself, in one process. The second is of whole
 * programs: `publish` in a network namespace, `serve` and `subscribe` in another, and between the two a link of that rate,
 * in both directions. Messages a second are those that `subscribe` writes, between the first bytes and the last; processor
 * time is that of the whole program, its start too. Figures are medians of the rounds.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Codec, type CodecName } from "../core/codec.ts";
import { usefulFrame } from "../core/frame.ts";
import { defaultLimits } from "../core/limits.ts";
import { canMakeNetworks, type Host, Network, networkInterface } from "../tests/cli/network.ts";
import { Process } from "../tests/cli/process.ts";
import { platform } from "../transports/platform.ts";
import { kinds } from "./compression_data.ts";

const { values: given } = parseArgs({
  args: Deno.args,
  options: {
    rate: { type: "string", default: "100mbit" },
    lines: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "3" },
  },
});
const lineCount = Number(given.lines);
const encoder = new TextEncoder();

const levels: readonly [CodecName, number][] = [
  ["deflate", 1],
  ["deflate", 3],
  ["deflate", 6],
  ["zstd", 1],
  ["zstd", 3],
  ["zstd", 9],
];

/** The payloads of frames of about so many bytes. */
function payloadsOf(lines: readonly string[], size: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let parts: number[] = [];
  for (const line of lines) {
    // The lines are shorter than 16,384 bytes: their lengths take one byte, or two.
    const bytes = encoder.encode(line);
    const length = bytes.length < 128 ? [bytes.length] : [bytes.length & 127 | 128, bytes.length >> 7];
    if (parts.length + length.length + bytes.length > size) {
      payloads.push(new Uint8Array(parts));
      parts = [];
    }
    parts.push(...length, ...bytes);
  }
  return payloads;
}

/** Runs it over all payloads until half a second has passed; returns megabytes (10^6) a second of `size` bytes a round. */
function speed(size: number, run: () => void): number {
  run();
  const from = performance.now();
  let rounds = 0;
  let elapsed = 0;
  while (elapsed < 500) {
    run();
    rounds++;
    elapsed = performance.now() - from;
  }
  return size * rounds / elapsed / 1000;
}

/** One codec at one level, over payloads: how much smaller they get, and megabytes a second of what is not compressed. */
function measure(payloads: readonly Uint8Array[], name: CodecName, level: number) {
  const codec = Codec[name];
  const size = payloads.reduce((sum, { length }) => sum + length, 0);
  const packed = payloads.map((payload) => platform.compress(codec, level, payload));
  return {
    ratio: size / packed.reduce((sum, { length }) => sum + length, 0),
    compress: speed(size, () => payloads.forEach((payload) => platform.compress(codec, level, payload))),
    expand: speed(size, () => packed.forEach((bytes, i) => platform.expand(codec, bytes, payloads[i]!.length))),
  };
}

function codecs(): void {
  console.log(
    "\nHow much smaller, and MB/s (10^6 bytes of what is not compressed) that are compressed, and expanded:\n",
  );
  console.log("| frames of | --compress | " + Object.keys(kinds).map((kind) => `${kind} | `).join(""));
  console.log("| --- | --- | " + "--- | ".repeat(Object.keys(kinds).length));
  for (const size of [usefulFrame(defaultLimits.maxMessage), 4096, 1024, 256, 128]) {
    for (const [name, level] of levels) {
      const cells = Object.values(kinds).map((lines) => {
        const { ratio, compress, expand } = measure(payloadsOf(lines(10_000), size).slice(0, 200), name, level);
        return `${ratio.toFixed(2)}, ${compress.toFixed(0)}, ${expand.toFixed(0)} | `;
      });
      console.log(`| ${size} B | ${name}:${level} | ${cells.join("")}`);
    }
  }
}

/** A program, and the processor time that it took, in seconds. */
function timed(args: readonly string[], within: readonly string[], sink?: (chunk: Uint8Array) => void): Process {
  // What counts is the program's own process: the shell tells it.
  const shell = ["bash", "-c", `TIMEFORMAT="cpu %U %S"; time "$@"`, "bash", ...within];
  return new Process(["stream", ...args], { within: shell, limit: 600_000, ...(sink && { sink }) });
}

async function cpuOf(process: Process): Promise<number> {
  const { status, stderr } = await process.ran();
  if (status !== 0) throw new Error(stderr);
  const [, user, system] = /^cpu ([\d.]+) ([\d.]+)$/m.exec(stderr)!;
  return Number(user) + Number(system);
}

/** Publishes a file over the link. Returns messages a second, and processor seconds a million messages at each end. */
async function publish(near: Host, far: Host, file: string, compress: readonly string[]) {
  const address = `tcp://10.70.0.${far.index}:7070`;
  await using server = new Process(["stream", "serve", "--listen", address, "--open"], { within: far.within });
  await server.stdout.line(/^listening/);
  let [first, last] = [0, 0];
  const args = ["--server", address, "--lag-policy", "wait", "--strict", "-n", `${lineCount}`, "data"];
  await using subscriber = timed(["subscribe", ...args], far.within, () => {
    last = performance.now();
    first ||= last;
  });
  await subscriber.stderr.line(/^subscribed/);
  await using publisher = timed(["publish", "--server", address, ...compress, "data", file], near.within);
  const [sent, received] = [await cpuOf(publisher), await cpuOf(subscriber)];
  const million = lineCount / 1e6;
  return { rate: lineCount / (last - first) * 1000, sent: sent / million, received: received / million };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

async function link(): Promise<void> {
  await using network = await Network.make({ hosts: 2 });
  const [near, far] = network.hosts as [Host, Host];
  for (const { within } of [near, far]) {
    const shape = ["tc", "qdisc", "add", "dev", networkInterface, "root", "tbf"];
    await using tc = new Process([...within, ...shape, "rate", given.rate, "burst", "256kb", "latency", "50ms"]);
    const { status, stderr } = await tc.ran();
    if (status !== 0) throw new Error(stderr);
  }
  console.log(`\n| over ${given.rate} | --compress | messages a second | publish, CPU s per million | subscribe |`);
  console.log("| --- | --- | --- | --- | --- |");
  for (const [kind, lines] of Object.entries(kinds)) {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, lines(lineCount).map((line) => `${line}\n`).join(""));
      for (const how of [null, "deflate", "zstd", "zstd:6", "auto"]) {
        const compress = how === null ? [] : ["--compress", how];
        const rounds = [];
        for (let round = 0; round < Number(given.rounds); round++) {
          rounds.push(await publish(near, far, file, compress));
        }
        const rate = median(rounds.map(({ rate }) => rate));
        const [sent, received] = [
          median(rounds.map(({ sent }) => sent)),
          median(rounds.map(({ received }) => received)),
        ];
        const figures = [`${Math.round(rate / 1000)} k/s`, sent.toFixed(2), received.toFixed(2)];
        console.log(`| ${kind} | ${how ?? "without"} | ${figures.join(" | ")} |`);
      }
    } finally {
      await Deno.remove(file);
    }
  }
}

codecs();
if (canMakeNetworks) await link();
else console.log("\nThis user cannot make networks: the link is left out.");
