/**
 * What to type, on each system.
 *
 * @module
 */

import type { NetworkInterface } from "../../transports/interfaces.ts";

/** An operating system, as the runtime names it: `linux`, `darwin`, `windows`. */
export type System = typeof Deno.build.os;

/** Commands, each with its purpose behind a `#` where it does not speak for itself. */
type Lines = readonly string[];

/** What is neither Linux nor Windows is taken for a relative of macOS. */
function choose(system: System, linux: Lines, darwin: Lines, windows: Lines): Lines {
  if (system === "linux" || system === "android") return linux;
  return system === "windows" ? windows : darwin;
}

/** Looks at all interfaces. */
export function showInterfaces(system: System): Lines {
  const purpose = "# which interfaces there are, and which are down";
  return choose(system, [`ip address  ${purpose}`], [`ifconfig  ${purpose}`], [`Get-NetAdapter  ${purpose}`]);
}

/** Looks at one interface. */
export function showInterface(name: string, system: System): Lines {
  const purpose = "# is it up, and has it an address?";
  return choose(
    system,
    [`ip address show dev ${name}  ${purpose}`],
    [`ifconfig ${name}  ${purpose}`],
    [`Get-NetIPAddress -InterfaceAlias "${name}"  ${purpose}`],
  );
}

/** Looks at how large the packets of interfaces are. */
export function showMtu(system: System): Lines {
  return choose(system, ["ip link  # mtu"], ["ifconfig  # mtu"], ["Get-NetIPInterface  # NlMtu"]);
}

/** Looks at what the kernel dropped. */
export function showDrops(system: System): Lines {
  return choose(
    system,
    ["cat /proc/net/snmp  # RcvbufErrors of Udp"],
    ["netstat -s -p udp  # dropped due to full socket buffers"],
    ["netstat -s -p udp  # receive errors"],
  );
}

/** Looks at who has a UDP port. */
export function showOwner(port: number, system: System): Lines {
  const purpose = "# whose it is: end that, or take another port in the URL";
  return choose(
    system,
    [`sudo ss -ulpn 'sport = :${port}'  ${purpose}`],
    [`sudo lsof -nP -iUDP:${port}  ${purpose}`],
    [`Get-Process -Id (Get-NetUDPEndpoint -LocalPort ${port}).OwningProcess  ${purpose}`],
  );
}

/** Takes another port than one that is not permitted. */
export function takeHigherPort(host: string): Lines {
  const endpoint = `'mcast://${host.includes(":") ? `[${host}]` : host}:7071'`;
  return [examineAgain(endpoint, "takes a port that is not for privileged users")];
}

/** Takes an interface up. */
export function bringUp(name: string, system: System): Lines {
  return choose(
    system,
    [`sudo ip link set dev ${name} up`],
    [`sudo ifconfig ${name} up`],
    [`Enable-NetAdapter -Name "${name}"  # as administrator`],
  );
}

/** Takes loopback up. */
export function bringLoopbackUp(system: System): Lines {
  return bringUp(system === "darwin" ? "lo0" : "lo", system);
}

/** Lets an interface do multicast. */
export function allowMulticast(name: string, system: System): Lines {
  return choose(system, [`sudo ip link set dev ${name} multicast on`], showInterface(name, system), []);
}

/** Lets an interface carry packets of the usual size. */
export function raiseMtu(name: string, system: System): Lines {
  return choose(
    system,
    [`sudo ip link set dev ${name} mtu 1500`],
    [`sudo ifconfig ${name} mtu 1500`],
    [`netsh interface ipv4 set subinterface "${name}" mtu=1500  # as administrator`],
  );
}

/** Makes an interface the way of all multicast. */
export function routeMulticast({ name, ipv4 }: NetworkInterface, system: System): Lines {
  const purpose = "# or makes it the way of all multicast";
  return choose(
    system,
    [`sudo ip route add 224.0.0.0/4 dev ${name}  ${purpose}`],
    [`sudo route -n add -net 224.0.0.0/4 -interface ${name}  ${purpose}`],
    [`route add 224.0.0.0 mask 240.0.0.0 ${ipv4}  ${purpose}, as administrator`],
  );
}

