/**
 * Which cipher a server chooses: two servers with different ones do not have the same work to do.
 *
 * @module
 */

import { createConnection } from "node:net";
import { connect } from "node:tls";
import type { TargetKind } from "./driver.ts";

/** How long a server may take to answer, in milliseconds. */
const patience = 5_000;

/**
 * The cipher of a connection such as the load generator makes: `TLS_AES_256_GCM_SHA384`; `null` where none was agreed upon.
 *
 * @param server one that was started here, with TLS: whose certificate it shows is not looked at
 */
export async function cipherOf(
  { kind, endpoint }: { readonly kind: TargetKind; readonly endpoint: string },
): Promise<string | null> {
  const { hostname, port } = new URL(endpoint.replace(/^\w+:/, "http:"));
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const none = () => resolve(null);
  const tcp = createConnection(Number(port), hostname);
  const timer = setTimeout(none, patience);
  tcp.on("error", none);
  tcp.on("close", none);
  // A NATS server speaks first, in the clear.
  tcp.once(kind === "nats" ? "data" : "connect", () => {
    const tls = connect({ socket: tcp, rejectUnauthorized: false }, () => resolve(tls.getCipher().standardName));
    tls.on("error", none);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    tcp.destroy();
  }
}
