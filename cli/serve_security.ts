/**
 * What `stream serve` shows of itself and whom it lets in: certificates and users, which are read again when their files change.
 *
 * @module
 */

import { type Command, Option } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import type { Platform } from "../core/connection.ts";
import { TlsIdentity, type TlsServing } from "../transports/tls_identity.ts";
import { FileAuthority } from "./auth/authority.ts";
import { exposure, readAuthFile } from "./auth/file.ts";
import { Failure } from "./exit.ts";
import type { Log } from "./log.ts";
import { keptIdentity, stateDirectory } from "./self_signed.ts";
import { readText } from "./stdio.ts";
import { watchFiles } from "./watch_files.ts";

/** Where a server's certificate is. */
export type Certificate =
  | { readonly kind: "files"; readonly cert: string; readonly key: string }
  /** One that signs itself, kept in a directory. */
  | { readonly kind: "self-signed"; readonly directory: string };

/** What the user asked of a server's security. */
export interface Security {
  readonly certificate: Certificate | null;
  /** The file of the authorities whose clients are let in with TLS. */
  readonly clientCa: string | undefined;
  /** The file of users. */
  readonly auth: string | undefined;
}

interface Given {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsSelfSigned?: string | true | undefined;
  readonly tlsClientCa?: string | undefined;
  readonly auth?: string | undefined;
}

/** Declares the options. Read them with {@linkcode parseSecurity}. */
export function addSecurityOptions(command: Command): void {
  command
    .option("--tls-cert <file>", "the certificate for tls://, and those between it and one that clients trust (PEM)")
    .option("--tls-key <file>", "its private key (PEM)")
    .addOption(
      new Option(
        "--tls-self-signed [directory]",
        "make a certificate for tls:// and keep it there, for clients that --pin it",
      ),
    )
    .option("--tls-client-ca <file>", "let those in with tls:// who have a certificate of these authorities (PEM)")
    .option("--auth <file>", "who may come in, and what each may do: see stream help auth");
}

/** What the user asked for. */
export function parseSecurity(command: { opts(): object }, listen: readonly string[]): Security {
  const { tlsCert: cert, tlsKey: key, tlsSelfSigned, tlsClientCa: clientCa, auth } = command.opts() as Given;
  const tls = listen.some((endpoint) => endpoint.startsWith("tls:"));
  const certificate = parseCertificate(cert, key, tlsSelfSigned);
  const given = Object.entries({ "--tls-cert": cert, "--tls-self-signed": tlsSelfSigned, "--tls-client-ca": clientCa });
  const idle = given.find(([, value]) => value !== undefined);
  if (!tls && idle !== undefined) {
    throw new UsageError(`${idle[0]} is for TLS, and nothing listens with it`, "give --listen tls://127.0.0.1:7070");
  }
  if (tls && certificate === null) {
    throw new UsageError(
      "--listen tls://... needs a certificate",
      "give --tls-cert FILE and --tls-key FILE, or --tls-self-signed for one that clients pin",
    );
  }
  return { certificate, clientCa, auth };
}

function parseCertificate(
  cert: string | undefined,
  key: string | undefined,
  selfSigned: string | true | undefined,
): Certificate | null {
  if (selfSigned !== undefined) {
    if (cert !== undefined || key !== undefined) {
      throw new UsageError("--tls-self-signed and --tls-cert exclude each other", "give one of them");
    }
    return { kind: "self-signed", directory: selfSigned === true ? stateDirectory() : selfSigned };
  }
  if (cert === undefined && key === undefined) return null;
  if (cert === undefined || key === undefined) {
    throw new UsageError(
      `--tls-${key === undefined ? "cert" : "key"} needs --tls-${key === undefined ? "key" : "cert"} beside it`,
    );
  }
  return { kind: "files", cert, key };
}

/** What a server needs of it. */
export interface OpenSecurity {
  readonly tls: TlsIdentity | null;
  readonly authority: FileAuthority | null;
}

/**
 * Reads the files.
 *
 * @param hosts that the server listens on, for a certificate that it makes itself
 * @throws {Failure} when one cannot be read, or the file of users is wrong
 * @throws {UsageError} when a certificate or key is of no use
 */
