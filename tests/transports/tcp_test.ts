import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { TransportError } from "../../core/errors.ts";
import { parseEndpoint } from "../../transports/endpoint.ts";
import { dialSocket, SocketListener } from "../../transports/socket.ts";
import { dialTcp, listenTcp } from "../../transports/tcp.ts";
import { contract } from "./contract.ts";

const anyPort = parseEndpoint("tcp://127.0.0.1:0");
const remote = parseEndpoint("tcp://192.0.2.1:7070");

contract("tcp", {
  listen: () => listenTcp(anyPort),
  dial: (listener) => dialTcp(parseEndpoint(listener.endpoint)),
  dialWith: (listener, signal) => dialTcp(parseEndpoint(listener.endpoint), signal),
  // The kernel takes about 4 MB on loopback.
  overflow: 32 << 20,
});

Deno.test("tcp: a listener tells the port it was given, and the host as it was asked for", () => {
  using listener = listenTcp(parseEndpoint("tcp://localhost:0"));
  const endpoint = parseEndpoint(listener.endpoint);
  assertEquals(endpoint.host, "localhost");
  assert(endpoint.port > 0);
});

Deno.test("tcp: peers are written as addresses", async () => {
  using listener = listenTcp(anyPort);
  const [here, there] = await Promise.all([dialTcp(parseEndpoint(listener.endpoint)), listener.accept()]);
  using _here = here;
  using _there = there;
  assertEquals(`tcp://${here.peer}`, listener.endpoint);
  assert(/^127\.0\.0\.1:\d+$/.test(there!.peer), there!.peer);
});

Deno.test("tcp: a port in use is said so", () => {
  using listener = listenTcp(anyPort);
  const endpoint = parseEndpoint(listener.endpoint);
  const error = assertThrows(() => listenTcp(endpoint), TransportError);
  assertEquals(
    error.message,
    `cannot listen on ${listener.endpoint}: port ${endpoint.port} is in use: stop what uses it, or choose another (0 takes a free one)`,
  );
});

Deno.test("tcp: an address of another machine cannot be listened on", () => {
  const error = assertThrows(() => listenTcp(parseEndpoint("tcp://192.0.2.1:0")), TransportError);
  assert(error.message.includes("192.0.2.1 is not an address of this machine"), error.message);
});

Deno.test("tcp: a name that is not known is said so", async () => {
  const error = await assertRejects(() => dialTcp(parseEndpoint("tcp://stream.invalid:7070")), TransportError);
  assert(error.message.includes(`no address is known for the name "stream.invalid"`), error.message);
});

Deno.test({
  name: "tcp: missing network permission is said so",
  permissions: { net: false },
  async fn() {
    const listening = assertThrows(() => listenTcp(anyPort), TransportError);
    assert(listening.message.endsWith("run it with --allow-net"), listening.message);
    const dialling = await assertRejects(() => dialTcp(parseEndpoint("tcp://127.0.0.1:9")), TransportError);
    assert(dialling.message.endsWith("run it with --allow-net"), dialling.message);
  },
});

Deno.test("tcp: a dial that is aborted while it is under way rejects with the reason", async () => {
  using listener = listenTcp(anyPort);
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const dialling = dialTcp(parseEndpoint(listener.endpoint), controller.signal);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => dialling), reason);
});

Deno.test("tcp: each end says where it is and where the other one is", async () => {
  using listener = listenTcp(parseEndpoint("tcp://localhost:0"));
  const { port } = parseEndpoint(listener.endpoint);
  const [here, there] = await Promise.all([dialTcp(parseEndpoint(listener.endpoint)), listener.accept()]);
  using dialled = here;
  using accepted = there!;
  assertEquals(dialled.remote, accepted.local);
  assertEquals(dialled.local, accepted.remote);
  assertEquals(dialled.remote?.port, port);
  assert(dialled.remote!.host === "127.0.0.1" || dialled.remote!.host === "::1");
  assertEquals(dialled.peer, dialled.remote!.text);
});

/** An acceptor that gives these outcomes in turn, and then waits until it is closed. */
function scripted(...outcomes: (Error | Deno.TcpConn)[]) {
  let end: (reason: Error) => void;
  const closed = new Promise<never>((_, reject) => end = reject);
  closed.catch(() => {});
  return {
    accept() {
      const next = outcomes.shift();
      if (next === undefined) return closed;
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    close: () => end(new Deno.errors.BadResource("closed")),
  };
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

Deno.test("sockets: a dial without an answer in time says how long it waited", async () => {
  const silent = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const error = await assertRejects(() => dialSocket(remote, silent, undefined, 1), TransportError);
  assertEquals(
    error.message,
    "cannot connect to tcp://192.0.2.1:7070: no answer within 0.001 s: check the address, and what a firewall lets through",
  );
  assertEquals(error.endpoint, "tcp://192.0.2.1:7070");
});

Deno.test("sockets: a connection that comes after the abort is closed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const connecting = Promise.withResolvers<Deno.TcpConn>();
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const dialling = dialSocket(remote, () => connecting.promise, controller.signal);
  controller.abort(reason);
  connecting.resolve(socket);
  assertStrictEquals(await assertRejects(() => dialling), reason);
  await assertRejects(() => socket.read(new Uint8Array(1)), Deno.errors.BadResource);
});

Deno.test("sockets: a connection that was reset before it was accepted is passed over at once", async () => {
  const seen: unknown[] = [];
  using open = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: open.addr.port });
  const fault = systemError("ECONNABORTED");
  const listener = new SocketListener(scripted(fault, socket), "tcp://127.0.0.1:1", {
    onAcceptError: (error) => seen.push(error),
    pause: () => Promise.reject(new Error("there is nothing to wait for")),
  });
  assert(await listener.accept() !== null);
  assertEquals(seen, [fault]);
  listener.close();
});

Deno.test("sockets: accepting rests while there are no open files left, and goes on", async () => {
  const pauses: number[] = [];
  using open = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: open.addr.port });
  const listener = new SocketListener(
    scripted(systemError("EMFILE"), systemError("EMFILE"), socket),
    "tcp://127.0.0.1:1",
    { pause: (milliseconds) => Promise.resolve(void pauses.push(milliseconds)) },
  );
  assert(await listener.accept() !== null);
  assertEquals(pauses, [100, 100]);
  listener.close();
});

Deno.test("sockets: closing ends the rest of an accept, and its timer", async () => {
  const resting = Promise.withResolvers<void>();
  const listener = new SocketListener(scripted(systemError("EMFILE")), "tcp://127.0.0.1:1", {
    onAcceptError: () => resting.resolve(),
  });
  const accepting = listener.accept();
  await resting.promise;
  listener.close();
  assertEquals(await accepting, null);
});
