/**
 * The certificate that a server makes for itself, kept so that clients which have pinned it know it again.
 *
 * @module
 */

import { selfSigned } from "../transports/tls_self_signed.ts";
import type { KeyPair } from "../transports/tls_identity.ts";
import { Failure } from "./exit.ts";
import { fileReason } from "./stdio.ts";

/** Where programs keep what is to last and is nobody's to edit, by platform. */
export function stateDirectory(env: (name: string) => string | undefined = Deno.env.get): string {
  const home = env("HOME") ?? ".";
  if (Deno.build.os === "windows") return `${env("LOCALAPPDATA") ?? "."}\\stream`;
  if (Deno.build.os === "darwin") return `${home}/Library/Application Support/stream`;
  return `${env("XDG_STATE_HOME") || `${home}/.local/state`}/stream`;
}

/**
 * The certificate in a directory; made now if there is none.
 *
 * @param hosts that it is to be valid for, besides this machine's own names; those of one that is there stay as they are
 * @throws {Failure} when it cannot be read or written
 */
export async function keptIdentity(directory: string, hosts: readonly string[]): Promise<KeyPair> {
  const [certPath, keyPath] = [`${directory}/self-signed.pem`, `${directory}/self-signed.key`];
  try {
    return { cert: await Deno.readTextFile(certPath), key: await Deno.readTextFile(keyPath) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw failure("read", directory, error);
  }
  const pair = await selfSigned([...new Set(["localhost", ...ownNames(), ...hosts])]);
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    // The key first: where there is a certificate, there is its key.
    await Deno.writeTextFile(keyPath, pair.key, { mode: 0o600 });
    await Deno.writeTextFile(certPath, pair.cert);
  } catch (error) {
    throw failure("keep", directory, error);
  }
  return pair;
}

/** What this machine is called by others, and by itself. */
function ownNames(): string[] {
  const addresses = Deno.networkInterfaces().map(({ address }) => address.replace(/%.*$/, ""));
  // A link-local address means nothing without an interface.
  return [Deno.hostname(), "127.0.0.1", "::1", ...addresses.filter((address) => !/^fe[89ab]/i.test(address))];
}

function failure(what: string, directory: string, error: unknown): Failure {
  return new Failure(`cannot ${what} the certificate in ${JSON.stringify(directory)}: ${fileReason(error)}`);
}
