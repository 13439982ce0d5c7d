/**
 * The logs behind a group: of each server that sends to it, or a life of one, what there is to be repaired.
 *
 * @module
 */

import { LogRepair, patience, type RepairLink, type Sink } from "./log_repair.ts";
import type { StartPoint } from "./subscription.ts";

interface KnownLog {
  readonly repair: LogRepair;
  /** How many senders of it are heard. */
  senders: number;
}

/**
 * Logs by the epoch of their server. A link reaches one server at a time: those of others are followed, too, since that may
 * be the link's next, but what they miss stays missing.
 */
export class GroupLogs {
  readonly #link: RepairLink;
  /** Where topics of the link's next server begin. */
  #from: StartPoint;
  readonly #open: () => Sink;
  readonly #wait: number;
  readonly #logs = new Map<string, KnownLog>();

  /**
   * @param link that is open
   * @param from where topics of its server begin; those of its next life begin at the earliest
   * @param open makes what takes all that comes of one server
   * @param wait milliseconds for which a link that is lost is waited for while something is missing
   */
  constructor(link: RepairLink, from: StartPoint, open: () => Sink, wait: number = patience) {
    this.#link = link;
    this.#from = from;
    this.#open = open;
    this.#wait = wait;
    if (link.welcome !== null) this.#add(link.welcome.epoch);
  }

  /**
   * Brings what was sent before the receiver joined, if that was asked for.
   *
   * @throws {TransportError} when the link cannot tell what there is
   */
  async begin(patterns: readonly string[]): Promise<void> {
    const [log] = this.#logs.values();
    await log?.repair.begin(patterns);
  }

  /** A sender is heard, of the server of that epoch. */
  join(epoch: string): LogRepair {
    this.#forget();
    const log = this.#logs.get(epoch) ?? this.#add(epoch);
    log.senders++;
    return log.repair;
  }

  /** A sender of the server of that epoch is not heard any more. */
  leave(epoch: string): void {
    this.#logs.get(epoch)!.senders--;
    this.#forget();
  }

  /** Brings nothing more. */
  close(): void {
    for (const { repair } of this.#logs.values()) repair.close();
  }

  /** Whether a server may be the link's: while that is not connected nobody can tell. */
  mayReach(epoch: string): boolean {
    const { welcome } = this.#link;
    return welcome === null || welcome.epoch === epoch;
  }

  #add(epoch: string): KnownLog {
    const reached = this.mayReach(epoch);
    const repair = new LogRepair(this.#link, epoch, reached ? this.#from : "latest", this.#open(), this.#wait);
    const log = { repair, senders: 0 };
    this.#logs.set(epoch, log);
    if (reached) this.#from = "earliest";
    return log;
  }

  /** Of a server that is neither heard nor linked to nothing more comes. */
  #forget(): void {
    for (const [epoch, { repair, senders }] of this.#logs) {
      if (senders > 0 || this.mayReach(epoch)) continue;
      repair.close();
      this.#logs.delete(epoch);
    }
  }
}
