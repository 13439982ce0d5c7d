import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code } from "../../core/codes.ts";
import type { Connection } from "../../core/connection.ts";
import { close, drain } from "../../core/control.ts";
import { ProtocolError, RefusedError, TransportError } from "../../core/errors.ts";
import { Link, type LinkEvent, type LinkOptions } from "../../core/link.ts";
import { collect, Network, PlayedServer } from "./links.ts";
import { controlFrame, publisher, TestServer, turn, World } from "./world.ts";
import { MiB } from "./fixtures.ts";

/** A link to a server that the test plays, before its greeting. */
async function dialled(options: Partial<LinkOptions> = {}) {
  const world = new World();
  const server = new PlayedServer();
  const events: LinkEvent[] = [];
  const link = new Link("memory://played", {
    dial: server.dial,
    platform: world,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const opening = link.open();
  opening.catch(() => {});
  await turn();
  return { world, server, link, opening, events };
}

const closing = (code: Code, why = "") => controlFrame(close, { code, why });

Deno.test("link: the greeting, then the end", async () => {
  const { world, server, link, opening, events } = await dialled();
  const [hello] = server.peer.frames();
  assertEquals([hello!.frame, (hello!.session as string).length], ["HELLO", 32]);
  await server.welcome();
  assertEquals(await opening, link);
  assertEquals(events, [{ kind: "connected", endpoint: "memory://played", again: false }]);
  const end = link.close();
  await turn();
  assertEquals(server.peer.reason(), "done");
  await server.peer.end();
  await end;
  assertEquals(await link.closed, null);
  assertEquals(world.timers, 0);
  await link.close();
});

Deno.test("link: a first connection that cannot be made is not tried again", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  network.down = true;
  const { link, events } = network.link();
  await assertRejects(() => link.open(), TransportError, "cannot connect to memory://test: connection refused");
  assertEquals([network.dialled, events], [1, []]);
  assert(await link.closed instanceof TransportError);
});

Deno.test("link: a first connection that ends before the greeting", async () => {
  const lost = await dialled();
  await lost.server.peer.end();
  await assertRejects(() => lost.opening, TransportError, "cannot connect to memory://played");
  const broken = await dialled();
  await broken.server.peer.reset();
  await assertRejects(() => broken.opening, TransportError);
});

Deno.test("link: a server that has as many connections as it takes refuses", async () => {
  await using test = new TestServer({ limits: { connections: 1 } });
  const network = new Network(test);
  const { link: first } = await network.connect();
  const { link: second } = network.link();
  await test.world.wait(assertRejects(() => second.open(), RefusedError, "connections"));
  await network.close(first);
});

Deno.test("link: what is not this protocol is told at once; no byte of it is waited for", async () => {
  const { server, opening } = await dialled();
  await server.peer.send(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  assertEquals(server.peer.ended, true);
  await server.peer.end();
  await assertRejects(() => opening, TransportError, "does not speak the stream protocol");
});

Deno.test("link: a server that does not greet is given 5 s", async () => {
  const { world, server, opening } = await dialled();
  await world.run(4_000);
  assertEquals(server.peer.ended, false);
  await world.run(2_500);
  assertEquals(server.peer.reason(), "handshake-timeout");
  await world.run(3_500);
  await assertRejects(() => opening, TransportError);
  assertEquals(world.timers, 0);
});

Deno.test("link: pauses grow from 50 ms to 5 s, each with up to half of it left to chance, and begin anew after success", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link, events } = await network.connect();
  const pauses = () => events.splice(0).flatMap((event) => event.kind === "lost" ? [event.retryIn] : []);
  for (let round = 0; round < 3; round++) {
    network.down = true;
    await network.cut();
    await test.world.run(60_000);
    const all = pauses();
    const whole = all.map((_, i) => Math.min(5_000, 50 * 2 ** i));
    assert(all.length > 15);
    all.forEach((pause, i) => assert(pause >= whole[i]! / 2 && pause <= whole[i]!, `${pause} of ${whole[i]}`));
    assert(new Set(all.map((pause, i) => pause / whole[i]!)).size > 10, "they differ");
    network.down = false;
    await test.world.run(6_000);
    assertEquals(events.splice(0).map(({ kind }) => kind), ["connected"]);
  }
  await network.close(link);
});

