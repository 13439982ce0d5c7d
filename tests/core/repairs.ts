/** A receiver that misses something of a group, and the log that has it: a real server and a real link, in memory. */

import { assert, assertEquals } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code, codeName } from "../../core/codes.ts";
import { announce, deliver, gap, subscribed } from "../../core/control.ts";
import { at, stamp } from "../../core/frame.ts";
import { GroupLogs } from "../../core/group_logs.ts";
import type { Link } from "../../core/link.ts";
import type { LogRepair, Sink } from "../../core/log_repair.ts";
import { Segment } from "../../core/segment.ts";
import type { StartPoint } from "../../core/subscription.ts";
import { opening, viewOf } from "./fixtures.ts";
import { platform } from "../../transports/platform.ts";
import { Network, PlayedServer } from "./links.ts";
import { controlFrame, idOf, TestServer, textFrame, turn, World } from "./world.ts";

/** What a group's receiver gets, as lines: `topic sequence`, `topic first-last reason`. */
export class Received implements Sink {
  lines: string[] = [];
  /** Set while there is no room for more. */
  full: Promise<void> | null = null;
  /** How often it was said that nothing more comes. */
  closed = 0;
  /** Told of everything. */
  onLine: () => void = () => {};
  readonly #batch = new Batch();

  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    const batch = this.#batch;
    assertEquals(
      batch.open(topic, new Segment(bytes, view, 0, bytes.length, 0, 1), start, floor, opening(platform)),
      Code.done,
    );
    assertEquals(view.getUint32(start, true), end - start);
    for (let i = 0; i < batch.count; i++) {
      const [text, server] = new TextDecoder().decode(batch.payload(i)).trimEnd().split(" of ");
      assertEquals(text, `${topic} ${batch.sequence + i}`, "a message under another's number");
      this.lines.push(server === "1" ? text! : `${text} of ${server}`);
      this.onLine();
    }
  }

  gap(topic: string, first: number, last: number, code: Code): void {
    this.lines.push(`${topic} ${first}-${last} ${codeName(code)}`);
    this.onLine();
  }

  room(): Promise<void> | null {
    return this.full;
  }

  close(): void {
    this.closed++;
  }

  /** What came since the last look. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

/** Messages of a topic that came whole and in order. */
export const run = (topic: string, first: number, last: number, server = "") =>
  Array.from({ length: last - first + 1 }, (_, i) => `${topic} ${first + i}${server}`);

/** A server's sender, as its group's receiver hears it. */
export class Heard {
  readonly #world: Repairing;
  readonly #test: TestServer;
  readonly #repair: LogRepair;
  readonly #named = new Set<number>();

  constructor(world: Repairing, test: TestServer) {
    this.#world = world;
    this.#test = test;
    this.#repair = world.logs.join(test.server.topics.epoch);
  }

  /** The server gets messages, in one frame. Returns it as the group brings it. */
  append(name: string, count = 1, padding = 0): Uint8Array {
    return this.#world.append(name, count, padding, this.#test);
  }

  /** The group brings a frame. */
  brings(name: string, frame: Uint8Array, floor = 1): void {
    this.#name(name, viewOf(frame).getUint32(at.topic, true));
    const bytes = frame.slice();
    this.#repair.frame(name, bytes, viewOf(bytes), 0, bytes.length, floor);
    bytes.fill(0xff);
  }

  /** The group tells that it will not bring messages. */
  loses(name: string, first: number, last: number, code: Code = Code.unrepaired): void {
    this.#name(name, this.#test.server.topics.get(name)!.id);
    this.#repair.gap(name, first, last, code);
  }

  /** The server gets messages, and the group brings them. */
  pass(name: string, count = 1): void {
    this.brings(name, this.append(name, count));
  }

  /** It is not heard any more. */
  leave(): void {
    this.#world.logs.leave(this.#test.server.topics.epoch);
  }

  #name(name: string, id: number): void {
    if (!this.#named.has(id)) this.#repair.named(name, id);
    this.#named.add(id);
  }
}

