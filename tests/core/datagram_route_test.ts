import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { close, failed, Policy, route } from "../../core/control.ts";
import type { Route, RouteOptions } from "../../core/datagram_route.ts";
import { RefusedError, TransportError } from "../../core/errors.ts";
import { FrameType } from "../../core/frame.ts";
import { largestSequence } from "../../core/limits.ts";
import type { Link } from "../../core/link.ts";
import { PlayedServer } from "./links.ts";
import { idOf, turn, World } from "./world.ts";

const told: Route = { port: 7070, group: 5, session: idOf(9) };
const refusal = { request: 1, kind: FrameType.datagrams, code: Code.noDatagrams, why: "the port is in use" };
const granted = { subscription: 1, policy: Policy.skip, ...told, ordinal: 12 };

/** A link to a server that the test plays, and a route over it. */
async function setUp(options: Partial<RouteOptions> = {}) {
  const world = new World();
  const server = new PlayedServer();
  const link = await server.open(world);
  const routes: (Route & { readonly restarted?: boolean })[] = [];
  const failures: string[] = [];
  const made = link.route({
    patterns: ["a/#", "b"],
    largest: 1400,
    onRoute: (route, restarted) => void routes.push(restarted ? { ...route, restarted } : route),
    onFail: ({ message }) => void failures.push(message),
    ...options,
  });
  await turn();
  return { world, server, link, routes, failures, made };
}

/** Ends a link, and what the server has of it. */
async function end(world: World, server: PlayedServer, link: Link): Promise<void> {
  const closed = link.close();
  await turn();
  await server.peer.end();
  await world.wait(closed);
}

/** The connection is lost; another one is made, and greeted. */
async function reconnect(world: World, server: PlayedServer, epoch = idOf(99)): Promise<void> {
  const before = server.peers.length;
  await server.peer.reset();
  await world.until(() => server.peers.length > before);
  await server.welcome({ epoch });
  await turn();
}

Deno.test("a route asks for what it was made for, and is ready when the server has said where datagrams come from", async () => {
  const { world, server, link, routes, made } = await setUp({ lagPolicy: "wait" });
  const patterns = [{ pattern: "a/#" }, { pattern: "b" }];
  assertEquals(server.peer.frames(), [
    { frame: "DATAGRAMS", subscription: 1, policy: Policy.wait, largest: 1400, since: largestSequence, patterns },
  ]);
  assertEquals(routes, []);
  await server.peer.request(route, { ...granted, policy: Policy.wait });
  assertEquals([await made.ready, routes], ["wait", [told]]);
  await end(world, server, link);
});

Deno.test("a route without a lag policy asks for the server's", async () => {
  const { world, server, link, made } = await setUp();
  assertEquals(server.peer.frames().map(({ policy }) => policy), [Policy.server]);
  await server.peer.request(route, granted);
  assertEquals(await made.ready, "skip");
  await end(world, server, link);
});

Deno.test("a route that is refused says why, and is not asked for again", async () => {
  const { world, server, link, routes, failures, made } = await setUp();
  await server.peer.request(failed, refusal);
  const error = await assertRejects(() => made.ready, RefusedError);
  assertEquals(error.message, "cannot get a/# b by datagrams: the port is in use (no-datagrams)");
  assertEquals(failures, [error.message]);
  await reconnect(world, server);
  assertEquals([server.peer.names(), routes], [["HELLO"], []]);
  await end(world, server, link);
});

Deno.test("a route that is refused when the connection was made again fails, though it was ready", async () => {
  const { world, server, link, failures, made } = await setUp();
  await server.peer.request(route, granted);
  await reconnect(world, server);
  assertEquals([await made.ready, failures], ["skip", []]);
  await server.peer.request(failed, refusal);
  assertEquals(failures, ["cannot get a/# b by datagrams: the port is in use (no-datagrams)"]);
  await reconnect(world, server);
  assertEquals(server.peer.names(), ["HELLO"]);
  await end(world, server, link);
});