Deno.test("link: a server that greets and drops is tried after pauses that grow, and given up as one that is away", async () => {
  const { world, server, link, events } = await dialled({ giveUpAfter: 20_000 });
  const pauses = () => events.flatMap((event) => event.kind === "lost" ? [event.retryIn] : []);
  for (let i = 0; i < 8; i++) {
    await server.welcome();
    await server.peer.end();
    assertEquals(pauses().length, i + 1);
    assert(pauses()[i]! >= Math.min(5_000, 50 * 2 ** i) / 2, `${pauses()}`);
    await world.run(pauses()[i]! + 1);
  }
  while (!server.peer.closed) {
    await server.peer.end();
    await world.run(5_001);
  }
  assert(await link.closed instanceof TransportError);
});

Deno.test("link: publish() without acknowledgements is rejected when the connection is lost before one came", async () => {
  const { server, link, opening } = await dialled({ publisher: { acknowledge: false }, reconnect: false });
  await server.welcome();
  await opening;
  const publishing = assertRejects(
    () => link.publisher.publish("a", "x"),
    TransportError,
    "cannot publish to memory://played",
  );
  await turn();
  await server.peer.end();
  await publishing;
  await link.closed;
});

Deno.test("link: two links that lost the same server do not come back at the same time", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const links = [await network.connect(), await network.connect(), await network.connect()];
  network.down = true;
  await network.cut();
  await test.world.run(10_000);
  const pauses = links.map(({ events }) =>
    JSON.stringify(events.flatMap((it) => it.kind === "lost" ? [it.retryIn] : []))
  );
  assertEquals(new Set(pauses).size, 3);
  network.down = false;
  await test.world.run(10_000);
  await network.close(...links.map(({ link }) => link));
});

Deno.test("link: without reconnecting, a loss is the end", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect({ reconnect: false });
  const subscription = link.subscribe("#");
  await test.world.wait(subscription.ready);
  await network.cut();
  assert(await link.closed instanceof TransportError);
  await assertRejects(() => subscription.events().next(), TransportError);
  assertEquals(network.dialled, 1);
});

Deno.test("link: a publisher with unacknowledged messages gives up after 60 s, and says how many they are", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  await test.world.wait(link.publisher.publish("a", "1"));
  network.down = true;
  await network.cut();
  await test.world.run(300_000);
  for (let i = 0; i < 7; i++) link.publisher.send("a", new Uint8Array(1));
  const flushing = link.publisher.flush();
  flushing.catch(() => {});
  await test.world.run(66_000);
  const error = await link.closed;
  assert(error instanceof TransportError);
  assert(error.message.includes("connection refused") && error.message.includes("7 messages are not acknowledged"));
  await assertRejects(() => flushing, TransportError, "7 messages");
  assertEquals(link.publisher.pending, 7);
});

Deno.test("link: a publisher is tried for 60 s, not less", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  network.down = true;
  link.publisher.send("a", new Uint8Array(1));
  await network.cut();
  await test.world.run(54_000);
  network.down = false;
  await test.world.run(6_000);
  await test.world.wait(link.publisher.flush());
  await network.close(link);
});

Deno.test("link: without anything to publish it is tried without end, or as long as it is asked to", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link: patient } = await network.connect();
  const { link: other } = await network.connect({ giveUpAfter: 10_000 });
  network.down = true;
  await network.cut();
  await test.world.run(3_600_000);
  assert(await other.closed instanceof TransportError);
  network.down = false;
  await test.world.run(6_000);
  assert(patient.session);
  await network.close(patient);
});

for (const code of [Code.protocol, Code.version, Code.notStream, Code.frameTooLarge, Code.credit, Code.replaced]) {
  Deno.test(`link: after the final code ${code} it does not come back`, async () => {
    const { world, server, link, opening } = await dialled();
    await server.welcome();
    await opening;
    const subscription = link.subscribe("#");
    const publishing = link.publisher.publish("a", "x");
    publishing.catch(() => {});
    await server.peer.send(closing(code, "because"));
    await server.peer.end();
    const error = await link.closed;
    assert(error instanceof ProtocolError);
    assertEquals([error.code, error.message.endsWith(": because")], [code, true]);
    await assertRejects(() => publishing, ProtocolError);
    await assertRejects(() => subscription.events().next(), ProtocolError);
    await world.run(60_000);
    assertEquals([server.peers.length, world.timers], [1, 0]);
  });
}

