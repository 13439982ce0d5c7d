/**
 * Endpoints: the URLs a user types for what a program listens on, connects to, reads or writes.
 *
 * @module
 */

import { encodeText } from "../core/bytes.ts";
import { UsageError } from "../core/errors.ts";
import { patternFault, topicFault } from "../core/pattern.ts";
import { parameterFaults, type Scheme, schemes, type SchemeShape } from "./schemes.ts";

/** A parsed endpoint. `formatEndpoint` gives its text back. */
export interface Endpoint {
  /** What is spoken there. */
  readonly scheme: Scheme;
  /** A name or an address, an IPv6 address without brackets; empty for `file` and `stdio`. */
  readonly host: string;
  /** 0 to 65,535, where 0 asks a listener for a free one; 0 for `file` and `stdio`. */
  readonly port: number;
  /** The topic in the path, or `null` without one and for schemes whose path is none. */
  readonly topic: string | null;
  /** The path, decoded, for schemes that have one of their own (`file`, `http`, `ws`); otherwise `null`. */
  readonly path: string | null;
  /** The patterns of `?topics=`; empty without it. */
  readonly topics: readonly string[];
  /** The other query parameters, by name, decoded. */
  readonly options: ReadonlyMap<string, string>;
}

/**
 * Parses an endpoint.
 *
 * @param text what a user typed: `tcp://127.0.0.1:7070/ticks`, `mcast://239.255.70.70?ttl=1`, `-`
 * @param accepted the schemes that make sense here; all of them unless given
 * @throws {UsageError} when it is wrong; the message names the part, the hint shows a right one
 *
 * @example
 * ```ts
 * import { parseEndpoint } from "../transports/endpoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint = parseEndpoint("tcp://[::1]/sensors/kitchen?topics=a/%23,b");
 * assertEquals(endpoint.host, "::1");
 * assertEquals(endpoint.port, 7070);
 * assertEquals(endpoint.topic, "sensors/kitchen");
 * assertEquals(endpoint.topics, ["a/#", "b"]);
 * ```
 */
