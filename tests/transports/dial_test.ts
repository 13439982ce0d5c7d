import { assert, assertEquals, assertRejects } from "@std/assert";
import { TransportError, UsageError } from "../../core/errors.ts";
import { dial, listen } from "../../transports/dial.ts";

Deno.test("dial and listen go by the scheme", async () => {
  using listener = await listen("tcp://127.0.0.1:0");
  const [here, there] = await Promise.all([dial(`${listener.endpoint}/ticks`), listener.accept()]);
  using _here = here;
  using _there = there;
  assertEquals(`tcp://${here.peer}`, listener.endpoint);
});

Deno.test("what cannot be dialled or listened on is a usage error", async () => {
  const wrong: [() => Promise<unknown>, string][] = [
    [() => dial("tcp://127.0.0.1:0"), "port 0 cannot be connected to"],
    [() => dial("file:///tmp/a"), "file:// does not go here"],
    [() => listen("-"), "stdin and stdout do not go here"],
    [() => listen("tcp://127.0.0.1:0/ticks"), "a listener serves all topics"],
    [() => listen("tcp://127.0.0.1:0?topics=a"), "a listener serves all topics"],
  ];
  for (const [attempt, message] of wrong) {
    const error = await assertRejects(attempt, UsageError, message);
    assert(error.hint);
  }
});

Deno.test("a port in use is a transport error", async () => {
  using listener = await listen("tcp://127.0.0.1:0");
  await assertRejects(() => listen(listener.endpoint), TransportError, "is in use");
});
