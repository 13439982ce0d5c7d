import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import type { TargetKind } from "../../../cli/bench/driver.ts";
import { benchGroup } from "../../../cli/bench/group.ts";
import type { CommandLine } from "../../../cli/bench/self.ts";
import { type ServerCommand, ServerProcess } from "../../../cli/bench/server_process.ts";
import { hintFor, installedVersion, type RunningServer, startServer } from "../../../cli/bench/servers.ts";
import { Failure } from "../../../cli/exit.ts";

const versions: Readonly<Record<TargetKind, RegExp>> = {
  stream: /^stream \d+\.\d+\.\d+/,
  multicast: /^stream \d+\.\d+\.\d+/,
  tcp: /^stream \d+\.\d+\.\d+/,
  nats: /^nats-server \d+\.\d+\.\d+/,
  redis: /^redis-server \d+\.\d+\.\d+/,
  mqtt: /^mosquitto \d+\.\d+\.\d+/,
  limit: /^byte copier$/,
};
const kinds = Object.keys(versions) as TargetKind[];
const missing = new Set<TargetKind>();
for (const kind of kinds) if (await installedVersion(kind) === null) missing.add(kind);

for (const kind of kinds) {
  Deno.test({
    name: `${kind} is started on a free port, can be connected to, and is gone afterwards`,
    ignore: missing.has(kind),
    async fn() {
      const group = kind === "multicast" ? benchGroup({ endpoint: null, encrypt: true })! : undefined;
      const server = await startServer(kind, group && { group });
      try {
        assertMatch(server.version, versions[kind]);
        assertMatch(
          server.endpoint,
          server.version.startsWith("stream") || kind === "limit" ? /^tcp:/ : new RegExp(`^${kind}:`),
        );
        assertEquals(server.kind, kind);
        (await connect(server)).close();
      } finally {
        await server[Symbol.asyncDispose]();
      }
      await server.ended;
      await assertRejects(() => connect(server), Deno.errors.ConnectionRefused);
      const { success } = await new Deno.Command("kill", { args: ["-0", `${server.pid}`], stderr: "null" }).output();
      assert(!success, "its process is still there");
      await server[Symbol.asyncDispose]();
    },
  });
}

Deno.test({
  name: "the directory that redis may write to is empty, and is removed",
  ignore: missing.has("redis"),
  async fn() {
    const server = await startServer("redis");
    const directory = / --dir (\S+)$/.exec(server.commandLine)![1]!;
    assertEquals([...Deno.readDirSync(directory)], []);
    await server[Symbol.asyncDispose]();
    await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
  },
});

Deno.test("a server that is not installed is a value, and a hint; starting it is a failure", async () => {
  assertStringIncludes(hintFor("redis"), "redis-server is not installed (Debian: apt install redis-server");
  const instead = { command: "/nowhere/nats-server", args: [] };
  const error = await assertRejects(() => startServer("nats", { instead }), Failure);
  assertEquals(error.message, "cannot start nats-server: no such file");
});

Deno.test("a server that ends before it is ready is a failure with its last words", async () => {
  const instead = script(`for (let i = 1; i <= 30; i++) console.error("word " + i); Deno.exit(3);`);
  const error = await assertRejects(() => startServer("nats", { instead }), Failure);
  const [what, ...words] = error.message.split("\n");
  assertEquals(what, "cannot start nats-server: it ended with status 3:");
  assertEquals(words, Array.from({ length: 20 }, (_, i) => `word ${i + 11}`));
});

Deno.test("one that says nothing at all fails, too", async () => {
  const error = await assertRejects(() => startServer("mqtt", { instead: script("Deno.exit(0);") }), Failure);
  assertEquals(error.message, "cannot start mosquitto: it ended with status 0, and said nothing");
});

Deno.test("a server that could not be started leaves no directory behind", async () => {
  const instead = script(`
    const directory = Deno.args[Deno.args.indexOf("--dir") + 1];
    Deno.writeTextFileSync(directory + "/dump", "rest");
    console.log(directory);
    Deno.exit(1);
  `);
  const error = await assertRejects(() => startServer("redis", { instead }), Failure);
  const directory = error.message.split("\n")[1]!;
  assertStringIncludes(directory, "redis-server-");
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
});

