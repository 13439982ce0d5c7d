/** `subscribe --udp` where something is in the way, and how it ends. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Address, DatagramPort } from "../../core/datagram_port.ts";
import { openUdp, udpAddress } from "../../transports/udp.ts";
import { CuttingProxy } from "../cutting_proxy.ts";
import { Process, startServer } from "./process.ts";

/** Carries datagrams between who sends to its port and a server on another address, as a NAT does; or does not. */
class UdpRelay implements Disposable {
  readonly port: number;
  open = false;
  readonly #inside = openUdp("127.0.0.1", 0);
  readonly #outside = openUdp("127.0.0.1", 0);
  #client: Address | null = null;

  /** @param host where the server has the same port */
  constructor(host: string) {
    this.port = this.#inside.address.port;
    const server = udpAddress(host, this.port);
    this.#carry(this.#inside, this.#outside, (from) => {
      this.#client = from;
      return server;
    });
    this.#carry(this.#outside, this.#inside, () => this.#client!);
  }

  [Symbol.dispose](): void {
    this.#inside.close();
    this.#outside.close();
  }

  async #carry(here: DatagramPort, there: DatagramPort, to: (from: Address) => Address): Promise<void> {
    const bytes = new Uint8Array(65_536);
    for (;;) {
      const arrived = await here.receive(bytes);
      if (arrived === null) return;
      if (this.open) await there.send(bytes.subarray(0, arrived.length), to(arrived.from));
    }
  }
}

Deno.test({
  name: "datagrams that do not come are missed aloud; when they do, everything is there",
  // Elsewhere loopback has one address.
  ignore: Deno.build.os !== "linux",
  async fn() {
    using relay = new UdpRelay("127.0.0.2");
    await using server = await startServer(["--listen", `tcp://127.0.0.2:${relay.port}`]);
    // The connection leads to an address at which nobody sends datagrams.
    await using proxy = new CuttingProxy(server.endpoint);
    const args = ["--udp", "--strict", "-n", "2", "--server", proxy.endpoint, "a"];
    await using subscriber = new Process(["stream", "subscribe", ...args]);
    await subscriber.stderr.line(/^subscribed /);
    await server.run(["publish", "a", "-m", "one"]);
    const warning = /no datagram comes from 127\.0\.0\.1: is UDP blocked on the way\?/;
    await subscriber.stderr.line(warning);
    assertEquals(subscriber.stdout.text, "");
    relay.open = true;
    await subscriber.stdout.line(/one/);
    await server.run(["publish", "a", "-m", "two"]);
    const { status, stdout, stderr } = await subscriber.ran();
    assertEquals([status, stdout], [0, "one\ntwo\n"], stderr);
    assertEquals(stderr.split("\n").filter((line) => warning.test(line)).length, 1, stderr);
  },
});

Deno.test({
  name: "datagrams that come no more are missed aloud, too, and said to be back",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using relay = new UdpRelay("127.0.0.2");
    await using server = await startServer(["--listen", `tcp://127.0.0.2:${relay.port}`]);
    await using proxy = new CuttingProxy(server.endpoint);
    relay.open = true;
    await using subscriber = new Process(["stream", "subscribe", "--udp", "--server", proxy.endpoint, "a"]);
    await subscriber.stderr.line(/^subscribed /);
    await server.run(["publish", "a", "-m", "one"]);
    await subscriber.stdout.line(/one/);
    relay.open = false;
    await subscriber.stderr.line(/no datagram comes from 127\.0\.0\.1/);
    relay.open = true;
    await subscriber.stderr.line(/datagrams come again/);
    subscriber.kill("SIGINT");
    assertEquals(await subscriber.status, 130);
  },
});

Deno.test("a server whose UDP port another program has says so, to who asks for datagrams alone", async () => {
  using taken = openUdp("127.0.0.1", 0);
  await using server = await startServer(["--listen", `tcp://${taken.address.text}`]);
  assertEquals(await server.run(["subscribe", "--udp", "a"]), {
    status: 4,
    stdout: "",
    stderr: "stream subscribe: cannot get a by datagrams: " +
      `cannot listen on ${taken.address.text}: the port is in use (no-datagrams)\n`,
  });
  await using other = await server.subscriber(["-n", "1", "a"]);
  await server.run(["publish", "a", "-m", "one"]);
  assertEquals((await other.ran()).stdout, "one\n");
});

Deno.test("--udp and --multicast are two things", async () => {
  await using process = new Process(["stream", "subscribe", "--udp", "--multicast", "a"]);
  const { status, stdout, stderr } = await process.ran();
  assertEquals([status, stdout], [2, ""]);
  assertMatch(stderr, /^stream subscribe: --udp does not go with --multicast: /);
});

Deno.test("a subscriber by UDP that is interrupted writes what it has, ends with 130, and its server forgets it", async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["--udp", "a"]);
  await server.run(["publish", "a", "-m", "one"]);
  await subscriber.stdout.line(/one/);
  subscriber.kill("SIGINT");
  const { status, stdout } = await subscriber.ran();
  assertEquals([status, stdout], [130, "one\n"]);
  // That of the publisher came before.
  await server.stderr.line(/session closed .*reason=done/, 2);
});

Deno.test("a subscriber by UDP leaves when nothing has come for too long: timed out, or content with what came", async () => {
  await using server = await startServer();
  await using none = await server.subscriber(["--udp", "--timeout", "300ms", "a"]);
  const { status, stderr } = await none.ran();
  assertEquals(status, 5, stderr);
  assertMatch(stderr, /timed out: nothing came for 300ms, after 0 of 1 message/);
  await using some = await server.subscriber(["--udp", "--timeout", "2s", "-n", "1", "a"]);
  await server.run(["publish", "a", "-m", "one"]);
  assertEquals((await some.ran()).status, 0);
});

Deno.test("a subscriber by UDP whose server is gone for good ends with 3, after writing what came", async () => {
  const server = await startServer();
  await using subscriber = await server.subscriber(["--udp", "--no-reconnect", "a"]);
  await server.run(["publish", "a", "-m", "one"]);
  await subscriber.stdout.line(/one/);
  server.kill("SIGKILL");
  await server[Symbol.asyncDispose]();
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [3, "one\n"], stderr);
});

Deno.test("a subscriber by UDP is told of a restarted server, which with --strict is a loss", async () => {
  const first = await startServer();
  await using subscriber = await first.subscriber(["--udp", "--strict", "-n", "2", "a"]);
  await first.run(["publish", "a", "-m", "one"]);
  await subscriber.stdout.line(/one/);
  first.kill("SIGKILL");
  await first[Symbol.asyncDispose]();
  await using second = await startServer(["--listen", first.endpoint]);
  await second.run(["publish", "a", "-m", "two"]);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [6, "one\ntwo\n"], stderr);
  assertMatch(stderr, /^gap: a, an unknown number of messages lost: restarted$/m);
});

Deno.test("a subscriber by UDP cannot be disconnected for its lag, and is told what is granted instead", async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["--udp", "--lag-policy", "disconnect", "-n", "1", "a"]);
  await subscriber.stderr.line(/the server grants the lag policy skip, not disconnect/);
  await server.run(["publish", "a", "-m", "one"]);
  assert((await subscriber.ran()).stdout === "one\n");
});
