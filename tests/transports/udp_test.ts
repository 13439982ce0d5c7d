import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TransportError } from "../../core/errors.ts";
import { findInterface } from "../../transports/interfaces.ts";
import { joinGroup, openGroup, openUdp, udpAddress } from "../../transports/udp.ts";

const loopback = "127.0.0.1";
const local = findInterface(loopback);
/** Of the range that is for one organisation's own use (RFC 2365). */
const group = "239.255.70.70";

Deno.test("udp: datagrams go to and fro between two ports, each whole", async () => {
  using one = openUdp(loopback, 0);
  using two = openUdp(loopback, 0);
  const bytes = new Uint8Array(2000);
  for (const length of [0, 1, 1400]) {
    await one.send(new Uint8Array(length).fill(7), two.address);
    const arrived = (await two.receive(bytes))!;
    assertEquals([arrived.length, arrived.from.text], [length, one.address.text]);
    assert(bytes.subarray(0, length).every((byte) => byte === 7));
    await two.send(bytes.subarray(0, length), arrived.from);
    assertEquals((await one.receive(bytes))!.from.text, two.address.text);
  }
});

Deno.test("udp: closing ends what waits to be received, and is idempotent", async () => {
  const port = openUdp(loopback, 0);
  const waiting = port.receive(new Uint8Array(10));
  port.close();
  port.close();
  assertEquals(await waiting, null);
  assertEquals(await port.receive(new Uint8Array(10)), null);
  await port.send(new Uint8Array(1), udpAddress(loopback, 9));
});

Deno.test("udp: nobody there is no error", async () => {
  using gone = openUdp(loopback, 0);
  gone.close();
  using one = openUdp(loopback, 0);
  using two = openUdp(loopback, 0);
  for (let i = 0; i < 3; i++) await one.send(new Uint8Array(1), gone.address).catch(() => {});
  await two.send(new Uint8Array(5), one.address);
  assertEquals((await one.receive(new Uint8Array(10)))?.length, 5);
});

Deno.test("udp: what cannot be says what was attempted, and why", async () => {
  using port = openUdp(loopback, 0);
  const large = await assertRejects(() => port.send(new Uint8Array(65_508), port.address), TransportError);
  assertEquals(
    large.message,
    `cannot send to ${port.address.text}: 65508 bytes are more than a datagram may have there`,
  );
  const used = assertThrows(() => openUdp(loopback, port.address.port), TransportError);
  assertEquals(used.message, `cannot listen on ${port.address.text}: the port is in use`);
  const foreign = assertThrows(() => openUdp("192.0.2.1", 0), TransportError);
  assertEquals(foreign.message, "cannot listen on 192.0.2.1:0: this machine has no such address");
  const unjoined = await assertRejects(() => joinGroup("10.0.0.1", 0, [local]), TransportError);
  assert(unjoined.message.startsWith("cannot join 10.0.0.1: "));
  const nowhere = { name: "none", ipv4: null, ipv6: [], index: 0 };
  const unsent = await assertRejects(
    () => openGroup({ host: group, port: 7, interface: nowhere, ttl: 1 }),
    TransportError,
  );
  assertEquals(unsent.message, "cannot send on none: it has no IPv4 address");
  const ipv6 = { host: "ff15::7070", port: 7, interface: nowhere, ttl: 1 };
  const ipv6Unsent = await assertRejects(() => openGroup(ipv6), TransportError);
  assertEquals(ipv6Unsent.message, "cannot send on none: it has no link-local IPv6 address");
  const distant = await assertRejects(
    () => openGroup({ ...ipv6, interface: { ...nowhere, index: 1 }, ttl: 4 }),
    TransportError,
  );
  assertEquals(distant.message, "cannot send on none: a ttl of 4 cannot be set for IPv6: it is 1");
  // It would be joined by whichever interface the system chooses.
  const deaf = await assertRejects(() => joinGroup("ff15::7070", 0, [nowhere]), TransportError);
  assertEquals(deaf.message, "cannot join ff15::7070: none has no link-local IPv6 address");
});

Deno.test("udp: everyone who has joined a group gets what is sent to it, on this machine and no further", async () => {
  using first = await joinGroup(group, 0, [local]);
  const { port } = first.address;
  using second = await joinGroup(group, port, [local]);
  using sender = await openGroup({ host: group, port, interface: local, ttl: 1 });
  const bytes = new Uint8Array(100);
  await sender.send(new Uint8Array([1, 2, 3]), udpAddress(group, port));
  for (const receiver of [first, second]) {
    const arrived = (await receiver.receive(bytes))!;
    assertEquals([arrived.length, arrived.from.text], [3, sender.address.text]);
  }
});
