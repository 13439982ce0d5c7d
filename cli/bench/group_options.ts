/**
 * The options of `stream bench` that are for the scenario `multicast` alone.
 *
 * @module
 */

import { UsageError } from "../../core/errors.ts";
import { parseGroup } from "../../transports/udp_group.ts";
import { servedGroup } from "../serve_group.ts";
import type { Reception } from "./scenarios.ts";

/** The group that is multicast to, as it was asked for. */
export interface GroupOptions {
  /** `mcast://...`; `null` for one on loopback that nobody else uses. */
  readonly endpoint: string | null;
  readonly encrypt: boolean;
}

/** What the user gave. */
interface Given {
  readonly group?: string | undefined;
  readonly encrypt?: true | undefined;
  readonly loss?: number | undefined;
  readonly reorder?: number | undefined;
  readonly duplicate?: number | undefined;
  /** `false` for `--no-repair`. */
  readonly repair?: boolean | undefined;
  readonly target?: readonly unknown[] | undefined;
  readonly tls?: true | undefined;
  readonly against?: readonly string[] | undefined;
}

/**
 * The group of a scenario; `null` for those that have none.
 *
 * @throws {UsageError} for options that the scenario does not have
 */
export function groupOptions(multicast: boolean, given: Given): GroupOptions | null {
  const { group, encrypt = false, loss, reorder, duplicate, repair = true, target, tls, against = [] } = given;
  if (multicast) {
    if (target !== undefined) {
      throw new UsageError("--target does not go with multicast", "it starts a server of its own, that has a group");
    }
    if (tls) throw new UsageError("--tls does not go with multicast", "--encrypt encrypts what is multicast");
    if (group !== undefined) servedGroup(parseGroup(group), encrypt);
    return { endpoint: group ?? null, encrypt };
  }
  const flags = {
    "--group": group !== undefined,
    "--encrypt": encrypt,
    "--loss": loss !== undefined,
    "--reorder": reorder !== undefined,
    "--duplicate": duplicate !== undefined,
    "--no-repair": !repair,
    "--against tcp": against.includes("tcp"),
  };
  for (const [flag, is] of Object.entries(flags)) {
    if (is) throw new UsageError(`${flag} is for the scenario multicast`, `stream bench multicast ${flag}`);
  }
  return null;
}

/** How a group is to be received. */
export function receptionOf({ loss = 0, reorder = 0, duplicate = 0, repair = true }: Given): Reception {
  return { faults: { loss, reorder, duplicate }, repair };
}
