import { parseEndpoint } from "../../transports/endpoint.ts";
import { listenTls } from "../../transports/tls.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { TlsIdentity } from "../../transports/tls_identity.ts";
import { selfSigned } from "../../transports/tls_self_signed.ts";
import { contract } from "./contract.ts";

const anyPort = parseEndpoint("tls://127.0.0.1:0");
const serving = await selfSigned(["localhost", "127.0.0.1"]);
const identity = new TlsIdentity(serving);

for (const [how, trust] of [["verified", { ca: serving.cert }], ["pinned", { pin: identity.fingerprint }]] as const) {
  contract(`tls, ${how}`, {
    listen: () => listenTls(anyPort, identity),
    dial: (listener) => dialTls(parseEndpoint(listener.endpoint), trust),
    dialWith: (listener, signal) => dialTls(parseEndpoint(listener.endpoint), trust, signal),
    overflow: 32 << 20,
  });
}
