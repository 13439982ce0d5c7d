/** `publish --compress`: what is published comes out as it went in, on whatever way. */

import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { parseCompression } from "../../cli/compression.ts";
import { UsageError } from "../../core/errors.ts";
import { groupSubscriber, startMulticast, testGroup } from "./groups.ts";
import { stream } from "./program.ts";
import { startServer } from "./process.ts";

const count = 5_000;
const lines = Array.from({ length: count }, (_, i) => `{"symbol":"ACME","price":${100 + i / 100},"number":${i}}\n`)
  .join("");

for (const how of ["zstd", "deflate", "auto", "zstd:9", "deflate:9", "auto:2"]) {
  Deno.test(`publish --compress ${how}: every line comes out as it went in, and the server keeps less`, async () => {
    await using server = await startServer();
    await using subscriber = await server.subscriber(["--strict", "-n", `${count}`, "ticks"]);
    const { status, stderr } = await server.run(["publish", "--compress", how, "ticks"], { stdin: lines });
    assertEquals([status, stderr], [0, ""]);
    assertEquals((await subscriber.ran()).stdout, lines);
    const kept = (await server.topics()).get("ticks")!;
    assertEquals(kept.messages, count);
    assertLess(kept.bytes, lines.length / 2);
  });
}

Deno.test("publish --compress to a server that multicasts: in the group, by UDP, and over a connection", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  const args = ["--strict", "-n", `${count}`, "ticks"];
  await using multicast = await groupSubscriber(group, args);
  await using udp = await server.subscriber(["--udp", ...args]);
  await server.run(["publish", "--compress", "zstd", "ticks"], { stdin: lines });
  await using later = server.start(["subscribe", "--from", "earliest", ...args]);
  for (const subscriber of [multicast, udp, later]) {
    const { status, stdout, stderr } = await subscriber.ran();
    assertEquals([status, stdout], [0, lines], stderr);
  }
  assertLess((await server.topics()).get("ticks")!.bytes, lines.length);
});

Deno.test("publish --compress auto sends as it is what does not compress", async () => {
  await using server = await startServer();
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  for (const codec of ["auto", "zstd"]) {
    await server.run(["publish", "--compress", codec, "--chunk", "1KiB", codec], { stdin: noise });
    const { bytes } = (await server.topics()).get(codec)!;
    assert(bytes >= noise.length);
    assertEquals((await server.payloads(codec)).join("").length, noise.length);
  }
});

Deno.test("--compress: a codec and its level, and what is none says which there are", () => {
  assertEquals(parseCompression("zstd"), { codec: "zstd" });
  assertEquals(parseCompression("deflate:9"), { codec: "deflate", level: 9 });
  assertEquals(parseCompression("auto:19"), { codec: "auto", level: 19 });
  for (const text of ["zstd:", "zstd:0", "zstd:20", "zstd:-1", "zstd:1.5", "zstd:3:3", "deflate:10", "auto:fast"]) {
    assertThrows(() => parseCompression(text), UsageError, "is no level of");
  }
  for (const text of ["", "gzip", "ZSTD", ":3"]) {
    assertThrows(() => parseCompression(text), UsageError, "is not one of zstd, deflate, auto");
  }
});

Deno.test("a wrong --compress is a usage error with a hint", async () => {
  const { status, stderr } = await stream(["publish", "a", "-m", "x", "--compress", "zst"]);
  assertEquals(status, 2);
  assertMatch(stderr, /--compress: "zst" is not one of zstd, deflate, auto/);
  assertStringIncludes(stderr, "did you mean zstd?");
  const level = await stream(["publish", "a", "-m", "x", "--compress", "deflate:12"]);
  assertEquals(level.status, 2);
  assertStringIncludes(level.stderr, `--compress: "12" is no level of deflate`);
  assertStringIncludes(level.stderr, "levels are 1, the fastest, to 9");
});
