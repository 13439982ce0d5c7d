/** Ports for datagrams in memory, and a network between them that loses, doubles, delays and blocks; the clock is a test's. */

import { BodyReader } from "../../core/body_reader.ts";
import { noId, readU64 } from "../../core/bytes.ts";
import type { Values } from "../../core/control.ts";
import {
  bodyOf,
  checksumSeal,
  DatagramFlag,
  DatagramWriter,
  eachFrame,
  inDatagram,
  openDatagram,
} from "../../core/datagram.ts";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { TransportError } from "../../core/errors.ts";
import { at } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { beat, cookie, finish, gone, repair } from "../../core/group_frames.ts";
import { Queue } from "../../core/queue.ts";
import { Random, viewOf } from "./fixtures.ts";
import { calm, type Weather } from "./group_network.ts";
import { type Seen, seen, type World } from "./world.ts";

/** A datagram that was sent. */
export interface Sent {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** A port of a {@linkcode DatagramNetwork}. */
export class MemoryPort implements DatagramPort {
  readonly address: Address;
  closed = false;
  /** How the others see where it is: another address once a NAT has forgotten it. */
  seenAs: Address;
  readonly #network: DatagramNetwork;
  readonly #came = new Queue<{ readonly bytes: Uint8Array; readonly from: Address } | Error>();
  #wake: () => void = () => {};

  constructor(network: DatagramNetwork, address: Address) {
    this.#network = network;
    this.address = this.seenAs = address;
  }

  send(bytes: Uint8Array, to: Address): Promise<void> {
    if (!this.closed) this.#network.carry(this.seenAs, to, bytes.slice());
    return Promise.resolve();
  }

  async receive(into: Uint8Array): Promise<Arrived | null> {
    while (!this.closed) {
      const next = this.#came.shift();
      if (next instanceof Error) throw next;
      if (next !== undefined) {
        const part = next.bytes.subarray(0, into.length);
        into.set(part);
        return { length: part.length, from: next.from };
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return null;
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A datagram came. */
  arrive(bytes: Uint8Array, from: Address): void {
    this.#came.push({ bytes, from });
    this.#wake();
  }

  /** The next receive fails. */
  fail(why: string): void {
    this.#came.push(new TransportError(`receive on ${this.address.text}`, `udp://${this.address.text}`, why));
    this.#wake();
  }
}

/** Carries datagrams between its ports. */
export class DatagramNetwork implements Disposable {
  weather: Weather = calm;
  /** Whether nothing gets through at all. */
  blocked = false;
  /** Everything that was sent, whether it came or not. */
  readonly sent: Sent[] = [];
  readonly world: World;
  readonly #random: Random;
  readonly #ports: MemoryPort[] = [];
  readonly #travelling = new Set<() => void>();
  /** Addresses that another program has. */
  readonly taken: Set<string> = new Set();

  constructor(world: World, seed = 1) {
    this.world = world;
    this.#random = new Random(seed);
  }

  /** Opens a port; as `openDatagrams` of a server. */
  readonly open = (address: Address): MemoryPort => {
    if (
      this.taken.has(address.text) || this.#ports.some((port) => !port.closed && port.address.text === address.text)
    ) {
      throw new TransportError(`listen on ${address.text}`, `udp://${address.text}`, "the port is in use");
    }
    const port = new MemoryPort(this, address);
    this.#ports.push(port);
    return port;
  };

  /** The port that was opened at an address. */
  at(address: Address): MemoryPort {
    return this.#ports.findLast((port) => port.address.text === address.text)!;
  }

  /** Carries a datagram, or does not. */
  carry(from: Address, to: Address, bytes: Uint8Array): void {
    this.sent.push({ from: from.text, to: to.text, bytes });
    if (this.blocked) return;
    const { loss, doubled, jitter } = this.weather;
    for (let copies = this.#random.chance(doubled / 100) ? 2 : 1; copies > 0; copies--) {
      if (this.#random.chance(loss / 100)) continue;
      const cancel = this.world.after(1 + this.#random.below(jitter + 1), () => {
        this.#travelling.delete(cancel);
        const port = this.#ports.find((port) => !port.closed && port.seenAs.text === to.text);
        port?.arrive(bytes.slice(), from);
      });
      this.#travelling.add(cancel);
    }
  }

  /** What is on its way never arrives. */
  [Symbol.dispose](): void {
    for (const cancel of this.#travelling) cancel();
  }

  /** What was sent to an address since the last look. */
  takeSentTo(address: Address): Uint8Array[] {
    const found = this.sent.filter(({ to }) => to === address.text);
    const others = this.sent.filter(({ to }) => to !== address.text);
    this.sent.splice(0, this.sent.length, ...others);
    return found.map(({ bytes }) => bytes);
  }
}

/** What a REPAIR says unless a test says otherwise. */
export const asking: Values<typeof repair.fields> = {
  target: noId,
  cookie: noId,
  nonce: "07".repeat(16),
  ranges: [],
  topics: [],
};

/** A datagram of these requests. */
export function requestDatagram(
  world: World,
  group: number,
  ...requests: readonly Partial<Values<typeof repair.fields>>[]
): Uint8Array {
  const writer = new FrameWriter();
  for (const request of requests) repair.write(writer, { ...asking, ...request });
  const session = new Uint8Array(16);
  world.random(session);
  const bytes = new Uint8Array(4096);
  const length = new DatagramWriter(checksumSeal(world), group, session).control(
    bytes,
    viewOf(bytes),
    writer.bytes(),
    1,
  );
  return bytes.slice(0, length);
}

const controls = new Map([beat, finish, repair, cookie, gone].map((control) => [control.type, control]));

/** A datagram as tests look at it. */
export interface SeenDatagram {
  readonly group: number;
  readonly number: number;
  readonly numbered: boolean;
  readonly repair: boolean;
  readonly session: string;
  /** What it carries; of a fragment, nothing. */
  readonly frames: Seen[];
}

/** What a datagram says. */
export function seenDatagram(world: World, bytes: Uint8Array): SeenDatagram {
  const view = viewOf(bytes);
  const group = view.getUint32(inDatagram.group, true);
  const seal = checksumSeal(world);
  const fault = openDatagram(seal, bytes, view, 0, bytes.length, group);
  if (fault !== null) throw new Error(`the datagram is ${fault}`);
  const flags = bytes[inDatagram.flags]!;
  const frames: Seen[] = [];
  const end = bytes.length - seal.length;
  if ((flags & DatagramFlag.fragment) === 0) {
    eachFrame(view, bodyOf(bytes, 0), end, (start, end) => frames.push(seenFrame(bytes.subarray(start, end))));
  }
  return {
    group,
    number: readU64(view, inDatagram.number),
    numbered: (flags & DatagramFlag.numbered) !== 0,
    repair: (flags & DatagramFlag.repair) !== 0,
    session: bytes.subarray(inDatagram.session, inDatagram.counter).toHex(),
    frames,
  };
}

function seenFrame(bytes: Uint8Array): Seen {
  const view = viewOf(bytes);
  const control = controls.get(view.getUint8(at.type));
  if (control === undefined) return seen(bytes);
  const body = new BodyReader().open(bytes, view, view.getUint8(at.header), bytes.length);
  return { frame: control.name, ...control.read(body) } as Seen;
}
