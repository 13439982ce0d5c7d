import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Driver, Receiver, Sink } from "../../../../cli/bench/driver.ts";
import { mqttDriver } from "../../../../cli/bench/drivers/mqtt.ts";
import { natsDriver } from "../../../../cli/bench/drivers/nats.ts";
import { redisDriver } from "../../../../cli/bench/drivers/redis.ts";
import { RefusedError, TransportError } from "../../../../core/errors.ts";
import { installed, type Peer, type PeerName, startMosquitto, startNats, startRedis } from "../peers.ts";
import { bytesOf, Recorder } from "./codec.ts";

interface Kind {
  readonly name: string;
  readonly program: PeerName;
  readonly driver: Driver;
  readonly start: () => Promise<Peer>;
}

const kinds: readonly Kind[] = [
  { name: "NATS", program: "nats-server", driver: natsDriver(), start: () => startNats() },
  { name: "Redis", program: "redis-server", driver: redisDriver(), start: () => startRedis() },
  { name: "MQTT", program: "mosquitto", driver: mqttDriver(), start: () => startMosquitto() },
];

/** Counts what comes, a topic at a time: each message is a topic's index and a number that goes up from 0. */
class Counter implements Sink {
  /** How many came of each topic. */
  readonly counts: number[];
  /** Resolves when so many came as were expected. */
  readonly all: Promise<void>;
  readonly #all = Promise.withResolvers<void>();
  #missing: number;
  #arrived = false;

  constructor(topics: number, expected: number) {
    this.counts = Array.from({ length: topics }, () => 0);
    this.#missing = expected;
    this.all = this.#all.promise;
  }

  arrived(): void {
    this.#arrived = true;
  }

