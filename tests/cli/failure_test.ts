import { assertEquals } from "@std/assert";
import { ProtocolError, RefusedError, TransportError, UsageError } from "../../core/errors.ts";
import { Code } from "../../core/codes.ts";
import { ExitStatus, Failure, Interrupted } from "../../cli/exit.ts";
import { lineOf, statusOf } from "../../cli/failure.ts";

const endpoint = "tcp://127.0.0.1:7070";

const cases: ReadonlyArray<readonly [error: unknown, status: ExitStatus, line: string]> = [
  [new UsageError("bad"), 2, "stream publish: bad"],
  [new UsageError("bad", "try this"), 2, "stream publish: bad: try this"],
  [new Failure("cannot read x: no such file"), 1, "stream publish: cannot read x: no such file"],
  [new Failure("too few", ExitStatus.timedOut), 5, "stream publish: too few"],
  [
    new TransportError(`connect to ${endpoint}`, endpoint, "connection refused: is a server running?"),
    3,
    `stream publish: cannot connect to ${endpoint}: connection refused: is a server running?`,
  ],
  [
    new TransportError(`listen on ${endpoint}`, endpoint, "the port is in use"),
    1,
    `stream publish: cannot listen on ${endpoint}: the port is in use`,
  ],
  [
    new RefusedError("publish to $a", Code.reservedTopic, "it is the server's"),
    4,
    "stream publish: cannot publish to $a: it is the server's (reserved-topic)",
  ],
  [new ProtocolError(Code.protocol, "a frame of no type"), 1, "stream publish: protocol: a frame of no type"],
  [new Interrupted("SIGINT"), 130, "stream publish: interrupted by SIGINT"],
  [
    new TypeError("x is not a function"),
    1,
    "stream publish: internal error: TypeError: x is not a function: this is a bug, please report it with what follows",
  ],
  ["thrown", 1, "stream publish: internal error: thrown: this is a bug, please report it with what follows"],
];

for (const [error, status, line] of cases) {
  Deno.test(`${line} (${status})`, () => {
    assertEquals(statusOf(error), status);
    assertEquals(lineOf(error, "publish"), line);
  });
}

Deno.test("an error stays one line, whatever is in it", () => {
  assertEquals(lineOf(new UsageError("a\nb\x1b[2J"), "stream"), "stream: a\\nb\\u001b[2J");
});
