/**
 * Receives for `stream subscribe`: from a subscription to stdout, until there is enough.
 *
 * @module
 */

import type { Batch } from "../core/batch.ts";
import type { GapEvent, SubscriptionEvent } from "../core/events.ts";
import { platform } from "../transports/platform.ts";
import { ExitStatus, Failure } from "./exit.ts";
import { type Gap, type MessageFormat, messageFormat } from "./format.ts";
import { printError } from "./stdio.ts";
import { StdoutWriter } from "./stdout_writer.ts";
import type { SubscribeOptions } from "./subscribe.ts";
import { formatCount, formatDuration, formatMessages } from "./units.ts";

/** What messages come from. */
export interface Source {
  /** What happens, in order. */
  events(): AsyncIterableIterator<SubscriptionEvent>;
  /** Leaves: then {@linkcode events} ends. */
  close(): Promise<void>;
}

/**
 * Writes messages until the count, the timeout or the signal.
 *
 * @throws the signal's reason when it aborts
 * @throws {Failure} with 5 when the timeout ended it before the count was reached
 */
export async function receive(
  source: Source,
  options: SubscribeOptions,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const receiver = new Receiver(source, options);
  const stop = () => receiver.leave();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const status = await receiver.run();
    signal.throwIfAborted();
    return status;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

class Receiver {
  readonly #source: Source;
  readonly #options: SubscribeOptions;
  readonly #output: StdoutWriter;
  readonly #format: MessageFormat;
  #cancelTimer = () => {};
  #received = 0;
  #timedOut = false;
  #lost = false;

  constructor(source: Source, options: SubscribeOptions) {
    this.#source = source;
    this.#options = options;
    this.#output = new StdoutWriter(() => this.leave());
    this.#format = messageFormat(options.format, this.#output.filling, options.withTopic);
  }

  /** Makes {@linkcode Receiver.run} end. */
  leave(): void {
    this.#source.close();
  }

  async run(): Promise<ExitStatus> {
    this.#startTimer();
    try {
      for await (const event of this.#source.events()) {
        if (event.kind === "batch") this.#write(event);
        else if (event.kind === "gap") this.#tell(event);
        else this.#tell({ topic: this.#options.patterns.join(" "), first: 0, last: 0, lost: 0, reason: "restarted" });
        if (this.#received >= this.#options.count) break;
        if (this.#output.full) {
          // While nobody reads stdout it is not the server that is silent.
          this.#cancelTimer();
          await this.#output.flush();
        }
        this.#startTimer();
      }
    } finally {
      this.#cancelTimer();
      // What has come is written, whatever ended it.
      await this.#output.flush();
    }
    if (this.#options.strict && this.#lost) return ExitStatus.lost;
    const { expected, timeout } = this.#options;
    if (!this.#timedOut || this.#received >= expected) return ExitStatus.done;
    throw new Failure(
      `timed out: nothing came for ${formatDuration(timeout)}, after ${formatCount(this.#received)} of ` +
        formatMessages(expected),
      ExitStatus.timedOut,
    );
  }

  #write(batch: Batch): void {
    batch.truncate(this.#options.count - this.#received);
    const { topic, sequence, time, bytes, count } = batch;
    for (let i = 0; i < count; i++) {
      this.#format.message(topic, sequence + i, time, bytes, batch.start(i), batch.end(i));
    }
    this.#received += count;
    this.#output.send();
  }

  #tell({ topic, first, last, lost, reason }: Omit<GapEvent, "kind" | "code">): void {
    this.#lost = true;
    const known = (number: number) => number === 0 ? null : number;
    const gap: Gap = { topic, first: known(first), last: known(last), lost: known(lost), reason };
    const line = this.#format.gap(gap);
    if (line === null) this.#output.send();
    else printError(line);
  }

  #startTimer(): void {
    const { timeout } = this.#options;
    if (timeout === Infinity) return;
    this.#cancelTimer();
    this.#cancelTimer = platform.after(timeout, () => {
      this.#timedOut = true;
      this.leave();
    });
  }
}
