/** A network of datagrams in memory: ports, a group that they join, servers that multicast to it, and subscriptions. */

import { assert, assertEquals } from "@std/assert";
import { checksumSeal } from "../../core/datagram.ts";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupSubscription, type GroupSubscriptionOptions } from "../../core/group_subscription.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { Pattern } from "../../core/pattern.ts";
import { type TestServer, textFrame, type World } from "./world.ts";

const group = 7;
/** Bytes of the largest datagram: large ones, so that a flood takes few. */
const largest = 60_000;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly from: Address;
}

/** What the system keeps until a port is read, in datagrams. */
const buffered = 4096;

/** A port in memory. */
export class MemoryPort implements DatagramPort {
  readonly address: Address;
  closed = false;
  readonly #net: DatagramNet;
  readonly #waiting: Waiting[] = [];
  #fault: Error | null = null;
  #wake = () => {};

  constructor(net: DatagramNet, address: Address) {
    this.#net = net;
    this.address = address;
  }

  send(bytes: Uint8Array, to: Address): Promise<void> {
    this.#net.carry(bytes, this.address, to);
    return Promise.resolve();
  }

  async receive(into: Uint8Array): Promise<Arrived | null> {
    for (;;) {
      if (this.closed) return null;
      if (this.#fault !== null) throw this.#fault;
      const first = this.#waiting.shift();
      if (first !== undefined) {
        into.set(first.bytes);
        return { length: first.bytes.length, from: first.from };
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A datagram comes. */
  take(bytes: Uint8Array, from: Address): void {
    if (this.#waiting.length < buffered) this.#waiting.push({ bytes, from });
    this.#wake();
  }

  /** The system has an error for it. */
  fail(error: Error): void {
    this.#fault = error;
    this.#wake();
  }
}

/** Where datagrams go. */
export class DatagramNet {
  /** Whether a datagram is lost. */
  loses: (to: Address) => boolean = () => false;
  readonly group: Address = addressOf("group", 1);
  readonly #ports = new Map<string, MemoryPort>();
  readonly #joined = new Set<MemoryPort>();

  /** A port of its own. */
  open(): MemoryPort {
    const port = new MemoryPort(this, addressOf("host", this.#ports.size + 1));
    this.#ports.set(port.address.text, port);
    return port;
  }

  /** A port that gets what is sent to the group. */
  join(): MemoryPort {
    const port = new MemoryPort(this, this.group);
    this.#joined.add(port);
    return port;
  }

  carry(bytes: Uint8Array, from: Address, to: Address): void {
    if (this.loses(to)) return;
    const ports = to.text === this.group.text ? this.#joined : [this.#ports.get(to.text)!];
    for (const port of ports) port.take(bytes.slice(), from);
  }
}

function addressOf(host: string, port: number): Address {
  return { host, port, text: `${host}:${port}` };
}

/** A server that multicasts all it has. */
export class Multicaster implements AsyncDisposable {
  readonly test: TestServer;
  readonly sender: GroupSender<Address>;
  readonly #transmitter: GroupTransmitter;
  readonly #running: Promise<void>;

  constructor(net: DatagramNet, test: TestServer) {
    const { world, server } = test;
    this.test = test;
    const session = new Uint8Array(16);
    world.random(session);
    this.sender = new GroupSender<Address>(world, server.topics, checksumSeal(world), {
      group,
      session,
      patterns: [new Pattern("#")],
      largest,
      rate: 1e9,
      wait: false,
    });
    this.#transmitter = new GroupTransmitter(world, this.sender, net.open(), [net.group]);
    this.#running = this.#transmitter.run();
  }

  /** The server gets messages, in one frame: `topic sequence`, padded to so many bytes. */
  publish(name: string, count = 1, length = 0): void {
    const { topics } = this.test.server;
    const topic = topics.declare(name);
    assert(typeof topic !== "number");
    if (topic.ordinal === 0) topics.create(topic);
    const sequence = topic.log.nextSequence;
    const texts = Array.from({ length: count }, (_, i) => `${name} ${sequence + i}`.padEnd(length));
    const frame = textFrame(texts, { topic: topic.id });
    assertEquals(topic.append(frame, 0, frame.length, count, this.test.world.time()), "appended");
  }

  /** Ends in good order: receivers are told. */
  async finish(): Promise<void> {
    this.sender.finish();
    await this.test.world.wait(this.#running);
  }

  /** Dies. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#transmitter[Symbol.dispose]();
    // It may wait for the next turn.
    await this.test.world.wait(this.#running);
  }
}

/** Subscribes to the group; returns its ports, too. */
export function subscribeGroup(net: DatagramNet, world: World, options: Partial<GroupSubscriptionOptions> = {}) {
  const shared = net.join();
  const own = net.open();
  const subscription = new GroupSubscription(world, { group: [shared], own }, {
    group,
    seal: checksumSeal(world),
    patterns: [],
    repair: true,
    largest,
    ...options,
  });
  return { subscription, shared, own };
}
