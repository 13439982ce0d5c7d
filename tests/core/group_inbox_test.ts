import { assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { readEvents, readMessages } from "../../core/events.ts";
import { stamp } from "../../core/frame.ts";
import { GroupInbox, type InboxSource } from "../../core/group_inbox.ts";
import { viewOf } from "./fixtures.ts";
import { collect } from "./links.ts";
import { textFrame } from "./world.ts";

/** A group's inbox with a reader behind it. */
class Subject {
  readonly platform = null;
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

const text = (...texts: string[]) => textFrame(texts);

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
