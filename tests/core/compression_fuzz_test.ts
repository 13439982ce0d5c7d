/** Compressed frames that are broken in any way: through a server, to subscribers, who must only ever see a gap. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Codec } from "../../core/codec.ts";
import { Code } from "../../core/codes.ts";
import { declare } from "../../core/control.ts";
import { at, faultOf, largestPayload, messagesAgree } from "../../core/frame.ts";
import { Segment } from "../../core/segment.ts";
import { DatagramNet, Multicaster, subscribeGroup } from "./group_ports.ts";
import { collect, firstError, Network } from "./links.ts";
import {
  bombs,
  compressed,
  encodedFrame,
  messagesFrame,
  MiB,
  opening,
  Random,
  viewOf,
  VirtualPlatform,
} from "./fixtures.ts";
import { TestServer, textFrame } from "./world.ts";

const both = [Codec.deflate, Codec.zstd] as const;

/** A batch that compresses well. */
function batch(random: Random, number: number): Uint8Array {
  const count = random.between(1, 30);
  return textFrame(Array.from({ length: count }, (_, i) => `message ${i} of ${count}, like others`.repeat(3)), {
    number,
  });
}

/** A server with subscribers over connections and by a group, and a peer that publishes any frames. */
class Attacked implements AsyncDisposable {
  readonly test = new TestServer();
  readonly network = new Network(this.test);
  readonly net = new DatagramNet();
  readonly caster = new Multicaster(this.net, this.test);
  readonly lines: string[][] = [];
  readonly #ends: (() => Promise<void>)[] = [];

  static async begin() {
    const attacked = new Attacked();
    const { test, network, net } = attacked;
    for (const verify of [true, false]) {
      const { link } = await network.connect();
      const { lines, done } = collect(link.subscribe("#", { from: "earliest", verify }).events());
      attacked.lines.push(lines);
      attacked.#ends.push(async () => {
        await network.close(link);
        await done;
      });
    }
    const { subscription } = subscribeGroup(net, test.world);
    const { lines, done } = collect(subscription.events());
    attacked.lines.push(lines);
    attacked.#ends.push(async () => {
      await subscription.close();
      await done;
    });
    await test.world.run(100);
    const peer = await test.greeted();
    await peer.request(declare, { request: 1, first: 0, topic: "a" });
    peer.frames();
    return { attacked, peer };
  }

  async [Symbol.asyncDispose]() {
    for (const end of this.#ends) await end();
    await this.caster[Symbol.asyncDispose]();
    await this.test[Symbol.asyncDispose]();
  }
}

Deno.test("fuzz: mutated payloads harm no subscriber, on whatever way they come: each message came, or is in a gap", async () => {
  const { attacked, peer } = await Attacked.begin();
  await using _ = attacked;
  const { world } = attacked.test;
  const random = new Random(11);
  let number = 1;
  let whole = 0;
  for (let i = 0; i < 600; i++) {
    const plain = batch(random, number);
    const count = viewOf(plain).getUint16(at.count, true);
    const frame = compressed(plain, random.pick(both));
    const payload = frame.subarray(57);
    if (i % 3 > 0) {
      for (let flips = random.between(1, 4); flips > 0; flips--) {
        payload[random.below(payload.length)] = random.below(256);
      }
      viewOf(frame).setUint32(at.checksum, world.crc32(frame.subarray(48)), true);
    } else whole += count;
    await peer.send(frame);
    number += count;
  }
  await world.run(1_000);
  assertEquals(peer.named("REFUSE"), []);
  for (const lines of attacked.lines) {
    const gaps = lines.filter((line) => line.endsWith(" corrupt"));
    const lost = gaps.reduce((sum, line) => {
      const [first, last] = line.split(" ")[1]!.split("-").map(Number);
      return sum + last! - first! + 1;
    }, 0);
    assertEquals(lines.length - gaps.length + lost, number - 1, "none is missing in silence");
    assert(gaps.length > 300 && lines.length - gaps.length >= whole);
  }
  assertEquals([...attacked.test.server.closes], []);
});

