/**
 * Our own frames through the byte copier: the load generator has the same work to do as with our own server, and the server
 * in between has none.
 *
 * An endpoint is `tcp://host:port`, for a receiver with `?senders=N`, whose numbers are 0 to N - 1, and for a sender with
 * `?sender=I`; without them there is one, of number 0. There are no topics: a receiver gets everything.
 *
 * @module
 */

import type { Connection } from "../../../core/connection.ts";
import { TransportError } from "../../../core/errors.ts";
import { dial } from "../../../transports/dial.ts";
import { greetingOf } from "../copier.ts";
import type { Driver, Receiver, Sender } from "../driver.ts";
import { LimitReceiver } from "./limit_receiver.ts";
import { LimitSender } from "./limit_sender.ts";

/** How to speak to the byte copier. */
export const limitDriver: Driver = {
  async receive(endpoint, _patterns, sink): Promise<Receiver> {
    const { server, number: senders } = parse(endpoint, "senders", 1);
    using connections = new DisposableStack();
    const registered: Connection[] = [];
    for (let index = 0; index < senders; index++) registered.push(connections.use(await register(server, index)));
    const receiver = new LimitReceiver(server, registered, sink);
    connections.move();
    return receiver;
  },

  async send(endpoint): Promise<Sender> {
    const { server, number: index } = parse(endpoint, "sender", 0);
    return new LimitSender(server, await greet(server, "S", index));
  },
};

function parse(endpoint: string, parameter: string, otherwise: number): { server: string; number: number } {
  const [server = "", query] = endpoint.split("?");
  return { server, number: Number(new URLSearchParams(query).get(parameter) ?? otherwise) };
}

/** Connects, and says what the connection is. */
async function greet(server: string, role: "S" | "R", index: number): Promise<Connection> {
  const connection = await dial(server);
  try {
    const greeting = greetingOf(role, index);
    for (let at = 0; at < greeting.length;) at += await connection.write(greeting.subarray(at));
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** A connection that gets the bytes of one sender. */
async function register(server: string, index: number): Promise<Connection> {
  const connection = await greet(server, "R", index);
  try {
    const answer = new Uint8Array(1);
    if (await connection.read(answer) === 1 && answer[0] === "R".charCodeAt(0)) return connection;
    throw new TransportError(`receive from ${server}`, server, "what answers there is no byte copier");
  } catch (error) {
    connection.close();
    throw error;
  }
}
