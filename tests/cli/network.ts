/**
 * Networks for tests: network namespaces that are joined by a bridge, and gone with the test. Linux has them, and root alone
 * may make them.
 *
 * @module
 */

import { Process } from "./process.ts";

/** Whether a program is on this machine. */
function has(program: string): boolean {
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.some((directory) => {
    try {
      return Deno.statSync(`${directory}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Whether networks can be made here; and whether what goes over them can be recorded. */
export const canMakeNetworks: boolean = Deno.build.os === "linux" && Deno.uid() === 0 && has("ip");
export const canCapture: boolean = canMakeNetworks && has("tshark");

/** The interface of each host that leads to the others. */
export const networkInterface = "veth";

/** One host of a network: a namespace with an interface that leads to the others, and one that leads nowhere. */
export interface Host {
  /** From 1. It is what the host's addresses end with: `10.70.0.1`, `fd70::1`, `fe80::1`. */
  readonly index: number;
  /** What runs a program there: goes before its name. */
  readonly within: readonly string[];
}

/** How a network is made. */
export interface NetworkOptions {
  readonly hosts: number;
  /** Bytes of its largest packets; 1,500 unless given. */
  readonly mtu?: number;
}

/** Hosts that reach each other. */
export class Network implements AsyncDisposable {
  readonly hosts: readonly Host[];
  readonly #name: string;

  private constructor(name: string, hosts: number) {
    this.#name = name;
    this.hosts = Array.from({ length: hosts }, (_, i) => ({
      index: i + 1,
      within: ["ip", "netns", "exec", `${name}-${i + 1}`],
    }));
  }

  /** Makes one. */
  static async make({ hosts, mtu = 1500 }: NetworkOptions): Promise<Network> {
    const network = new Network(`stream-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`, hosts);
    try {
      await network.#make(mtu);
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether multicast reaches a host; what is sent to it alone does in any case. */
  async floods(host: Host, floods: boolean): Promise<void> {
    const flood = floods ? "on" : "off";
    await ip([`link set dev port${host.index} type bridge_slave mcast_flood ${flood}`], this.#bridge);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const listed = await ip(["netns list"]);
    const own = listed.split("\n").map((line) => line.split(" ")[0]!).filter((name) => name.startsWith(this.#name));
    await ip(own.map((name) => `netns delete ${name}`));
  }

  get #bridge(): string {
    return `${this.#name}-0`;
  }

  async #make(mtu: number): Promise<void> {
    const names = this.hosts.map(({ index }) => `${this.#name}-${index}`);
    await ip([this.#bridge, ...names].map((name) => `netns add ${name}`));
    // Snooping would keep multicast from who has not been heard to join, and nobody asks for that here.
    await ip(["link add name bridge type bridge mcast_snooping 0", "link set dev bridge up"], this.#bridge);
    for (const { index } of this.hosts) {
      const name = `${this.#name}-${index}`;
      await ip([
        `link add name nowhere netns ${name} type veth peer name nowhere${index}`,
        `link add name ${networkInterface} mtu ${mtu} netns ${name} type veth peer name port${index} mtu ${mtu}`,
        `link set dev nowhere${index} up`,
        `link set dev port${index} master bridge up`,
      ], this.#bridge);
      await ip([
        "link set dev lo up",
        // First, so that it is what the system takes where nobody says by which interface.
        ...configured("nowhere", 71, index),
        ...configured(networkInterface, 70, index),
      ], name);
    }
  }
}

/** Brings an interface up with addresses that can be used at once. */
function configured(name: string, network: number, index: number): string[] {
  return [
    `link set dev ${name} addrgenmode none`,
    `link set dev ${name} up`,
    `address add 10.${network}.0.${index}/24 dev ${name}`,
    `address add fd${network}::${index}/64 dev ${name} nodad`,
    `address add fe80::${index}/64 dev ${name} nodad`,
  ];
}

/** Runs commands of `ip`, here or in a namespace. Returns what they print. */
async function ip(commands: readonly string[], namespace?: string): Promise<string> {
  const args = [...(namespace === undefined ? [] : ["-netns", namespace]), "-batch", "-"];
  await using process = new Process(["ip", ...args], { stdin: commands.map((command) => `${command}\n`).join("") });
  const { status, stdout, stderr } = await process.ran();
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}\n${commands.join("\n")}`);
  return stdout;
}

/** What is known of a packet that passed. */
export interface Packet {
  /** Bytes of it, its Ethernet header not counted. */
  readonly length: number;
  readonly from: string;
  readonly to: string;
  /** How many networks it may cross; IPv6 says hops. */
  readonly ttl: number;
  /** Whether IP has cut what it is a part of. */
  readonly fragment: boolean;
  /** Port that it goes to, or 0 where it is no UDP datagram, or not the first part of one. */
  readonly port: number;
}

const fields = [
  "frame.len",
  "ip.src",
  "ip.dst",
  "ip.ttl",
  "ip.flags.mf",
  "ip.frag_offset",
  "ipv6.src",
  "ipv6.dst",
  "ipv6.hlim",
  "ipv6.fraghdr.offset",
  "udp.dstport",
] as const;
const ethernetHeader = 14;

/** Records what passes at a host's interface. */
export class Capture implements AsyncDisposable {
  readonly #process: Process;

  private constructor(process: Process) {
    this.#process = process;
  }

  /** Begins. */
  static async start({ within }: Host): Promise<Capture> {
    const options = ["-n", "-l", "-T", "fields", "-E", "occurrence=f", ...fields.flatMap((field) => ["-e", field])];
    const process = new Process([...within, "tshark", "-i", networkInterface, "-f", "ip or ip6", ...options]);
    const capture = new Capture(process);
    try {
      await process.stderr.line(/Capture started/);
      return capture;
    } catch (error) {
      await capture[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits until those that have passed are as is asked for. Returns them, and later ones that were recorded by then. */
  async until(enough: (packets: readonly Packet[]) => boolean): Promise<Packet[]> {
    return await this.#process.stdout.until(() => {
      const packets = this.#process.stdout.lines.map(packetOf);
      return enough(packets) ? packets : undefined;
    }, "enough packets");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

function packetOf(line: string): Packet {
  const values = line.split("\t");
  const field = (name: typeof fields[number]) => values[fields.indexOf(name)]!;
  return {
    length: Number(field("frame.len")) - ethernetHeader,
    from: field("ip.src") || field("ipv6.src"),
    to: field("ip.dst") || field("ipv6.dst"),
    ttl: Number(field("ip.ttl") || field("ipv6.hlim")),
    fragment: field("ip.flags.mf") === "1" || Number(field("ip.frag_offset")) > 0 ||
      field("ipv6.fraghdr.offset") !== "",
    port: Number(field("udp.dstport")),
  };
}