Deno.test("one that is not ready in time is a failure, and is ended", async () => {
  const command: ServerCommand = { ...fake(`console.log("I think"); setInterval(() => {}, 1000);`), patience: 500 };
  const error = await assertRejects(() => ServerProcess.start(command), Failure);
  assertMatch(error.message, /^cannot start fake: it was not ready within 0.5 s/);
});

Deno.test("a port that somebody else has taken is not used: another one is", async () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const tried: number[] = [];
  const port = () => (tried.push(tried.length === 0 ? other.addr.port : freePort()), tried.at(-1)!);
  await using server = await startServer("redis", { instead: likeRedis, port });
  assert(tried.length > 1);
  assertEquals(server.endpoint, `redis://127.0.0.1:${tried.at(-1)}`);
});

Deno.test("when all ports are taken it is a failure", async () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let tried = 0;
  const port = () => (tried++, other.addr.port);
  const error = await assertRejects(() => startServer("redis", { instead: likeRedis, port }), Failure);
  assertMatch(error.message, /address already in use/i);
  assertEquals(tried, 3);
});

Deno.test("a signal ends a server that runs", async () => {
  const controller = new AbortController();
  await using server = await startServer("redis", { instead: likeRedis, signal: controller.signal });
  controller.abort();
  await server.ended;
});

Deno.test("a signal ends the wait for a server, and the server", async () => {
  const controller = new AbortController();
  const port = () => (queueMicrotask(() => controller.abort(new Error("enough"))), 1);
  const instead = script(`setInterval(() => {}, 1000);`);
  await assertRejects(() => startServer("redis", { instead, port, signal: controller.signal }), Error, "enough");
  await assertRejects(() => startServer("redis", { instead, port, signal: controller.signal }), Error, "enough");
});

Deno.test("what a server says never holds it up, and only its last words are kept", async () => {
  const command = fake(`
    console.log("ready");
    const line = "x".repeat(10_000);
    for (let i = 0; i < 1000; i++) console.log(line), console.error(line);
    await Deno.stdout.write(new TextEncoder().encode("the end"));
  `);
  const [server] = await ServerProcess.start(command);
  await using running = server;
  assertEquals(await running.ended, 0);
  const words = running.lastWords.split("\n");
  assertEquals(words.length, 20);
  assert(words.includes("the end"));
  assert(words.every((word) => word.length <= 400));
});

Deno.test(
  "a server that does not end when it is asked to is killed",
  { ignore: Deno.build.os === "windows" },
  async () => {
    const stubborn = `
    Deno.addSignalListener("SIGTERM", () => console.log("no"));
    console.log("ready");
    setInterval(() => {}, 1000);
  `;
    const [server] = await ServerProcess.start({ ...fake(stubborn), grace: 100 });
    await server[Symbol.asyncDispose]();
    assertEquals(await server.ended, 128 + 9);
    assertEquals(server.lastWords, "ready\nno");
  },
);

Deno.test("a server of other makers gets none of this program's environment", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const instead = { command: "sh", args: ["-c", "env; echo Ready to accept connections; read line", "sh"] };
  await using server = await startServer("redis", { instead, port: () => 1 });
  // A shell sets these itself.
  const names = server.lastWords.split("\n").slice(0, -1).map((line) => line.split("=")[0]!);
  assertEquals(names.filter((name) => !["PWD", "SHLVL", "OLDPWD", "_"].includes(name)), []);
});

/** A program that is started with the arguments of a server. */
function script(source: string): CommandLine {
  return { command: Deno.execPath(), args: ["run", "-A", "--no-config", dataUrl(source)] };
}

function fake(source: string): ServerCommand {
  return { ...script(source), name: "fake", ready: /^ready$/, env: {}, inherit: true, watchesStdin: false };
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** Listens as redis-server does, and fails as it does. */
const likeRedis = script(`
  const port = Number(Deno.args[Deno.args.indexOf("--port") + 1]);
  try {
    Deno.listen({ hostname: "127.0.0.1", port });
    console.log("Ready to accept connections");
    setInterval(() => {}, 1000);
  } catch {
    console.log("Could not create server TCP listening socket: bind: Address already in use");
    Deno.exit(1);
  }
`);

function connect(server: RunningServer): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(server.endpoint.replace(/^\w+:/, "http:"));
  return Deno.connect({ hostname, port: Number(port) });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
