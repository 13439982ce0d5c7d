import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../core/errors.ts";
import { type Admission, isLoopback, parseServer, requireOpen } from "../../cli/endpoints.ts";

for (
  const [text, endpoint] of [
    ["tcp://127.0.0.1", "tcp://127.0.0.1:7070"],
    ["tcp://localhost:0", "tcp://localhost:0"],
    ["tcp://[::1]:7000", "tcp://[::1]:7000"],
  ] as const
) {
  Deno.test(`${text} is the server ${endpoint}`, () => assertEquals(parseServer(text), endpoint));
}

for (const text of ["tcp://h/topic", "tcp://h?topics=a", "udp://h", "h:7070", "-", ""]) {
  Deno.test(`"${text}" is no server`, () => void assertThrows(() => parseServer(text), UsageError, "wrong endpoint"));
}

Deno.test("the example for a wrong server is a right one", () => {
  const { hint } = assertThrows(() => parseServer("tcp://h:99999"), UsageError);
  assertEquals(hint, "for example: tcp://127.0.0.1:7070");
});

/** A server that knows nobody. */
const nobody: Admission = { open: false, users: false, certificates: false };

const hosts: Readonly<Record<string, boolean>> = {
  "localhost": true,
  "127.0.0.1": true,
  "127.9.9.9": true,
  "::1": true,
  "::ffff:7f00:1": true,
  "0.0.0.0": false,
  "::": false,
  "10.0.0.1": false,
  "::ffff:a00:1": false,
  "example.com": false,
  "127.0.0.1.example.com": false,
  "localhost.example.com": false,
};

for (const [host, loopback] of Object.entries(hosts)) {
  Deno.test(`${host} ${loopback ? "is" : "is not"} loopback`, () => {
    assertEquals(isLoopback(host), loopback);
    const endpoint = host.includes(":") ? `tcp://[${host}]:1` : `tcp://${host}:1`;
    requireOpen(endpoint, { ...nobody, open: true });
    if (loopback) requireOpen(endpoint, nobody);
    else assertThrows(() => requireOpen(endpoint, nobody), UsageError, "is not on loopback");
  });
}

/** What may be reached from other machines, by what is known of those who come. */
const admissions: [endpoint: string, admission: Partial<Admission>, fault: RegExp | null][] = [
  ["tls://0.0.0.0:7070", {}, /anybody who reaches it could publish and subscribe.*--auth FILE/],
  ["tls://0.0.0.0:7070", { users: true }, null],
  ["tls://0.0.0.0:7070", { certificates: true }, null],
  ["tls://0.0.0.0:7070", { open: true }, null],
  ["tcp://0.0.0.0:7070", { users: true }, /passwords and messages could be read.*listen on tls:\/\/0\.0\.0\.0:7070/],
  ["tcp://0.0.0.0:7070", { certificates: true }, /anybody who reaches it/],
  ["tcp://0.0.0.0:7070", { users: true, open: true }, null],
  ["tcp://127.0.0.1:7070", { users: true }, null],
];

for (const [endpoint, admission, fault] of admissions) {
  Deno.test(`${endpoint} with ${Object.keys(admission)} ${fault ? "is refused" : "may be listened on"}`, () => {
    const require = () => requireOpen(endpoint, { ...nobody, ...admission });
    if (fault === null) require();
    else {
      const { message, hint } = assertThrows(require, UsageError);
      assertMatch(`${message}: ${hint}`, fault);
    }
  });
}
