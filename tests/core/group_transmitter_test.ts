import { assert, assertEquals, assertRejects } from "@std/assert";
import { checksumSeal } from "../../core/datagram.ts";
import type { Address } from "../../core/datagram_port.ts";
import { TransportError } from "../../core/errors.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { Pattern } from "../../core/pattern.ts";
import { DatagramNet } from "./group_ports.ts";
import { TestServer } from "./world.ts";

Deno.test("group transmitter: an error of its port ends it with that error, and it lets go of the logs", async () => {
  await using test = new TestServer();
  const { world, server } = test;
  const net = new DatagramNet();
  const port = net.open();
  const topic = server.topics.declare("a");
  assert(typeof topic !== "number");
  server.topics.create(topic);
  const sender = new GroupSender<Address>(world, server.topics, checksumSeal(world), {
    group: 1,
    session: new Uint8Array(16),
    patterns: [new Pattern("#")],
    largest: 1400,
    rate: 1e6,
    wait: true,
  });
  const transmitter = new GroupTransmitter(world, sender, port, net.group);
  const running = assertRejects(() => transmitter.run(), TransportError, "the network is down");
  await world.run(100);
  assertEquals(topic.readers, 1);
  port.fail(new TransportError("receive on it", "udp://it", "the network is down"));
  await running;
  assertEquals([topic.readers, port.closed], [0, true]);
});