/** Whether a failure is that a socket may join no more groups: ENOBUFS of Linux, macOS or Windows. */
export function isLimit(failure: string): boolean {
  return /\(os error (105|55|10055)\)/.test(failure);
}

/** What to do where an interface does not do multicast, for a reason in the system's words. */
export function mend(failure: string, name: string, system: System): Lines {
  return isLimit(failure) ? raiseMemberships(system) : showInterface(name, system);
}

/** Lets a socket join more groups. */
function raiseMemberships(system: System): Lines {
  return choose(
    system,
    ["sudo sysctl -w net.ipv4.igmp_max_memberships=20  # the usual limit, until a reboot"],
    ["sysctl net.inet.ip.mcast  # what limits it"],
    ["netsh interface ipv4 show joins  # what is joined already"],
  );
}

/** Makes the reverse path filter let through what comes another way than an answer would go. */
export const loosenReversePath: Lines = [
  "sudo sysctl -w net.ipv4.conf.all.rp_filter=2  # lets it through, until a reboot",
];

/** Lets UDP to a group through the firewall. @param host an address of IPv4 or IPv6 */
export function openFirewall(host: string, system: System): Lines {
  const family = host.includes(":") ? "ipv6" : "ipv4";
  return choose(
    system,
    [
      `sudo ufw allow in proto udp to ${host}  # where the firewall is ufw`,
      `sudo firewall-cmd --add-rich-rule='rule family=${family} destination address=${host} accept'  # where it is firewalld`,
      "sudo nft list ruleset  # where it is neither: what is dropped",
    ],
    ["/usr/libexec/ApplicationFirewall/socketfilterfw --listapps  # is it blocked?"],
    ["New-NetFirewallRule -DisplayName stream -Direction Inbound -Protocol UDP -Action Allow  # as administrator"],
  );
}

/** What a receive buffer is advised to have, in bytes: enough for a pause of ten milliseconds at 2,000 Mbit/s. */
export const largeBuffer = 4 * 1024 * 1024;

/** Makes the receive buffer of sockets larger. */
export function enlargeBuffers(system: System): Lines {
  return choose(
    system,
    [
      `sudo sysctl -w net.core.rmem_default=${largeBuffer}  # for what is started from now on`,
      `echo net.core.rmem_default=${largeBuffer} | sudo tee /etc/sysctl.d/60-stream.conf  # and after a reboot`,
    ],
    [`sudo sysctl -w net.inet.udp.recvspace=${largeBuffer}  # for what is started from now on, until a reboot`],
    [
      "reg add HKLM\\SYSTEM\\CurrentControlSet\\Services\\AFD\\Parameters" +
      ` /v DefaultReceiveWindow /t REG_DWORD /d ${largeBuffer}  # as administrator; after a reboot`,
    ],
  );
}

/** Examines another group. @param endpoint its URL, quoted: see {@linkcode withParameters} */
export function examineAgain(endpoint: string, purpose: string): string {
  return `stream doctor --group ${endpoint}  # ${purpose}; serve and subscribe take this URL, too`;
}

/**
 * An endpoint with parameters more, or other values of them, quoted for a shell.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { withParameters } from "./commands.ts";
 *
 * const changed = withParameters("mcast://239.1.2.3:7?ttl=4&mtu=9000", { mtu: 1500 });
 * assertEquals(changed, "'mcast://239.1.2.3:7?ttl=4&mtu=1500'");
 * ```
 */
export function withParameters(endpoint: string, parameters: Readonly<Record<string, string | number>>): string {
  const [address, query = ""] = endpoint.split("?");
  const others = query.split("&").filter((pair) => pair !== "" && !Object.hasOwn(parameters, pair.split("=")[0]!));
  const added = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const pairs = [...others, ...added];
  return `'${`${address}${pairs.length > 0 ? `?${pairs.join("&")}` : ""}`.replaceAll("'", "%27")}'`;
}
