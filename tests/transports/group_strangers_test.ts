/** What anybody may throw at the sockets of a multicast group: noise, parts of real datagrams, and real ones again. */

import { assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { writeU64 } from "../../core/bytes.ts";
import { datagramHeader, datagramMagic, datagramVersion, inDatagram } from "../../core/datagram.ts";
import type { Address, DatagramPort } from "../../core/datagram_port.ts";
import { openUdp, udpAddress } from "../../transports/udp.ts";
import { Random, viewOf } from "../core/fixtures.ts";
import { findPlace, largest, type Place, ReceivingEnd, SendingEnd } from "./group_ends.ts";
import { type Loses, lossOf } from "./lossy_port.ts";

const key = new Uint8Array(32).fill(7);
/** Datagrams that a socket's buffer is sure to hold. */
const volley = 16;
const volleys = 24;
const each = 10;

/** A group with a receiver, whose datagrams are recorded as they come and go, and somebody else. */
class Scene implements AsyncDisposable {
  /** What came from the sender, to the group and to the receiver alone; and what the receiver has sent. */
  readonly received: Uint8Array[];
  readonly requests: Uint8Array[];
  readonly sending: SendingEnd;
  readonly receiver: ReceivingEnd;
  /** The group, the receiver's own port and the sender's. */
  readonly targets: readonly Address[];
  readonly stranger: DatagramPort = openUdp("127.0.0.1", 0);
  /** Bytes that the stranger has sent to the sender, and got from it. */
  asked = 0;
  answered = 0;
  readonly #lost: { number: number };
  readonly #listening: Promise<void>;
  #published = 0;

  private constructor(
    place: Place,
    sending: SendingEnd,
    receiver: ReceivingEnd,
    tap: Pick<Scene, "received" | "requests">,
    lost: { number: number },
  ) {
    this.sending = sending;
    this.receiver = receiver;
    this.received = tap.received;
    this.requests = tap.requests;
    this.targets = [udpAddress(place.host, place.port), receiver.address, sending.address];
    this.#lost = lost;
    this.#listening = this.#listen();
  }

  static async start(key?: Uint8Array): Promise<Scene> {
    const place = await findPlace(key);
    const lost = { number: 0 };
    const isLost = lossOf((number) => number === lost.number);
    const tap = { received: [] as Uint8Array[], requests: [] as Uint8Array[] };
    const record = (into: Uint8Array[]): Loses => (datagram) => {
      into.push(datagram.slice());
      return false;
    };
    const [came, sent] = [record(tap.received), record(tap.requests)];
    const sending = await SendingEnd.start(place, 12_500_000);
    const receiver = await ReceivingEnd.join(place, {
      group: { received: (datagram) => isLost(datagram) || came(datagram) },
      own: { received: came, sent },
    });
    return new Scene(place, sending, receiver, tap, lost);
  }

  /**
   * Publishes messages and loses one of their datagrams, so that all three sockets are read: the request and the repair come
   * behind what was thrown before.
   */
  async exchange(): Promise<void> {
    this.#lost.number = this.sending.sender.counts.sent + 1;
    this.#published += each;
    await Promise.all([this.sending.publish(each), this.receiver.complete(this.#published)]);
    assertEquals([this.receiver.got, this.receiver.lost], [this.#published, 0]);
    this.#lost.number = 0;
  }

  /** Throws datagrams at all three sockets, a few at a time. */
  async throw(datagrams: Iterable<Uint8Array>): Promise<number> {
    let thrown = 0;
    for (const datagram of datagrams) {
      for (const target of this.targets) await this.stranger.send(datagram, target);
      this.asked += datagram.length;
      if (++thrown % volley === 0) await this.exchange();
    }
    await this.exchange();
    return thrown;
  }

  /** How many datagrams each end has dropped: the receiver, on both of its ports, and the sender. */
  get dropped(): { receiver: number; sender: number } {
    const sum = (counts: ReadonlyMap<string, number>) => counts.values().reduce((sum, count) => sum + count, 0);
    return { receiver: sum(this.receiver.subscription.receiver.dropped), sender: sum(this.sending.sender.dropped) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stranger.close();
    await this.#listening;
    await this.receiver[Symbol.asyncDispose]();
    await this.sending[Symbol.asyncDispose]();
  }

  async #listen(): Promise<void> {
    const bytes = new Uint8Array(65_536);
    for (;;) {
      const arrived = await this.stranger.receive(bytes);
      if (arrived === null) return;
      this.answered += arrived.length;
    }
  }
}

/** Noise of all lengths: any bytes, and some that begin as a datagram of the group does. */
function* noise(random: Random, group: number, flags: number): Generator<Uint8Array> {
  for (let i = 0; i < volleys * volley; i++) {
    const bytes = random.bytes(random.below(largest + 200));
    if (i % 2 === 1 && bytes.length >= datagramHeader) {
      const view = viewOf(bytes);
      bytes.set([datagramMagic, datagramVersion, random.pick([datagramHeader, random.below(256)]), flags]);
      view.setUint32(inDatagram.group, group, true);
      if (random.chance(0.5)) writeU64(view, inDatagram.counter, random.between(1, 1000));
    }
    yield bytes;
  }
}

/** Real datagrams, each cut off somewhere, or with a byte that is another. */
function* damaged(random: Random, datagrams: readonly Uint8Array[]): Generator<Uint8Array> {
  for (let i = 0; i < volleys * volley; i++) {
    const datagram = random.pick(datagrams);
    if (i % 2 === 0) yield datagram.slice(0, random.below(datagram.length));
    else {
      const bytes = datagram.slice();
      bytes[random.below(bytes.length)]! ^= random.between(1, 255);
      yield bytes;
    }
  }
}

/** Real datagrams once more. */
function* again(random: Random, datagrams: readonly Uint8Array[]): Generator<Uint8Array> {
  for (let i = 0; i < volleys * volley; i++) yield random.pick(datagrams);
}

Deno.test("multicast: two groups with one address and port do each other no harm", async () => {
  const count = 1_000;
  const place = await findPlace();
  const other = { ...place, id: (place.id ^ 1) >>> 0 };
  await using sending = await SendingEnd.start(place, 12_500_000);
  await using foreign = await SendingEnd.start(other, 12_500_000);
  await using receiver = await ReceivingEnd.join(place);
  await using stranger = await ReceivingEnd.join(other);
  const senders = [sending, foreign].map((end) => end.publish(count));
  const receivers = [receiver, stranger].map((end) => end.complete(count));
  await Promise.all([...senders, ...receivers]);
  for (const { got, lost, subscription: { receiver: { sessions, dropped } } } of [receiver, stranger]) {
    assertEquals([got, lost, sessions.size, [...dropped.keys()]], [count, 0, 1, ["foreign"]]);
    // Some may not have found room in the socket's buffer.
    assertGreater(dropped.get("foreign")!, count / 10);
  }
});

for (const encrypted of [false, true]) {
  const group = encrypted ? "a group with a key" : "a group";
  const start = async () => {
    const scene = await Scene.start(encrypted ? key : undefined);
    for (let i = 0; i < 10; i++) await scene.exchange();
    assertEquals(scene.dropped, { receiver: 0, sender: 0 });
    return scene;
  };

  Deno.test(`multicast: noise is dropped by both ends of ${group}, and counted`, async () => {
    await using scene = await start();
    const flags = scene.received[0]![inDatagram.flags]!;
    const id = viewOf(scene.received[0]!).getUint32(inDatagram.group, true);
    const thrown = await scene.throw(noise(new Random(1), id, flags));
    assertEquals(scene.dropped, { receiver: 2 * thrown, sender: thrown });
    assertGreater(scene.receiver.subscription.receiver.dropped.get("damaged")!, thrown / 2);
    assertEquals(scene.answered, 0);
  });

  Deno.test(`multicast: truncated and altered datagrams are dropped by both ends of ${group}, and counted`, async () => {
    await using scene = await start();
    const thrown = await scene.throw(damaged(new Random(2), [...scene.received, ...scene.requests]));
    assertEquals(scene.dropped, { receiver: 2 * thrown, sender: thrown });
    assertEquals(scene.answered, 0);
  });

  Deno.test(`multicast: datagrams that come again deliver nothing, and repair nothing, in ${group}`, async () => {
    await using scene = await start();
    const { requests } = scene.sending.sender;
    const before = requests.accepted;
    const [received, requested] = [scene.received.slice(), scene.requests.slice()];
    const thrown = await scene.throw(again(new Random(3), received)) +
      await scene.throw(again(new Random(4), requested));
    assertEquals(scene.receiver.subscription.receiver.sessions.size, 1);
    // Each exchange makes one; more where an answer is late.
    assertLess(requests.accepted - before, volleys * volley / 2);
    assertLessOrEqual(scene.answered, scene.asked);
    if (!encrypted) return;
    // What each end has sent itself is of the other's role, and opens for nobody.
    assertEquals(scene.dropped, { receiver: 2 * thrown, sender: thrown });
    assertEquals(scene.answered, 0);
  });
}
