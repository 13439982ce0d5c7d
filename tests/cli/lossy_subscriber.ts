/**
 * A program that subscribes to a group as `stream subscribe --multicast --strict` does, and loses some of all datagrams:
 * GROUP PERCENT SEED COUNT. It writes the messages to stdout, a line each; says on stderr when a sender is heard, and at the
 * end what was lost on the way.
 *
 * @module
 */

import { sealOf } from "../../core/encrypted_seal.ts";
import { openReceiver, parseGroup } from "../../transports/udp_group.ts";
import { groupId } from "../../core/datagram.ts";
import { GroupSubscription } from "../../core/group_subscription.ts";
import { platform } from "../../transports/platform.ts";
import { LossyPort, randomLoss } from "../transports/lossy_port.ts";

const [url, percent, seed, count] = Deno.args as [string, string, string, string];
const group = parseGroup(url);
const { address, largest } = group;
const loses = (index: number) => randomLoss(10 * Number(seed) + index, Number(percent) / 100);
const ports = await openReceiver(group);
const own = new LossyPort(ports.own, { received: loses(0), sent: loses(1) });
const shared = ports.group.map((port, index) => new LossyPort(port, { received: loses(2 + index) }));
await using subscription = new GroupSubscription(platform, { group: shared, own }, {
  group: groupId(platform, address),
  seal: sealOf(platform, null, "receiver"),
  patterns: [],
  repair: true,
  largest,
  onSender: (_from, heard) => heard && console.error("heard"),
});
const stdout = Deno.stdout.writable.getWriter();
let got = 0;
for await (const { payload } of subscription) {
  await stdout.write(new Uint8Array([...payload, 10]));
  if (++got === Number(count)) break;
}
const { datagrams, requests } = subscription.receiver;
const lost = [own, ...shared].reduce((sum, port) => sum + port.lost, 0);
console.error(`lost ${lost} datagrams of ${datagrams}, ${requests} requests`);
