import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import {
  findServerPid,
  firstOwner,
  listeningInodes,
  ownUsage,
  parseGetProcess,
  parseProc,
  parsePs,
  usageOf,
} from "../../../cli/bench/usage.ts";

/** As Linux 6.18 writes it, of a process that was named to confuse. */
const proc = `4251 (a) S 1 (b c)) S 4250 4251 4251 0 -1 4194560 6615 2068901 2 245 1234 566 3344 75651 20 0 11 0 93557 \
5259264 1015 18446744073709551615 94238700220416 94238701009821 140726084576464 0 0 0 65536 4 1132560123 1 0 0 17 0 0 0 \
0 0 0 94238701243120 94238701291364 94239657820160 140726084582268 140726084582283 140726084582283 140726084583402 0
Name:	a) S 1 (b c)
Umask:	0022
State:	S (sleeping)
Tgid:	4251
Pid:	4251
VmPeak:	    5136 kB
VmSize:	    5136 kB
VmHWM:	    4120 kB
VmRSS:	    4016 kB
RssAnon:	    1084 kB
Threads:	11
`;

Deno.test("Linux: ticks of user and kernel together, KiB as bytes, whatever the name", () => {
  assertEquals(parseProc(proc), { cpuSeconds: 18, residentBytes: 4016 * 1024, peakBytes: 4120 * 1024 });
});

Deno.test("Linux: a process that has ended and was not waited for has a time, and no memory", () => {
  const zombie = "7 (sh) Z 1 7 7 0 -1 4194560 0 0 0 0 3 4 0 0 20 0 1 0 5 0 0\nName:\tsh\nState:\tZ (zombie)\n";
  assertEquals(parseProc(zombie), { cpuSeconds: 0.07, residentBytes: 0, peakBytes: 0 });
  assertEquals(parseProc(""), null);
});

Deno.test("macOS: minutes without hours, with hours, with days", () => {
  const memory = { residentBytes: 5120 * 1024, peakBytes: 0 };
  assertEquals(parsePs("  0:00.03   5120\n"), { cpuSeconds: 0.03, ...memory });
  assertEquals(parsePs("75:01.50   5120\n"), { cpuSeconds: 75 * 60 + 1.5, ...memory });
  assertEquals(parsePs(" 2:03:04 5120\n"), { cpuSeconds: 2 * 3600 + 3 * 60 + 4, ...memory });
  assertEquals(parsePs("1-02:03:04 5120\n"), { cpuSeconds: 26 * 3600 + 3 * 60 + 4, ...memory });
  assertEquals(parsePs("  0:01,25   5120\n"), { cpuSeconds: 1.25, ...memory });
  assertEquals(parsePs(""), null);
});

Deno.test("Windows: units of 100 ns, and bytes", () => {
  const expected = { cpuSeconds: 12.5, residentBytes: 73_400_320, peakBytes: 83_886_080 };
  assertEquals(parseGetProcess("125000000 73400320 83886080\r\n"), expected);
  assertEquals(parseGetProcess(""), null);
});

Deno.test("the sockets that listen on a port, and not those that are connected to it", () => {
  const table = `\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:8D0B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 155438 1 000000007f6634f8 100 0 0 10 0
   1: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1580 1 000000009f7200cb 100 0 0 10 0
   2: 0100007F:8D0B 0100007F:9093 01 00000000:00000000 03:00000AAC 00000000     0        0 77 3 000000009dd24fde
`;
  assertEquals(listeningInodes(table, 0x8d0b), ["155438"]);
  assertEquals(listeningInodes(table, 0x07e8), ["1580"]);
  assertEquals(listeningInodes(table, 0x9093), []);
  assertEquals(listeningInodes("", 1), []);
});

Deno.test("a socket that parent and children share is the parent's", () => {
  assertEquals(firstOwner("/proc/1204/fd/6\n/proc/977/fd/12\n/proc/1205/fd/6\n"), 977);
  assertEquals(firstOwner(""), null);
});

Deno.test("what a process has used grows with what it does", async () => {
  await using busy = start(`
    const { default: process } = await import("node:process");
    let done = 0;
    while (process.cpuUsage().user < 200_000) done++;
    const memory = new Uint8Array(64 * 1024 * 1024).fill(1);
    console.log(done, memory.length);
    await Deno.stdin.read(new Uint8Array(1));
  `);
  await busy.line();
  const usage = (await usageOf(busy.pid))!;
  assertGreater(usage.cpuSeconds, 0.1);
  assertLess(usage.cpuSeconds, 10);
  assertGreater(usage.residentBytes, 64 * 1024 * 1024);
  if (Deno.build.os !== "darwin") assertGreaterOrEqual(usage.peakBytes, usage.residentBytes);
});

Deno.test("what a process has used is told without the permission to read /proc", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const source = `
    import { ownUsage, usageOf } from ${JSON.stringify(import.meta.resolve("../../../cli/bench/usage.ts"))};
    console.log(JSON.stringify([await usageOf(Deno.pid), ownUsage()]));
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-run=cat", `data:text/typescript,${encodeURIComponent(source)}`],
    stderr: "inherit",
  }).output();
  const [told, own] = JSON.parse(new TextDecoder().decode(stdout));
  assertGreater(told.residentBytes, 1024 * 1024);
  assertGreater(own.residentBytes, 1024 * 1024);
});

Deno.test("a process that is gone has used nothing that is known", async () => {
  const gone = start("");
  await gone[Symbol.asyncDispose]();
  assertEquals(await usageOf(gone.pid), null);
});

Deno.test("this process knows what it has used", () => {
  const { cpuSeconds, residentBytes, peakBytes } = ownUsage();
  assertGreater(cpuSeconds, 0);
  assertGreater(residentBytes, 1024 * 1024);
  assertGreaterOrEqual(peakBytes, residentBytes);
  assertLess(peakBytes, 2 ** 40);
});

Deno.test("the process of a server is found by its port", { ignore: Deno.build.os !== "linux" }, async () => {
  await using server = start(`
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log(listener.addr.port);
    await Deno.stdin.read(new Uint8Array(1));
  `);
  const port = await server.line();
  assertEquals(await findServerPid(`nats://127.0.0.1:${port}`), server.pid);
  assertEquals(await findServerPid(`tcp://localhost:${port}`), server.pid);
});

Deno.test("a server that is not on this machine for certain, or not there, has no process", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  assertEquals(await findServerPid(`tcp://192.0.2.1:${port}`), null);
  assertEquals(await findServerPid("tcp://127.0.0.1"), null);
  assertEquals(await findServerPid("nonsense"), null);
  listener.close();
  assertEquals(await findServerPid(`tcp://127.0.0.1:${port}`), null);
});

/** A process that runs until it is disposed of. */
function start(source: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "-A", `data:text/javascript,${encodeURIComponent(source)}`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  return {
    pid: child.pid,
    /** The first that it prints, which is one line. */
    async line(): Promise<string> {
      const { value } = await lines.read();
      assert(value !== undefined);
      return value.trim();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await child.stdin.close();
      while (!(await lines.read()).done);
      await child.status;
    },
  };
}
