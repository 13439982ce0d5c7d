import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Check } from "../../../cli/doctor/check.ts";
import { withParameters } from "../../../cli/doctor/commands.ts";
import { jsonOf, textOf } from "../../../cli/doctor/render.ts";
import { summaryOf } from "../../../cli/doctor/summary.ts";
import { eth0, groupOn, lo } from "./machine.ts";

const small: Check = {
  name: "receive buffer",
  state: "warning",
  finding: "holds 9 datagrams of 1,400 bytes: a receiver that pauses loses some",
  advice: ["sudo sysctl -w net.core.rmem_default=4194304  # a purpose that goes beyond the width of the terminal"],
};

Deno.test("a check for people: findings are wrapped, what is to be typed is not", () => {
  assertEquals(
    textOf(small, false, 72),
    `warning  receive buffer   holds 9 datagrams of 1,400 bytes: a receiver
                          that pauses loses some
         sudo sysctl -w net.core.rmem_default=4194304  # a purpose that goes beyond the width of the terminal
`,
  );
  assertStringIncludes(textOf(small, true, 72), "\x1b[33mwarning  \x1b[0mreceive buffer   holds");
});

Deno.test("a check for programs: an object in a line", () => {
  const text = jsonOf(small);
  assertEquals(text.indexOf("\n"), text.length - 1);
  assertEquals(JSON.parse(text), small);
});

const check = (name: string, state: Check["state"]): Check => ({ name, state, finding: "", advice: [] });
const endpoint = "mcast://239.255.70.70:7071";
const examined = { group: groupOn(null), endpoint, keyFile: undefined, network: null };

Deno.test("the summary says whether multicast works, and what to look at", () => {
  assertEquals(summaryOf([check("port", "ok")], examined), "\nMulticast works on this machine.\n");
  assertEquals(
    summaryOf([check("MTU", "warning"), check("port", "ok"), check("TTL", "warning")], examined),
    "\nMulticast works on this machine.\nWarnings: MTU and TTL.\n",
  );
  assertEquals(
    summaryOf([check("port", "wrong")], { ...examined, network: eth0 }),
    "\nMulticast does not work on this machine: port is wrong.\n",
  );
  const two = summaryOf([check("port", "wrong"), check("TTL", "wrong")], { ...examined, group: groupOn(eth0) });
  assertEquals(two, "\nMulticast does not work over eth0: port and TTL are wrong.\n");
});

Deno.test("the summary goes on with what was not looked at", () => {
  const local = summaryOf([], { ...examined, group: groupOn(lo), network: eth0 });
  assertMatch(
    local,
    /on this machine\.\n\n.*\n {4}stream doctor --group 'mcast:\/\/239\.255\.70\.70:7071\?interface=eth0'\n$/,
  );
  const url = `${endpoint}?interface=eth0`;
  const far = summaryOf([], { ...examined, group: groupOn(eth0), endpoint: url });
  assertStringIncludes(far, `\n    stream subscribe --multicast --group '${endpoint}?interface=NAME'\n`);
  assertStringIncludes(far, `\n    stream serve --multicast '${url}' --open\n`);
  const encrypted = summaryOf([], { ...examined, group: groupOn(eth0), endpoint: url, keyFile: "group.key" });
  assertStringIncludes(encrypted, `\n    stream serve --multicast '${url}' --key-file group.key\n`);
});

Deno.test("an endpoint gets parameters, and is safe in a shell", () => {
  assertEquals(withParameters(endpoint, {}), `'${endpoint}'`);
  assertEquals(withParameters(`${endpoint}?rate=1Mbit/s`, { mtu: 1500 }), `'${endpoint}?rate=1Mbit/s&mtu=1500'`);
  assertEquals(
    withParameters(`${endpoint}?interface=a`, { interface: "it's 2" }),
    `'${endpoint}?interface=it%27s%202'`,
  );
});
