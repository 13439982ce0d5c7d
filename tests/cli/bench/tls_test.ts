import { assertEquals, assertRejects } from "@std/assert";
import { BenchCertificate, readTrust } from "../../../cli/bench/tls.ts";
import { Failure } from "../../../cli/exit.ts";
import { TlsIdentity } from "../../../transports/tls_identity.ts";

Deno.test("a certificate is in files while it is wanted, and its key is for this user alone", async () => {
  const certificate = await BenchCertificate.make();
  const { certFile, keyFile, trust } = certificate;
  const cert = await Deno.readTextFile(certFile);
  assertEquals(trust, { ca: cert });
  // It throws where they do not belong together.
  new TlsIdentity({ cert, key: await Deno.readTextFile(keyFile) });
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(keyFile)).mode! & 0o777, 0o600);
  assertEquals((await readTrust(certFile)).ca, cert);
  await certificate[Symbol.asyncDispose]();
  for (const file of [certFile, keyFile]) await assertRejects(() => Deno.stat(file), Deno.errors.NotFound);
  await assertRejects(() => readTrust(certFile), Failure, `cannot read --ca ${JSON.stringify(certFile)}: no such file`);
});

Deno.test("without a file whom the system trusts is trusted", async () => {
  assertEquals(await readTrust(null), {});
});
