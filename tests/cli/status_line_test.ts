import { assertEquals } from "@std/assert";
import { StatusLine, statusTerminal } from "../../cli/status_line.ts";

Deno.test("a status line is written over itself, in one column less than there are", () => {
  const written: string[] = [];
  {
    using line = new StatusLine({ write: (text) => written.push(text), now: () => 0, columns: () => 5 });
    line.clear();
    line.show("12345678");
    line.show("x");
  }
  assertEquals(written, ["\r1234\x1b[K", "\rx\x1b[K", "\r\x1b[K"]);
});

Deno.test("there is none with --quiet", () => {
  assertEquals(statusTerminal(true), null);
});
