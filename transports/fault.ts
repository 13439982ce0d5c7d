/**
 * What the operating system's network errors mean to a user, and what to do about them.
 *
 * @module
 */

import { TransportError } from "../core/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** What an error of the system says of itself: `ECONNREFUSED`, or an empty text. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** The failure to connect, for a user. */
export function dialFault(endpoint: Endpoint, text: string, error: unknown): TransportError {
  return new TransportError(`connect to ${text}`, text, whyDial(endpoint, error), error);
}

function whyDial(endpoint: Endpoint, error: unknown): string {
  switch (errorCode(error)) {
    case "ECONNREFUSED":
      return "connection refused: is a server running there?";
    case "ECONNRESET":
      return "the connection was reset: is it this protocol that is spoken there?";
    case "ETIMEDOUT":
      return "no answer: check the address, and what a firewall lets through";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return `${endpoint.host} cannot be reached from here: check the address and the network`;
    case "EADDRNOTAVAIL":
      return `no local address leads to ${endpoint.host}: check the address, or whether local ports have run out`;
  }
  return whyAny(endpoint, error);
}

/** The failure to listen, for a user. */
export function listenFault(endpoint: Endpoint, text: string, error: unknown): TransportError {
  return new TransportError(`listen on ${text}`, text, whyListen(endpoint, error), error);
}

function whyListen(endpoint: Endpoint, error: unknown): string {
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return `port ${endpoint.port} is in use: stop what uses it, or choose another (0 takes a free one)`;
    case "EADDRNOTAVAIL":
      return `${endpoint.host} is not an address of this machine: 127.0.0.1 serves this machine, 0.0.0.0 all that reach it`;
    case "EACCES":
    case "EPERM":
      return `port ${endpoint.port} is not permitted: those below 1024 are for privileged users, choose a higher one`;
  }
  return whyAny(endpoint, error);
}

function whyAny(endpoint: Endpoint, error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "network access was not granted to this program: run it with --allow-net";
  }
  switch (errorCode(error)) {
    case "EACCES":
    case "EPERM":
      return "the system does not permit it: check firewall and sandbox rules";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open: raise the limit (ulimit -n)";
  }
  const message = error instanceof Error ? error.message : String(error);
  // A failed lookup has neither a class nor a code of its own.
  if (message.includes("lookup address")) {
    return `no address is known for the name ${JSON.stringify(endpoint.host)}: check its spelling`;
  }
  return message.split("\n")[0]!;
}

/** Why a connection that was open could not be read or written. */
export function connectionFault(attempted: string, endpoint: string, error: unknown): unknown {
  const why = whyBroken(error);
  return why === null ? error : new TransportError(attempted, endpoint, why, error);
}

function whyBroken(error: unknown): string | null {
  if (error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource) return "it was closed here";
  if (error instanceof Deno.errors.UnexpectedEof) return "the other end cut the connection off";
  if (error instanceof Deno.errors.InvalidData || errorCode(error).startsWith("ERR_SSL_")) return whyTls(String(error));
  switch (errorCode(error)) {
    case "EPIPE":
    case "ENOTCONN":
      return "the other end closed the connection";
    case "ECONNRESET":
    case "ECONNABORTED":
      return "the other end reset the connection";
    case "ETIMEDOUT":
      return "the other end no longer answers";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "ENETDOWN":
      return "the network is down";
  }
  return null;
}

/** What TLS says of a connection that was open: an alert came, or bytes that are not the other end's. */
function whyTls(message: string): string {
  if (message.includes("CertificateRequired")) {
    return "the other end asks for a client certificate: give --cert and --key";
  }
  const alert = /received fatal alert: (\w+)/.exec(message)?.[1];
  return alert === undefined
    ? "what came is not what the other end sent"
    : `the other end ended it with the alert ${alert}`;
}
