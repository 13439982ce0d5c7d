import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../core/errors.ts";
import { type Endpoint, formatEndpoint, parseEndpoint, withoutSecret } from "../../transports/endpoint.ts";
import { type Scheme, schemes, type SchemeShape } from "../../transports/schemes.ts";

const none = { topic: null, path: null, topics: [], options: {} };

const right: [text: string, parts: Record<string, unknown>, canonical: string][] = [
  ["tcp://127.0.0.1:7070", { scheme: "tcp", host: "127.0.0.1", port: 7070, ...none }, "tcp://127.0.0.1:7070"],
  ["tcp://localhost", { scheme: "tcp", host: "localhost", port: 7070, ...none }, "tcp://localhost:7070"],
  ["tcp://localhost/", { scheme: "tcp", host: "localhost", port: 7070, ...none }, "tcp://localhost:7070"],
  ["TCP://Example.COM:1", { scheme: "tcp", host: "example.com", port: 1, ...none }, "tcp://example.com:1"],
  ["tcp://0.0.0.0:0", { scheme: "tcp", host: "0.0.0.0", port: 0, ...none }, "tcp://0.0.0.0:0"],
  ["tcp://[::1]:65535", { scheme: "tcp", host: "::1", port: 65535, ...none }, "tcp://[::1]:65535"],
  ["tcp://[2001:DB8:0::1]", { scheme: "tcp", host: "2001:db8::1", port: 7070, ...none }, "tcp://[2001:db8::1]:7070"],
  [
    "tcp://h/sensors/kitchen/temp",
    { scheme: "tcp", host: "h", port: 7070, ...none, topic: "sensors/kitchen/temp" },
    "tcp://h:7070/sensors/kitchen/temp",
  ],
  [
    "tls://h/a%20b/100%25/%C3%A9/é",
    { scheme: "tls", host: "h", port: 7070, ...none, topic: "a b/100%/é/é" },
    "tls://h:7070/a%20b/100%25/é/é",
  ],
  [
    "tcp://h?topics=a/%23,+/b,c%2Cd",
    { scheme: "tcp", host: "h", port: 7070, ...none, topics: ["a/#", "+/b", "c,d"] },
    "tcp://h:7070?topics=a/%23,+/b,c%2Cd",
  ],
  [
    "mcast://239.255.70.70?interface=eth0&ttl=0&mtu=1500&topics=%23",
    {
      scheme: "mcast",
      host: "239.255.70.70",
      port: 7071,
      ...none,
      topics: ["#"],
      options: { interface: "eth0", ttl: "0", mtu: "1500" },
    },
    "mcast://239.255.70.70:7071?topics=%23&interface=eth0&ttl=0&mtu=1500",
  ],
  [
    "udp://127.0.0.1:5000?pkt_size=1316&rate=20Mbit/s",
    { scheme: "udp", host: "127.0.0.1", port: 5000, ...none, options: { pkt_size: "1316", rate: "20Mbit/s" } },
    "udp://127.0.0.1:5000?pkt_size=1316&rate=20Mbit/s",
  ],
  ["ws://h", { scheme: "ws", host: "h", port: 80, ...none, path: "/" }, "ws://h:80/"],
  ["https://h/a//b", { scheme: "https", host: "h", port: 443, ...none, path: "/a//b" }, "https://h:443/a//b"],
  ["file:///var/my%20log", { scheme: "file", host: "", port: 0, ...none, path: "/var/my log" }, "file:///var/my%20log"],
  ["-", { scheme: "stdio", host: "", port: 0, ...none }, "-"],
];

Deno.test("endpoints are parsed into their parts, and written in one way", () => {
  for (const [text, parts, canonical] of right) {
    const endpoint = parseEndpoint(text);
    assertEquals(
      { ...endpoint, options: Object.fromEntries(endpoint.options) } as Record<string, unknown>,
      parts,
      text,
    );
    assertEquals(formatEndpoint(endpoint), canonical);
  }
});