for (
  const code of [Code.draining, Code.lagged, Code.maxWait, Code.memory, Code.internal, Code.idle, Code.done, 12345]
) {
  Deno.test(`link: after the code ${code} it comes back, and has told why`, async () => {
    const { world, server, link, opening, events } = await dialled();
    await server.welcome();
    await opening;
    await server.peer.send(closing(code, "because"));
    await server.peer.end();
    await world.run(100);
    assertEquals(server.peers.length, 2);
    await server.welcome({ closed: code, why: "because" });
    const lost = events.find((event) => event.kind === "lost")!;
    assertEquals([lost.code, lost.why], [code, "because"]);
    const told = events.filter((event) => event.kind === "told");
    assertEquals(told, code === Code.done ? [] : [{ kind: "told", code, why: "because" }]);
    const end = link.close();
    await server.peer.end();
    await end;
  });
}

Deno.test("link: every connection of one link has the same id, another link another", async () => {
  const it = await dialled();
  await it.server.welcome();
  await it.opening;
  const first = it.server.peer.frames()[0]!.session;
  await it.server.peer.reset();
  await it.world.run(100);
  assertEquals(it.server.peer.frames()[0]!.session, first);
  const end = it.link.close();
  await it.server.peer.end();
  await it.world.wait(end);
});

Deno.test("link: a server that shuts down says so, and nothing is sent to it any more", async () => {
  const { world, server, link, opening, events } = await dialled();
  await server.welcome();
  await opening;
  await server.peer.request(drain, { timeout: 1_000 });
  assertEquals(events.at(-1), { kind: "told", code: Code.draining, why: "the server is shutting down" });
  const end = link.close();
  await server.peer.end();
  await world.wait(end);
});

Deno.test("link: an abort signal: before, while connecting, in the greeting, while open, between two attempts", async () => {
  const reason = new Error("enough");
  const aborted = new Link("memory://x", {
    dial: () => Promise.reject(),
    platform: new World(),
    signal: AbortSignal.abort(reason),
  });
  await assertRejects(() => aborted.open(), Error, "enough");

  const connecting = new AbortController();
  const never = (_: string, signal?: AbortSignal) =>
    new Promise<Connection>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const link = new Link("memory://x", { dial: never, platform: new World(), signal: connecting.signal });
  const opening = link.open();
  connecting.abort(reason);
  await assertRejects(() => opening, Error, "enough");
  assertEquals(await link.closed, null);

  const greeting = new AbortController();
  const it = await dialled({ signal: greeting.signal });
  greeting.abort(reason);
  await turn();
  assertEquals(it.server.peer.reason(), "done");
  await it.server.peer.end();
  await assertRejects(() => it.opening, Error, "enough");

  await using test = new TestServer();
  const network = new Network(test);
  for (const down of [false, true]) {
    network.down = false;
    const open = new AbortController();
    const { link } = await network.connect({ signal: open.signal });
    network.down = down;
    if (down) await network.cut();
    open.abort(reason);
    assertEquals(await test.world.wait(link.closed), null);
  }
});

Deno.test("link: close() while connecting, in the greeting, between two attempts, and without open()", async () => {
  let answer = (_: Connection) => {};
  const world = new World();
  const slow = () => new Promise<Connection>((resolve) => answer = resolve);
  const link = new Link("memory://x", { dial: slow, platform: world });
  const opening = link.open();
  opening.catch(() => {});
  const closed = link.close();
  const server = new PlayedServer();
  answer(await server.dial());
  await turn();
  assertEquals(server.peer.reason(), "done", "a connection that comes too late is closed, not lost");
  await server.peer.end();
  await closed;
  await assertRejects(() => opening, TransportError, "the link was closed");

  const greeting = await dialled();
  const end = greeting.link.close();
  await turn();
  assertEquals(greeting.server.peer.names(), ["HELLO", "CLOSE"], "with one preamble");
  await greeting.server.peer.end();
  await end;

  await using test = new TestServer();
  const network = new Network(test);
  const { link: waiting } = await network.connect();
  network.down = true;
  await network.cut();
  await waiting.close();
  assertEquals(await waiting.closed, null);

  const unopened = network.link().link;
  await unopened.close();
  assertEquals(await unopened.closed, null);
});

