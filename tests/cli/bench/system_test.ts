import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { congestionControl, congestionHint, systemText } from "../../../cli/bench/system.ts";

Deno.test("the machine is told in words, with its congestion control where that is known", () => {
  assertMatch(systemText(null), /^\w+ \w+, Deno \d+\.\d+\.\d+$/);
  assertMatch(systemText("cubic"), /, Deno [^,]+, TCP cubic$/);
});

Deno.test("only a setting that slows every target is worth a hint, which says what to type", () => {
  assertEquals([congestionHint(null), congestionHint("cubic"), congestionHint("reno")], [null, null, null]);
  assertStringIncludes(congestionHint("bbr")!, "sysctl -w net.ipv4.tcp_congestion_control=cubic");
});

Deno.test({
  name: "Linux tells its congestion control",
  ignore: Deno.build.os !== "linux",
  fn: async () => assertMatch(await congestionControl() ?? "", /^[a-z0-9_-]+$/),
});