const wrong: [text: string, message: string, hint: string][] = [
  ["", "it has no scheme, such as tcp://", "for example: tcp://127.0.0.1:7070/ticks"],
  ["localhost", "it has no scheme", "is it tcp://localhost?"],
  ["127.0.0.1:7070", "it has no scheme", "is it tcp://127.0.0.1:7070?"],
  ["[::1]:7070", "it has no scheme", "is it tcp://[::1]:7070?"],
  ["tcp:127.0.0.1", "it has no scheme", "for example: tcp://127.0.0.1:7070/ticks"],
  ["tpc://h", `the scheme "tpc" is not known: known are tcp, tls,`, "for example: tcp://"],
  ["stdio://h", `the scheme "stdio" is not known`, "for example"],
  ["tcp://", "it has no host", "for example: tcp://"],
  ["tcp://:7070", "it has no host", "for example: tcp://"],
  ["tcp://me:secret@h", "it has a user or password in it", "for example: tcp://"],
  ["tcp://::1:7070", `the host "::1:7070" is not valid`, "in brackets: tcp://[::1]:7070"],
  ["tcp://[::1", `the host "[::1" is not valid`, "in brackets"],
  ["tcp://[::1]7070", `the host "[::1]7070" is not valid`, "in brackets"],
  ["tcp://[nine]", `the host "[nine]" is neither a name nor an address`, "for example: tcp://"],
  ["tcp://127.0.0.256", `the host "127.0.0.256" is neither a name nor an address`, "for example"],
  ["tcp://127.1", `the host "127.1" is neither`, "for example"],
  ["tcp://a b", `the host "a b" is neither`, "for example"],
  ["tcp://h:", `the port "" is not a number from 0 to 65535`, "for example"],
  ["tcp://h:65536", `the port "65536" is not a number from 0 to 65535`, "for example"],
  ["tcp://h:-1", `the port "-1" is not a number`, "for example"],
  ["tcp://h:7a", `the port "7a" is not a number`, "for example"],
  ["tcp://h/a//b", `the topic "a//b" is not valid`, "for example"],
  ["tcp://h/a/", `the topic "a/" is not valid`, "for example"],
  ["tcp://h/a/+", `the topic "a/+" is not valid`, "a pattern goes into the query: ?topics=a/+"],
  ["tcp://h/a/%23", `the topic "a/#" is not valid`, "a pattern goes into the query: ?topics=a/%23"],
  ["tcp://h/a/#", "a # begins a fragment", "write # as %23: tcp://h/a/%23"],
  ["tcp://h?topics=a/#", "a # begins a fragment", "write # as %23: tcp://h?topics=a/%23"],
  ["tcp://h?topics=a/%23/b", `the pattern "a/#/b" is not valid`, "for example"],
  ["tcp://h?topics=a,,b", `the pattern "" is not valid`, "for example"],
  ["tcp://h?topics=a&topics=b", "topics is given twice", "for example"],
  ["tcp://h?topics", "topics has no value", "for example"],
  ["tcp://h?ttl=1", `tcp has no parameter "ttl": it knows topics`, "for example"],
  [
    "mcast://239.0.0.1?tll=1",
    `mcast has no parameter "tll": it knows topics, rate, mtu, ports, interface, ttl,`,
    "ttl=1",
  ],
  ["mcast://239.0.0.1?ttl=256", "ttl=256: it is not a whole number from 0 to 255", "for example"],
  ["mcast://239.0.0.1?ports=17", "ports=17: it is not a whole number from 1 to 16", "for example"],
  ["mcast://239.0.0.1?ttl=1.5", "ttl=1.5: it is not a whole number", "for example"],
  ["mcast://239.0.0.1/ticks", `mcast has no path, and "/ticks" is one`, "for example"],
  ["udp://h?pkt_size=0", "pkt_size=0: it is not a whole number from 1 to 65507", "for example"],
  ["tcp://h/%zz", `the path "/%zz" has a % that no two hex digits follow`, "write % itself as %25"],
  ["tcp://h?topics=%", `the pattern "%" has a %`, "write % itself as %25"],
  ["file://log.txt", `file has no host, and "log.txt" stands where one would`, "for example: file:///"],
  ["file:///", "it has no path", "for example: file:///"],
  ["file:///a?b=c", `file has no parameter "b": it takes none`, "for example"],
];

Deno.test("a wrong endpoint is a usage error that names the wrong part and shows a right one", () => {
  for (const [text, message, hint] of wrong) {
    const error = assertThrows(() => parseEndpoint(text), UsageError, undefined, text);
    assert(error.message.includes(message), `${text}: ${error.message}`);
    assert(error.message.startsWith(`wrong endpoint ${JSON.stringify(withoutSecret(text))}: `), error.message);
    assert(!error.message.includes("\n"), error.message);
    assert(error.hint?.includes(hint), `${text}: ${error.hint}`);
  }
});

