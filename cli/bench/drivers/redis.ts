/**
 * Speaks to Redis servers: publish and subscribe.
 *
 * Source: https://redis.io/docs/latest/develop/pubsub/
 *
 * @module
 */

import { Code } from "../../../core/codes.ts";
import { RefusedError } from "../../../core/errors.ts";
import type { Driver, Sink } from "../driver.ts";
import type { BenchTrust } from "../tls.ts";
import { type Address, parseAddress } from "./address.ts";
import { nowhere, open, type RawConnection, type Session } from "./raw.ts";
import { RawSender } from "./raw_sender.ts";
import { command, RedisEncoder, RedisParser } from "./redis_codec.ts";

/** The most names in one command: one command for thousands would hold the server up for as long. */
const mostNames = 100;

/**
 * The driver for Redis servers. Names stay as they are; `a/#` is the glob `a/*`.
 *
 * @param trust whom to trust; `null` without TLS
 */
export function redisDriver(trust: BenchTrust | null = null): Driver {
  return {
    async receive(endpoint, patterns, sink) {
      const { connection } = await connect(endpoint, trust, "receive from", patterns, sink);
      return connection;
    },

    async send(endpoint, topics) {
      const encoder = new RedisEncoder(topics);
      const { connection, parser } = await connect(endpoint, trust, "send to", [], nowhere);
      const before = parser.replies;
      return new RawSender(connection, encoder, () => {
        const due = before + encoder.sent;
        return connection.until(() => parser.replies >= due);
      });
    },
  };
}

function connect(
  endpoint: string,
  trust: BenchTrust | null,
  attempted: string,
  patterns: readonly string[],
  sink: Sink,
): Promise<RedisSession> {
  const address = parseAddress(endpoint, "redis", 6379);
  return open(
    { address, attempted, protocol: "Redis", sink, trust },
    (connection) => new RedisSession(connection, address, patterns, sink),
  );
}

class RedisSession implements Session {
  readonly connection: RawConnection;
  readonly parser: RedisParser;
  readonly #address: Address;
  readonly #patterns: readonly string[];
  readonly #sink: Sink;

  constructor(connection: RawConnection, address: Address, patterns: readonly string[], sink: Sink) {
    this.connection = connection;
    this.parser = new RedisParser(sink, (text) => this.#refused(text));
    this.#address = address;
    this.#patterns = patterns;
    this.#sink = sink;
  }

  async greet(): Promise<void> {
    const { connection, parser } = this;
    const { user, password } = this.#address;
    const commands = password === null ? [] : [command("AUTH", ...(user ? [user] : []), password)];
    commands.push(command("PING"));
    connection.output.text(commands.join(""));
    connection.post();
    await connection.until(() => parser.replies === commands.length);
    const globs = this.#patterns.filter((pattern) => pattern.endsWith("/#")).map(globOf);
    const names = this.#patterns.filter((pattern) => !pattern.endsWith("/#"));
    for (const chunk of chunks(names)) connection.output.text(command("SUBSCRIBE", ...chunk));
    for (const chunk of chunks(globs)) connection.output.text(command("PSUBSCRIBE", ...chunk));
    connection.post();
    await connection.until(() => parser.confirmed === this.#patterns.length);
  }

  #refused(text: string): void {
    const { connection } = this;
    if (connection.made) this.#sink.damaged(text);
    const why = `the server says ${text}`;
    const refused = /^(NOAUTH|WRONGPASS|NOPERM|DENIED)\b/.test(text);
    connection.fail(refused ? new RefusedError(connection.attempted, Code.protocol, why) : connection.lost(why));
  }
}

/** The glob of a pattern that ends in `/#`. */
function globOf(pattern: string): string {
  return `${pattern.slice(0, -1).replace(/[\\*?[\]]/g, "\\$&")}*`;
}

function* chunks(names: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += mostNames) yield names.slice(at, at + mostNames);
}
