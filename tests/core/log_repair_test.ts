import { assert, assertEquals } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code, codeName } from "../../core/codes.ts";
import { stamp } from "../../core/frame.ts";
import type { Link } from "../../core/link.ts";
import { LogRepair, type Sink } from "../../core/log_repair.ts";
import { Segment } from "../../core/segment.ts";
import type { StartPoint } from "../../core/subscription.ts";
import { viewOf } from "./fixtures.ts";
import { Network } from "./links.ts";
import { TestServer, textFrame, turn } from "./world.ts";

/** What a group's receiver gets, as lines: `topic sequence`, `topic first-last reason`. */
class Received implements Sink {
  readonly lines: string[] = [];
  /** Set while there is no room for more. */
  full: Promise<void> | null = null;
  readonly #batch = new Batch();

  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    const batch = this.#batch;
    assertEquals(batch.open(topic, new Segment(bytes, view, 0, bytes.length, 0, 1), start, floor), Code.done);
    assertEquals(view.getUint32(start, true), end - start);
    for (let i = 0; i < batch.count; i++) {
      const text = new TextDecoder().decode(batch.payload(i)).trimEnd();
      assertEquals(text, `${topic} ${batch.sequence + i}`, "a message under another's number");
      this.lines.push(text);
    }
  }

  gap(topic: string, first: number, last: number, code: Code): void {
    this.lines.push(`${topic} ${first}-${last} ${codeName(code)}`);
  }

  room(): Promise<void> | null {
    return this.full;
  }
}

/** Messages of a topic that came whole and in order. */
const run = (topic: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${topic} ${first + i}`);

/** A server, a receiver of its group, and a link from there to the server. */
class Repairing implements AsyncDisposable {
  readonly network: Network;
  readonly sink = new Received();
  readonly repair: LogRepair;
  readonly #test: TestServer;
  readonly #link: Link;

  private constructor(test: TestServer, network: Network, link: Link, from: StartPoint) {
    this.#test = test;
    this.network = network;
    this.#link = link;
    this.repair = new LogRepair(link, ["#"], from, this.sink);
  }

  static async start(from: StartPoint = "latest", test = new TestServer()): Promise<Repairing> {
    const network = new Network(test);
    const { link } = await network.connect();
    return new Repairing(test, network, link, from);
  }

  get lines(): string[] {
    return this.sink.lines;
  }

  get world() {
    return this.#test.world;
  }

  /** The server gets messages, in one frame. Returns it as the group brings it. */
  append(name: string, count = 1, padding = 0): Uint8Array {
    const { topics } = this.network.target.server;
    const topic = topics.declare(name);
    assert(typeof topic !== "number");
    if (topic.ordinal === 0) topics.create(topic);
    const sequence = topic.log.nextSequence;
    const texts = Array.from({ length: count }, (_, i) => `${name} ${sequence + i}`.padEnd(padding));
    const frame = textFrame(texts, { topic: topic.id });
    const time = this.world.time();
    assertEquals(topic.append(frame, 0, frame.length, count, time), "appended");
    stamp(viewOf(frame), 0, sequence, time);
    return frame;
  }

  /** The group brings a frame. */
  brings(name: string, frame: Uint8Array): void {
    const bytes = frame.slice();
    this.repair.frame(name, bytes, viewOf(bytes), 0, bytes.length, 1);
    bytes.fill(0xff);
  }

  /** The server gets messages, and the group brings them. */
  pass(name: string, count = 1): void {
    this.brings(name, this.append(name, count));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.repair.close();
    await this.network.close(this.#link);
    await this.#test[Symbol.asyncDispose]();
  }
}

Deno.test("log repair: what the group brings passes; what it does not comes over the link, and in order", async () => {
  await using it = await Repairing.start();
  it.append("a", 3);
  it.pass("a");
  it.pass("a", 2);
  assertEquals(it.lines, run("a", 4, 6));
  it.append("a", 4);
  it.append("a", 1);
  it.pass("a");
  it.pass("a");
  assertEquals(it.lines, run("a", 4, 6));
  await turn();
  assertEquals(it.lines, run("a", 4, 13));
  it.pass("a");
  assertEquals(it.lines, run("a", 4, 14), "it is up to date again");
});
