/**
 * Publishers, subscribers and a server in a world where connections are slow, cut in pieces and cut off, and where little is
 * kept. One seed makes one run, always the same: `STREAM_SEED=17 deno test -A tests/core/simulation_test.ts` replays it.
 */

import { assert, assertEquals } from "@std/assert";
import type { Link } from "../../core/link.ts";
import type { Subscription } from "../../core/subscription.ts";
import { collect, type Cut, firstError, Network } from "./links.ts";
import { TestServer, World } from "./world.ts";
import { KiB, Random } from "./fixtures.ts";

const runs = 250;

interface Reader {
  readonly name: string;
  readonly subscription: Subscription;
  readonly lines: string[];
  readonly done: Promise<void>;
  /** Whether it was there before anything was published. */
  readonly early: boolean;
}

/** What one run did, so that a suite that tests nothing shows. */
interface Tally {
  messages: number;
  cuts: number;
  gaps: number;
  held: number;
  closes: Map<string, number>;
}

async function simulate(seed: number, tally: Tally): Promise<void> {
  const random = new Random(seed);
  const world = new World(seed);
  await using test = new TestServer({
    limits: {
      retain: random.pick([2, 8, 32]) * KiB,
      topicCredit: random.pick([2, 16, 1024]) * KiB,
      connectionCredit: random.pick([3, 64, 16 * 1024]) * KiB,
      maxMessage: 2 * KiB,
    },
    lagPolicy: random.pick(["skip", "wait"]),
  }, world);
  const topics = ["a", "b/x", "b/y"].slice(0, random.between(1, 3));
  const network = new Network(test);
  const chunks = (): Cut => ({
    capacity: random.between(400, 4 * KiB),
    readChunk: (there) => random.between(1, there),
    writeChunk: (free) => random.between(1, free),
    ...(random.chance(0.5)
      ? { delay: { milliseconds: random.below(60), after: (delay, run) => void world.after(delay, run) } }
      : {}),
  });
  const connect = async () => {
    network.usual = chunks();
    return (await network.connect()).link;
  };
  const readers: Reader[] = [];
  const read = (link: Link, name: string, early: boolean, lagPolicy?: "wait") => {
    const patterns = lagPolicy ? "#" : random.pick(["#", "b/+", "a", topics]);
    const subscription = link.subscribe(patterns, {
      from: early ? "earliest" : random.pick(["earliest", "latest", { last: 3 }, { sequence: 5 }]),
      ...(lagPolicy
        ? { lagPolicy }
        : random.chance(0.5)
        ? { lagPolicy: random.pick(["skip", "wait", "disconnect"]) }
        : {}),
    });
    readers.push({ name, subscription, early, ...collect(subscription.events()) });
    return subscription.ready;
  };

  // The auditor's connection is perfect and its publishers wait for it: it sees everything.
  network.usual = {};
  const { link: auditor } = await new Network(test).connect();
  await world.wait(read(auditor, "auditor", true, "wait"));
  const links: Link[] = [];
  for (let i = random.between(2, 4); i > 0; i--) links.push(await connect());
  const others: Link[] = [];
  for (let i = random.between(1, 3); i > 0; i--) others.push(await connect());
  // Who publishes and subscribes is never held for itself: most subscribers only subscribe.
  const reading = () => random.pick(random.chance(0.8) ? others : links);
  for (let i = random.between(1, 4); i > 0; i--) await world.wait(read(reading(), `early ${i}`, true));

  const sent = new Map<string, number>();
  const total = random.between(50, 250);
  const large = random.pick([0, 0.8, 0.8, 0.9]);
  const pause = random.pick([3, 30, 300]);
  for (let i = 0; i < total; i++) {
    const [index, topic] = [random.below(links.length), random.pick(topics)];
    const key = `${topic} ${index}`;
    const number = (sent.get(key) ?? 0) + 1;
    sent.set(key, number);
    const size = random.chance(large) ? random.below(2000) : random.below(100);
    links[index]!.publisher.send(topic, new TextEncoder().encode(`${index}:${number}`.padEnd(size)));
    tally.messages++;
    if (random.chance(0.3)) await world.run(random.below(pause));
    if (test.server.topics.blocked.size > 0) tally.held++;
    if (random.chance(0.08)) {
      tally.cuts++;
      await network.cut();
    }
    if (random.chance(0.03)) network.down = !network.down;
    if (random.chance(0.02)) void read(reading(), `late ${i}`, false);
    if (random.chance(0.2)) {
      const one = chunks();
      network.cuts = [{ ...one, [random.pick(["read", "written"])]: random.below(3000) }];
    }
  }
  network.down = false;
  network.cuts = [];
  await world.wait(Promise.all(links.map((link) => link.publisher.flush())), 120_000);
  await world.run(60_000);

  try {
    check(test, readers, sent);
  } finally {
    for (const [name, count] of test.server.closes) tally.closes.set(name, (tally.closes.get(name) ?? 0) + count);
    await network.close(...links, ...others, auditor);
    await Promise.all(readers.map(({ done }) => done));
    // What travels arrives.
    await world.run(100);
  }
  tally.gaps += readers.flatMap(({ lines }) => lines).filter((line) => !line.includes(":")).length;
}

