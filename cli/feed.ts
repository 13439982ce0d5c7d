/**
 * Feeds a publisher: from texts or an input, cut into messages, at a rate, as often as asked.
 *
 * @module
 */

import { RefusedError, UsageError } from "../core/errors.ts";
import type { Publisher } from "../core/publisher.ts";
import { splitterFor } from "./cut.ts";
import { ExitStatus, Failure } from "./exit.ts";
import type { Log } from "./log.ts";
import { Pace } from "./pace.ts";
import type { Progress } from "./progress.ts";
import type { InputSource, PublishOptions } from "./publish.ts";
import { type Input, openInput } from "./stdio.ts";
import { topicOf } from "./topic_field.ts";
import { untilAborted } from "./link.ts";
import { formatBytes } from "./units.ts";

/** Sends what a source has. */
export class Feed {
  readonly #publisher: Publisher;
  readonly #options: PublishOptions;
  readonly #log: Log;
  readonly #progress: Progress | null;
  readonly #pace: Pace | null;
  #left: number;
  #bytes = 0;
  #refused = 0;
  #unusable = 0;

  constructor(publisher: Publisher, options: PublishOptions, log: Log, progress: Progress | null) {
    this.#publisher = publisher;
    this.#options = options;
    this.#log = log;
    this.#progress = progress;
    this.#left = options.count;
    this.#pace = options.rate === Infinity ? null : new Pace(options.rate, performance.now());
  }

  /** What the command exits with, once everything was sent and acknowledged. */
  get status(): ExitStatus {
    if (this.#refused + this.#publisher.refused > 0) return ExitStatus.refused;
    return this.#unusable > 0 ? ExitStatus.failed : ExitStatus.done;
  }

  /**
   * Sends everything, as fast as the server takes it and the rate allows.
   *
   * @throws the signal's reason when it aborts
   */
  async run(signal: AbortSignal): Promise<void> {
    const { source, repeat } = this.#options;
    for (let round = 0; round < repeat && this.#left > 0; round++) {
      if (source.kind === "texts") await this.#sendTexts(source.texts, signal);
      else await this.#sendInput(source, signal);
    }
  }

  async #sendTexts(texts: readonly string[], signal: AbortSignal): Promise<void> {
    for (const text of texts) {
      const bytes = new TextEncoder().encode(text);
      await this.#wait(signal);
      if (this.#left > 0) this.#send(bytes, 0, bytes.length);
    }
  }

  async #sendInput({ path, cut }: InputSource, signal: AbortSignal): Promise<void> {
    const limit = this.#publisher.maxMessage;
    const splitter = splitterFor(
      cut,
      limit,
      (bytes, start, end) => this.#send(bytes, start, end),
      (number, length) => this.#passedOver(number, length, limit),
    );
    using input = await openFile(path);
    for await (const chunk of input.chunks(signal)) {
      for (let from = 0; from < chunk.length && this.#left > 0;) {
        await this.#wait(signal);
        from = splitter.push(chunk, from);
      }
      if (this.#left === 0) return;
    }
    await this.#wait(signal);
    splitter.finish();
  }

  /** Waits until one more may be sent. */
  async #wait(signal: AbortSignal): Promise<void> {
    await untilAborted(this.#publisher.ready(), signal);
    if (this.#pace) await this.#pace.wait(signal);
    this.#progress?.update(this.#publisher.sent, this.#bytes, this.#publisher.compressed);
  }

  /** Sends one message. Returns `false` where {@linkcode Feed.#wait} comes before the next. */
  #send(bytes: Uint8Array, start: number, end: number): boolean {
    const { destination } = this.#options;
    let topic: string;
    try {
      topic = destination.kind === "topic" ? destination.topic : topicOf(bytes.subarray(start, end), destination);
      const room = this.#publisher.send(topic, bytes, start, end);
      this.#bytes += end - start;
      return --this.#left > 0 && room && (this.#pace === null || this.#pace.spend(performance.now()));
    } catch (error) {
      if (error instanceof RefusedError) {
        this.#refused++;
        this.#log.error(error.message);
      } else if (error instanceof UsageError) {
        this.#unusable++;
        this.#log.error(error.message);
      } else throw error;
      return true;
    }
  }

  #passedOver(number: number, length: number, limit: number): void {
    this.#refused++;
    this.#log.error("a message is larger than the server takes: it was not sent", {
      number,
      size: formatBytes(length),
      most: formatBytes(limit),
      hint: "raise serve --max-message, or cut the input with --chunk",
    });
  }
}

/** Opens the FILE. In other programs the message itself stands there, so that a plain word may be meant as one. */
async function openFile(path: string): Promise<Input> {
  try {
    return await openInput(path);
  } catch (error) {
    const word = error instanceof Failure && error.cause instanceof Deno.errors.NotFound && !/[/\\]|\.\w+$/.test(path);
    if (word) {
      throw new Failure(`${error.message}: to send that text itself, give -m before it`, undefined, error.cause);
    }
    throw error;
  }
}
