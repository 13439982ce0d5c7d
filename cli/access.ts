/**
 * How commands get at a server: which one it is, whom they trust, and who they say they are.
 *
 * @module
 */

import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Credentials } from "../core/client_session.ts";
import { UsageError } from "../core/errors.ts";
import { type Endpoint, parseEndpoint, splitCredentials } from "../transports/endpoint.ts";
import type { TlsTrust } from "../transports/tls_dial.ts";
import { parseFingerprint } from "../transports/tls_certificate.ts";
import { defaultServer, isLoopback, parseServer } from "./endpoints.ts";
import type { Log } from "./log.ts";
import { valueOption } from "./program.ts";
import { readText } from "./stdio.ts";

/** What the user said of the server. */
export interface Access {
  /** Its endpoint, with its port and without a secret. */
  readonly server: string;
  /** What stood before the host; `null` where nothing did. */
  readonly credentials: Credentials | null;
  /** Whether a password stood on the command line, where other users of the machine see it. */
  readonly exposed: boolean;
  /** The file that a token is in. */
  readonly tokenFile: string | undefined;
  /** The file of certificates to trust instead of the system's. */
  readonly ca: string | undefined;
  /** The fingerprint of the server's certificate. */
  readonly pin: string | undefined;
  /** Whether any certificate will do, and a secret may go unencrypted. */
  readonly insecure: boolean;
  /** The files of the own certificate and its key. */
  readonly client: { readonly cert: string; readonly key: string } | null;
}

/** What opening a connection takes, once the files are read. */
export interface OpenAccess {
  /** Where to connect to. */
  readonly server: string;
  /** Whom to trust. */
  readonly trust: TlsTrust;
  /** Who to be. */
  readonly credentials: Credentials;
}

/** The values of the options that {@linkcode addAccessOptions} declares. */
interface GivenAccess {
  readonly server?: GivenServer | undefined;
  readonly tokenFile?: string | undefined;
  readonly ca?: string | undefined;
  readonly pin?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** A server with who to be there. */
export interface GivenServer {
  readonly server: string;
  readonly credentials: Credentials | null;
}

/** Reads a server's URL, in which a user and its password, or a token, may stand before the host. */
export function parseAccess(text: string): GivenServer {
  const { endpoint, credentials } = splitCredentials(text);
  return { server: parseServer(endpoint), credentials };
}

/** Declares what every command takes that talks to a server. Read it with {@linkcode accessOf}. */
export function addAccessOptions(command: CommandUnknownOpts): void {
  command
    .addOption(
      valueOption(
        "-s, --server <url>",
        `the server to talk to (default: ${defaultServer})`,
        // An empty STREAM_SERVER names none.
        (text) => parseAccess(text === "" ? defaultServer : text),
      ).env("STREAM_SERVER"),
    )
    .option("--token-file <file>", "the token that says who you are (also: STREAM_TOKEN)")
    .option("--ca <file>", "with tls://, trust the certificates in that file instead of the system's")
    .addOption(
      valueOption("--pin <sha256>", "with tls://, trust the certificate of that fingerprint only", parseFingerprint),
    )
    .option("--insecure", "trust any certificate, and send a secret unencrypted if need be")
    .option("--cert <file>", "your own certificate, for servers that ask for one")
    .option("--key <file>", "its private key");
}

/**
 * What the user said of the server.
 *
 * @param instead of the server that `--server` names
 */
export function accessOf(command: CommandUnknownOpts, instead?: GivenServer): Access {
  const given: GivenAccess = command.opts();
  const { server, credentials } = instead ?? given.server ?? parseAccess(defaultServer);
  const { cert, key } = given;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError(
      `--${cert === undefined ? "key" : "cert"} needs --${cert === undefined ? "cert" : "key"} beside it`,
    );
  }
  const access: Access = {
    server,
    credentials,
    // What stands in STREAM_SERVER is not seen by others.
    exposed: credentials !== null && (instead !== undefined || command.getOptionValueSource("server") === "cli"),
    tokenFile: given.tokenFile,
    ca: given.ca,
    pin: given.pin,
    insecure: given.insecure === true,
    client: cert === undefined || key === undefined ? null : { cert, key },
  };
  const { scheme } = parseEndpoint(server);
  for (const [name, value] of Object.entries({ ca: given.ca, pin: given.pin, cert })) {
    if (value === undefined || scheme === "tls") continue;
    throw new UsageError(
      `--${name} goes with tls://, and the server is ${server}`,
      `give -s ${server.replace(scheme, "tls")}`,
    );
  }
  return access;
}

/**
 * Reads the files that an access names, and checks that no secret goes where it can be read.
 *
 * @throws {Failure} when a file cannot be read
 * @throws {UsageError} when a secret would go unencrypted
 */
export async function openAccess(
  access: Access,
  log: Log,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<OpenAccess> {
  const { server, ca, pin, insecure, client } = access;
  const credentials = await credentialsOf(access, env("STREAM_TOKEN"));
  const endpoint = parseEndpoint(server);
  if (access.exposed && credentials.secret !== undefined) {
    log.warn("a secret on the command line can be seen by others on this machine: use --token-file or STREAM_TOKEN");
  }
  if (insecure && endpoint.scheme === "tls") {
    log.warn(
      "--insecure: the server's certificate is not checked: whoever is on the way can read and change everything",
    );
  }
  if (credentials.secret !== undefined) requireEncryption(endpoint, server, insecure, log);
  return {
    server,
    trust: {
      ...(ca !== undefined && { ca: await readText(ca, "--ca") }),
      ...(pin !== undefined && { pin }),
      ...(insecure && { insecure }),
      ...(client !== null && {
        client: { cert: await readText(client.cert, "--cert"), key: await readText(client.key, "--key") },
      }),
    },
    credentials,
  };
}

function requireEncryption({ scheme, host }: Endpoint, server: string, insecure: boolean, log: Log): void {
  if (scheme === "tls" || isLoopback(host)) return;
  if (!insecure) {
    throw new UsageError(
      `${server} is not encrypted: everybody on the way could read the secret`,
      `use ${server.replace(scheme, "tls")}, or give --insecure if that is meant`,
    );
  }
  log.warn("--insecure: a secret goes unencrypted: everybody on the way can read it", { server });
}

/** What stands in the URL goes first, then the file, then the environment. */
async function credentialsOf({ credentials, tokenFile }: Access, token: string | undefined): Promise<Credentials> {
  if (credentials !== null && tokenFile !== undefined && credentials.secret !== undefined) {
    throw new UsageError("--token-file and a secret in the URL exclude each other", "give one of them");
  }
  if (tokenFile !== undefined) {
    const secret = (await readText(tokenFile, "--token-file")).trim();
    if (secret === "") throw new UsageError(`--token-file: ${JSON.stringify(tokenFile)} is empty`);
    return { ...credentials, secret: checkedSecret(secret, "--token-file") };
  }
  if (credentials?.secret !== undefined || !token) return credentials ?? {};
  return { ...credentials, secret: checkedSecret(token, "STREAM_TOKEN") };
}

/** What a text of the protocol holds. */
const longestSecret = 255;

function checkedSecret(secret: string, where: string): string {
  if (new TextEncoder().encode(secret).length <= longestSecret) return secret;
  throw new UsageError(`${where}: a token has ${longestSecret} bytes at most`, "stream passwd --token makes one");
}
