import { assert, assertEquals } from "@std/assert";
import { connect, listen, serve } from "../../mod.ts";

Deno.test("the memory of a server may be shared with other threads: inputs, logs and writes work as before", async () => {
  const blocks: SharedArrayBuffer[] = [];
  await using server = serve({
    allocate(size) {
      const block = new SharedArrayBuffer(size);
      blocks.push(block);
      return block;
    },
  });
  using listener = await listen("tcp://127.0.0.1:0");
  const serving = server.serve(listener);
  await using link = await connect(listener.endpoint);
  const subscription = link.subscribe("a");
  await subscription.ready;
  const payload = new Uint8Array(300_000).map((_, i) => i % 251);
  for (let i = 0; i < 20; i++) link.publisher.send("a", payload, 0, i * 15_000);
  await link.publisher.flush();
  let count = 0;
  for await (const message of subscription) {
    assertEquals(message.payload, payload.subarray(0, count * 15_000));
    if (++count === 20) break;
  }
  assert(blocks.length > 1);
  await link.close();
  await server.drain(1_000);
  await serving;
});