function check(test: TestServer, readers: readonly Reader[], sent: ReadonlyMap<string, number>): void {
  /** What each message is, by topic and sequence: the same for everybody. */
  const known = new Map<string, string>();
  for (const { name, subscription, lines, early } of readers) {
    const next = new Map<string, number>();
    for (const line of lines) {
      const [topic, place, text] = line.trimEnd().split(" ") as [string, string, string];
      const [first, last] = place.split("-").map(Number) as [number, number | undefined];
      const expected = next.get(topic) ?? (early ? 1 : first);
      assertEquals(first, expected, `${name} did not get message ${expected} of ${topic}, or got one twice: ${line}`);
      assert(name !== "auditor" || last === undefined, `the auditor missed some: ${line}`);
      assert(last === undefined || last >= first, line);
      next.set(topic, (last ?? first) + 1);
      if (last !== undefined) continue;
      const key = `${topic} ${first}`;
      if (!known.has(key)) known.set(key, text);
      assertEquals(text, known.get(key), `${name} got another message ${first} of ${topic}`);
    }
    for (const [topic, reached] of next) {
      const { log } = test.server.topics.get(topic)!;
      assertEquals(reached, log.nextSequence, `${name} did not get the end of ${topic}`);
    }
    assertEquals(subscription.unread, 0);
  }
  // Everything that was published is there, once, and in the order of its publisher.
  const numbers = new Map<string, number>();
  let count = 0;
  for (const topic of new Set([...known.keys()].map((key) => key.split(" ")[0]!))) {
    const { log } = test.server.topics.get(topic)!;
    for (let sequence = 1; sequence < log.nextSequence; sequence++) {
      const [index, number] = known.get(`${topic} ${sequence}`)!.split(":");
      const key = `${topic} ${index}`;
      assertEquals(Number(number), (numbers.get(key) ?? 0) + 1, `publisher ${index} in ${topic}`);
      numbers.set(key, Number(number));
      count++;
    }
  }
  assertEquals(numbers.size, sent.size);
  for (const [key, number] of sent) assertEquals(numbers.get(key), number, key);
  assertEquals(count, [...sent.values()].reduce((sum, number) => sum + number, 0));
}

Deno.test(`simulation: ${runs} runs of publishers and subscribers over bad connections`, async () => {
  const only = Deno.env.get("STREAM_SEED");
  const tally: Tally = { messages: 0, cuts: 0, gaps: 0, held: 0, closes: new Map() };
  for (let seed = only ? Number(only) : 1; seed <= (only ? Number(only) : runs); seed++) {
    try {
      await simulate(seed, tally);
    } catch (error) {
      throw new Error(`seed ${seed} (replay it with STREAM_SEED=${seed})`, { cause: firstError(error) });
    }
  }
  if (only) return;
  const { gaps, held, closes } = tally;
  assert(gaps > 50 && held > 50 && (closes.get("lagged") ?? 0) > 0, JSON.stringify({ ...tally, closes: [...closes] }));
});
