/**
 * The receive buffer: how many datagrams the system keeps for a socket that does not read for a moment.
 *
 * @module
 */

import { TransportError } from "../../core/errors.ts";
import { openUdp } from "../../transports/udp.ts";
import { formatCount } from "../units.ts";
import type { Check } from "./check.ts";
import { enlargeBuffers, type System } from "./commands.ts";
import { readNumber, type SystemFiles } from "./system_files.ts";
import { within } from "./within.ts";

/** What was measured, and what the system says. */
export interface ReceiveBuffer {
  /** How many datagrams it held, or, in the system's words, why that could not be measured. */
  readonly held: number | string;
  /** Bytes that a socket gets that asks for none, as `stream` does; and the most one can ask for; `null` where not told. */
  readonly usual: number | null;
  readonly most: number | null;
}

/** Bytes of each datagram that is sent; how many are at first, and at most: a buffer that holds those is large enough. */
const size = 1400;
const fewest = 64;
const many = 4096;
/** How long a receiver may pause without loss, at least; milliseconds. */
const pause = 1;
/** How long what was sent may take to be there, in milliseconds. */
const patience = 500;

/** Sends to sockets of this machine that do not read, until one did not keep everything. */
export async function measureReceiveBuffer(files: SystemFiles): Promise<ReceiveBuffer> {
  return {
    held: await measureHeld(),
    usual: await readNumber(files, "/proc/sys/net/core/rmem_default"),
    most: await readNumber(files, "/proc/sys/net/core/rmem_max"),
  };
}

async function measureHeld(): Promise<number | string> {
  try {
    // Twice as many each time: what is dropped counts in the system's statistics, and is to be little.
    for (let sent = fewest;; sent *= 2) {
      const held = await countHeld(sent);
      if (held < sent || sent === many) return held;
    }
  } catch (error) {
    if (error instanceof TransportError) return error.message;
    throw error;
  }
}

/** How many of so many datagrams a socket keeps. */
async function countHeld(sent: number): Promise<number> {
  using receiver = openUdp("127.0.0.1", 0);
  using sender = openUdp("127.0.0.1", 0);
  const bytes = new Uint8Array(size);
  for (let count = 0; count < sent; count++) await sender.send(bytes, receiver.address);
  for (let held = 0;; held++) {
    const arrived = await within(patience, receiver.receive(bytes));
    if (arrived === null || arrived.length === 0) return held;
    // There is room again: what ends the count comes behind all others.
    if (held === 0) await sender.send(bytes.subarray(0, 0), receiver.address);
  }
}

/**
 * Judges it.
 *
 * @param rate at which the group is sent to, in bytes a second
 * @param ports of the group: each has such a buffer
 */
export function checkReceiveBuffer(
  { held, usual, most }: ReceiveBuffer,
  rate: number,
  ports: number,
  system: System,
): Check {
  const told = usual === null || most === null
    ? ""
    : `; ${formatCount(usual)} bytes (rmem_default), and a program could ask for ${formatCount(most)} (rmem_max)`;
  const found = (state: Check["state"], finding: string, advice: readonly string[] = []): Check => {
    return { name: "receive buffer", state, finding: `${finding}${told}`, advice };
  };
  if (typeof held === "string") return found("unknown", `it could not be measured: ${held}`);
  const lasts = ports * held * size / rate * 1000;
  const kept = `${held === many ? "at least " : ""}${formatCount(held)}`;
  const speed = `${formatCount(rate * 8 / 1e6)} Mbit/s`;
  const each = ports === 1 ? "" : `, for each of ${ports} ports`;
  const finding = `holds ${kept} datagrams of ${formatCount(size)} bytes${each}: ${formatPause(lasts)} at ${speed}`;
  if (held === many || lasts >= pause) return found("ok", finding);
  return found(
    "warning",
    `${finding}; a receiver that pauses longer loses some, which are sent again`,
    enlargeBuffers(system),
  );
}

function formatPause(milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : formatCount(milliseconds)} ms`;
}
