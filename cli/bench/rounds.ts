/**
 * Runs every load against every target in turn, round by round, so that what changes on the machine meanwhile changes all
 * of them alike.
 *
 * @module
 */

import { formatRate } from "../units.ts";
import type { TargetKind } from "./driver.ts";
import type { Content } from "./plan.ts";
import type { RunResult } from "./result.ts";
import { runOnce, type RunProgress, type Target } from "./run.ts";
import type { Load } from "./scenarios.ts";
import { isOurs } from "./targets.ts";

/** Something to measure. */
export interface Contender {
  readonly kind: TargetKind;
  /** How it is started, once it was; `null` for one that runs already. */
  readonly commandLine: string | null;
  /** Gives the target for one run: a server that is running, or a fresh one that ends with the run. */
  begin(): Promise<Target & AsyncDisposable>;
}

/** What is compared, and how. */
export interface RoundsOptions {
  readonly loads: readonly Load[];
  readonly contenders: readonly Contender[];
  readonly rounds: number;
  readonly content: Content;
  /** Bytes of a message, or their mean. */
  readonly size: number;
  readonly signal: AbortSignal;
  /** A run begins. */
  readonly onBegin: (kind: TargetKind, round: number, load: Load) => void;
  readonly onProgress: (progress: RunProgress) => void;
  readonly onResult: (result: RunResult) => void;
  /** A contender cannot be measured: it is left out from then on. Throw to end it all. */
  readonly onFailure: (kind: TargetKind, error: unknown, load: Load, round: number) => void;
}

/** How long a maximum is looked for that a part of is wanted, in milliseconds. */
const probeDuration = 3_000;

/** Measures everything. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #failed = new Set<Contender>();

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Runs all loads. */
  async run(): Promise<void> {
    for (const load of this.#options.loads) {
      if (load.share === 0) await this.#rounds(load, this.#fit(load));
      else await this.#shares(load);
    }
  }

  /** Runs every load once with each payload compared whole. */
  async verify(): Promise<void> {
    for (const load of this.#options.loads) {
      for (const contender of this.#fit(load)) {
        const plain = load.share > 0 ? atMost(load) : load;
        await this.#once(plain, contender, 0, { ...this.#options.content, verify: true });
      }
    }
  }

  async #rounds(load: Load, contenders: readonly Contender[]): Promise<void> {
    for (let round = 1; round <= this.#options.rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        // Another one begins each round: none has always the same neighbour.
        await this.#once(load, contenders[(turn + round - 1) % contenders.length]!, round);
      }
    }
  }

  /** At a part of each contender's own maximum: each with ours, at that rate. */
  async #shares(load: Load): Promise<void> {
    const fit = this.#fit(load);
    const first = fit.find(({ kind }) => isOurs(kind));
    const others = fit.filter((contender) => contender !== first && contender.kind !== "limit");
    for (const contender of others.length > 0 ? others : fit) {
      const probe = await this.#once(atMost(load), contender, 0);
      if (probe === null) continue;
      const rate = Math.floor(load.share * probe.sentRate);
      const pair = first === undefined || first === contender ? [contender] : [first, contender];
      const of = `${Math.round(load.share * 100)} % of the maximum of ${contender.kind}`;
      const label = load.label.replace(/[^,]*% of the maximum/, ` ${formatRate({ messages: rate })}, ${of}`);
      await this.#rounds({ ...load, share: 0, rate, label }, pair);
    }
  }

  /** The byte copier knows one topic, and no echo. */
  #fit(load: Load): Contender[] {
    return this.#options.contenders.filter(({ kind }) =>
      kind !== "limit" || load.topics === 1 && load.trip !== "round"
    );
  }

  async #once(
    load: Load,
    contender: Contender,
    round: number,
    content = this.#options.content,
  ): Promise<RunResult | null> {
    if (this.#failed.has(contender)) return null;
    const { signal, size, onProgress } = this.#options;
    signal.throwIfAborted();
    this.#options.onBegin(contender.kind, round, load);
    try {
      await using target = await contender.begin();
      const result = await runOnce(load, target, { content, size, round, signal, onProgress });
      this.#options.onResult(result);
      return result;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failed.add(contender);
      this.#options.onFailure(contender.kind, error, load, round);
      return null;
    }
  }
}

/** As many messages as go: to learn a maximum. */
function atMost(load: Load): Load {
  return { ...load, share: 0, rate: 0, trip: "none", duration: probeDuration };
}