export function parseEndpoint(
  text: string,
  accepted: readonly Scheme[] = Object.keys(schemes) as Scheme[],
): Endpoint {
  const parts = /^(?:([^:/?#]*):\/\/)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(text);
  const [, name, authority = "", rawPath = "", query, fragment] = parts ?? [];
  const scheme = schemeOf(text, name, authority, accepted);
  const shape: SchemeShape = schemes[scheme];
  const wrong = (why: string, hint = `for example: ${shape.example}`) => new UsageError(wrongEndpoint(text, why), hint);

  if (scheme === "stdio") {
    return { scheme, host: "", port: 0, topic: null, path: null, topics: [], options: new Map() };
  }
  if (fragment !== undefined) {
    throw wrong("a # begins a fragment, which means nothing here", `write # as %23: ${text.replaceAll("#", "%23")}`);
  }
  const decode = (part: string, what: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw wrong(`the ${what} ${JSON.stringify(part)} has a % that no two hex digits follow`, "write % itself as %25");
    }
  };

  const { host, port } = parseAuthority(authority, scheme, shape, wrong);
  const { topic, path } = parsePath(decode(rawPath, "path"), scheme, shape, wrong);
  const topics: string[] = [];
  const options = new Map<string, string>();
  for (const pair of query ? query.split("&") : []) {
    const split = pair.indexOf("=");
    const key = decode(split < 0 ? pair : pair.slice(0, split), "parameter");
    const value = split < 0 ? "" : pair.slice(split + 1);
    if (!shape.parameters.includes(key)) {
      const known = shape.parameters.length > 0 ? `it knows ${shape.parameters.join(", ")}` : "it takes none";
      throw wrong(`${scheme} has no parameter ${JSON.stringify(key)}: ${known}`);
    }
    if (options.has(key) || (key === "topics" && topics.length > 0)) throw wrong(`${key} is given twice`);
    if (value === "") throw wrong(`${key} has no value`);
    if (key === "topics") {
      // Split before decoding, so that %2C is a comma within a pattern.
      topics.push(...value.split(",").map((pattern) => decode(pattern, "pattern")));
      continue;
    }
    const decoded = decode(value, `value of ${key}`);
    const fault = parameterFaults[key]?.(decoded);
    if (fault) throw wrong(`${key}=${decoded}: ${fault}`);
    options.set(key, decoded);
  }
  for (const pattern of topics) {
    const fault = patternFault(pattern);
    if (fault) throw wrong(`the pattern ${JSON.stringify(pattern)} is not valid: ${fault}`);
  }
  return { scheme, host, port, topic, path, topics, options };
}

function wrongEndpoint(text: string, why: string): string {
  return `wrong endpoint ${JSON.stringify(withoutSecret(text))}: ${why}`;
}

/** A text that may be an endpoint, without what may be a secret in it: all before the last `@`, wherever that stands. */
export function withoutSecret(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1...@");
}

/** Who to be at a server: see {@linkcode splitCredentials}. */
export interface UrlCredentials {
  /** The user's name, if one is given. */
  readonly user?: string;
  /** Its password, or a token. */
  readonly secret?: string;
}

/**
 * Takes out of an endpoint what stands before its host: `user:password@`, `user:@`, or `token@`. Both are decoded.
 *
 * @throws {UsageError} when it has a `%` that no two hex digits follow, is longer than 255 bytes, or there is an `@` elsewhere:
 * then a secret may stand where none is looked for, and what cannot be told from one is not quoted
 *
 * @example
 * ```ts
 * import { splitCredentials } from "../transports/endpoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const { endpoint, credentials } = splitCredentials("tls://alice:a%40b@example.com:7070");
 * assertEquals(endpoint, "tls://example.com:7070");
 * assertEquals(credentials, { user: "alice", secret: "a@b" });
 * assertEquals(splitCredentials("tls://token@example.com").credentials, { secret: "token" });
 * ```
 */
export function splitCredentials(text: string): { endpoint: string; credentials: UrlCredentials | null } {
  const hint = "what a URL has a meaning for is written with %: %40 is @, %3A is :, %2F is /, %3F is ?, %23 is #";
  const wrong = (why: string) => new UsageError(wrongEndpoint(text, why), hint);
  const parts = /^([^:/?#]*:\/\/)([^/?#]*)@([^@/?#]*)([^@]*)$/.exec(text);
  if (parts === null) {
    if (!text.includes("@")) return { endpoint: text, credentials: null };
    throw wrong("its user or secret is not well-formed, or it has an @ behind the host");
  }
  const [, scheme = "", given = "", host = "", rest = ""] = parts;
  const decode = (part: string) => {
    let decoded: string;
    try {
      decoded = decodeURIComponent(part);
    } catch {
      throw wrong("the user or the secret has a % that no two hex digits follow");
    }
    if (encodeText(decoded).length <= 255) return decoded;
    throw wrong("a user and a secret have 255 bytes at most");
  };
  const colon = given.indexOf(":");
  const [user, secret] = colon < 0 ? ["", given] : [given.slice(0, colon), given.slice(colon + 1)];
  const credentials = {
    ...(user !== "" && { user: decode(user) }),
    ...(secret !== "" && { secret: decode(secret) }),
  };
  return { endpoint: `${scheme}${host}${rest}`, credentials };
}

function schemeOf(text: string, name: string | undefined, authority: string, accepted: readonly Scheme[]): Scheme {
  const written = accepted.map((it) => it === "stdio" ? "-" : it).join(", ");
  const example = `for example: ${schemes[accepted[0] ?? "tcp"].example}`;
  if (text === "-") {
    if (accepted.includes("stdio")) return "stdio";
    throw new UsageError(wrongEndpoint(text, `stdin and stdout do not go here: what goes is ${written}`), example);
  }
  if (name === undefined) {
    const hint = /^[\w.-]+(:\d+)?$|^\[/.test(authority) && accepted.includes("tcp") ? `is it tcp://${text}?` : example;
    throw new UsageError(wrongEndpoint(text, "it has no scheme, such as tcp://"), hint);
  }
  const scheme = accepted.find((it) => it === name.toLowerCase() && it !== "stdio");
  if (scheme !== undefined) return scheme;
  const why = Object.hasOwn(schemes, name.toLowerCase()) && name !== "stdio"
    ? `${name}:// does not go here: what goes is ${written}`
    : `the scheme ${JSON.stringify(name)} is not known: known are ${written}`;
  throw new UsageError(wrongEndpoint(text, why), example);
}

type Wrong = (why: string, hint?: string) => UsageError;

function parseAuthority(
  authority: string,
  scheme: Scheme,
  shape: SchemeShape,
  wrong: Wrong,
): { host: string; port: number } {
  if (shape.defaultPort === null) {
    if (authority === "") return { host: "", port: 0 };
    throw wrong(`${scheme} has no host, and ${JSON.stringify(authority)} stands where one would`);
  }
  // The value is not quoted: what stands before an @ may be a password.
  if (authority.includes("@")) throw wrong("it has a user or password in it, which does not go into a URL here");
  const parts = /^(\[[^\]]*\]|[^:[\]]*)(?::([^:[\]]*))?$/.exec(authority);
  if (parts === null) {
    throw wrong(
      `the host ${JSON.stringify(authority)} is not valid`,
      "an IPv6 address stands in brackets: tcp://[::1]:7070",
    );
  }
  const [, host = "", port] = parts;
  if (host === "") throw wrong("it has no host");
  return { host: parseHost(host, wrong), port: parsePort(port, shape.defaultPort, wrong) };
}

function parseHost(host: string, wrong: Wrong): string {
  const canonical = URL.parse(`http://${host}/`)?.hostname;
  const address = canonical !== undefined && /^[\d.]+$/.test(canonical);
  // The URL standard reads 127.1 and 2130706433 as 127.0.0.1; here they are mistakes.
  if (canonical === undefined || canonical === "" || (address && canonical !== host)) {
    throw wrong(`the host ${JSON.stringify(host)} is neither a name nor an address`);
  }
  return canonical.startsWith("[") ? canonical.slice(1, -1) : canonical;
}

function parsePort(port: string | undefined, defaultPort: number, wrong: Wrong): number {
  if (port === undefined) return defaultPort;
  if (!/^\d+$/.test(port) || Number(port) > 65_535) {
    throw wrong(`the port ${JSON.stringify(port)} is not a number from 0 to 65535`);
  }
  return Number(port);
}

function parsePath(
  path: string,
  scheme: Scheme,
  shape: SchemeShape,
  wrong: Wrong,
): { topic: string | null; path: string | null } {
  if (shape.path === "path") {
    if (scheme === "file" && path.length < 2) throw wrong("it has no path");
    return { topic: null, path: path === "" ? "/" : path };
  }
  const rest = path.slice(1);
  if (rest === "") return { topic: null, path: null };
  if (shape.path === "none") throw wrong(`${scheme} has no path, and ${JSON.stringify(path)} is one`);
  const fault = topicFault(rest);
  if (fault === null) return { topic: rest, path: null };
  const pattern = patternFault(rest) === null
    ? `a pattern goes into the query: ?topics=${encodePart(rest)}`
    : undefined;
  throw wrong(`the topic ${JSON.stringify(rest)} is not valid: ${fault}`, pattern);
}

/** Escapes what would end a part of a URL early; the rest stays readable. */
function encodePart(text: string): string {
  return text.replace(/[%#?&,\s"<>]/gu, (it) => encodeURIComponent(it));
}

/**
 * An endpoint as a user would type it, with its port: `tcp://[::1]:7070/ticks`.
 *
 * @example
 * ```ts
 * import { formatEndpoint, parseEndpoint } from "../transports/endpoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint = parseEndpoint("tcp://localhost");
 * assertEquals(formatEndpoint({ ...endpoint, port: 41001 }), "tcp://localhost:41001");
 * ```
 */
export function formatEndpoint(endpoint: Endpoint): string {
  const { scheme, host, port, topic, path, topics, options } = endpoint;
  if (scheme === "stdio") return "-";
  const authority = schemes[scheme].defaultPort === null ? "" : formatAddress(host, port);
  const place = path !== null ? encodePart(path) : topic !== null ? `/${encodePart(topic)}` : "";
  const query = [
    ...(topics.length > 0 ? [`topics=${topics.map(encodePart).join(",")}`] : []),
    ...[...options].map(([key, value]) => `${key}=${encodePart(value)}`),
  ];
  return `${scheme}://${authority}${place}${query.length > 0 ? `?${query.join("&")}` : ""}`;
}

/** A host and a port, `127.0.0.1:7070`, an IPv6 address in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
