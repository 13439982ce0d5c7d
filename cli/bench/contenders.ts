/**
 * What is measured: servers that run already, and such as are started afresh for each run.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { defaultServer } from "../endpoints.ts";
import type { Log } from "../log.ts";
import { cipherOf } from "./cipher.ts";
import type { TargetKind } from "./driver.ts";
import { type BenchGroup, sentIn } from "./group.ts";
import type { Contender } from "./rounds.ts";
import type { Target } from "./run.ts";
import { hintFor, installedVersion, startServer } from "./servers.ts";
import type { BenchCertificate, BenchTrust } from "./tls.ts";
import { findServerPid } from "./usage.ts";

/** What the user named. */
export interface Named {
  readonly targets: readonly { readonly kind: TargetKind; readonly endpoint: string }[];
  readonly against: readonly TargetKind[];
  readonly limit: boolean;
  /** The group that ours is to multicast to; `null` where connections are measured. */
  readonly group: BenchGroup | null;
}

/** TLS for all of them. */
export interface ContendersTls {
  /** What the servers show that are started. */
  readonly certificate: BenchCertificate;
  /** Whom connections to servers trust that run already. */
  readonly trust: BenchTrust;
}

/** What a server is started with. */
interface ServerOptions {
  readonly signal: AbortSignal;
  readonly certificate: BenchCertificate | null;
  readonly group: BenchGroup | null;
}

/**
 * Ours first: the server that was named, or runs where none is named, or one of its own; then the others that were named and
 * are installed, then the limit.
 *
 * @param tls `null` without TLS
 */
export async function contendersOf(
  named: Named,
  tls: ContendersTls | null,
  log: Log,
  signal: AbortSignal,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  const certificate = tls?.certificate ?? null;
  const fresh = (kind: TargetKind, group: BenchGroup | null = null) =>
    started(kind, log, { signal, certificate, group });
  for (const { kind, endpoint } of named.targets) contenders.push(await running(kind, endpoint, tls?.trust ?? null));
  const comparing = named.against.length > 0 || named.limit;
  if (named.group !== null) {
    contenders.push(fresh("multicast", named.group));
  } else if (contenders.length === 0 && !comparing && tls === null && await answers(defaultServer)) {
    log.info(`measuring the server that runs at ${defaultServer}`);
    contenders.push(await running("stream", defaultServer, null));
  } else if (!contenders.some(({ kind }) => kind === "stream") && (comparing || contenders.length === 0)) {
    contenders.unshift(fresh("stream"));
  }
  for (const kind of named.against) {
    if (await installedVersion(kind) === null) log.warn(`${hintFor(kind)}: it is left out`);
    else contenders.push(fresh(kind));
  }
  if (named.limit) contenders.push(fresh("limit"));
  return contenders;
}

/** A server that runs already. */
async function running(kind: TargetKind, endpoint: string, trust: BenchTrust | null): Promise<Contender> {
  const pid = await findServerPid(endpoint);
  const target: Target & AsyncDisposable = {
    kind,
    endpoint,
    trust,
    server: kind,
    pid,
    group: null,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { kind, commandLine: null, begin: () => Promise.resolve(target) };
}

/** A server of its own for each run. */
function started(kind: TargetKind, log: Log, options: ServerOptions): Contender {
  const { certificate, group } = options;
  let commandLine: string | null = null;
  return {
    kind,
    get commandLine() {
      return commandLine;
    },
    async begin() {
      const server = await startServer(kind, options);
      if (commandLine === null) {
        const cipher = certificate === null ? "" : `, ${await cipherOf(server) ?? "cipher not known"}`;
        log.info(`${kind}: ${server.version}${cipher}, started for each run as: ${server.commandLine}`);
      }
      commandLine ??= server.commandLine;
      const { endpoint, version, pid } = server;
      const end = () => server[Symbol.asyncDispose]();
      const sent = async () => {
        await end();
        return sentIn(server.lastWords);
      };
      return {
        kind,
        endpoint,
        trust: certificate?.trust ?? null,
        server: version,
        pid,
        group: group === null ? null : { ...group, sent },
        [Symbol.asyncDispose]: end,
      };
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
