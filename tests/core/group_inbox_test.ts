import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { readEvents, readMessages } from "../../core/events.ts";
import { stamp } from "../../core/frame.ts";
import { GroupInbox, type InboxSource, unreadMemory } from "../../core/group_inbox.ts";
import { largestMessage } from "../../core/limits.ts";
import { platform } from "../../transports/platform.ts";
import { KiB, messagesFrame, MiB, viewOf } from "./fixtures.ts";
import { collect } from "./links.ts";
import { textFrame, turn } from "./world.ts";

/** A group's inbox with a reader behind it. */
class Subject {
  readonly platform = platform;
  readonly verify = false;
  readonly maxMessage = largestMessage;
  readonly group = new GroupInbox(() => this.#arrive());
  readonly inbox = this.group.inbox;
  left = false;
  ended = false;
  error: Error | null = null;
  /** How often it was said that there is something to read. */
  arrivals = 0;
  #arrived: (() => void) | null = null;

  arrival(): Promise<void> {
    return new Promise((resolve) => this.#arrived = resolve);
  }

  goOn(): void {
    this.group.goOn();
  }

  /** Reads all that is there, as lines: `topic sequence text`, or `topic first-last reason`. */
  async read(): Promise<string[]> {
    this.ended = true;
    const { lines, done } = collect(readEvents(this));
    await done;
    this.ended = false;
    return lines;
  }

  #arrive(): void {
    this.arrivals++;
    this.#arrived?.();
  }
}

/** A frame as a group brings it: valid during the call alone. */
function give(source: InboxSource, topic: string, sequence: number, frame: Uint8Array, floor = sequence): void {
  const bytes = new Uint8Array(frame.length + 20);
  bytes.set(frame, 10);
  stamp(viewOf(bytes), 10, sequence, 1);
  source.frame(topic, bytes, viewOf(bytes), 10, 10 + frame.length, floor);
  bytes.fill(0xff);
}

/** A frame with one message, about as long as asked for. */
const sized = (length: number) => messagesFrame([new Uint8Array(length - 52)]);

const text = (...texts: string[]) => textFrame(texts);

interface Span {
  readonly topic: string;
  readonly lost: boolean;
  readonly first: number;
  last: number;
}

/** Reads on until there is nothing or it is enough, without what is in the messages: runs of messages, and gaps. */
async function skim(subject: Subject, enough: () => boolean = () => false): Promise<Span[]> {
  const seen: Span[] = [];
  subject.ended = true;
  for await (const event of readEvents(subject)) {
    assert(event.kind !== "restarted");
    const lost = event.kind === "gap";
    if (lost) assertEquals(event.reason, "lagged");
    const [first, last] = lost ? [event.first, event.last] : [event.sequence, event.sequence + event.count - 1];
    const { topic } = event;
    const before = seen.at(-1);
    if (!lost && before?.topic === topic && !before.lost && before.last === first - 1) before.last = last;
    else seen.push({ topic, lost, first, last });
    if (enough()) break;
  }
  subject.ended = false;
  return seen;
}

Deno.test("group inbox: frames and gaps come out as they came in, and only what is wanted of them", async () => {
  const subject = new Subject();
  const source = subject.group.open();
  give(source, "a", 1, text("1", "2"));
  give(source, "a", 3, text("3"));
  give(source, "b", 7, text("7"));
  source.gap("a", 4, 6, Code.unrepaired);
  give(source, "a", 6, text("6", "7", "8"), 7);
  give(source, "a", 9, text("9"));
  source.gap("c", 5, 0, Code.unrepaired);
  assertEquals(subject.arrivals, 7);
  assertEquals(await subject.read(), [
    ...["a 1 1", "a 2 2", "a 3 3", "b 7 7", "a 4-6 unrepaired"],
    ...["a 7 7", "a 8 8", "a 9 9", "c 5-0 unrepaired"],
  ]);
  assertEquals([subject.inbox.bytes, subject.inbox.memory], [0, 0]);
});

Deno.test("group inbox: two senders with the same topic number it apart", async () => {
  const subject = new Subject();
  const one = subject.group.open();
  const other = subject.group.open();
  give(one, "a", 500, text("500"));
  give(other, "a", 3, text("3", "4"));
  give(one, "a", 501, text("501"));
  give(other, "a", 5, text("5"));
  assertEquals(await subject.read(), ["a 500 500", "a 3 3", "a 4 4", "a 501 501", "a 5 5"]);
  const numbers: number[] = [];
  give(one, "a", 600, text("600"));
  give(other, "a", 6, text("6"));
  subject.ended = true;
  for await (const { sequence } of readMessages(subject)) numbers.push(sequence);
  assertEquals(numbers, [600, 6]);
});

for (const size of [1000, 60 * KiB, 300 * KiB, 513 * KiB, MiB + 1, 40 * MiB]) {
  Deno.test(`group inbox: a flood of frames of ${size} bytes: bounded memory, what there is no room for is one gap`, async () => {
    const subject = new Subject();
    const source = subject.group.open();
    const frame = sized(size);
    let next = 1;
    const flood = (bytes: number) => {
      for (const last = next + Math.ceil(bytes / size); next < last; next++) give(source, "a", next, frame);
      assert(subject.inbox.memory <= unreadMemory, `${subject.inbox.memory}`);
      assert(subject.inbox.bytes <= unreadMemory, `${subject.inbox.bytes}`);
    };
    flood(1.5 * unreadMemory);
    assert(subject.inbox.bytes >= unreadMemory / 4, `${subject.inbox.bytes} bytes of room are used`);
    const seen = await skim(subject);
    flood(1.5 * unreadMemory);
    seen.push(...await skim(subject));
    assertEquals(seen.map(({ lost }) => lost), [false, true, false, true]);
    // The reader reads a little now and then while the flood goes on.
    for (let i = 0; i < 8; i++) {
      flood(unreadMemory / 4);
      const enough = subject.inbox.bytes - unreadMemory / 8;
      seen.push(...await skim(subject, () => subject.inbox.bytes < enough));
    }
    seen.push(...await skim(subject));
    let expected = 1;
    for (const { first, last } of seen) {
      assertEquals(first, expected);
      expected = last + 1;
    }
    assertEquals(expected, next, "nothing is missing at the end");
    const lost = seen.filter(({ lost }) => lost).length;
    assert(lost <= 10, `${lost} gaps`);
  });
}

Deno.test("group inbox: of small frames of many topics there are only so many", async () => {
  const subject = new Subject();
  const source = subject.group.open();
  const frame = sized(60);
  const topics = 10;
  const each = 100_000;
  for (let i = 0; i < topics * each; i++) give(source, `t${i % topics}`, 1 + Math.floor(i / topics), frame);
  assert(subject.inbox.length <= 300_000, `${subject.inbox.length} entries`);
  const next = new Map<string, number>();
  for (const { topic, first, last } of await skim(subject)) {
    assertEquals(first, next.get(topic) ?? 1);
    next.set(topic, last + 1);
  }
  assertEquals([...next.values()], Array.from({ length: topics }, () => each + 1));
});

Deno.test("group inbox: gaps beyond what it takes are put together, and told though nothing else comes", async () => {
  const subject = new Subject();
  const source = subject.group.open();
  const count = 400_000;
  for (let i = 1; i <= count; i++) source.gap("a", 2 * i, 2 * i, Code.unrepaired);
  source.gap("b", 1, 3, Code.unrepaired);
  const gaps: { topic: string; first: number; last: number; reason: string }[] = [];
  for await (const event of readEvents(subject)) {
    assert(event.kind === "gap");
    gaps.push(event);
    if (event.topic === "b") break;
  }
  assert(gaps.length < count, "some were put together");
  const a = gaps.filter(({ topic }) => topic === "a");
  const lagged = a.pop()!;
  assertEquals(
    a.map(({ first, last, reason }) => [first, last, reason]),
    a.map((_, i) => [2 * i + 2, 2 * i + 2, "unrepaired"]),
  );
  assertEquals([lagged.first, lagged.last, lagged.reason], [2 * a.length + 2, 2 * count, "lagged"]);
  assertEquals(gaps.at(-1)!.first, 1);
});

Deno.test("group inbox: what was lost of a sender that ends is told, however full it is", async () => {
  const subject = new Subject();
  const source = subject.group.open();
  const frame = sized(60 * KiB);
  const count = Math.ceil(unreadMemory / frame.length) + 10;
  for (let i = 1; i <= count; i++) give(source, "a", i, frame);
  give(source, "b", 1, frame);
  source.close();
  const [came, lost, other] = await skim(subject);
  assert(came!.last < count);
  assertEquals([lost, other], [
    { topic: "a", lost: true, first: came!.last + 1, last: count },
    { topic: "b", lost: true, first: 1, last: 1 },
  ]);
});

Deno.test("group inbox: what can wait does while much is unread, and goes on when that was read", async () => {
  const subject = new Subject();
  const source = subject.group.open();
  assertEquals(source.room(), null);
  const frame = sized(60 * KiB);
  let next = 1;
  while (source.room() === null) give(source, "a", next++, frame);
  const reached = subject.inbox.bytes;
  assert(reached > unreadMemory / 8 && reached <= unreadMemory / 2, `${reached}`);
  let waited = 0;
  for (let i = 0; i < 3; i++) source.room()!.then(() => waited++);
  await turn();
  assertEquals(waited, 0);
  await skim(subject, () => subject.inbox.bytes < reached - 2 * frame.length);
  assertEquals(waited, 3);
  await skim(subject);
  assertEquals(source.room(), null);
});

Deno.test("group inbox: cleared, it keeps nothing, and nobody waits", async () => {
  const subject = new Subject();
  const source = subject.group.open();
  while (source.room() === null) give(source, "a", 1, sized(60 * KiB));
  const waiting = source.room();
  subject.group.clear();
  await waiting;
  assertEquals([subject.inbox.bytes, subject.inbox.memory, subject.inbox.length], [0, 0, 0]);
});