Deno.test("fuzz: a bomb of 10 GB is a gap, whatever it claims to be, and takes no memory", async () => {
  const { attacked, peer } = await Attacked.begin();
  await using _ = attacked;
  const random = new Random(12);
  const before = Deno.memoryUsage().rss;
  const expected: string[] = [];
  let number = 1;
  const send = async (frame: Uint8Array) => {
    viewOf(frame).setBigUint64(at.number, BigInt(number), true);
    await peer.send(frame);
    number += viewOf(frame).getUint16(at.count, true);
  };
  for (const [codec, bomb] of bombs()) {
    // As much of it as a server takes in one message; and one that is cut is still gigabytes.
    const payload = bomb.subarray(0, Math.min(bomb.length, MiB));
    for (const [count, claimed] of [[1, 1], [1, MiB + 3], [2, 2], [2, largestPayload(MiB, 2)]] as const) {
      const frame = messagesFrame(Array.from({ length: count }, () => new Uint8Array(0)));
      const fits = count === 1 ? payload : payload.subarray(0, 60_000);
      expected.push(`a ${number}-${number + count - 1} corrupt`);
      await send(encodedFrame(frame, codec, fits, claimed));
    }
    for (const claimed of [MiB + 4, 0x7fff_ffff, 0xffff_ffff]) {
      await send(encodedFrame(messagesFrame([new Uint8Array(0)]), codec, payload, claimed));
    }
  }
  assertEquals(peer.named("REFUSE").map(({ code }) => code), Array(6).fill(Code.messageTooLarge));
  await send(batch(random, number));
  await attacked.test.world.run(1_000);
  for (const lines of attacked.lines) {
    const gaps = lines.filter((line) => line.endsWith(" corrupt"));
    assertEquals(gaps.length, expected.length);
    assertLess(gaps.length, lines.length, "what comes behind them is read");
  }
  assertEquals([...attacked.test.server.closes], []);
  assertLess(Deno.memoryUsage().rss - before, 200 * MiB);
});

Deno.test("fuzz: 10,000 frames mutated anywhere are refused, or a gap, and never make more than they may", () => {
  const subject = new Batch();
  const platform = new VirtualPlatform();
  let most = 0;
  const watched = {
    ...opening(platform),
    verify: false,
    maxMessage: 10_000,
    platform: {
      crc32: platform.crc32,
      expand: (...given: Parameters<typeof platform.expand>) => {
        assert(given[2] <= largestPayload(10_000, 1));
        const bytes = platform.expand(...given);
        most = Math.max(most, bytes?.length ?? 0);
        return bytes;
      },
    },
  };
  const codes = new Map<Code, number>();
  for (let seed = 1; seed <= 10_000; seed++) {
    const random = new Random(seed);
    const frame = compressed(
      batch(random, 1),
      random.pick(both),
      random.chance(0.2) ? random.below(70_000) : undefined,
    );
    const view = viewOf(frame);
    for (let flips = random.below(4); flips > 0; flips--) {
      // Mostly where the codec stands, and its lengths.
      frame[random.chance(0.5) ? random.between(4, 60) : random.below(frame.length)]! ^= 1 << random.below(8);
    }
    try {
      if (!messagesAgree(view, 0, frame.length)) continue;
      view.setUint32(at.checksum, platform.crc32(frame.subarray(frame[at.header]!)), true);
      const fault = faultOf(platform, frame, view, 0, frame.length, 10_000);
      const code = subject.open("a", new Segment(frame, view, 0, frame.length, 0, 1), 0, 0, watched);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      assert([Code.done, Code.corrupt, Code.unsupported].includes(code as 0), `code ${code}`);
      if (fault === Code.done) assert(code !== Code.unsupported, "a server takes it that nobody knows");
      if (code === Code.done) { for (let i = 0; i < subject.count; i++) subject.payload(i); }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: firstError(error) });
    }
  }
  assert(most <= largestPayload(10_000, 1) && most > 0);
  for (const code of [Code.done, Code.corrupt, Code.unsupported]) assert(codes.get(code)! > 50, `code ${code}`);
});