Deno.test("only the schemes that make sense in a place are taken there", () => {
  const accepted: Scheme[] = ["tcp", "tls"];
  assertEquals(parseEndpoint("tls://h", accepted).scheme, "tls");
  const cases: [string, string][] = [
    ["mcast://239.0.0.1", "mcast:// does not go here: what goes is tcp, tls"],
    ["-", "stdin and stdout do not go here: what goes is tcp, tls"],
    ["xyz://h", `the scheme "xyz" is not known: known are tcp, tls`],
  ];
  for (const [text, message] of cases) {
    const error = assertThrows(() => parseEndpoint(text, accepted), UsageError, message);
    assertEquals(error.hint, "for example: tcp://127.0.0.1:7070/ticks");
  }
});

Deno.test("the example of every scheme is a right one", () => {
  for (const [scheme, { example }] of Object.entries(schemes)) assertEquals(parseEndpoint(example).scheme, scheme);
});

const level = fc.string({ unit: "binary", minLength: 1, maxLength: 12 })
  .map((text) => text.replace(/[\p{Cc}\p{Cs}/+#]/gu, "x"));
const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
const topicPattern = fc.oneof(
  topic,
  topic.map((it) => `${it}/#`),
  topic.map((it) => `+/${it}/+`),
  fc.constant("#"),
);
const host = fc.oneof(
  fc.ipV4(),
  fc.domain().map((it) => it.toLowerCase()),
  fc.constantFrom("localhost", "::1", "fe80::1:2"),
);
const text = fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).filter((it) => it.isWellFormed());

const endpoints = fc.constantFrom(...Object.keys(schemes) as Scheme[]).chain((scheme): fc.Arbitrary<Endpoint> => {
  const shape: SchemeShape = schemes[scheme];
  const addressed = shape.defaultPort !== null;
  const value = (name: string) =>
    name === "ports"
      ? fc.integer({ min: 1, max: 16 }).map(String)
      : ["ttl", "mtu", "pkt_size"].includes(name)
      ? fc.integer({ min: 68, max: 255 }).map(String)
      : text;
  const names = shape.parameters.filter((it) => it !== "topics");
  return fc.record({
    scheme: fc.constant(scheme),
    host: addressed ? host : fc.constant(""),
    port: addressed ? fc.integer({ min: 0, max: 65535 }) : fc.constant(0),
    topic: shape.path === "topic" ? fc.option(topic) : fc.constant(null),
    path: shape.path === "path" ? text.map((it) => `/${it}`) : fc.constant(null),
    topics: shape.parameters.includes("topics") ? fc.array(topicPattern, { maxLength: 3 }) : fc.constant([]),
    options: fc.subarray(names).chain((some) =>
      fc.tuple(...some.map((name) => fc.tuple(fc.constant(name), value(name)))).map((pairs) => new Map(pairs))
    ),
  });
});

Deno.test("every endpoint is its text parsed again", () => {
  fc.assert(fc.property(endpoints, (endpoint) => {
    assertEquals(parseEndpoint(formatEndpoint(endpoint)), endpoint);
  }));
});

Deno.test("no text whatever is anything but an endpoint or a usage error", () => {
  const almost = fc.tuple(
    fc.constantFrom("tcp://", "mcast://h", "udp://[::1]?", "file:///", ""),
    fc.string({ unit: "binary" }),
  );
  fc.assert(fc.property(almost, ([start, rest]) => {
    try {
      parseEndpoint(start + rest);
    } catch (error) {
      assert(error instanceof UsageError, String(error));
    }
  }));
});

Deno.test("of what may be a secret nothing is shown, wherever it stands", () => {
  for (
    const [text, shown] of [
      ["tls://h:1/a", "tls://h:1/a"],
      ["tls://a:b@h:1", "tls://...@h:1"],
      ["tls://a:b/c?d#e@f@h", "tls://...@h"],
      ["a:b@h", "...@h"],
      ["tls:/a:b\nc@h", "...@h"],
    ] as const
  ) assertEquals(withoutSecret(text), shown);
});