export async function openSecurity(
  security: Security,
  hosts: readonly string[],
  platform: Platform,
  log: Log,
): Promise<OpenSecurity> {
  const { certificate, auth } = security;
  const tls = certificate === null ? null : new TlsIdentity(await readServing(security, certificate, hosts));
  if (tls !== null) tell("certificate", tls, log);
  if (auth === undefined) return { tls, authority: null };
  const file = await readAuthFile(auth);
  if ("faults" in file) throw new Failure(`the users cannot be used: ${file.faults.join("; ")}`);
  const exposed = await exposure(auth);
  if (exposed !== undefined) log.warn(exposed);
  const authority = new FileAuthority(file.accounts, platform, ({ address, user, attempts }) => {
    log.warn("authentication failed", { address, ...(user !== "" && { user }), attempts });
  });
  log.info("users", { file: auth, users: file.accounts.size });
  return { tls, authority };
}

/** What is done when files have changed. */
interface Changes {
  certificates(): Promise<void>;
  users(): Promise<void>;
}

/**
 * Begins to watch the files, before they are read for the first time: what changes meanwhile is read again, too. So it is on
 * SIGHUP.
 *
 * @returns takes what is done from now on, and was to be done since the beginning
 */
export async function watchSecurity(security: Security, signal: AbortSignal): Promise<(changes: Changes) => void> {
  const { certificate, clientCa, auth } = security;
  const { promise: ready, resolve } = Promise.withResolvers<Changes>();
  const shown = certificate?.kind === "files" ? [certificate.cert, certificate.key] : [];
  const certificates = async () => await (await ready).certificates();
  const users = async () => await (await ready).users();
  await watchFiles([...shown, ...(clientCa === undefined ? [] : [clientCa])], certificates, signal);
  await watchFiles(auth === undefined ? [] : [auth], users, signal);
  if (Deno.build.os !== "windows") {
    const hangup = () => void certificates().then(users);
    Deno.addSignalListener("SIGHUP", hangup);
    signal.addEventListener("abort", () => Deno.removeSignalListener("SIGHUP", hangup), { once: true });
  }
  return resolve;
}

/**
 * What to do when the files have changed: they are read again. What is wrong is told, and what was before goes on.
 *
 * @param revised called when the users have changed
 */
export function changesOf(
  security: Security,
  { tls, authority }: OpenSecurity,
  hosts: readonly string[],
  revised: () => void,
  log: Log,
): Changes {
  const { certificate, auth } = security;
  const attempt = async (what: string, read: () => Promise<void>) => {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof Failure || error instanceof UsageError)) throw error;
      log.error(`${what} cannot be used, what was before stays`, { why: error.message });
    }
  };
  const renew = async () => {
    if (tls === null || certificate === null) return;
    tls.renew(await readServing(security, certificate, hosts));
    tell("certificate renewed", tls, log);
  };
  const reread = async () => {
    if (authority === null || auth === undefined) return;
    const file = await readAuthFile(auth);
    if ("faults" in file) throw new Failure(file.faults.join("; "));
    authority.replace(file.accounts);
    revised();
    log.info("users read again", { file: auth, users: file.accounts.size });
  };
  return {
    certificates: () => attempt("the new certificate", renew),
    users: () => attempt("the new file of users", reread),
  };
}

async function readServing(
  security: Security,
  certificate: Certificate,
  hosts: readonly string[],
): Promise<TlsServing> {
  const { clientCa } = security;
  const pair = certificate.kind === "self-signed"
    ? await keptIdentity(certificate.directory, hosts)
    : { cert: await readText(certificate.cert, "--tls-cert"), key: await readText(certificate.key, "--tls-key") };
  return clientCa === undefined ? pair : { ...pair, clientCa: await readText(clientCa, "--tls-client-ca") };
}

/** What a client would not take soon is worth a warning, in milliseconds. */
const soon = 14 * 86_400_000;

function tell(what: string, { fingerprint, expires }: TlsIdentity, log: Log): void {
  const fields = { fingerprint, expires: expires.toISOString().slice(0, 10) };
  const left = expires.getTime() - Date.now();
  log.info(what, fields);
  if (left < soon) log.warn(left < 0 ? "the certificate has expired" : "the certificate expires soon", fields);
}
