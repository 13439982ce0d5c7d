/**
 * What a run is doing, on a terminal, while it is.
 *
 * @module
 */

import { oneLine } from "../log.ts";
import { sparkline } from "../sparkline.ts";
import { StatusLine, type StatusSurroundings, statusTerminal } from "../status_line.ts";
import { micros, perSecond } from "./figures.ts";

/** What a run does now, since it was asked last. */
export interface LiveSample {
  /** Messages received a second. */
  readonly deliveryRate: number;
  /** Latencies, in microseconds; 0 where none is measured. */
  readonly p50: number;
  readonly p99: number;
}

/** How often the line is written at most, unless the phase changes: five times a second. */
const updateEvery = 200;
/** How many samples the spark line shows. */
const sparks = 30;
/** How many characters a bar has. */
const barWidth = 16;

/**
 * One line for all the runs of a benchmark, written over itself: target, round, phase, rate, latencies.
 *
 * @example
 * ```ts ignore
 * using live = terminalLive(options.log.quiet);
 * live?.begin("nats", 2, 7, "1 to 10, 128 B");
 * live?.phase("measuring", 0.25);
 * live?.sample({ deliveryRate: 6.3e6, p50: 0, p99: 0 });
 * ```
 */
export class LiveLine implements Disposable {
  readonly #around: StatusSurroundings;
  readonly #line: StatusLine;
  #run = "";
  #phase = "";
  #fraction: number | null = null;
  #latest: LiveSample | null = null;
  /** The latest 99th percentiles, oldest first. */
  readonly #p99: number[] = [];
  #lastWritten = -Infinity;

  constructor(surroundings: StatusSurroundings) {
    this.#around = surroundings;
    this.#line = new StatusLine(surroundings);
  }

  /** A run begins: the `round`th, from 1, of so many against this target. */
  begin(target: string, round: number, rounds: number, load: string): void {
    const times = rounds > 1 ? `, round ${round} of ${rounds}` : "";
    this.#run = oneLine(`${target}${times}: ${load}`);
    this.#latest = null;
    this.#p99.length = 0;
    this.phase("starting", null);
  }

  /**
   * What the run is about: `warm-up`, `measuring`, `draining`.
   *
   * @param fractionDone from 0 to 1, for a bar; `null` where there is no telling
   */
  phase(name: string, fractionDone: number | null): void {
    const changed = name !== this.#phase;
    this.#phase = name;
    this.#fraction = fractionDone;
    if (changed) this.#show();
    else this.#showInTime();
  }

  /** What was measured since the last call. */
  sample(sample: LiveSample): void {
    this.#latest = sample;
    if (sample.p99 > 0) this.#p99.push(sample.p99);
    if (this.#p99.length > sparks) this.#p99.shift();
    this.#showInTime();
  }

  /** Takes the line away, before something else is written; the next call of another method brings it back. */
  clear(): void {
    this.#line.clear();
    this.#lastWritten = -Infinity;
  }

  /** As {@linkcode clear}. */
  [Symbol.dispose](): void {
    this.clear();
  }

  #showInTime(): void {
    if (this.#around.now() - this.#lastWritten >= updateEvery) this.#show();
  }

  #show(): void {
    this.#lastWritten = this.#around.now();
    this.#line.show([this.#run, this.#progress(), ...this.#figures()].join("  "));
  }

  #progress(): string {
    if (this.#fraction === null) return this.#phase;
    const fraction = Math.min(1, Math.max(0, this.#fraction));
    const full = Math.round(fraction * barWidth);
    const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
    return `${this.#phase} ${"█".repeat(full)}${"░".repeat(barWidth - full)}${percent}`;
  }

  #figures(): string[] {
    if (this.#latest === null) return [];
    const { deliveryRate, p50, p99 } = this.#latest;
    // Of a fixed width, or what follows would jump about.
    const rate = perSecond.text(deliveryRate).padStart(8);
    if (p99 === 0) return [rate];
    const latencies = `p50 ${micros.text(p50).padStart(7)}  p99 ${micros.text(p99).padStart(7)}`;
    return [rate, latencies, sparkline(this.#p99, 0, Math.max(...this.#p99))];
  }
}

/** The line on stderr, or `null` where there must be none: when it is not a terminal, or with `--quiet`. */
export function terminalLive(quiet: boolean): LiveLine | null {
  const terminal = statusTerminal(quiet);
  return terminal && new LiveLine(terminal);
}
