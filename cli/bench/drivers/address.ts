/**
 * Where a server of another kind is: a URL that may name a user.
 *
 * @module
 */

import { UsageError } from "../../../core/errors.ts";
import { formatAddress } from "../../../transports/endpoint.ts";

/** A parsed endpoint of another server. */
export interface Address {
  /** As it is shown, with its port and without user and password: `nats://127.0.0.1:4222`. */
  readonly text: string;
  /** A name or an address, an IPv6 address without brackets. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
  /** The user, decoded; `null` without one, and empty in `redis://:password@host`. */
  readonly user: string | null;
  /** The password, decoded; `null` without one. */
  readonly password: string | null;
}

/**
 * Parses an endpoint: `scheme://[user[:password]@]host[:port]`.
 *
 * @throws {UsageError} when it is wrong
 */
export function parseAddress(endpoint: string, scheme: string, defaultPort: number): Address {
  const url = URL.parse(endpoint);
  // The value is not quoted where it may hold a password.
  const quoted = endpoint.includes("@") ? "" : ` ${JSON.stringify(endpoint)}`;
  const rest = url === null ? "" : `${url.pathname.replace(/^\/$/, "")}${url.search}${url.hash}`;
  if (url?.protocol !== `${scheme}:` || url.hostname === "" || url.port === "0" || rest !== "") {
    throw new UsageError(
      `wrong endpoint${quoted}: it is not ${scheme}://[user:password@]host[:port]`,
      `for example: ${scheme}://127.0.0.1:${defaultPort}`,
    );
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? defaultPort : Number(url.port);
  const named = url.username !== "" || url.password !== "";
  return {
    text: `${scheme}://${formatAddress(host, port)}`,
    host,
    port,
    user: named ? decode(url.username) : null,
    password: url.password === "" ? null : decode(url.password),
  };
}

/** A text without the users and passwords that stand in its URLs: `nats://...@127.0.0.1:4222`. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(/:\/\/\S*@/g, "://...@");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UsageError(
      "wrong endpoint: a % in its user or password is not followed by two hex digits",
      "write % as %25",
    );
  }
}
