/**
 * The named reasons why a session ends, a request fails, a frame is refused or a message is missing.
 *
 * One numbering serves all of them, so that a code means the same wherever it stands. A code is never
 * reused; an unknown one is shown as `code N`.
 *
 * @module
 */

/** A code: its number on the wire. */
export type Code = number;

/** Why something ended, failed, was refused or is missing. */
export const Code = {
  /** An ordinary end: the peer had nothing more to say. */
  done: 0,

  // A session ends: CLOSE.
  notStream: 1,
  version: 2,
  protocol: 3,
  handshakeTimeout: 4,
  idle: 5,
  writeDeadline: 6,
  lagged: 7,
  maxWait: 8,
  memory: 9,
  inputMemory: 10,
  outputMemory: 11,
  credit: 12,
  frameTooLarge: 13,
  connections: 14,
  replaced: 15,
  draining: 16,
  internal: 17,
  connectionLost: 18,
  tls: 19,
  certificate: 20,
  authentication: 21,
  attempts: 22,
  removed: 23,

  // A request fails: FAILED. The session goes on.
  topicName: 32,
  pattern: 33,
  reservedTopic: 34,
  topics: 35,
  publishers: 36,
  subscriptions: 37,
  subscriptionInUse: 38,
  startPoint: 39,
  requests: 40,
  noDatagrams: 41,
  codec: 42,
  forbidden: 43,
  group: 44,

  // A frame is refused: REFUSE. The session goes on.
  checksum: 64,
  count: 65,
  messageTooLarge: 66,
  unsupported: 67,
  number: 68,

  // Messages are missing: GAP, or found by the subscriber itself.
  expired: 96,
  forgotten: 97,
  corrupt: 98,
  unrepaired: 99,
  senderLost: 100,
} as const;

interface CodeText {
  /** The name, as it stands in logs, counters and gap lines. */
  readonly name: string;
  /** A sentence for people. */
  readonly text: string;
}

const texts: ReadonlyMap<Code, CodeText> = new Map([
  [Code.done, { name: "done", text: "the peer ended the session" }],
  [Code.notStream, { name: "not-stream", text: "the first bytes are not those of this protocol" }],
  [Code.version, { name: "version", text: "the peer speaks another major version of the protocol" }],
  [Code.protocol, { name: "protocol", text: "the peer broke the rules of the protocol" }],
  [Code.handshakeTimeout, { name: "handshake-timeout", text: "no complete greeting came in time" }],
  [Code.idle, { name: "idle", text: "nothing was heard from the peer, not even an answer to a ping" }],
  [Code.writeDeadline, { name: "write-deadline", text: "the peer accepted no byte in time" }],
  [Code.lagged, { name: "lagged", text: "the subscriber fell behind what the server keeps" }],
  [Code.maxWait, { name: "max-wait", text: "publishers were held for the subscriber, and it did not move in time" }],
  [Code.memory, { name: "memory", text: "the memory budget is full and the connection holds the oldest of it" }],
  [Code.inputMemory, { name: "input-memory", text: "the memory for incoming bytes is full" }],
  [Code.outputMemory, { name: "output-memory", text: "the peer does not read the answers to its requests" }],
  [Code.credit, { name: "credit", text: "the publisher sent more than its credit" }],
  [Code.frameTooLarge, { name: "frame-too-large", text: "a frame is larger than the server takes" }],
  [Code.connections, { name: "connections", text: "the server has as many connections as it takes" }],
  [Code.replaced, { name: "replaced", text: "the same publisher connected again" }],
  [Code.draining, { name: "draining", text: "the server is shutting down" }],
  [Code.internal, { name: "internal", text: "an error inside the server" }],
  [Code.connectionLost, { name: "connection-lost", text: "the connection ended without a word" }],
  [Code.tls, { name: "tls", text: "the TLS handshake failed" }],
  [Code.certificate, { name: "certificate", text: "one end does not accept the certificate of the other" }],
  [Code.authentication, { name: "authentication", text: "the server does not know who this is" }],
  [Code.attempts, { name: "attempts", text: "there were too many failed attempts from this address" }],
  [Code.removed, { name: "removed", text: "the user may not use this server any more" }],
  [Code.topicName, { name: "topic-name", text: "the name is not one a topic can have" }],
  [Code.pattern, { name: "pattern", text: "the pattern is not well formed" }],
  [Code.reservedTopic, { name: "reserved-topic", text: "topics that begin with $ are the server's own" }],
  [Code.topics, { name: "topics", text: "the server has as many topics as it takes" }],
  [Code.publishers, { name: "publishers", text: "the topic has as many publishers as it takes" }],
  [Code.subscriptions, { name: "subscriptions", text: "the session has as many subscriptions as the server takes" }],
  [Code.subscriptionInUse, { name: "subscription-in-use", text: "the session has a subscription of that number" }],
  [Code.startPoint, { name: "start-point", text: "the start point is not one the server knows" }],
  [Code.requests, { name: "requests", text: "the session has too many unanswered requests" }],
  [Code.noDatagrams, { name: "no-datagrams", text: "the server delivers nothing by datagrams" }],
  [Code.codec, { name: "codec", text: "a topic is compressed by a codec that the subscriber does not know" }],
  [Code.forbidden, { name: "forbidden", text: "the user may not do that" }],
  [Code.group, { name: "group", text: "the server has no key of such a group" }],
  [Code.checksum, { name: "checksum", text: "the frame's checksum does not agree with its bytes" }],
  [Code.count, { name: "count", text: "the frame's message count is impossible" }],
  [Code.messageTooLarge, { name: "message-too-large", text: "the message is larger than the server takes" }],
  [Code.unsupported, { name: "unsupported", text: "the frame asks for something the receiver does not know" }],
  [Code.number, { name: "number", text: "the publisher's numbers went backwards inside a frame" }],
  [Code.expired, { name: "expired", text: "the messages were no longer kept" }],
  [Code.forgotten, { name: "forgotten", text: "the topic was forgotten while the subscriber was away" }],
  [Code.corrupt, { name: "corrupt", text: "the frame is broken inside" }],
  [Code.unrepaired, { name: "unrepaired", text: "datagrams were lost and not repaired in time" }],
  [Code.senderLost, {
    name: "sender-lost",
    text: "a group's sender was not heard any more, and had not said that it ends",
  }],
]);

/** Whether this version knows a code. */
export function isKnown(code: Code): boolean {
  return texts.has(code);
}

/** The name of a code: `write-deadline`. */
export function codeName(code: Code): string {
  return texts.get(code)?.name ?? `code ${code}`;
}

/** What a code means, as a clause without a full stop. */
export function codeText(code: Code): string {
  return texts.get(code)?.text ?? `the peer gave a reason this version does not know (code ${code})`;
}

/** Every code that this version knows, with its name and text, in the order of their numbers. */
export function codes(): { code: Code; name: string; text: string }[] {
  return [...texts].map(([code, { name, text }]) => ({ code, name, text }));
}
