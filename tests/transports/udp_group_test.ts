import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../core/errors.ts";
import { namePorts, parseGroup, portsOf } from "../../transports/udp_group.ts";

Deno.test("a group has four ports in a row, or as many as its endpoint says", () => {
  const usual = parseGroup("mcast://239.1.2.3");
  assertEquals([portsOf(usual), namePorts(usual)], [[7071, 7072, 7073, 7074], "7071 to 7074"]);
  assertEquals(usual.address, "239.1.2.3:7071", "it is known by the first");
  const one = parseGroup("mcast://239.1.2.3:65535?ports=1");
  assertEquals([portsOf(one), namePorts(one)], [[65_535], "65535"]);
  const wrong = assertThrows(() => parseGroup("mcast://239.1.2.3:65533"), UsageError);
  assertEquals(
    wrong.message,
    'wrong endpoint "mcast://239.1.2.3:65533": a group has 4 ports in a row, and 65535 is the last one',
  );
  assertEquals(wrong.hint, "give ports=1, or a lower port");
});
