import { assert, assertEquals } from "@std/assert";
import { filesByUrl, isEmbedded, parseEmbedded, reachable } from "../../tasks/embedded.ts";

Deno.test("the list of embedded files is read from what compile prints", () => {
  const embedded = parseEmbedded(`Check cli/main.ts
Compile cli/main.ts to dist/stream

Embedded Files

stream
├─┬ .deno_compile_node_modules (3.13MB - 2.79MB unique)
│ └─┬ localhost (3.13MB - 2.79MB unique)
│   └── commander/15.1.0/* (202.37KB)
├─┬ cli (218.8KB)
│ ├─┬ pages (1KB)
│ │ └── index.html (1KB)
│ └── main.ts (10.78KB)
├── core/log.ts (3KB)
└── transports/* (30.85KB)

Files: 3.12MB
`);
  assertEquals([...embedded.files], ["cli/pages/index.html", "cli/main.ts", "core/log.ts"]);
  assertEquals(embedded.directories, [".deno_compile_node_modules/localhost/commander/15.1.0", "transports"]);
  assert(isEmbedded(embedded, "cli/main.ts"));
  assert(isEmbedded(embedded, "transports/tcp.ts"));
  assert(!isEmbedded(embedded, "cli/serve.ts"));
  assert(!isEmbedded(embedded, "transports"));
});

Deno.test("what a module reaches at run time leaves out types and other people's modules", () => {
  const info = JSON.stringify({
    modules: [
      {
        specifier: "file:///p/cli/main.ts",
        dependencies: [
          { code: { specifier: "file:///p/cli/serve.ts" } },
          { type: { specifier: "file:///p/core/connection.ts" } },
          { code: { specifier: "npm:commander@15.1.0" } },
          { code: { error: "not found" } },
        ],
      },
      { specifier: "file:///p/cli/serve.ts", dependencies: [{ code: { specifier: "file:///p/cli/main.ts" } }] },
      { specifier: "file:///p/core/connection.ts" },
    ],
  });
  assertEquals(reachable(info, new URL("file:///p/cli/main.ts"), new URL("file:///p/")), [
    "cli/main.ts",
    "cli/serve.ts",
  ]);
});

Deno.test("files that are found by URL are named", () => {
  const source = `
    new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    await Deno.readFile(new URL('../pages/index.html', import.meta.url));
    const root = new URL("../", import.meta.url);
    new URL("./other.ts", base);`;
  assertEquals(filesByUrl(source, "cli/serve.ts"), ["cli/worker.ts", "pages/index.html"]);
});