Deno.test("link: close() in the greeting of a real server is an ordinary end", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  network.usual = { delay: { milliseconds: 20, after: (delay, run) => void test.world.after(delay, run) } };
  const { link } = network.link();
  const opening = link.open();
  opening.catch(() => {});
  await turn();
  await network.close(link);
  await test.world.run(100);
  assertEquals([...test.server.closes], [["done", 1]]);
});

Deno.test("link: close() does not wait for a server that does not answer", async () => {
  const { world, server, link, opening } = await dialled();
  await server.welcome();
  await opening;
  server.peer.window = 0;
  const end = link.close();
  await world.wait(end, 5_000);
  assertEquals(world.timers, 0);
});

Deno.test("link: topics are listed; a list fails with the connection, or for a pattern that is none", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const from = await publisher(test);
  for (let i = 0; i < 3000; i++) await from.publish(`t/${i}`, "x");
  const topics = await test.world.wait(link.topics("t/+"));
  assertEquals(topics.map(({ name }) => name), Array.from({ length: 3000 }, (_, i) => `t/${i}`));
  assertEquals(topics[7], { name: "t/7", id: 8, first: 1, next: 2, bytes: 50, time: test.world.time() });
  assertEquals(await test.world.wait(link.topics("none")), []);
  const lost = link.topics();
  lost.catch(() => {});
  network.down = true;
  await network.cut();
  await assertRejects(() => lost, TransportError, "list topics");
  await assertRejects(() => link.topics(), TransportError, "not connected");
  await link.close();
  await assertRejects(() => link.topics(), TransportError);
});

Deno.test("link: a callback that throws is a bug that ends the link, and shows", async () => {
  const { server, link, opening } = await dialled({
    onEvent: () => {
      throw new TypeError("in a callback");
    },
  });
  await server.welcome();
  assertEquals(server.peer.named("CLOSE").length, 1);
  await server.peer.end();
  await assertRejects(() => opening, TypeError, "in a callback");
  assert(await link.closed instanceof TypeError);
});

Deno.test("link: a connection for which there is no memory is closed, not lost", async () => {
  await using test = new TestServer({ limits: { retain: 512 * MiB, memory: 1024 * MiB } });
  const network = new Network(test);
  const { link } = await network.connect();
  const { budget } = link.pool;
  await network.cut();
  link.pool.trim(0);
  const taken = budget.limit - budget.used;
  assert(budget.reserve(taken));
  await test.world.run(1_000);
  assertEquals(network.open, 0);
  budget.release(taken);
  await test.world.run(6_000);
  assertEquals([network.open, link.session !== null], [1, true]);
  await network.close(link);
});

Deno.test("link: several subscriptions and a publisher on one link, through losses", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const all = collect(link.subscribe("#", { from: "earliest" }).events());
  const odd = collect(link.subscribe("odd", { from: "earliest" }).events());
  for (let i = 0; i < 60; i++) {
    link.publisher.send(i % 2 ? "odd" : "even", new TextEncoder().encode(`${i}`));
    if (i % 7 === 0) await network.cut();
    await test.world.run(i % 11 * 20);
  }
  await test.world.wait(link.publisher.flush());
  await test.world.run(100);
  const expected = (topic: string, rest: number) =>
    Array.from({ length: 30 }, (_, i) => `${topic} ${i + 1} ${2 * i + rest}`);
  assertEquals(odd.lines, expected("odd", 1));
  assertEquals(all.lines.filter((line) => line.startsWith("odd")), expected("odd", 1));
  assertEquals(all.lines.filter((line) => line.startsWith("even")), expected("even", 0));
  await network.close(link);
  await Promise.all([all.done, odd.done]);
});
