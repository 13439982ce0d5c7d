/** Multicast from one host to others, each a network namespace: what is sent, and what arrives. */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { Random } from "../core/fixtures.ts";
import { groupSubscriber, keyFile, startMulticast, type TestGroup } from "./groups.ts";
import { canCapture, canMakeNetworks, Capture, type Host, Network, networkInterface, type Packet } from "./network.ts";
import { binary, join, Process, split } from "./process.ts";
import { denoRun } from "./program.ts";

/** A group that the hosts of a network reach each other by. */
function networkGroup(address: string, parameters = ""): TestGroup {
  const endpoint = `mcast://${address}:7071?interface=${networkInterface}${parameters}`;
  return { served: endpoint, joined: endpoint };
}

/** Messages of many lengths: some fill a part of a datagram, some many. */
function messages(): string[] {
  const random = new Random(5);
  return Array.from(
    { length: 300 },
    (_, i) => binary(random.bytes(i % 10 === 0 ? random.below(30_000) : random.below(300))),
  );
}

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${from + i} ${"x".repeat(90)}\n`).join("");

interface Journey {
  readonly name: string;
  readonly address: string;
  readonly parameters?: string;
  /** Bytes of the largest packets that the network takes, where they are not 1,500. */
  readonly network?: number;
  readonly encrypted?: boolean;
  /** What is to be seen: the length of the longest packet, its IP header included, and how far it may go. */
  readonly longest: number;
  readonly ttl: number;
}

const journeys: readonly Journey[] = [
  { name: "IPv4", address: "239.255.70.70", encrypted: true, longest: 1428, ttl: 1 },
  { name: "IPv4, ttl=4&mtu=1280", address: "239.255.70.70", parameters: "&ttl=4&mtu=1280", longest: 1280, ttl: 4 },
  { name: "IPv4, mtu=9000", address: "239.255.70.70", parameters: "&mtu=9000", network: 9000, longest: 9000, ttl: 1 },
  { name: "IPv6", address: "[ff15::7070]", encrypted: true, longest: 1448, ttl: 1 },
  {
    name: "IPv6 within the link, mtu=1280",
    address: "[ff12::7070]",
    parameters: "&mtu=1280",
    longest: 1280,
    ttl: 1,
  },
];

for (const { name, address, parameters, network: mtu, encrypted, longest, ttl } of journeys) {
  Deno.test({
    name: `multicast over ${name}: two hosts get everything, in packets that are whole and go as far as they may`,
    ignore: !canCapture,
    async fn() {
      using key = keyFile(1);
      const protection = encrypted ? ["--key-file", key.path] : [];
      await using network = await Network.make({ hosts: 3, ...(mtu && { mtu }) });
      const [sender, first, second] = network.hosts as [Host, Host, Host];
      const group = networkGroup(address, parameters);
      await using capture = await Capture.start(second);
      await using server = await startMulticast(group, encrypted ? protection : ["--open"], sender);
      const all = messages();
      const listen = (host: Host) =>
        groupSubscriber(group, [...protection, "--strict", "--delimited", "-n", `${all.length}`], host);
      await using one = await listen(first);
      await using two = await listen(second);
      const published = await server.run(["publish", "a", "--delimited"], { stdin: join(all), within: sender.within });
      assertEquals(published.status, 0, published.stderr);
      for (const subscriber of [one, two]) {
        assertEquals(await subscriber.status, 0, subscriber.stderr.text);
        await subscriber.stdout.ended;
        assertEquals(split(subscriber.stdout.bytes), all);
      }
      const host = address.replaceAll(/[[\]]/g, "");
      const ofGroup = ({ to, port }: Packet) => to === host && port >= 7071 && port <= 7074;
      const bytes = all.reduce((sum, { length }) => sum + length, 0);
      const sent = (packets: readonly Packet[]) => packets.filter(ofGroup).reduce((sum, { length }) => sum + length, 0);
      const packets = await capture.until((packets) => sent(packets) > bytes);
      assertEquals(packets.filter(({ fragment, length }) => fragment || length > longest), []);
      const multicast = packets.filter(ofGroup);
      assertEquals(Math.max(...multicast.map(({ length }) => length)), longest);
      assertEquals(new Set(multicast.map(({ ttl }) => ttl)), new Set([ttl]));
    },
  });
}

Deno.test({
  name: "what is multicast on loopback is not seen on a network",
  ignore: !canCapture,
  async fn() {
    await using network = await Network.make({ hosts: 2 });
    const [sender, other] = network.hosts as [Host, Host];
    await using here = await Capture.start(sender);
    await using there = await Capture.start(other);
    const local = { served: "mcast://239.255.1.1:7075", joined: "mcast://239.255.1.1:7075" };
    const wide = networkGroup("239.255.1.2", "&ports=1");
    await using server = await startMulticast(local, ["--multicast", wide.served, "--open"], sender);
    await using near = await groupSubscriber(local, ["-n", "1000"], sender);
    await using far = await groupSubscriber(wide, ["-n", "1000"], other);
    await server.run(["publish", "a"], { stdin: lines(0, 1000), within: sender.within });
    for (const subscriber of [near, far]) assertEquals((await subscriber.ran()).stdout, lines(0, 1000));
    for (const capture of [here, there]) {
      const length = (packets: readonly Packet[]) => packets.reduce((sum, { length }) => sum + length, 0);
      const packets = await capture.until((packets) => length(packets) > lines(0, 1000).length);
      const groups = packets.filter(({ to }) => to.startsWith("239."));
      assertEquals(new Set(groups.map(({ to, port }) => `${to}:${port}`)), new Set(["239.255.1.2:7071"]));
    }
  },
});

Deno.test({
  name: "multicast between hosts that lose 1, 5, 10 and 20 % of all datagrams: every message comes",
  ignore: !canMakeNetworks,
  async fn() {
    const count = 20_000;
    await using network = await Network.make({ hosts: 3 });
    const [sender, ...others] = network.hosts as [Host, Host, Host];
    const group = networkGroup("239.255.70.70");
    await using server = await startMulticast(group, ["--open"], sender);
    await using subscribers = new AsyncDisposableStack();
    const losses = [1, 5, 10, 20];
    const ends = await Promise.all(losses.map(async (percent, seed) => {
      const program = [Deno.execPath(), ...denoRun, "tests/cli/lossy_subscriber.ts"];
      const args = [group.joined, percent, seed, count].map(String);
      const end = subscribers.use(new Process([...program, ...args], others[seed % 2]));
      await end.stderr.line(/heard/);
      return { percent, end };
    }));
    const published = await server.run(["publish", "a"], { stdin: lines(0, count), within: sender.within });
    assertEquals(published.status, 0, published.stderr);
    for (const { percent, end } of ends) {
      const { status, stdout, stderr } = await end.ran();
      assertEquals(status, 0, stderr);
      assert(stdout === lines(0, count));
      const [, lost, of] = /lost (\d+) datagrams of (\d+)/.exec(stderr)!;
      assertGreater(Number(lost), Number(of) * percent / 200);
    }
  },
});

for (const address of ["239.255.70.70", "[ff15::7070]", "[ff12::7070]"]) {
  Deno.test({
    name: `multicast to ${address}: a host that nothing reached for a while asks for it, and gets it`,
    ignore: !canMakeNetworks,
    async fn() {
      await using network = await Network.make({ hosts: 3 });
      const [sender, first, second] = network.hosts as [Host, Host, Host];
      const group = networkGroup(address);
      await using server = await startMulticast(group, ["--open"], sender);
      const listen = (host: Host) => groupSubscriber(group, ["--strict", "-n", "3000", "--log-level", "debug"], host);
      await using witness = await listen(first);
      await using deaf = await listen(second);
      await using publisher = server.start(["publish", "a"], { stdin: "pipe", within: sender.within });
      const publish = async (from: number, to: number) => {
        await publisher.write(lines(from, to));
        await witness.stdout.past(lines(0, to).length);
      };
      await publish(0, 1000);
      await deaf.stdout.past(lines(0, 1000).length);
      await network.floods(second, false);
      await publish(1000, 2000);
      assertEquals(deaf.stdout.length, lines(0, 1000).length);
      await network.floods(second, true);
      await publish(2000, 3000);
      await publisher.end();
      for (const subscriber of [witness, deaf]) {
        const { status, stdout, stderr } = await subscriber.ran();
        assertEquals(status, 0, stderr);
        assertEquals(stdout, lines(0, 3000));
      }
      assertMatch(deaf.stderr.text, /left the group .* requests=[1-9]/);
    },
  });
}
