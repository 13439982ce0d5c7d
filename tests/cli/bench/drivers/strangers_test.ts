import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { Driver } from "../../../../cli/bench/driver.ts";
import { parseAddress } from "../../../../cli/bench/drivers/address.ts";
import { mqttDriver } from "../../../../cli/bench/drivers/mqtt.ts";
import { natsDriver } from "../../../../cli/bench/drivers/nats.ts";
import { open, type RawConnection } from "../../../../cli/bench/drivers/raw.ts";
import { command } from "../../../../cli/bench/drivers/redis_codec.ts";
import { redisDriver } from "../../../../cli/bench/drivers/redis.ts";
import { ProtocolError, RefusedError, TransportError, UsageError } from "../../../../core/errors.ts";
import { bytesOf, latin1, Recorder } from "./codec.ts";
import { silence, Stranger } from "./stranger.ts";

const info = 'INFO {"server_id":"A"}\r\n';

const foreign: readonly (readonly [scheme: string, driver: Driver, what: string, says: string])[] = [
  ["nats", natsDriver(), "MQTT", "\x20\x02\0\0"],
  ["nats", natsDriver(), "an HTTP server", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["nats", natsDriver(), "INFO that is no JSON", "INFO hello\r\n"],
  ["nats", natsDriver(), "INFO that is no object", "INFO null\r\n"],
  ["redis", redisDriver(), "NATS", info],
  ["redis", redisDriver(), "an HTTP server", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["mqtt", mqttDriver(), "NATS", info],
  ["mqtt", mqttDriver(), "Redis", "-ERR unknown command\r\n"],
];

const names: Readonly<Record<string, string>> = { nats: "NATS", redis: "Redis", mqtt: "MQTT" };

for (const [scheme, driver, what, says] of foreign) {
  Deno.test(`${names[scheme]}: it is told when ${what} answers`, async () => {
    await using stranger = new Stranger(async (guest) => {
      await guest.says(says);
      await silence(guest);
    });
    const endpoint = `${scheme}://${stranger.address}`;
    const why = `what answers there does not speak ${names[scheme]}: is the port right?`;
    const recorder = new Recorder();
    for (const attempt of [() => driver.send(endpoint, ["a"]), () => driver.receive(endpoint, ["a"], recorder)]) {
      const error = await assertRejects(attempt, TransportError);
      assertEquals(error.message, `cannot connect to ${endpoint}: ${why}`);
      assertInstanceOf(error.cause, ProtocolError);
    }
    assertEquals(recorder.events, []);
  });
}

for (const [scheme, driver] of [["nats", natsDriver()], ["redis", redisDriver()], ["mqtt", mqttDriver()]] as const) {
  Deno.test(`${names[scheme]}: it is told when what listens closes without an answer`, async () => {
    await using stranger = new Stranger((guest) => scheme === "nats" ? Promise.resolve() : guest.hears(/./s));
    const endpoint = `${scheme}://${stranger.address}`;
    const { message } = await assertRejects(() => driver.send(endpoint, ["a"]), TransportError);
    const why = `the other end closed the connection: is it ${names[scheme]} that is spoken there?`;
    assertEquals(message, `cannot connect to ${endpoint}: ${why}`);
  });
}

Deno.test("it is told when what listens says nothing, or nothing more", async () => {
  for (const says of ["", "+"]) {
    await using stranger = new Stranger(async (guest) => {
      await guest.says(says);
      await silence(guest);
    });
    const address = parseAddress(`nats://${stranger.address}`, "nats", 4222);
    const parser = { needed: 0, parse: (_bytes: Uint8Array, _view: DataView, start: number) => start, stop() {} };
    const session = (connection: RawConnection) => ({ parser, greet: () => connection.until(() => false) });
    const options = { address, attempted: "send to", protocol: "NATS", sink: new Recorder(), patience: 30 };
    const { message } = await assertRejects(() => open(options, session), TransportError);
    const why = "what listens there has said nothing for 0.03 s: is it NATS that is spoken there?";
    assertEquals(message, `cannot connect to ${address.text}: ${why}`);
  }
});

Deno.test("NATS: what waits for a PING to speak is found out", async () => {
  await using redis = new Stranger(async (guest) => {
    await guest.hears(/PING\r\n/);
    await guest.says("+PONG\r\n");
    await silence(guest);
  });
  const attempt = () => natsDriver().send(`nats://${redis.address}`, ["a"]);
  await assertRejects(attempt, TransportError, "does not speak NATS: is the port right?");
});

Deno.test("NATS: the server's pings are answered, in the middle of messages too", async () => {
  const answered = Promise.withResolvers<void>();
  await using stranger = new Stranger(async (guest) => {
    await guest.says(`${info}PING\r\n`);
    await guest.hears(/^PONG\r\nCONNECT .*\r\nPING\r\n$/);
    await guest.says("PONG\r\n");
    await guest.hears(/SUB a 1\r\nPING\r\n$/);
    await guest.says("PONG\r\nMSG a 1 1\r\nx\r\nPING\r\nMSG a 1 1\r\ny\r\nPING\r\nMSG a 1 1\r\nz");
    await guest.hears(/PING\r\nPONG\r\nPONG\r\n$/);
    answered.resolve();
    await silence(guest);
  });
  const recorder = new Recorder();
  const receiver = await natsDriver().receive(`nats://${stranger.address}`, ["a"], recorder);
  await answered.promise;
  assertEquals(recorder.events, ["message x", "message y"]);
  receiver.close();
  await receiver.closed;
});

Deno.test("NATS: who connects is told to the server, and not in errors", async () => {
  const cases = [
    ["me:se%20cret@", '"user":"me","pass":"se cret"'],
    ["t0ken@", '"auth_token":"t0ken"'],
  ] as const;
  for (const [user, expected] of cases) {
    let text = "";
    await using stranger = new Stranger(async (guest) => {
      await guest.says(info);
      await guest.hears(/PING\r\n/);
      text = guest.text;
      await guest.says("-ERR 'Authorization Violation'\r\n");
    });
    const attempt = () => natsDriver().send(`nats://${user}${stranger.address}`, ["a"]);
    const { message } = await assertRejects(attempt, RefusedError);
    assert(text.includes(expected), text);
    const why = "the server says Authorization Violation (protocol)";
    assertEquals(message, `cannot connect to nats://${stranger.address}: ${why}`);
  }
});

Deno.test("NATS: a server that wants TLS is told of, and not given the password", async () => {
  let text = "";
  await using stranger = new Stranger(async (guest) => {
    await guest.says('INFO {"tls_required":true}\r\n');
    await silence(guest).finally(() => text = guest.text);
  });
  const attempt = () => natsDriver().send(`nats://me:secret@${stranger.address}`, ["a"]);
  await assertRejects(attempt, TransportError, "the server wants TLS");
  assertEquals(text, "");
});

Deno.test("NATS: why the server ends a connection is told", async () => {
  const received = Promise.withResolvers<void>();
  await using stranger = new Stranger(async (guest) => {
    await guest.says(info);
    await guest.hears(/PING\r\n/);
    await guest.says("PONG\r\n");
    await guest.hears(/SUB a 1\r\nPING\r\n/);
    await guest.says("PONG\r\n");
    await received.promise;
    await guest.says("-ERR 'Slow Consumer'\r\nMSG a 1 1\r\nx\r\n");
  });
  const endpoint = `nats://${stranger.address}`;
  const recorder = new Recorder();
  const receiver = await natsDriver().receive(endpoint, ["a"], recorder);
  received.resolve();
  const { message } = await assertRejects(() => receiver.closed, TransportError);
  assertEquals(message, `cannot receive from ${endpoint}: the server says Slow Consumer`);
  assertEquals(recorder.events, ["damaged Slow Consumer"]);
});

Deno.test("NATS: what NATS would understand otherwise is no topic", async () => {
  for (const topic of ["a.b", "a b", "*", "a/>", "ä"]) {
    await assertRejects(() => natsDriver().send("nats://127.0.0.1:1", [topic]), UsageError, "is none for NATS");
  }
});

Deno.test("what comes broken in the middle ends the connection, and counts as damage", async () => {
  const received = Promise.withResolvers<void>();
  await using stranger = new Stranger(async (guest) => {
    await guest.hears(/MQTT/);
    await guest.says("\x20\x02\0\0");
    await guest.hears(/a\0$/);
    await guest.says("\x90\x03\0\x01\0");
    await received.promise;
    await guest.says("\x30\x04\0\x01ax\x30\x01\0\x30\x04\0\x01ay");
    await silence(guest);
  });
  const recorder = new Recorder();
  const receiver = await mqttDriver().receive(`mqtt://${stranger.address}`, ["a"], recorder);
  received.resolve();
  const { message } = await assertRejects(() => receiver.closed, ProtocolError);
  assertEquals(recorder.events, ["message x", `damaged ${message}`]);
  assert(message.endsWith("is not MQTT"), message);
});

Deno.test("a pattern that the server refuses is named", async () => {
  await using stranger = new Stranger(async (guest) => {
    await guest.hears(/MQTT/);
    await guest.says("\x20\x02\0\0");
    await guest.hears(/b\0$/);
    await guest.says("\x90\x04\0\x01\0\x80");
    await silence(guest);
  });
  const endpoint = `mqtt://${stranger.address}`;
  const { message } = await assertRejects(
    () => mqttDriver().receive(endpoint, ["a", "b"], new Recorder()),
    RefusedError,
  );
  assertEquals(message, `cannot subscribe to "b" at ${endpoint}: the server refuses it (pattern)`);
});

Deno.test("MQTT: why the server does not accept the connection is told", async () => {
  for (const [code, why] of [[4, "user or password is wrong"], [5, "not authorized"], [9, "it refuses with code 9"]]) {
    await using stranger = new Stranger(async (guest) => {
      await guest.hears(/MQTT[^]*me..it$/s);
      await guest.says(`\x20\x02\0${String.fromCharCode(code as number)}`);
    });
    const attempt = () => mqttDriver().send(`mqtt://me:it@${stranger.address}`, ["a"]);
    await assertRejects(attempt, RefusedError, `the server says that ${why}`);
  }
});

Deno.test("a sender is asked to wait above 256 KiB, and takes what it is sent all the same", async () => {
  const message = new Uint8Array(1000).fill(0x2e);
  const size = command("PUBLISH", "a", latin1(message)).length;
  let length = 0;
  await using stranger = new Stranger(async (guest) => {
    await guest.hears(/PING\r\n/);
    await guest.says("+PONG\r\n");
    length -= guest.length;
    await guest.hears(/last\r\n$/);
    length += guest.length;
    await guest.says(":0\r\n".repeat(20_001));
    await silence(guest);
  });
  const sender = await redisDriver().send(`redis://${stranger.address}`, ["a"]);
  let sent = 0;
  while (sender.send(0, message)) sent++;
  assertEquals(sent, Math.ceil(256 * 1024 / size) - 1);
  assertEquals(sender.writable, false);
  // Far more than the system takes at once.
  for (sent++; sent < 10_000; sent++) assertEquals(sender.send(0, message), false);
  await sender.ready();
  assertEquals(sender.writable, true);
  for (; sent < 20_000; sent++) if (!sender.send(0, message)) await sender.ready();
  sender.send(0, bytesOf("last"));
  await sender.flush();
  assertEquals(length, 20_000 * size + command("PUBLISH", "a", "last").length);
  assertEquals(sender.writable, true);
  await Promise.all([sender.close(), sender.closed]);
});

Deno.test("what waits when a connection is closed here is told so", async () => {
  await using stranger = new Stranger(async (guest) => {
    await guest.hears(/PING\r\n/);
    await guest.says("+PONG\r\n");
    await silence(guest);
  });
  const endpoint = `redis://${stranger.address}`;
  const sender = await redisDriver().send(endpoint, ["a"]);
  sender.send(0, new Uint8Array(1));
  const flushed = assertRejects(() => sender.flush(), TransportError, "it was closed here");
  await Promise.all([sender.close(), sender.closed, flushed]);
});

Deno.test("MQTT: a connection that is silent is kept by pings", async () => {
  const pinged = Promise.withResolvers<void>();
  await using stranger = new Stranger(async (guest) => {
    await guest.hears(/MQTT/);
    await guest.says("\x20\x02\0\0");
    await guest.hears(/a\0$/);
    await guest.says("\x90\x03\0\x01\0");
    await guest.hears(/\xc0\0$/);
    pinged.resolve();
    await silence(guest);
  });
  const { setInterval } = globalThis;
  const timers = new Map<number | undefined, () => void>();
  globalThis.setInterval = ((callback: () => void, delay?: number) => {
    timers.set(delay, callback);
    return setInterval(callback, delay);
  }) as typeof setInterval;
  try {
    const receiver = await mqttDriver().receive(`mqtt://${stranger.address}`, ["a"], new Recorder());
    timers.get(30_000)!();
    await pinged.promise;
    receiver.close();
    await receiver.closed;
  } finally {
    globalThis.setInterval = setInterval;
  }
});

Deno.test("nothing is counted after a receiver was closed, not even of the same read", async () => {
  const received = Promise.withResolvers<void>();
  await using stranger = new Stranger(async (guest) => {
    await guest.hears(/PING\r\n/);
    await guest.says("+PONG\r\n");
    await guest.hears(/SUBSCRIBE\r\n\$1\r\na\r\n$/);
    await guest.says("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    await received.promise;
    await guest.says("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n".repeat(3));
    await silence(guest);
  });
  const recorder = new Recorder();
  recorder.note = (event) => {
    recorder.events.push(event);
    receiver.close();
  };
  const receiver = await redisDriver().receive(`redis://${stranger.address}`, ["a"], recorder);
  received.resolve();
  await receiver.closed;
  assertEquals(recorder.events, ["message x"]);
});
