import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatLatency, picture, secondLine, styleFor, verdict } from "../../demo/picture.ts";
import { emptyScene, type Scene, Track } from "../../demo/scene.ts";
import { clip, Screen } from "../../demo/screen.ts";

function sceneAt(seconds: number): Scene {
  const scene = emptyScene("tcp://127.0.0.1:65535", 9, 3.6);
  scene.elapsed = seconds;
  const latency = { count: 1, p50: 123, p99: 9_876, most: 99_999 };
  for (let at = 0.1; at <= seconds; at += 0.1) {
    for (const track of [scene.publisher, scene.live.track]) track.add(at, Math.round(12_345_678 * at));
    scene.live.latencies.push({ at, p99: 1_000 * at });
  }
  Object.assign(scene.live, { joined: true, latency });
  if (seconds > scene.joinAt) {
    scene.late.track.begin(scene.joinAt);
    scene.late.track.add(seconds, 12_345_678);
    Object.assign(scene.late, { joined: true, latency, caughtUp: { messages: 1_234_567, milliseconds: 1_234 } });
  }
  Object.assign(scene.multicast!, { joined: true, latency });
  scene.multicast!.track.add(Math.max(seconds, 0.1), 12_345_678);
  if (seconds > 1) scene.multicast!.network = { datagrams: 1_234_567, lost: 12_345 };
  scene.busiest = Array.from({ length: 8 }, (_, i) => ({
    symbol: `SYM${i}`,
    ticks: 1_000 - i,
    last: 600 + i,
    prices: Array.from({ length: Math.floor(seconds * 10) }, (_, at) => 600 + Math.sin(at + i)),
  }));
  return scene;
}

Deno.test("the picture fits into 80 columns, at every moment and with any of its lines", () => {
  for (const seconds of [0, 0.1, 2, 5, 9, 12]) {
    const scene = sceneAt(seconds);
    for (const rows of [8, 3, 0]) {
      const lines = [...picture(scene, styleFor(false), rows), ...verdict(scene, styleFor(false))];
      for (const line of lines) assert(line.length <= 80, `${line.length}: ${line}`);
    }
    assertEquals(picture(scene, styleFor(true)).length, picture(scene, styleFor(false)).length);
  }
});

Deno.test("where no multicast is heard the picture says so, and the verdict is about the others", () => {
  const scene = sceneAt(5);
  assertStringIncludes(picture(scene, styleFor(false)).join("\n"), "1,234,567 datagrams 12,345 lost on purpose");
  scene.multicast = null;
  scene.faults = [];
  const lines = [...picture(scene, styleFor(false)), ...verdict(scene, styleFor(false)), secondLine(scene)].join("\n");
  assertStringIncludes(lines, "no multicast is heard on this machine: see `stream doctor`");
  assertStringIncludes(lines, "at all three");
  assert(!/^ multicast/m.test(lines));
});

Deno.test("without colours there is no control sequence", () => {
  const lines = picture(sceneAt(5), styleFor(false));
  assert(!lines.join("\n").includes("\x1b"));
  assert(picture(sceneAt(5), styleFor(true)).join("\n").includes("\x1b["));
});

Deno.test("before the late one has joined the picture and the lines say when it will", () => {
  assertStringIncludes(picture(sceneAt(2), styleFor(false)).join("\n"), "joins at 3.6 s, --from earliest");
  assertStringIncludes(secondLine(sceneAt(2)), "late joins at 3.6 s");
  assertStringIncludes(picture(sceneAt(5), styleFor(false)).join("\n"), "1,234,567 kept ones in 1.2 s");
});

Deno.test("the verdict names what is wrong, and never says more than was compared", () => {
  const scene = sceneAt(9);
  assertStringIncludes(verdict(scene, styleFor(false)).join("\n"), "✗ nothing was compared");
  scene.faults = Array.from({ length: 20 }, (_, i) => `live: ticks/A${i}: sent 2, received 1`);
  const text = verdict(scene, styleFor(false)).join("\n");
  assertStringIncludes(text, "✗ live: ticks/A0: sent 2, received 1");
  assertStringIncludes(text, "✗ and 12 more");
  assertStringIncludes(text, "✗ the ends do not agree");
  scene.faults = [];
  assertStringIncludes(verdict(scene, styleFor(false)).join("\n"), "✓ every topic");
});

Deno.test("latencies are told in the unit that fits", () => {
  assertEquals([87, 999, 1_300, 12_400, 1_234_000].map(formatLatency), ["87 µs", "999 µs", "1.3 ms", "12 ms", "1.2 s"]);
});

Deno.test("a track knows its rates, and nothing from before it began", () => {
  const track = new Track();
  assertEquals(track.rate, 0);
  track.begin(2);
  track.add(3, 1_000);
  track.add(4, 3_000);
  assertEquals([track.messages, track.rate], [3_000, 2_000]);
  assertEquals([track.rateBetween(0, 1), track.rateBetween(4, 5)], [NaN, NaN]);
  assertEquals([track.rateBetween(1, 3), track.rateBetween(2.5, 3.5)], [1_000, 1_500]);
});

Deno.test("a screen draws over what it drew, and cuts off what does not fit", () => {
  let text = "";
  {
    using screen = new Screen({ write: (more) => text += more, size: () => ({ columns: 4, rows: 3 }) });
    screen.draw(["12345", "\x1b[1mabcdef\x1b[0m", "never"]);
    screen.draw(["x"]);
  }
  assertStringIncludes(text, "\r1234\x1b[K\n\x1b[1mabcd\x1b[0m\x1b[K\n\x1b[J");
  assertStringIncludes(text, "\x1b[2A\rx\x1b[K\n");
  assert(!text.includes("never"));
  assert(text.startsWith("\x1b[?25l") && text.endsWith("\x1b[?25h"));
  assertEquals(clip("▁▂▃▄", 2), "▁▂");
});
