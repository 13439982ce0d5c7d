/**
 * Speaks to MQTT servers: version 3.1.1, QoS 0.
 *
 * Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html
 *
 * @module
 */

import { Code } from "../../../core/codes.ts";
import { RefusedError } from "../../../core/errors.ts";
import type { Driver, Sink } from "../driver.ts";
import type { BenchTrust } from "../tls.ts";
import { type Address, parseAddress } from "./address.ts";
import { encodeConnect, encodeSubscribe, MqttEncoder, type MqttEvents, MqttParser, pingreq } from "./mqtt_codec.ts";
import { nowhere, open, type RawConnection, type Session } from "./raw.ts";
import { RawSender } from "./raw_sender.ts";

/** The most patterns in one SUBSCRIBE. */
const mostPatterns = 100;

/** Seconds, as it is told to the server, which some refuse to let be 0, for never. A ping every 30 s keeps it. */
const keepAlive = 60;

/** What the codes of CONNACK mean (section 3.2.2.3). */
const refusals: Readonly<Record<number, string>> = {
  1: "it does not speak MQTT 3.1.1",
  2: "it does not like the client's id",
  3: "it is unavailable",
  4: "user or password is wrong",
  5: "not authorized",
};

/**
 * The driver for MQTT servers. Names and patterns stay as they are.
 *
 * @param trust whom to trust; `null` without TLS
 */
export function mqttDriver(trust: BenchTrust | null = null): Driver {
  return {
    async receive(endpoint, patterns, sink) {
      const { connection } = await connect(endpoint, trust, "receive from", patterns, sink);
      return connection;
    },

    async send(endpoint, topics) {
      const encoder = new MqttEncoder(topics);
      const session = await connect(endpoint, trust, "send to", [], nowhere);
      return new RawSender(session.connection, encoder, () => session.confirm());
    },
  };
}

async function connect(
  endpoint: string,
  trust: BenchTrust | null,
  attempted: string,
  patterns: readonly string[],
  sink: Sink,
): Promise<MqttSession> {
  const address = parseAddress(endpoint, "mqtt", 1883);
  const session = await open(
    { address, attempted, protocol: "MQTT", sink, trust },
    (connection) => new MqttSession(connection, address, patterns, sink),
  );
  const timer = setInterval(() => session.confirm().catch(() => {}), keepAlive / 2 * 1000);
  session.connection.closed.catch(() => {}).finally(() => clearInterval(timer));
  return session;
}

class MqttSession implements Session, MqttEvents {
  readonly connection: RawConnection;
  readonly parser: MqttParser;
  readonly #address: Address;
  readonly #patterns: readonly string[];
  #accepted = false;
  #subscribed = 0;
  #pings = 0;
  #pongs = 0;

  constructor(connection: RawConnection, address: Address, patterns: readonly string[], sink: Sink) {
    this.connection = connection;
    this.parser = new MqttParser(sink, this);
    this.#address = address;
    this.#patterns = patterns;
  }

  async greet(): Promise<void> {
    const { connection } = this;
    const { user, password } = this.#address;
    const id = `stream-bench-${crypto.randomUUID()}`;
    connection.output.append(encodeConnect({ id, keepAlive, user, password }));
    connection.post();
    await connection.until(() => this.#accepted);
    const { length } = this.#patterns;
    for (let at = 0; at < length; at += mostPatterns) {
      connection.output.append(encodeSubscribe(at / mostPatterns + 1, this.#patterns.slice(at, at + mostPatterns)));
    }
    connection.post();
    await connection.until(() => this.#subscribed === length);
  }

  /** Waits until the server has got to all that was written before. */
  confirm(): Promise<void> {
    const due = ++this.#pings;
    this.connection.output.append(pingreq);
    this.connection.post();
    return this.connection.until(() => this.#pongs >= due);
  }

  connected(code: number): void {
    this.#accepted = true;
    if (code === 0) return;
    const why = `the server says that ${refusals[code] ?? `it refuses with code ${code}`}`;
    this.connection.fail(new RefusedError(this.connection.attempted, Code.protocol, why));
  }

  subscribed(code: number): void {
    const pattern = this.#patterns[this.#subscribed++];
    if (code < 0x80) return;
    const action = `subscribe to ${JSON.stringify(pattern)} at ${this.#address.text}`;
    this.connection.fail(new RefusedError(action, Code.pattern, "the server refuses it"));
  }

  pong(): void {
    this.#pongs++;
  }
}
