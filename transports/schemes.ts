/**
 * What an endpoint of each scheme may consist of: one table, which parsing and its error messages read.
 *
 * @module
 */

/** What the path of an endpoint means: a topic, a path of its own (a file, a page), or there is none. */
export type PathKind = "topic" | "path" | "none";

/** The shape of one scheme's endpoints. */
export interface SchemeShape {
  /** What stands after the host. */
  readonly path: PathKind;
  /** The port when none is given; `null` where there is neither host nor port. */
  readonly defaultPort: number | null;
  /** The query parameters it takes. */
  readonly parameters: readonly string[];
  /** A right one, for error messages. */
  readonly example: string;
}

/** Parameters of what sends or receives datagrams, under the names of ffmpeg. */
const datagram = ["interface", "ttl", "source", "pkt_size"];

/** Every scheme that an endpoint may have, with its shape. `stdio` is written `-`. */
export const schemes = {
  tcp: { path: "topic", defaultPort: 7070, parameters: ["topics"], example: "tcp://127.0.0.1:7070/ticks" },
  tls: { path: "topic", defaultPort: 7070, parameters: ["topics"], example: "tls://example.com:7070/ticks" },
  udp: {
    path: "topic",
    defaultPort: 7070,
    parameters: ["topics", "rate", ...datagram],
    example: "udp://127.0.0.1:5000?pkt_size=1316",
  },
  mcast: {
    path: "none",
    defaultPort: 7071,
    parameters: ["topics", "rate", "mtu", "ports", ...datagram],
    example: "mcast://239.255.70.70:7071?interface=eth0&ttl=1",
  },
  rtp: { path: "none", defaultPort: 5004, parameters: datagram, example: "rtp://239.255.70.70:5004?ttl=1" },
  http: { path: "path", defaultPort: 80, parameters: ["topics"], example: "http://127.0.0.1:8080/" },
  https: { path: "path", defaultPort: 443, parameters: ["topics"], example: "https://example.com/" },
  ws: { path: "path", defaultPort: 80, parameters: ["topics"], example: "ws://127.0.0.1:8080/" },
  wss: { path: "path", defaultPort: 443, parameters: ["topics"], example: "wss://example.com/" },
  nats: { path: "topic", defaultPort: 4222, parameters: ["topics"], example: "nats://127.0.0.1:4222/ticks" },
  mqtt: { path: "topic", defaultPort: 1883, parameters: ["topics"], example: "mqtt://127.0.0.1:1883/ticks" },
  file: { path: "path", defaultPort: null, parameters: [], example: "file:///var/log/ticks.log" },
  stdio: { path: "none", defaultPort: null, parameters: [], example: "-" },
} as const satisfies Record<string, SchemeShape>;

/** The name of a scheme, as it stands before `://`; `stdio` is written `-`. */
export type Scheme = keyof typeof schemes;

/** The values a parameter may have, where they are not free text: why one is wrong, as a clause, or `null`. */
export const parameterFaults: Readonly<Record<string, (value: string) => string | null>> = {
  // An IPv4 header has one byte for it; 0 keeps a datagram on this machine.
  ttl: (value) => wholeNumberFault(value, 0, 255),
  // The largest payload of a UDP datagram over IPv4.
  pkt_size: (value) => wholeNumberFault(value, 1, 65_507),
  // 68 is the least that IPv4 allows a link, 65,535 the length an IP packet can state.
  mtu: (value) => wholeNumberFault(value, 68, 65_535),
  // Each is a socket at every receiver.
  ports: (value) => wholeNumberFault(value, 1, 16),
};

function wholeNumberFault(value: string, least: number, most: number): string | null {
  const number = Number(value);
  return /^\d+$/.test(value) && number >= least && number <= most
    ? null
    : `it is not a whole number from ${least} to ${most}`;
}
