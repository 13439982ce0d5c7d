import { assertEquals, assertFalse } from "@std/assert";
import { Log, type LogFormat, type LogLevel, oneLine, wantsColor } from "../../cli/log.ts";

/** A log whose lines are kept and whose clock stands still until it is told. */
function logAt(level: LogLevel, format: LogFormat = "text", color = false) {
  const lines: string[] = [];
  let now = Date.UTC(2026, 0, 31, 12);
  let due: { readonly at: number; readonly callback: () => void } | undefined;
  const log = new Log({ level, format, quiet: false }, {
    write: (line) => lines.push(line),
    now: () => now,
    color,
    later(callback, milliseconds) {
      due = { at: now + milliseconds, callback };
      return () => due = undefined;
    },
  });
  const pass = (milliseconds: number) => {
    const end = now + milliseconds;
    while (due !== undefined && due.at <= end) {
      now = due.at;
      const { callback } = due;
      due = undefined;
      callback();
    }
    now = end;
  };
  return { log, lines, pass, waiting: () => due !== undefined };
}

const time = "2026-01-31T12:00:00.000Z";

Deno.test("a record is one line: time, level, message, fields", () => {
  const { log, lines } = logAt("info");
  log.info("accepted", { peer: "127.0.0.1:51334", reason: "too slow", note: "" });
  assertEquals(lines, [`${time} info  accepted peer=127.0.0.1:51334 reason="too slow" note=""`]);
});

Deno.test("json is one object a line", () => {
  const { log, lines } = logAt("info", "json");
  log.warn("two\nlines", { count: 3 });
  assertEquals(lines, [`{"time":"${time}","level":"warn","message":"two\\nlines","count":3}`]);
});

Deno.test("nothing in a record breaks the line or drives the terminal", () => {
  assertEquals(oneLine("a\nb\x1b[2Jc\u0085\u2028"), "a\\nb\\u001b[2Jc\\u0085\\u2028");
  const { log, lines } = logAt("info");
  log.info("topic\x1b]0;x", { name: "a\nb" });
  assertEquals(lines, [`${time} info  topic\\u001b]0;x name="a\\nb"`]);
});

for (const [level, expected] of [["error", 1], ["warn", 2], ["info", 3], ["debug", 4]] as const) {
  Deno.test(`--log-level ${level} writes ${expected} of four levels`, () => {
    const { log, lines } = logAt(level);
    log.error("e");
    log.warn("w");
    log.info("i");
    log.debug("d");
    assertEquals(lines.length, expected);
  });
}

Deno.test("repeated warnings are added up and told when the time is over", () => {
  const { log, lines, pass, waiting } = logAt("info");
  log.warn("another");
  for (let i = 0; i < 42; i++) log.warn("slow subscriber", { peer: i });
  assertEquals(lines.length, 2);
  pass(5_000);
  assertEquals(lines.slice(2), ["2026-01-31T12:00:05.000Z warn  slow subscriber (41 more in 5s) peer=41"]);
  pass(20_000);
  assertEquals(lines.length, 3);
  assertFalse(waiting());
  log.warn("slow subscriber", { peer: 1 });
  assertEquals(lines[3], "2026-01-31T12:00:25.000Z warn  slow subscriber peer=1");
});

Deno.test("what is being added up is told before something new, so that the log stays in order", () => {
  const { log, lines, pass } = logAt("info");
  for (let i = 0; i < 3; i++) log.warn("lost");
  pass(1_000);
  for (let i = 0; i < 2; i++) log.warn("connected again");
  log.warn("lost");
  assertEquals(lines.map((line) => line.slice(31)), ["lost", "lost (2 more in 1s)", "connected again"]);
  pass(5_000);
  assertEquals(lines.slice(3).map((line) => line.slice(31)), ["lost (1 more in 5s)", "connected again (1 more in 5s)"]);
});

Deno.test("what is still being added up is told at the end", () => {
  const { log, lines, waiting } = logAt("info");
  for (let i = 0; i < 3; i++) log.error("refused");
  log[Symbol.dispose]();
  assertEquals(lines[1], `${time} error refused (2 more in 1s)`);
  assertFalse(waiting());
});

Deno.test("different warnings without end are all told, within bounded memory", () => {
  const { log, lines } = logAt("info");
  for (let i = 0; i < 1000; i++) log.warn(`warning ${i}`);
  assertEquals(lines.length, 1000);
});

Deno.test("colours are for terminals, and not where NO_COLOR is set", () => {
  assertEquals(wantsColor(true, undefined), true);
  assertEquals(wantsColor(true, ""), true);
  assertEquals(wantsColor(true, "1"), false);
  assertEquals(wantsColor(false, undefined), false);
  const { log, lines } = logAt("info", "text", true);
  log.warn("x");
  assertEquals(lines, [`${time} \x1b[33mwarn \x1b[0m x`]);
});
