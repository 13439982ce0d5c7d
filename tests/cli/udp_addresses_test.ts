/** `subscribe --udp` wherever the server listens: datagrams come from the address that the subscriber is connected to. */

import { assertEquals, assertMatch } from "@std/assert";
import { Process, type ServerProcess, startServer } from "./process.ts";

/** Endpoints of a server, in the order of its `--listen`. */
async function endpoints(server: ServerProcess, count: number): Promise<string[]> {
  await server.stdout.line(/^listening /, count);
  return server.stdout.lines.slice(0, count).map((line) => line.replace("listening ", ""));
}

/** A message that is published gets to a subscriber at this endpoint, by datagram. */
async function delivers(server: ServerProcess, endpoint: string): Promise<void> {
  const args = ["--udp", "--strict", "-n", "1", "--timeout", "20s", "--log-level", "debug", "--server", endpoint, "a"];
  await using subscriber = new Process(["stream", "subscribe", ...args]);
  await subscriber.stderr.line(/^subscribed /);
  await server.run(["publish", "a", "-m", endpoint]);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [0, `${endpoint}\n`], stderr);
  assertMatch(stderr, /left .*datagrams=[1-9]/);
}

/** Whether this machine has IPv6 on loopback: some that tests run on have not. */
const ipv6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

const portOf = (endpoint: string) => endpoint.slice(endpoint.lastIndexOf(":"));

Deno.test("a server that listens on localhost, and a subscriber that is told localhost", async () => {
  await using server = await startServer(["--listen", "tcp://localhost:0"]);
  await delivers(server, server.endpoint);
});

Deno.test("a subscriber that is told localhost, of a server that listens on 127.0.0.1", async () => {
  await using server = await startServer();
  await delivers(server, `tcp://localhost${portOf(server.endpoint)}`);
});

Deno.test({
  name: "a server that listens on [::1]",
  ignore: !ipv6,
  async fn() {
    await using server = await startServer(["--listen", "tcp://[::1]:0"]);
    await delivers(server, server.endpoint);
  },
});

Deno.test("a server that listens on every address", async () => {
  await using server = await startServer(["--listen", "tcp://0.0.0.0:0", "--open"]);
  await delivers(server, `tcp://127.0.0.1${portOf(server.endpoint)}`);
});

Deno.test({
  name: "a server that listens on every address of both kinds",
  ignore: !ipv6 || Deno.build.os === "windows",
  async fn() {
    await using server = await startServer(["--listen", "tcp://[::]:0", "--open"]);
    server.endpoint = `tcp://[::1]${portOf(server.endpoint)}`;
    await delivers(server, server.endpoint);
    await delivers(server, `tcp://127.0.0.1${portOf(server.endpoint)}`);
  },
});

Deno.test({
  name: "a server that listens on several addresses delivers from each of them",
  ignore: !ipv6,
  async fn() {
    await using server = await startServer(["--listen", "tcp://127.0.0.1:0", "--listen", "tcp://[::1]:0"]);
    for (const endpoint of await endpoints(server, 2)) await delivers(server, endpoint);
  },
});

Deno.test({
  name: "a server that listens on loopback alone opens no port for others",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await startServer(["--listen", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"]);
    for (const endpoint of await endpoints(server, 2)) await delivers(server, endpoint);
    const open = (await udpSockets(server.pid)).map(([address]) => address);
    assertEquals(open, ["0100007F", "0100007F"]);
  },
});

/** Local addresses and ports of a process' UDP sockets over IPv4, as the system has them. */
async function udpSockets(pid: number): Promise<[address: string, port: string][]> {
  const inodes = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const link = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    inodes.add(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? "");
  }
  const rows = (await Deno.readTextFile(`/proc/${pid}/net/udp`)).trim().split("\n").slice(1);
  return rows.map((row) => row.trim().split(/\s+/)).filter((fields) => inodes.has(fields[9]!))
    .map((fields) => fields[1]!.split(":") as [string, string]);
}