Deno.test("a route whose link is lost for good fails", async () => {
  const { world, server, link, failures } = await setUp();
  await server.peer.request(route, granted);
  await server.peer.request(close, { code: Code.replaced, why: "" });
  await server.peer.end();
  await world.wait(link.closed);
  assertEquals(failures.length, 1);
  assertMatch(failures[0]!, /connected again/);
});

Deno.test("a new connection gets a new route, paused if the one before was", async () => {
  const { world, server, link, routes, made } = await setUp();
  await server.peer.request(route, granted);
  made.pause(true);
  made.pause(true);
  await turn();
  assertEquals(server.peer.names(), ["DATAGRAMS", "PAUSE"]);
  await reconnect(world, server);
  assertEquals(server.peer.names(), ["HELLO", "DATAGRAMS", "PAUSE"]);
  await server.peer.request(route, { ...granted, group: 6, session: idOf(10) });
  assertEquals(routes, [told, { ...told, group: 6, session: idOf(10) }]);
  made.pause(false);
  await turn();
  assertEquals(server.peer.names(), ["RESUME"]);
  await reconnect(world, server);
  assertEquals(server.peer.names(), ["HELLO", "DATAGRAMS"]);
  // While there is no connection there is nobody to tell.
  await server.peer.reset();
  made.pause(true);
  made.pause(false);
  await end(world, server, link);
});

Deno.test("of topics that were created since the first route everything is wanted; of another life of the server, of all", async () => {
  const { world, server, link, routes } = await setUp();
  const since = () => server.peer.named("DATAGRAMS").map(({ since }) => since);
  assertEquals(since(), [largestSequence]);
  // What was never answered has not begun.
  await reconnect(world, server);
  assertEquals(since(), [largestSequence]);
  await server.peer.request(route, granted);
  for (const ordinal of [15, 17]) {
    await reconnect(world, server);
    assertEquals(since(), [12]);
    await server.peer.request(route, { ...granted, ordinal });
  }
  assertEquals(routes, [told, told, told]);
  for (let attempt = 0; attempt < 2; attempt++) {
    await reconnect(world, server, idOf(100));
    assertEquals(since(), [0]);
  }
  await server.peer.request(route, { ...granted, ordinal: 2 });
  assertEquals(routes.slice(3), [{ ...told, restarted: true }]);
  await reconnect(world, server, idOf(100));
  assertEquals(since(), [0]);
  await server.peer.request(route, { ...granted, ordinal: 3 });
  assertEquals(routes.slice(4), [told]);
  await end(world, server, link);
});

Deno.test("a route that is closed leaves, and is not asked for again", async () => {
  const { world, server, link, routes, made } = await setUp();
  await server.peer.request(route, granted);
  made.close();
  await turn();
  assertEquals(server.peer.frames().slice(1), [{ frame: "UNSUBSCRIBE", subscription: 1 }]);
  await server.peer.request(route, granted);
  assertEquals(routes.length, 1);
  await reconnect(world, server);
  assertEquals(server.peer.names(), ["HELLO"]);
  await end(world, server, link);
});

Deno.test("a route of a link that ends, or has ended, never comes", async () => {
  const { world, server, link, made } = await setUp();
  await end(world, server, link);
  await assertRejects(() => made.ready, TransportError, "cannot get datagrams: the link was closed");
  const late = link.route({ patterns: ["a"], largest: 1400, onRoute: () => {}, onFail: () => {} });
  await assertRejects(() => late.ready, TransportError, "the link is closed");
});

Deno.test("a ROUTE of a number that is none is passed over", async () => {
  const { world, server, link, routes } = await setUp();
  await server.peer.request(route, { ...granted, subscription: 77 });
  assertEquals(routes, []);
  await server.peer.request(route, granted);
  assertEquals(routes, [told]);
  await end(world, server, link);
});
