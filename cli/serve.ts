/**
 * `stream serve`: runs a server.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { everybody } from "../core/account.ts";
import { Code, codeName } from "../core/codes.ts";
import type { Address } from "../core/datagram_port.ts";
import { defaultLimits } from "../core/limits.ts";
import { Server, type ServerEvent } from "../core/server.ts";
import { listen } from "../transports/dial.ts";
import { openUdp } from "../transports/udp.ts";
import { platform } from "../transports/platform.ts";
import { parseEndpoint } from "../transports/endpoint.ts";
import { isLoopback, parseServer } from "./endpoints.ts";
import { ExitStatus } from "./exit.ts";
import { defaultGroup, parseGroup } from "../transports/udp_group.ts";
import { Log } from "./log.ts";
import { addExamples, choiceOption, logOptions, type Program, repeatedOption, valueOption } from "./program.ts";
import { groupRetain, loopbackRate, networkRate, serveGroup } from "./serve_group.ts";
import { ServedKeys } from "./serve_keys.ts";
import {
  copies,
  defaultDrainTimeout,
  defaultListen,
  lagPolicies,
  parseRotation,
  parseServe,
  type ServeOptions,
} from "./serve_options.ts";
import { addSecurityOptions, changesOf, openSecurity, parseSecurity, watchSecurity } from "./serve_security.ts";
import { fileReason, printText } from "./stdio.ts";
import { formatCount, formatDuration, parseCount, parseDuration, parseSize, spellSize } from "./units.ts";

/** Declares `stream serve`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["a server for this machine", "stream serve"],
    ["on a port that is free, which is printed", "stream serve --listen tcp://127.0.0.1:0"],
    [
      "on a network: encrypted, and for those in a file (stream help auth)",
      "stream serve --listen tls://0.0.0.0:7070 --tls-self-signed --auth auth.toml",
    ],
    ["that also multicasts every message, on this machine", "stream serve --multicast"],
    [
      "on a network, encrypted: whoever has the key receives it with stream subscribe --multicast",
      "stream serve --multicast 'mcast://239.255.70.70:7071?interface=eth0' --key-file group.key",
    ],
    [
      "for everybody on the network, keeping ten minutes of each topic",
      [
        "stream serve --listen tcp://0.0.0.0:7070 --open",
        "--retain 64MiB --retain-for 10m",
      ].join(" "),
    ],
  ]);
  const { retain, memory, maxMessage, connections, maxWait } = defaultLimits;
  command
    .usage("[options]")
    .addOption(
      repeatedOption(
        "-l, --listen <url>",
        `where to listen; port 0 picks a free one (default: ${defaultListen})`,
        parseServer,
      ),
    )
    .option("--open", "listen beyond this machine although anybody who gets there may publish and subscribe")
    .addOption(
      valueOption(
        "--retain <size>",
        `how much of each topic is kept (default: ${spellSize(retain)}; ${spellSize(groupRetain)} with --multicast)`,
        parseSize,
      ),
    )
    .addOption(
      valueOption(
        "--retain-for <duration>",
        "how long messages are kept at most (default: as --retain allows)",
        parseDuration,
      ),
    )
    .addOption(
      valueOption("--memory <size>", `memory for all topics together (default: ${spellSize(memory)})`, parseSize),
    )
    .addOption(
      valueOption(
        "--max-message <size>",
        `the largest message, at most half of --retain (default: ${spellSize(maxMessage)})`,
        parseSize,
      ),
    )
    .addOption(
      valueOption(
        "--max-connections <n>",
        `the most connections at once (default: ${formatCount(connections)})`,
        (text) => parseCount(text),
      ),
    )
    .addOption(
      choiceOption(
        "--lag-policy <policy>",
        "for subscribers that retention overtakes: tell them what they missed, disconnect them, or let publishers" +
          " wait; a subscriber may ask for another (default: skip)",
        lagPolicies,
      ),
    )
    .addOption(
      valueOption(
        "--max-wait <duration>",
        `how long publishers wait for a subscriber that does not move (default: ${formatDuration(maxWait)})`,
        parseDuration,
      ),
    )
    .addOption(
      repeatedOption("--multicast [url]", `send every message to a multicast group, once for all receivers`, parseGroup)
        .preset(defaultGroup),
    )
    .option("--key-file <file>", "encrypt what is multicast with the key in that file; stream key makes one")
    .addOption(
      valueOption(
        "--rotate-key <duration>",
        "encrypt what is multicast with a key that changes that often, and is told over tls://",
        parseRotation,
      ),
    )
    .addOption(
      valueOption(
        "--drain-timeout <duration>",
        `how long subscribers may take to get the rest at the end (default: ${formatDuration(defaultDrainTimeout)})`,
        parseDuration,
      ),
    )
    .action((given, self) => {
      const listen = given.listen ?? [defaultListen];
      const options = { ...parseServe(given, parseSecurity(self, listen)), log: logOptions(self) };
      program.start((signal) => run(options, signal));
    });
  addSecurityOptions(command);
}

/** Runs a server until the signal; then drains it. */
export async function run(options: ServeOptions, signal: AbortSignal): Promise<ExitStatus> {
  using log = new Log(options.log);
  using keys = await ServedKeys.open(options.keys);
  using listeners = new DisposableStack();
  const { listen: endpoints, lagPolicy, maxConnections: connections, drainTimeout } = options;
  const { retain, retainFor, memory, maxMessage, maxWait } = options;
  const inputMemory = Math.max(Math.ceil(memory / 4), (copies - 1) * maxMessage);
  const hosts = endpoints.map((endpoint) => parseEndpoint(endpoint).host);
  const ending = new AbortController();
  using _watching = { [Symbol.dispose]: () => ending.abort() };
  const whenChanged = await watchSecurity(options.security, ending.signal);
  const security = await openSecurity(options.security, hosts, platform, log);
  const { tls, authority } = security;
  // What is delivered by datagrams is not encrypted.
  const secret = authority !== null || tls !== null;
  await using server = new Server({
    platform,
    ...(authority !== null && { authority }),
    limits: { retain, retainFor, memory, inputMemory, maxMessage, maxWait, connections },
    lagPolicy: lagPolicy ?? "skip",
    ...(!secret && { openDatagrams: ({ host, port }: Address) => openUdp(host, port) }),
    datagramRate: ({ host }) => isLoopback(host) ? loopbackRate : networkRate,
    onEvent: (event) => logEvent(event, log),
  });
  const opened = [];
  for (const endpoint of endpoints) {
    const onAcceptError = (error: unknown) =>
      log.warn("cannot accept a connection", { listener: endpoint, why: fileReason(error) });
    const onRejected = (rejected: Parameters<Server["reject"]>[0]) => server.reject(rejected);
    opened.push(listeners.use(await listen(endpoint, { onAcceptError, onRejected, ...(tls !== null && { tls }) })));
  }
  const groups = [];
  for (const group of options.multicast) {
    const wait = (lagPolicy ?? "wait") === "wait";
    groups.push(listeners.use(await serveGroup(server.topics, group, keys.of(group, server), wait, log)));
  }
  const serving = opened.map((listener) => server.serve(listener));
  const revised = () => {
    server.revise();
    keys.revise();
  };
  whenChanged(changesOf(options.security, security, hosts, revised, log));
  for (const { endpoint } of opened) printText(`listening ${endpoint}\n`);
  await aborted(signal);
  log.info("draining", { connections: server.connections, timeout: formatDuration(drainTimeout) });
  // Publishers are stopped first: what groups say is their last is so.
  await Promise.all([server.drain(drainTimeout), ...groups.map((group) => group.drain(drainTimeout))]);
  await Promise.all(serving);
  return ExitStatus.done;
}

function logEvent(event: ServerEvent, log: Log): void {
  const { kind, peer } = event;
  if (kind === "opened") {
    // Where everybody may do everything there is no user to name.
    const user = event.user === everybody.name ? {} : { user: event.user };
    log.info("session opened", { peer, agent: event.agent, ...user });
  } else if (kind === "closed") {
    const fields = { peer, reason: codeName(event.code), ...(event.why && { why: event.why }) };
    if (event.code === Code.done || event.code === Code.draining) log.info("session closed", fields);
    else log.warn("session closed", fields);
  } else if (kind === "rejected") {
    log.warn("connection rejected", { peer, reason: codeName(event.code), why: event.why });
  } else {
    const { error } = event;
    log.error("internal error: this is a bug, please report it", {
      peer,
      error: error instanceof Error ? `${error.stack}` : `${error}`,
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
