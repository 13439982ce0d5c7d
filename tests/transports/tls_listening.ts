/** A program that listens with TLS, and says what happens to it: its address and fingerprint first, then each failed accept. */

import { selfSigned } from "../../transports/tls_self_signed.ts";
import { TlsServer } from "./tls_server.ts";

const server = await TlsServer.start(await selfSigned(["127.0.0.1"]), {
  onAcceptError: ({ message }) => console.log(`failed ${message}`),
});
console.log(`listening ${server.address} ${server.identity.fingerprint}`);
