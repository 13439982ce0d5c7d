/** Clients that end without a word, anywhere: no other session notices, and nothing of them stays. */

import { assert, assertEquals } from "@std/assert";
import { connectTo } from "../cutting_proxy.ts";
import { memoryOf, type Process, type ServerProcess, startServer } from "./process.ts";
import {
  exchange,
  Random,
  recordedPublisher,
  recordedSubscriber,
  sendAll,
  socketsOf,
  untilSockets,
  withId,
} from "./recorded.ts";

/** A publisher and a subscriber that go on all the while, and must not notice anything. */
class Steady implements AsyncDisposable {
  readonly #publisher: Process;
  readonly #subscriber: Process;
  #count = 0;

  private constructor(publisher: Process, subscriber: Process) {
    this.#publisher = publisher;
    this.#subscriber = subscriber;
  }

  static async start(server: ServerProcess): Promise<Steady> {
    const subscriber = await server.subscriber(["--no-reconnect", "steady"]);
    const steady = new Steady(server.start(["publish", "--no-reconnect", "steady"], { stdin: "pipe" }), subscriber);
    await steady.exchange();
    return steady;
  }

  /** One message goes from one to the other. */
  async exchange(): Promise<void> {
    this.#count++;
    await this.#publisher.write(`${this.#count}\n`);
    await this.#subscriber.stdout.line(new RegExp(`^${this.#count}$`));
  }

  /** Ends both, and sees that nothing else was ever said. */
  async end(): Promise<void> {
    await this.#publisher.end();
    assertEquals(await this.#publisher.ran(), { status: 0, stdout: "", stderr: "" });
    this.#subscriber.kill("SIGINT");
    const stdout = Array.from({ length: this.#count }, (_, i) => `${i + 1}\n`).join("");
    assertEquals(await this.#subscriber.ran(), { status: 130, stdout, stderr: "subscribed steady\n" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher[Symbol.asyncDispose]();
    await this.#subscriber[Symbol.asyncDispose]();
  }
}

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "kill -9 of publishers and subscribers is noticed by nobody, and leaves no session and no topic",
  ignore,
  async fn() {
    // More rounds than connections: a session that stayed would be one too many.
    await using server = await startServer(["--max-connections", "8"]);
    const idle = await socketsOf(server.pid);
    await using steady = await Steady.start(server);
    await untilSockets(server.pid, idle + 2);
    const lines = new TextEncoder().encode(`${"x".repeat(999)}\n`.repeat(1_000));
    for (let round = 0; round < 10; round++) {
      const options = { sink: () => {} };
      await using all = await server.subscriber(["#"], options);
      await using slow = await server.subscriber(["--lag-policy", "wait", "victims/#"], { ...options, held: true });
      await using publisher = server.start(["publish", `victims/${round % 3}`, "--chunk", "3KiB"], { stdin: "pipe" });
      // It never ends by itself; where it is killed depends on how far everything has come.
      const feeding = (async () => {
        for (;;) await publisher.write(lines);
      })().catch(() => {});
      await all.stdout.past(1_000_000 + round * 700_000);
      const victims = [publisher, all, slow];
      for (const victim of [...victims.slice(round % 3), ...victims.slice(0, round % 3)]) {
        victim.kill("SIGKILL");
        await steady.exchange();
      }
      await feeding;
      await untilSockets(server.pid, idle + 2);
    }
    assertEquals([...(await server.topics()).keys()].sort(), ["steady", "victims/0", "victims/1", "victims/2"]);
    await steady.end();
    await untilSockets(server.pid, idle);
    assert(!server.stderr.text.includes("internal"), server.stderr.text);
  },
});

Deno.test({
  name: "a connection that ends after any byte of a real session is noticed by nobody, and leaves nothing",
  ignore,
  async fn() {
    await using server = await startServer();
    const idle = await socketsOf(server.pid);
    const publisher = await recordedPublisher(server);
    const subscriber = await recordedSubscriber(server);
    await using steady = await Steady.start(server);
    await untilSockets(server.pid, idle + 2);
    const before = await memoryOf(server, "VmRSS");
    const buffer = new Uint8Array(4096);
    let id = 1;
    for (const session of [publisher, subscriber]) {
      for (let length = 0; length <= session.length; length++) {
        const part = withId(session.subarray(0, length), id++);
        for (const ending of ["close", "read, then close", "half close"] as const) {
          using connection = await connectTo(server.endpoint);
          await sendAll(connection, part);
          // Without reading it is a reset.
          if (ending === "read, then close" && length >= 64) await connection.read(buffer);
          if (ending === "half close") await connection.closeWrite();
        }
        if (length % 50 === 0) await steady.exchange();
      }
    }
    await untilSockets(server.pid, idle + 2);
    const { next } = (await server.topics()).get("recorded/topic")!;
    const payloads = await server.payloads("recorded/topic");
    assertEquals(payloads.length, next - 1);
    assertEquals(payloads, payloads.map((_, i) => ["one", "two", "three"][i % 3]!));
    assertEquals([...(await server.topics()).keys()].sort(), ["recorded/topic", "steady"]);
    await steady.end();
    assert(!server.stderr.text.includes("internal"), server.stderr.text);
    const grown = await memoryOf(server, "VmRSS") - before;
    assert(grown < 64 * 1024 * 1024, `${Math.round(grown / 1024)} KiB more`);
  },
});

Deno.test({
  name: "10,000 random and mutated byte strings each end their own session, and nothing else",
  ignore,
  async fn() {
    await using server = await startServer();
    const idle = await socketsOf(server.pid);
    const sessions = [await recordedPublisher(server), await recordedSubscriber(server)];
    await using steady = await Steady.start(server);
    await untilSockets(server.pid, idle + 2);
    const random = new Random(7);
    let left = 10_000;
    const worker = async () => {
      while (left > 0) {
        left--;
        await exchange(server.endpoint, oddBytes(random, sessions, left));
        if (left % 1_000 === 0) await steady.exchange();
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    await untilSockets(server.pid, idle + 2);
    await steady.end();
    assertEquals((await server.run(["publish", "after", "-m", "x"])).status, 0);
    assertEquals(await server.payloads("after"), ["x"]);
    assert(!server.stderr.text.includes("internal"), server.stderr.text);
  },
});

/** Bytes as a broken or hostile client may send them. */
function oddBytes(random: Random, sessions: readonly Uint8Array[], id: number): Uint8Array {
  const kind = random.below(8);
  if (kind === 0) return random.bytes(random.below(300));
  const session = withId(sessions[random.below(sessions.length)]!, id);
  if (kind === 1) return join(session.subarray(0, 8), random.bytes(random.below(300)));
  const at = random.below(session.length);
  if (kind === 2) return join(session.subarray(0, at), random.bytes(random.below(300)));
  if (kind === 3) return join(session.subarray(0, at), session.subarray(random.below(session.length)));
  if (kind === 4) return join(session, session.subarray(8));
  for (let i = random.below(4); i >= 0; i--) {
    // Behind the preamble, mostly: what is wrong there has been seen often enough.
    const place = 8 + random.below(session.length - 8);
    session[place] = kind === 5 ? session[place]! ^ 1 << random.below(8) : kind === 6 ? 0xff : random.below(256);
  }
  return session;
}

function join(one: Uint8Array, two: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  return both;
}
