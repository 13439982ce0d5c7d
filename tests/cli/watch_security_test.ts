import { assertEquals } from "@std/assert";
import { watchSecurity } from "../../cli/serve_security.ts";

Deno.test("what changes while a server starts is read again once it runs", async () => {
  const auth = await Deno.makeTempFile({ suffix: ".toml" });
  const ending = new AbortController();
  // What watches keeps no program running; this does.
  const running = setInterval(() => {}, 1_000);
  try {
    const whenChanged = await watchSecurity({ certificate: null, clientCa: undefined, auth }, ending.signal);
    await Deno.writeTextFile(auth, "[anonymous]\n");
    const { promise, resolve } = Promise.withResolvers<string>();
    whenChanged({
      certificates: () => Promise.resolve(resolve("certificates")),
      users: () => Promise.resolve(resolve("users")),
    });
    assertEquals(await promise, "users");
  } finally {
    clearInterval(running);
    ending.abort();
    await Deno.remove(auth);
  }
});