/** A server, a receiver of its group, and a link from there to the server. */
export class Repairing implements AsyncDisposable {
  readonly network: Network;
  readonly sink = new Received();
  readonly logs: GroupLogs;
  readonly link: Link;
  /** The server's sender. */
  readonly sender: Heard;
  /** All servers there were. */
  readonly #tests: TestServer[];

  private constructor(test: TestServer, network: Network, link: Link, from: StartPoint) {
    this.#tests = [test];
    this.network = network;
    this.link = link;
    this.logs = new GroupLogs(link, from, () => this.sink);
    this.sender = new Heard(this, test);
  }

  static async start(from: StartPoint = "latest", options: ConstructorParameters<typeof TestServer>[0] = {}) {
    const test = new TestServer(options);
    const network = new Network(test);
    const { link } = await network.connect();
    return new Repairing(test, network, link, from);
  }

  get lines(): string[] {
    return this.sink.lines;
  }

  get world(): World {
    return this.network.world;
  }

  get topics() {
    return this.#tests[0]!.server.topics;
  }

  append(name: string, count = 1, padding = 0, test = this.#tests[0]!): Uint8Array {
    const { topics } = test.server;
    const topic = topics.declare(name);
    assert(typeof topic !== "number");
    if (topic.ordinal === 0) topics.create(topic);
    const sequence = topic.log.nextSequence;
    const server = this.#tests.indexOf(test) + 1;
    const texts = Array.from({ length: count }, (_, i) => `${name} ${sequence + i} of ${server}`.padEnd(padding));
    const frame = textFrame(texts, { topic: topic.id });
    const time = this.world.time();
    assertEquals(topic.append(frame, 0, frame.length, count, time), "appended");
    topic.usedAt = this.world.now();
    stamp(viewOf(frame), 0, sequence, time);
    return frame;
  }

  /** Another server, of which the link knows nothing yet. */
  another(): TestServer {
    const test = new TestServer({}, this.world);
    this.#tests.push(test);
    return test;
  }

  /** The server dies, and another life of it takes over. */
  async restart(): Promise<TestServer> {
    const test = this.another();
    this.network.target = test;
    await this.network.cut();
    return test;
  }

  /** Everything happens that needs no time; what came until then. */
  async settled(): Promise<string[]> {
    for (let i = 0; i < 8; i++) await turn();
    return this.sink.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.logs.close();
    await this.network.close(this.link);
    for (const test of this.#tests.slice(1)) {
      test.server.close();
      await turn();
    }
    await this.#tests[0]![Symbol.asyncDispose]();
  }
}

/** A server that the test plays, one topic that is behind, and its lines. */
export async function behind() {
  const world = new World();
  const server = new PlayedServer();
  const link = await server.open(world);
  const sink = new Received();
  const logs = new GroupLogs(link, "latest", () => sink);
  const repair = logs.join(idOf(99));
  repair.named("a", 1);
  const frame = (sequence: number) => {
    const bytes = textFrame([`a ${sequence} of 1`], { topic: 1 });
    stamp(viewOf(bytes), 0, sequence, 1);
    return bytes;
  };
  const brings = (sequence: number) => {
    const bytes = frame(sequence);
    repair.frame("a", bytes, viewOf(bytes), 0, bytes.length, 1);
  };
  brings(1);
  brings(5);
  assertEquals(sink.take(), ["a 1"]);
  await turn();
  const [asked] = server.peer.frames();
  const subscription = asked!.subscription as number;
  const { peer } = server;
  return {
    world,
    sink,
    logs,
    brings,
    announced: (topic = 1) =>
      peer.push(controlFrame(announce, { subscription, topic, ordinal: topic, sequence: 2, name: "a" })),
    confirmed: () => peer.push(controlFrame(subscribed, { subscription, policy: 1, topics: 1 })),
    delivers: (...sequences: number[]) => peer.push(controlFrame(deliver, { subscription }), ...sequences.map(frame)),
    misses: (first: number, last: number, code: Code) =>
      peer.push(controlFrame(gap, { subscription, topic: 1, first, last, code })),
    async end() {
      const closing = link.close();
      logs.close();
      await server.peer.end();
      await world.wait(closing);
      assertEquals(world.timers, 0);
    },
  };
}