  take(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    assert(this.#arrived, "a read is told before what it brought");
    const topic = bytes[start]!;
    assertEquals(view.getUint32(start + 1), this.counts[topic]!);
    for (let at = start + 5; at < end; at++) assert(bytes[at] === 0x2e);
    this.counts[topic]!++;
    if (--this.#missing === 0) this.#all.resolve();
  }

  damaged(why: string): void {
    this.#all.reject(new Error(why));
  }
}

/** Waits for what comes on a connection. Rejects when that is lost before. */
function coming<T>(what: Promise<T>, ...receivers: readonly Receiver[]): Promise<T> {
  const lost = receivers.map(({ closed }) =>
    closed.then(() => {
      throw new Error("it was closed");
    })
  );
  return Promise.race([what, ...lost]);
}

for (const { name, program, driver, start } of kinds) {
  const ignore = !installed(program);

  Deno.test({
    name: `${name}: every message arrives once, in its topic's order, by name and by pattern`,
    ignore,
    async fn() {
      await using peer = await start();
      const topics = ["a/x", "a/y/z", "b", "a/w", "c"];
      const each = 4000;
      const byName = new Counter(topics.length, 3 * each);
      const byPattern = new Counter(topics.length, 4 * each);
      const first = await driver.receive(peer.endpoint, ["a/x", "b", "a/w"], byName);
      const second = await driver.receive(peer.endpoint, ["c", "a/#"], byPattern);
      const sender = await driver.send(peer.endpoint, topics);
      for (let number = 0; number < each; number++) {
        for (let topic = 0; topic < topics.length; topic++) {
          const message = new Uint8Array(5 + number * 7 % 200).fill(0x2e);
          message[0] = topic;
          new DataView(message.buffer).setUint32(1, number);
          if (!sender.send(topic, message)) await sender.ready();
        }
      }
      await sender.flush();
      await coming(Promise.all([byName.all, byPattern.all]), first, second);
      assertEquals(byName.counts, [each, 0, each, each, 0]);
      assertEquals(byPattern.counts, [each, each, 0, each, each]);
      first.close();
      second.close();
      await Promise.all([sender.close(), first.closed, second.closed, sender.closed]);
    },
  });

  Deno.test({
    name: `${name}: hundreds of names are subscribed to, and empty and large messages arrive`,
    ignore,
    async fn() {
      await using peer = await start();
      const topics = Array.from({ length: 250 }, (_, i) => `t/${i}`);
      const messages = ["", "x", "y".repeat(900_000), "z"];
      const recorder = new Recorder();
      const all = Promise.withResolvers<void>();
      recorder.note = (event) => {
        recorder.events.push(event);
        if (recorder.events.length === messages.length) all.resolve();
      };
      const receiver = await driver.receive(peer.endpoint, topics, recorder);
      const sender = await driver.send(peer.endpoint, topics);
      for (const message of messages) sender.send(249, bytesOf(message));
      await sender.flush();
      await coming(all.promise, receiver);
      assertEquals(recorder.events, messages.map((message) => `message ${message}`));
      receiver.close();
      await Promise.all([sender.close(), receiver.closed]);
    },
  });

  Deno.test({
    name: `${name}: a server that is killed is told of by everything that waits`,
    ignore,
    async fn() {
      await using peer = await start();
      const recorder = new Recorder();
      const some = Promise.withResolvers<void>();
      recorder.note = () => some.resolve();
      const receiver = await driver.receive(peer.endpoint, ["a"], recorder);
      const sender = await driver.send(peer.endpoint, ["a"]);
      const message = new Uint8Array(1000);
      sender.send(0, message);
      await coming(some.promise, receiver);
      const flood = (async () => {
        for (;;) if (!sender.send(0, message)) await sender.ready();
      })();
      peer.kill();
      const ends = [flood, sender.closed, receiver.closed];
      const errors = await Promise.all(ends.map((end) => assertRejects(() => end, TransportError)));
      for (const { message, endpoint } of errors) {
        assertEquals(endpoint, peer.endpoint);
        assert(/^cannot (send to|receive from) \w+:\/\/127\.0\.0\.1:\d+: the other end /.test(message), message);
      }
      assertEquals(errors[0], errors[1]);
      assertEquals(await assertRejects(() => sender.ready()), errors[1]);
      assertEquals(await assertRejects(() => sender.flush()), errors[1]);
      assertEquals(sender.send(0, message), false);
      await sender.close();
      receiver.close();
    },
  });

  Deno.test({
    name: `${name}: where nothing listens, the error says so`,
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const endpoint = `${name.toLowerCase()}://127.0.0.1:${listener.addr.port}`;
      listener.close();
      for (
        const attempt of [() => driver.send(endpoint, ["a"]), () => driver.receive(endpoint, ["a"], new Recorder())]
      ) {
        const { message } = await assertRejects(attempt, TransportError);
        assertEquals(message, `cannot connect to ${endpoint}: connection refused: is a server running there?`);
      }
    },
  });
}

for (
  const [kind, other, why] of [
    ["NATS", "Redis", "what answers there does not speak NATS: is the port right?"],
    ["Redis", "NATS", "what answers there does not speak Redis: is the port right?"],
    // It gives up after the first byte, and what it has not read resets the connection.
    ["Redis", "MQTT", "the connection was reset: is it this protocol that is spoken there?"],
    ["MQTT", "NATS", "what answers there does not speak MQTT: is the port right?"],
  ] as const
) {
  const { driver } = kinds.find(({ name }) => name === kind)!;
  const { program, start } = kinds.find(({ name }) => name === other)!;
  Deno.test({
    name: `${kind}: it is told that ${other} is spoken at the port`,
    ignore: !installed(program),
    async fn() {
      await using peer = await start();
      const endpoint = `${kind.toLowerCase()}://${peer.address}`;
      const { message } = await assertRejects(() => driver.send(endpoint, ["a"]), TransportError);
      assertEquals(message, `cannot connect to ${endpoint}: ${why}`);
    },
  });
}

const nothing = new Recorder();

for (
  const { name, program, driver, start, user } of [
    {
      name: "NATS",
      program: "nats-server",
      driver: natsDriver(),
      start: () => startNats("--user", "me", "--pass", "it"),
      user: "me:it",
    },
    {
      name: "Redis",
      program: "redis-server",
      driver: redisDriver(),
      start: () => startRedis("--requirepass", "it"),
      user: ":it",
    },
  ] as const
) {
  Deno.test({
    name: `${name}: a server with a password refuses who has none or another, and admits who has it`,
    ignore: !installed(program),
    async fn() {
      await using peer = await start();
      const scheme = name.toLowerCase();
      for (const wrong of ["", "me:other@"]) {
        const attempt = () => driver.receive(`${scheme}://${wrong}${peer.address}`, ["a"], nothing);
        const { message } = await assertRejects(attempt, RefusedError);
        assert(message.startsWith(`cannot connect to ${peer.endpoint}: the server says `), message);
      }
      const receiver = await driver.receive(`${scheme}://${user}@${peer.address}`, ["a"], nothing);
      const sender = await driver.send(`${scheme}://${user}@${peer.address}`, ["a"]);
      receiver.close();
      await Promise.all([sender.close(), receiver.closed]);
    },
  });
}

Deno.test({
  name: "MQTT: a server that wants a user refuses who has none",
  ignore: !installed("mosquitto"),
  async fn() {
    await using peer = await startMosquitto("allow_anonymous false");
    const attempt = () => mqttDriver().send(peer.endpoint, ["a"]);
    await assertRejects(attempt, RefusedError, "the server says that not authorized");
  },
});

Deno.test({
  name: "NATS: a message that is larger than the server takes ends the connection, and the server's reason is told",
  ignore: !installed("nats-server"),
  async fn() {
    await using peer = await startNats();
    const sender = await natsDriver().send(peer.endpoint, ["a"]);
    sender.send(0, new Uint8Array(2_000_000));
    const { message } = await assertRejects(() => sender.flush(), TransportError);
    assertEquals(message, `cannot send to ${peer.endpoint}: the server says Maximum Payload Violation`);
    await sender.close();
  },
});
