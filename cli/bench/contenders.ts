/**
 * What is measured: servers that run already, and such as are started afresh for each run.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { defaultServer } from "../endpoints.ts";
import type { Log } from "../log.ts";
import type { TargetKind } from "./driver.ts";
import { type BenchGroup, sentIn } from "./group.ts";
import type { Contender } from "./rounds.ts";
import type { Target } from "./run.ts";
import { hintFor, installedVersion, startServer } from "./servers.ts";
import { findServerPid } from "./usage.ts";

/** What the user named. */
export interface Named {
  readonly targets: readonly { readonly kind: TargetKind; readonly endpoint: string }[];
  readonly against: readonly TargetKind[];
  readonly limit: boolean;
  /** The group that ours is to multicast to; `null` where connections are measured. */
  readonly group: BenchGroup | null;
}

/**
 * Ours first: the server that was named, or runs where none is named, or one of its own; then the others that were named and
 * are installed, then the limit.
 */
export async function contendersOf(named: Named, log: Log, signal: AbortSignal): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const { kind, endpoint } of named.targets) contenders.push(await running(kind, endpoint));
  const comparing = named.against.length > 0 || named.limit;
  if (named.group !== null) {
    contenders.push(fresh("multicast", log, signal, named.group));
  } else if (contenders.length === 0 && !comparing && await answers(defaultServer)) {
    log.info(`measuring the server that runs at ${defaultServer}`);
    contenders.push(await running("stream", defaultServer));
  } else if (!contenders.some(({ kind }) => kind === "stream") && (comparing || contenders.length === 0)) {
    contenders.unshift(fresh("stream", log, signal));
  }
  for (const kind of named.against) {
    if (await installedVersion(kind) === null) log.warn(`${hintFor(kind)}: it is left out`);
    else contenders.push(fresh(kind, log, signal));
  }
  if (named.limit) contenders.push(fresh("limit", log, signal));
  return contenders;
}

/** A server that runs already. */
async function running(kind: TargetKind, endpoint: string): Promise<Contender> {
  const pid = await findServerPid(endpoint);
  const target: Target & AsyncDisposable = {
    kind,
    endpoint,
    server: kind,
    pid,
    group: null,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { kind, commandLine: null, begin: () => Promise.resolve(target) };
}

/** A server of its own for each run. */
function fresh(kind: TargetKind, log: Log, signal: AbortSignal, group?: BenchGroup): Contender {
  let commandLine: string | null = null;
  return {
    kind,
    get commandLine() {
      return commandLine;
    },
    async begin() {
      const server = await startServer(kind, { signal, ...(group && { group }) });
      if (commandLine === null) log.info(`${kind}: ${server.version}, started for each run as: ${server.commandLine}`);
      commandLine ??= server.commandLine;
      const { endpoint, version, pid } = server;
      const end = () => server[Symbol.asyncDispose]();
      const sent = async () => {
        await end();
        return sentIn(server.lastWords);
      };
      const measured = group === undefined ? null : { ...group, sent };
      return { kind, endpoint, server: version, pid, group: measured, [Symbol.asyncDispose]: end };
    },
  };
}

/** Whether a server of ours answers there. */
async function answers(endpoint: string): Promise<boolean> {
  try {
    const link = await connect(endpoint, { reconnect: false });
    await link.close();
    return true;
  } catch {
    return false;
  }
}
