/** Reliable multicast over real sockets, on loopback, while datagrams are lost. */

import { assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { findPlace, messageLength, ReceivingEnd, SendingEnd, slowMotion } from "./group_ends.ts";
import { cut, lossOf, randomLoss } from "./lossy_port.ts";

/** Bytes a second. */
const rate = 25_000_000;
/** Publishers are held rather than that the group loses what is not repaired yet. */
const limits = { retain: 64 * 1024 * 1024 };
const key = new Uint8Array(32).fill(7);

/** Repairs and requests are lost, too. */
function everything(seed: number, probability: number) {
  const loses = (index: number) => randomLoss(10 * seed + index, probability);
  return { group: { received: loses(0) }, own: { received: loses(1), sent: loses(2) } };
}

for (const { percent, encrypted } of [1, 5, 10, 20].map((percent) => ({ percent, encrypted: percent === 10 }))) {
  const name = `${percent} % of all datagrams are lost${
    encrypted ? ", and all are encrypted" : ""
  }: every message comes`;
  Deno.test(`multicast: ${name}`, async () => {
    const count = 10_000;
    const place = await findPlace(encrypted ? key : undefined);
    await using sending = await SendingEnd.start(place, rate, limits);
    await using first = await ReceivingEnd.join(place, everything(1, percent / 100));
    await using second = await ReceivingEnd.join(place, everything(2, percent / 100));
    await Promise.all([sending.publish(count), first.complete(count), second.complete(count)]);
    for (const receiver of [first, second]) {
      assertEquals([receiver.got, receiver.lost], [count, 0]);
      assertGreater(receiver.dropped, sending.sender.counts.sent * percent / 200);
    }
  });
}

Deno.test("multicast: 100 MB come whole to ten receivers that lose 5 % each", async () => {
  const count = 100 * 1000 * 1000 / messageLength;
  const place = await findPlace();
  // Nothing is dropped from the log: on a busy machine a repair may take longer than what was sent is kept at least.
  await using sending = await SendingEnd.start(place, rate, { retain: 2 * limits.retain });
  await using receivers = new AsyncDisposableStack();
  const ends: ReceivingEnd[] = [];
  for (let seed = 1; seed <= 10; seed++) {
    ends.push(receivers.use(await ReceivingEnd.join(place, everything(seed, 0.05))));
  }
  await Promise.all([sending.publish(count), ...ends.map((end) => end.complete(count))]);
  assertEquals(ends.map(({ got, lost }) => [got, lost]), Array(10).fill([count, 0]));
});

Deno.test("multicast: a gap of 10,000 datagrams costs few requests, and is no loss", async () => {
  // Enough that more comes after the gap than a receiver keeps.
  const count = 20_000;
  const place = await findPlace();
  await using sending = await SendingEnd.start(place, 2 * rate, limits);
  await using receiver = await ReceivingEnd.join(place, { group: { received: cut(1_000, 11_000) } });
  await Promise.all([sending.publish(count), receiver.complete(count)]);
  assertEquals([receiver.got, receiver.lost], [count, 0]);
  // The system may have lost some of them before.
  assertGreater(receiver.missed, 9_999);
  assertLessOrEqual(sending.sender.requests.accepted, 500);
});

Deno.test("multicast: a hundred single losses cost a request each, or fewer", async () => {
  const count = 8_000;
  const place = await findPlace();
  await using sending = await SendingEnd.start(place, rate, limits);
  const received = lossOf((number) => number % 50 === 0 && number <= 5_000);
  await using receiver = await ReceivingEnd.join(place, { group: { received } });
  await Promise.all([sending.publish(count), receiver.complete(count)]);
  assertEquals([receiver.got, receiver.lost], [count, 0]);
  // The system may have lost some, too, and answers may have been late.
  assertGreater(receiver.missed, 99);
  assertLessOrEqual(sending.sender.requests.accepted, 2 * receiver.missed);
});

Deno.test("multicast: fifty receivers that lose the same datagram ask a few times, and are repaired together", async () => {
  // They wait for up to 10 ms before they ask: here it is 100 ms, or the turns of fifty in one program would count.
  const place = await findPlace(undefined, slowMotion(10));
  await using sending = await SendingEnd.start(place, rate, limits);
  await using receivers = new AsyncDisposableStack();
  let number = 0;
  const received = lossOf((other) => other === number);
  const ends = await Promise.all(Array.from({ length: 50 }, async () => {
    return receivers.use(await ReceivingEnd.join(place, { group: { received } }));
  }));
  const { counts, requests } = sending.sender;
  const rounds = 20;
  const each = 10;
  let before = { accepted: 0, repaired: 0 };
  for (let round = 0; round <= rounds; round++) {
    // In the first one they get their cookies, and the name of the topic.
    if (round === 1) before = { accepted: requests.accepted, repaired: counts.repaired };
    number = counts.sent + 3;
    await Promise.all([sending.publish(each), ...ends.map((end) => end.complete((round + 1) * each))]);
    assertEquals(ends.map(({ dropped }) => dropped), Array(50).fill(round + 1));
  }
  assertEquals(ends.map(({ got, lost }) => [got, lost]), Array(50).fill([(rounds + 1) * each, 0]));
  assertLessOrEqual(requests.accepted - before.accepted, 10 * rounds);
  assertLessOrEqual(counts.repaired - before.repaired, 3 * rounds);
});
