/** A datagram port that loses on purpose: always the same for the same seed, or what a test names. */

import { readU64 } from "../../core/bytes.ts";
import { DatagramFlag, datagramHeader, inDatagram } from "../../core/datagram.ts";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { Random, viewOf } from "../core/fixtures.ts";

/** Says whether a datagram is lost. */
export type Loses = (datagram: Uint8Array) => boolean;

/** What is lost at a port; nothing where it is not said. */
export interface Losses {
  readonly received?: Loses;
  readonly sent?: Loses;
}

/** A port that loses some of what another one sends and receives. */
export class LossyPort implements DatagramPort {
  /** Datagrams that were lost. */
  lost = 0;
  readonly address: Address;
  readonly #port: DatagramPort;
  readonly #losses: Losses;

  constructor(port: DatagramPort, losses: Losses) {
    this.#port = port;
    this.#losses = losses;
    this.address = port.address;
  }

  async send(bytes: Uint8Array, to: Address): Promise<void> {
    if (this.#losses.sent?.(bytes)) this.lost++;
    else await this.#port.send(bytes, to);
  }

  async receive(into: Uint8Array): Promise<Arrived | null> {
    for (;;) {
      const arrived = await this.#port.receive(into);
      if (arrived === null || !this.#losses.received?.(into.subarray(0, arrived.length))) return arrived;
      this.lost++;
    }
  }

  close(): void {
    this.#port.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Each one with the same probability, repairs and heartbeats, too. */
export function randomLoss(seed: number, probability: number): Loses {
  const random = new Random(seed);
  return () => random.chance(probability);
}

/** Those with some numbers, when they are sent for the first time. */
export function lossOf(isLost: (number: number) => boolean): Loses {
  return (datagram) => {
    const number = firstNumberOf(datagram);
    return number > 0 && isLost(number);
  };
}

/** Everything, from the datagram with one number until that with another, which comes. */
export function cut(first: number, end: number): Loses {
  let isCut = false;
  return (datagram) => {
    const number = firstNumberOf(datagram);
    if (number > 0) isCut = number >= first && number < end;
    return isCut;
  };
}

/** The number of a datagram that carries messages for the first time; 0 for any other. */
function firstNumberOf(datagram: Uint8Array): number {
  const { numbered, repair } = DatagramFlag;
  if (datagram.length < datagramHeader) return 0;
  if ((datagram[inDatagram.flags]! & (numbered | repair)) !== numbered) return 0;
  return readU64(viewOf(datagram), inDatagram.number);
}
