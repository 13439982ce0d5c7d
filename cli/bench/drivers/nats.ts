/**
 * Speaks to NATS servers: core NATS, without acknowledgements.
 *
 * Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
 *
 * @module
 */

import { Code } from "../../../core/codes.ts";
import { ProtocolError, RefusedError, UsageError } from "../../../core/errors.ts";
import type { Driver, Sink } from "../driver.ts";
import type { BenchTrust } from "../tls.ts";
import { type Address, parseAddress } from "./address.ts";
import { NatsEncoder, type NatsEvents, NatsParser } from "./nats_codec.ts";
import { nowhere, open, type RawConnection, type Session } from "./raw.ts";
import { RawSender } from "./raw_sender.ts";

/** What a server that has said nothing is asked, after so many milliseconds, so that one of another kind shows itself. */
const silence = 1_000;

/**
 * The driver for NATS servers. Topics are subjects: `a/b` is written `a.b`, and `a/#` `a.>`.
 *
 * @param trust whom to trust; `null` without TLS
 */
export function natsDriver(trust: BenchTrust | null = null): Driver {
  return {
    async receive(endpoint, patterns, sink) {
      const { connection } = await connect(endpoint, trust, "receive from", patterns.map(subjectOf), sink);
      return connection;
    },

    async send(endpoint, topics) {
      const encoder = new NatsEncoder(topics.map(subjectOf));
      const session = await connect(endpoint, trust, "send to", [], nowhere);
      return new RawSender(session.connection, encoder, () => session.confirm());
    },
  };
}

function connect(
  endpoint: string,
  trust: BenchTrust | null,
  attempted: string,
  subjects: readonly string[],
  sink: Sink,
): Promise<NatsSession> {
  const address = parseAddress(endpoint, "nats", 4222);
  return open(
    { address, attempted, protocol: "NATS", sink },
    (connection) => new NatsSession(connection, address, trust, subjects, sink),
  );
}

class NatsSession implements Session, NatsEvents {
  readonly connection: RawConnection;
  readonly parser: NatsParser;
  readonly #address: Address;
  readonly #trust: BenchTrust | null;
  readonly #subjects: readonly string[];
  readonly #sink: Sink;
  #info: ServerInfo | undefined;
  #pings = 0;
  #pongs = 0;

  constructor(
    connection: RawConnection,
    address: Address,
    trust: BenchTrust | null,
    subjects: readonly string[],
    sink: Sink,
  ) {
    this.connection = connection;
    this.parser = new NatsParser(sink, this);
    this.#address = address;
    this.#trust = trust;
    this.#subjects = subjects;
    this.#sink = sink;
  }

  async greet(): Promise<void> {
    const timer = setTimeout(() => this.confirm().catch(() => {}), silence);
    try {
      await this.connection.until(() => this.#info !== undefined);
    } finally {
      clearTimeout(timer);
    }
    const { tls_required: required, tls_available: available } = this.#info!;
    if (this.#trust !== null) {
      if (!required && !available) throw this.connection.lost("the server does not speak TLS: leave --tls out");
      await this.connection.until(() => this.connection.encrypted);
    } else if (required) throw this.connection.lost("the server wants TLS: give --tls");
    const { output } = this.connection;
    output.text(`CONNECT ${JSON.stringify({ ...greeting, ...userOf(this.#address) })}\r\n`);
    await this.confirm();
    if (this.#subjects.length === 0) return;
    for (const [index, subject] of this.#subjects.entries()) output.text(`SUB ${subject} ${index + 1}\r\n`);
    await this.confirm();
  }

  /** Waits until the server has got to all that was written before. */
  confirm(): Promise<void> {
    const due = ++this.#pings;
    this.#write("PING\r\n");
    return this.connection.until(() => this.#pongs >= due);
  }

  /** The first one comes in the clear, and TLS begins after it. */
  info(text: string): void {
    if (this.#info !== undefined) return;
    this.#info = readInfo(text);
    const { tls_required: required, tls_available: available } = this.#info;
    if (this.#trust !== null && (required || available)) this.connection.encrypt(this.#trust);
  }

  ping(): void {
    this.#write("PONG\r\n");
  }

  pong(): void {
    this.#pongs++;
  }

  error(text: string): void {
    const { connection } = this;
    if (connection.made) this.#sink.damaged(text);
    const why = `the server says ${text}`;
    const refused = /authori[sz]|authentic|permission|credential/i.test(text);
    connection.fail(refused ? new RefusedError(connection.attempted, Code.protocol, why) : connection.lost(why));
  }

  #write(text: string): void {
    this.connection.output.text(text);
    this.connection.post();
  }
}

/** What a server is told of those who connect to it. */
const greeting = { verbose: false, pedantic: false, echo: true, lang: "stream-bench", version: "1", protocol: 1 };

function userOf({ user, password }: Address): object {
  return user === null ? {} : password === null ? { auth_token: user } : { user, pass: password };
}

/** What is of use of that which a server says of itself. */
interface ServerInfo {
  readonly tls_required?: unknown;
  readonly tls_available?: unknown;
}

function readInfo(text: string): ServerInfo {
  try {
    const info: unknown = JSON.parse(text);
    if (typeof info === "object" && info !== null) return info;
  } catch {
    // As any other text that is no object.
  }
  throw new ProtocolError(
    Code.protocol,
    `${JSON.stringify(text.slice(0, 40))} is not what a NATS server says of itself`,
  );
}

/** The name or pattern as NATS spells it. Throws a `UsageError` where NATS would understand something else. */
function subjectOf(pattern: string): string {
  const fault = /[^!-~]|[.*>]/.exec(pattern)?.[0];
  if (fault !== undefined) {
    throw new UsageError(
      `the topic ${JSON.stringify(pattern)} is none for NATS: it has ${JSON.stringify(fault)} in it`,
    );
  }
  return pattern.replace(/\/#$/, "/>").replaceAll("/", ".");
}
