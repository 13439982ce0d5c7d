/** A machine as its system would tell of it: for checks that are given one. */

import type { Check } from "../../../cli/doctor/check.ts";
import type { Device } from "../../../cli/doctor/interfaces.ts";
import type { SystemFiles } from "../../../cli/doctor/system_files.ts";
import { defaultGroup, type Group, parseGroup } from "../../../transports/udp_group.ts";

/** An interface that is up, and does multicast. */
export function device(name: string, ipv4: string | null, differs: Partial<Device> = {}): Device {
  const loopback = name === "lo";
  return { name, ipv4, ipv6: [], index: 0, up: true, multicast: true, mtu: loopback ? 65_536 : 1500, ...differs };
}

export const lo = device("lo", "127.0.0.1");
export const eth0 = device("eth0", "192.0.2.2");
export const eth1 = device("eth1", "198.51.100.2");

/** The default group, or another, as if its URL named an interface of this machine. */
export function groupOn(by: Device | null, endpoint = defaultGroup): Group {
  return { ...parseGroup(endpoint), interface: by };
}

/** Files that hold these texts; directories are what their paths begin with. */
export function filesOf(texts: Readonly<Record<string, string>>): SystemFiles {
  return {
    read: (path) => Promise.resolve(texts[path] ?? null),
    list(path) {
      const below = Object.keys(texts).filter((it) => it.startsWith(`${path}/`));
      const names = new Set(below.map((it) => it.slice(path.length + 1).split("/")[0]!));
      return Promise.resolve(names.size === 0 ? null : [...names]);
    },
  };
}

/** What a check comes to, without its words. */
export function stateAndAdvice({ state, advice }: Check): [Check["state"], ...string[]] {
  // Purposes are for people, and may be put in other words.
  return [state, ...advice.map((line) => line.split("  #")[0]!)];
}
