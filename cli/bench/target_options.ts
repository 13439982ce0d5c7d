/**
 * The options of `stream bench` that say which servers are measured, and whether with TLS.
 *
 * @module
 */

import { UsageError } from "../../core/errors.ts";
import { parseEndpoint, splitCredentials } from "../../transports/endpoint.ts";
import { isLoopback } from "../endpoints.ts";
import type { TargetKind } from "./driver.ts";
import { withoutSecrets } from "./drivers/address.ts";
import { schemeOf, targetSchemes } from "./drivers/table.ts";
import type { BenchTls } from "./tls.ts";

/** A server that runs already. */
export interface NamedTarget {
  readonly kind: TargetKind;
  /** With its port, and with the user and the password as they were typed. */
  readonly endpoint: string;
}

/**
 * Reads the URL of a server that runs already, in which a user and its password, or a token, may stand before the host.
 *
 * @throws {UsageError} when it is wrong, or a secret would go unencrypted to another machine
 */
export function parseTarget(text: string): NamedTarget {
  const shown = JSON.stringify(withoutSecrets(text));
  const known = schemeOf(text);
  if (known === null) {
    throw new UsageError(
      `${shown} is not a server that can be measured`,
      `give one of ${targetSchemes.map((name) => `${name}://host:port`).join(", ")}`,
    );
  }
  const { kind, port } = known;
  const [, scheme = "", user = ""] = /^([a-z]+):\/\/([^/?#]*@)?/.exec(text)!;
  const url = URL.parse(text.replace(/^[a-z]+:/, "http:"));
  if (url === null) {
    throw new UsageError(`wrong endpoint ${shown}`, `for example: ${scheme}://127.0.0.1:${port}`);
  }
  if (kind === "stream") checkOurs(text);
  return { kind, endpoint: `${scheme}://${user}${url.hostname}:${url.port || port}` };
}

function checkOurs(text: string): void {
  const { endpoint, credentials } = splitCredentials(text);
  const { scheme, host } = parseEndpoint(endpoint);
  if (credentials === null || scheme === "tls" || isLoopback(host)) return;
  throw new UsageError(
    `${endpoint} is not encrypted: everybody on the way could read the secret`,
    `use ${endpoint.replace(scheme, "tls")}`,
  );
}

/**
 * What is asked of TLS: all connections are with it, or none, since else nothing could be compared.
 *
 * @returns `null` without TLS
 * @throws {UsageError} where that cannot be
 */
export function tlsOf(
  targets: readonly NamedTarget[],
  { tls, ca }: { readonly tls?: true | undefined; readonly ca?: string | undefined },
): BenchTls | null {
  const ours = targets.find(({ kind }) => kind === "stream");
  const clear = ours?.endpoint.startsWith("tcp:") ? withoutSecrets(ours.endpoint) : null;
  if (tls === true && clear !== null) {
    throw new UsageError(`${clear} is without TLS, and --tls wants it`, `give ${clear.replace("tcp", "tls")}`);
  }
  const encrypted = tls === true || ours?.endpoint.startsWith("tls:") === true;
  if (ca !== undefined && (!encrypted || targets.length === 0)) {
    throw new UsageError(
      "--ca says whom to trust at a --target with TLS",
      "for example: --target tls://127.0.0.1:7070",
    );
  }
  return encrypted ? { ca: ca ?? null } : null;
}
