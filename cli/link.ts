/**
 * The link of a command to its server: what happens to it goes to the log.
 *
 * @module
 */

import { codeName } from "../core/codes.ts";
import type { CompressionOptions } from "../core/compression.ts";
import { Link, type LinkEvent } from "../core/link.ts";
import { dialer } from "../transports/dial.ts";
import { platform } from "../transports/platform.ts";
import { type Access, openAccess } from "./access.ts";
import type { Log } from "./log.ts";
import { formatDuration, formatMessages } from "./units.ts";

/** What a command says of its link. */
export interface LinkCommand {
  /** The server, whom to trust, and who to be. */
  readonly access: Access;
  /** Whether a connection that is lost is made again. */
  readonly reconnect: boolean;
  /** Whether messages are kept until they are acknowledged. */
  readonly acknowledge?: boolean;
  /** How frames are compressed; not at all without it. */
  readonly compress?: CompressionOptions;
  /** For how long a lost connection is tried again, in milliseconds; without it, as long as it takes. */
  readonly giveUpAfter?: number;
}

/**
 * Connects.
 *
 * @throws {TransportError} when there is no connection to be had
 * @throws the signal's reason when it aborts
 */
export async function openLink(command: LinkCommand, log: Log, signal: AbortSignal): Promise<Link> {
  const { access, reconnect, acknowledge = true, compress, giveUpAfter } = command;
  const { server, trust, credentials } = await openAccess(access, log);
  return await new Link(server, {
    dial: dialer(trust),
    credentials,
    platform,
    signal,
    reconnect,
    ...(giveUpAfter !== undefined && { giveUpAfter }),
    publisher: {
      acknowledge,
      ...(compress && { compress }),
      onUncompressed: () => {
        log.warn("the server takes no frames that are compressed like this: they go as they are", { server });
      },
      onRefused: ({ topic, count, code, why }) => {
        log.error(`${formatMessages(count)} refused`, { topic, reason: codeName(code), why });
      },
      onPossibleDuplicates: (topic, count) => {
        log.warn(`${formatMessages(count)} sent again to a server that may have them`, { topic });
      },
    },
    onEvent: (event) => logEvent(event, server, log),
  }).open();
}

/** A signal that aborts, with the error, when the link is lost for good. */
export function lossOf(link: Link): AbortSignal {
  const controller = new AbortController();
  link.closed.then((error) => controller.abort(error ?? undefined));
  return controller.signal;
}

/** Waits for what cannot be aborted, or for the signal. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    const value = await Promise.race([promise, stopped]);
    // An abort closes the link, which settles what was waited for: the abort is what happened.
    signal.throwIfAborted();
    return value;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function logEvent(event: LinkEvent, server: string, log: Log): void {
  if (event.kind === "connected") {
    if (event.again) log.warn("connected again", { server });
    else log.debug("connected", { server });
  } else if (event.kind === "lost") {
    const retry = formatDuration(Math.round(event.retryIn));
    log.warn("connection lost", { server, reason: codeName(event.code), why: event.why, retry });
  } else {
    log.warn("the server says why", { server, reason: codeName(event.code), why: event.why });
  }
}
