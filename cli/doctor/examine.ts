/**
 * All checks, in their order.
 *
 * @module
 */

import { isLoopbackInterface } from "../../transports/interfaces.ts";
import { type Group, portsOf } from "../../transports/udp_group.ts";
import { rateOf } from "../serve_group.ts";
import type { Check } from "./check.ts";
import type { System } from "./commands.ts";
import { checkInterfaces, readDevices } from "./interfaces.ts";
import { checkJoining, readJoiningLimits, tryJoining } from "./joining.ts";
import { checkKernelDrops, readCounters, readSocketDrops } from "./kernel_drops.ts";
import { checkMtu } from "./mtu.ts";
import { checkPorts, tryPorts, usersOf } from "./port.ts";
import { checkReceiveBuffer, measureReceiveBuffer } from "./receive_buffer.ts";
import { checkRoute, findWay } from "./route.ts";
import { checkSelfTest, runSelfTest } from "./self_test.ts";
import type { SystemFiles } from "./system_files.ts";
import { checkTtl, tryTtl } from "./ttl.ts";

/** What is examined. */
export interface Examination {
  readonly group: Group;
  /** Its URL, as the user gave it. */
  readonly endpoint: string;
  /** 32 bytes, or `null` for no encryption. */
  readonly key: Uint8Array | null;
  readonly system: System;
  readonly files: SystemFiles;
}

/** What cannot be looked at without an interface. */
const unseen = ["TTL", "MTU", "receive buffer", "kernel drops", "self-test"];

/**
 * Examines this machine. Where the group's URL names an interface, that alone is joined on, and the self-test goes over it;
 * else each interface that has an address is joined on, and the self-test stays on loopback.
 */
export async function* examine(examination: Examination): AsyncGenerator<Check, void, void> {
  const { group, endpoint, key, system, files } = examination;
  const first = await readCounters(files);
  const devices = await readDevices(files);
  yield checkInterfaces(devices, group.interface, system);

  // IPv6 is only looked at with an interface.
  const usable = devices.filter(({ ipv4, up }) => ipv4 !== null && up !== false);
  const way = group.interface === null ? await findWay(group, usable, files) : null;
  yield checkRoute(group, way, usable, endpoint, system);

  const joined = group.interface === null ? usable : [group.interface];
  const [tried, limits] = await Promise.all([tryJoining(group, joined), readJoiningLimits(files, joined)]);
  yield checkJoining(group, tried, limits, system);

  const by = group.interface ?? usable.find(isLoopbackInterface);
  const failure = await tryPorts(group, by === undefined ? [] : [by]);
  yield checkPorts(group, failure, await usersOf(failure === null ? portsOf(group) : [failure.port], files), system);
  if (by === undefined) {
    yield* unseen.map((name): Check => ({
      name,
      state: "unknown",
      finding: "there is no interface for it",
      advice: [],
    }));
    return;
  }

  yield checkTtl(group, by, await tryTtl(group, by), endpoint, system);
  const reached = [by.name, way?.by?.name];
  yield checkMtu(group, devices.filter(({ name }) => reached.includes(name)), endpoint, system);
  const rate = rateOf(group, by);
  yield checkReceiveBuffer(await measureReceiveBuffer(files), rate, group.ports, system);

  const before = await readCounters(files);
  const selfTest = await runSelfTest({ group, by, rate, key });
  const [after, sockets] = [await readCounters(files), await readSocketDrops(portsOf(group), files)];
  yield checkKernelDrops({ first, before, after }, sockets, system);
  yield checkSelfTest(selfTest, system);
}
