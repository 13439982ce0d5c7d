import { assertEquals, assertStringIncludes } from "@std/assert";
import layers from "../../lint/layers.ts";

const root = new URL("../../", import.meta.url).pathname;

function lint(path: string, source: string): Deno.lint.Diagnostic[] {
  return Deno.lint.runPlugin(layers, root + path, source);
}

const allowed: [path: string, specifier: string][] = [
  ["core/log.ts", "./segment.ts"],
  ["core/server.ts", "./connection.ts"],
  ["transports/tcp.ts", "../core/connection.ts"],
  ["transports/tcp.ts", "./endpoint.ts"],
  ["transports/tls.ts", "./socket.ts"],
  ["transports/tls.ts", "./tls_certificate.ts"],
  ["transports/tls.ts", "node:tls"],
  ["transports/dial.ts", "./tcp.ts"],
  ["mod.ts", "./transports/dial.ts"],
  ["cli/publish.ts", "../mod.ts"],
  ["cli/publish.ts", "@stream/stream"],
  ["cli/publish.ts", "../transports/dial.ts"],
  ["cli/publish.ts", "../core/errors.ts"],
  ["cli/main.ts", "@commander-js/extra-typings"],
  ["tests/core/log_test.ts", "../../cli/main.ts"],
  ["demo/demo.ts", "../cli/units.ts"],
];

const refused: [path: string, specifier: string, why: string][] = [
  ["core/log.ts", "../transports/tcp.ts", "transports stands above core"],
  ["core/log.ts", "../mod.ts", "mod.ts stands above core"],
  ["core/log.ts", "@stream/stream", "mod.ts stands above core"],
  ["core/log.ts", "../cli/units.ts", "cli stands above core"],
  ["core/log.ts", "node:zlib", "core imports nothing but core"],
  ["core/log.ts", "npm:fast-check", "core imports nothing but core"],
  ["core/log.ts", "@std/assert", "core imports nothing but core"],
  ["core/log.ts", "https://example.com/a.ts", "core imports nothing but core"],
  ["core/log.ts", "../../elsewhere/a.ts", "core imports nothing but core"],
  ["core/log.ts", "../types/std_assert.js", "types is not"],
  ["transports/tcp.ts", "../cli/units.ts", "cli stands above transports"],
  ["transports/tcp.ts", "./tls.ts", "no transport imports another"],
  ["transports/tls_certificate.ts", "./tcp.ts", "no transport imports another"],
  ["transports/socket.ts", "./tcp.ts", "no transport imports another"],
  ["transports/tcp.ts", "../tests/transports/contract.ts", "tests is not"],
  ["mod.ts", "./cli/units.ts", "cli stands above mod.ts"],
  ["cli/main.ts", "../bench/main.ts", "bench is not"],
];

Deno.test("imports down and within a room pass", () => {
  for (const [path, specifier] of allowed) {
    assertEquals(lint(path, `import { a } from "${specifier}";`), [], `${path} imports ${specifier}`);
  }
});

Deno.test("imports up, sideways and out of core are refused, with the reason", () => {
  for (const [path, specifier, why] of refused) {
    const found = lint(path, `import { a } from "${specifier}";`);
    assertEquals(found.map((it) => it.id), ["layers/imports"], `${path} imports ${specifier}`);
    assertStringIncludes(found[0]!.message, why);
  }
});

Deno.test("every form of import is judged", () => {
  const forms = [
    `import "../cli/a.ts";`,
    `import type { A } from "../cli/a.ts";`,
    `export * from "../cli/a.ts";`,
    `export * as a from "../cli/a.ts";`,
    `export { a } from "../cli/a.ts";`,
    `const a = await import("../cli/a.ts");`,
    `const a = await import(name);`,
    `type A = import("../cli/a.ts").A;`,
  ];
  for (const form of forms) {
    assertEquals(lint("core/log.ts", form).map((it) => it.id), ["layers/imports"], form);
  }
});

Deno.test("what is not an import is left alone", () => {
  const source = `// import "../cli/a.ts"\nexport const a = 'import "../cli/a.ts"';\nexport { a as b };\n`;
  assertEquals(lint("core/log.ts", source), []);
});

Deno.test("a reference directive is refused in core alone", () => {
  const source = `/// <reference lib="deno.ns" />\nexport const a = 1;\n`;
  assertEquals(lint("core/log.ts", source).map((it) => it.id), ["layers/core-lib"]);
  assertEquals(lint("transports/tcp.ts", source), []);
});
