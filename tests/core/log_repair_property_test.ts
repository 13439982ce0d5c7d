import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { KiB, MiB } from "./fixtures.ts";
import { Repairing } from "./repairs.ts";

/** What may happen: the group brings something or loses it, time passes, the link is cut, the reader is slow. */
type Step =
  | {
    readonly kind: "append";
    readonly topic: number;
    readonly count: number;
    readonly large: boolean;
    readonly lost: boolean;
  }
  | { readonly kind: "tail"; readonly topic: number }
  | { readonly kind: "run"; readonly milliseconds: number }
  | { readonly kind: "cut"; readonly after: number }
  | { readonly kind: "down" | "up" | "slow" | "quick" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        topic: fc.nat(2),
        count: fc.integer({ min: 1, max: 4 }),
        large: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        lost: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("tail" as const), topic: fc.nat(2) }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("run" as const), milliseconds: fc.constantFrom(0, 1, 30, 100) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut" as const), after: fc.nat(4000) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("down", "up", "slow", "quick") }) },
  ),
  { maxLength: 120, size: "max" },
);

/** One run. Returns how many messages came and how many gaps. */
async function happens(steps: readonly Step[], from: "latest" | "earliest", retain: number, chunk: number) {
  await using it = await Repairing.start(from, { limits: { retain } });
  const { sender, network, sink, world } = it;
  network.usual = { readChunk: chunk, writeChunk: chunk };
  const names = ["a", "b", "c"];
  await it.logs.begin(["#"]);
  let goOn = () => {};
  const quick = () => {
    sink.full = null;
    goOn();
  };
  const next = names.map(() => 1);
  /** The group knows that it has lost something: it says so before it brings what follows. */
  const tell = (topic: number, last: number) => {
    if (last >= next[topic]!) sender.loses(names[topic]!, next[topic]!, last);
    next[topic] = last + 1;
  };
  const pass = (topic: number, frame: Uint8Array, count: number) => {
    const end = it.topics.get(names[topic]!)!.log.nextSequence;
    tell(topic, end - count - 1);
    sender.brings(names[topic]!, frame);
    next[topic] = end;
  };
  for (const step of steps) {
    if (step.kind === "append") {
      const frame = sender.append(names[step.topic]!, step.count, step.large ? 800 * KiB / step.count : 0);
      if (!step.lost) pass(step.topic, frame, step.count);
    } else if (step.kind === "tail") {
      const topic = it.topics.get(names[step.topic]!);
      if (topic !== undefined) tell(step.topic, topic.log.nextSequence - 1);
    } else if (step.kind === "run") await world.run(step.milliseconds);
    else if (step.kind === "cut") {
      network.cuts.push({ ...network.usual, read: step.after });
      await network.cut();
    } else if (step.kind === "down") {
      network.down = true;
      await network.cut();
    } else if (step.kind === "up") network.down = false;
    else if (step.kind === "slow") sink.full ??= new Promise((resolve) => goOn = resolve);
    else quick();
  }
  network.down = false;
  network.cuts = [];
  quick();
  for (const [topic, name] of names.entries()) tell(topic, (it.topics.get(name)?.log.nextSequence ?? 1) - 1);
  await world.run(20_000);
  let messages = 0;
  let gaps = 0;
  for (const [topic, name] of names.entries()) {
    const came = sink.lines.length;
    pass(topic, it.append(name), 1);
    const { nextSequence } = it.topics.get(name)!.log;
    assertEquals(sink.lines.slice(came), [`${name} ${nextSequence - 1}`], "it is not behind");
    let expected = 1;
    for (const line of sink.lines.filter((line) => line.startsWith(name))) {
      const [, first, last, reason] = /^. (\d+)(?:-(\d+) (.*))?$/.exec(line)!;
      assertEquals(Number(first), expected, line);
      if (last === undefined) messages++;
      else {
        gaps++;
        assert(reason === "expired" || reason === "lagged", line);
      }
      expected = Number(last ?? first) + 1;
    }
    assertEquals(expected, nextSequence, name);
  }
  return { messages, gaps };
}

Deno.test("log repair: whatever happens, every message comes once and in order, or is a gap of what the log has dropped", async () => {
  let messages = 0;
  let gaps = 0;
  const property = fc.asyncProperty(
    steps,
    fc.constantFrom("latest" as const, "earliest" as const),
    fc.constantFrom(256 * MiB, 256 * MiB, KiB),
    fc.constantFrom(7, 300, 64 * KiB),
    async (steps, from, retain, chunk) => {
      const large = steps.some((step) => step.kind === "append" && step.large);
      const run = await happens(steps, from, retain, large ? 64 * KiB : chunk);
      if (retain > MiB) assertEquals(run.gaps, 0);
      messages += run.messages;
      gaps += run.gaps;
    },
  );
  await fc.assert(property, { numRuns: 300 });
  assert(messages > 10_000 && gaps > 100, `${messages} messages, ${gaps} gaps`);
});
