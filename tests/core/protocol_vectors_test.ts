/** docs/PROTOCOL.md and the code say the same: the bytes of its examples, its tables, its numbers. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { BodyReader } from "../../core/body_reader.ts";
import { Codec, featureOf } from "../../core/codec.ts";
import { Code, codes } from "../../core/codes.ts";
import { controls, Policy, preamble, Start } from "../../core/control.ts";
import { ExtensionType } from "../../core/extension.ts";
import { at, encodingOf, faultOf, FrameType, isEncoded, prefixLength, stamp } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import * as limits from "../../core/limits.ts";
import { readU64, unhex } from "../../core/bytes.ts";
import { findMessages } from "../../core/payload.ts";
import { Segment } from "../../core/segment.ts";
import { platform } from "../../transports/platform.ts";
import { concat, messagesFrame, opening, same, viewOf } from "./fixtures.ts";
import {
  blocks,
  bytesOf,
  document,
  fieldRows,
  type Item,
  lines,
  partsOf,
  type Shown,
  tablesUnder,
} from "./protocol_document.ts";
import { ClientEnd, ServerEnd } from "./protocol_ends.ts";

const found = blocks(document);
const conversation = found.get("conversation")!;
const vectors = found.get("vector")! as Shown[];
const all = [...conversation, ...vectors].filter((item): item is Shown => item.kind === "bytes");

/** Whether it is a frame of this protocol, or begins like a connection of it. */
function isOurs(shown: Shown): boolean {
  return !shown.parts[0]!.note.startsWith('"');
}

function isPreamble(bytes: Uint8Array): boolean {
  return bytes.length === preamble.length && same(bytes.subarray(0, 6), preamble.subarray(0, 6));
}

const framesShown = all.filter((shown) => isOurs(shown) && !isPreamble(bytesOf(shown)));

function typeOf(shown: Shown): number {
  return bytesOf(shown)[at.type]!;
}

function controlOf(type: number) {
  return controls.find((control) => control.type === type);
}

function valuesOf(bytes: Uint8Array) {
  const body = new BodyReader().open(bytes, viewOf(bytes), bytes[at.header]!, bytes.length);
  return controlOf(bytes[at.type]!)!.read(body);
}

Deno.test("the document says of each byte of its examples what this program reads there", () => {
  assert(all.length > 50);
  for (const shown of all.filter(isOurs)) {
    const parts = partsOf(bytesOf(shown));
    assertEquals(
      shown.parts.map(({ bytes, note }) => ({ bytes, note })),
      parts.map(({ bytes, note }) => ({ bytes: bytes.slice(), note })),
      `docs/PROTOCOL.md, line ${shown.line}, should be:\n${lines(shown.from, parts)}\n`,
    );
  }
});

Deno.test("a control frame that is read and written again has the bytes of the document", () => {
  const later: number[] = [];
  for (const shown of framesShown) {
    const bytes = bytesOf(shown);
    const control = controlOf(typeOf(shown));
    if (!control) continue;
    const writer = new FrameWriter();
    control.write(writer, valuesOf(bytes));
    if (writer.length < bytes.length) later.push(control.type);
    else assertEquals(writer.bytes(), bytes, `line ${shown.line}`);
  }
  assertEquals(later, [FrameType.ping], "one frame of a later version");
});

Deno.test("a frame of messages that is made of what the document says has its bytes", () => {
  let wrong = 0;
  for (const shown of framesShown.filter((shown) => typeOf(shown) === FrameType.messages)) {
    const bytes = bytesOf(shown);
    const view = viewOf(bytes);
    const header = bytes[at.header]!;
    const payload = header + view.getUint16(at.extension, true);
    // What a codec makes of its input may change: the other way round is tested below.
    if (isEncoded(view, 0)) continue;
    const count = view.getUint16(at.count, true);
    const bounds = new Uint32Array(2 * count);
    assert(findMessages(bytes, payload, bytes.length, count, bounds));
    const messages = Array.from({ length: count }, (_, i) => bytes.subarray(bounds[2 * i]!, bounds[2 * i + 1]!));
    const made = messagesFrame(messages, {
      topic: view.getUint32(at.topic, true),
      number: readU64(view, at.number),
      header,
      extension: bytes.subarray(header, payload),
    });
    stamp(viewOf(made), 0, readU64(view, at.sequence), readU64(view, at.time));
    if (view.getUint32(at.checksum, true) === 0xdeadbeef) {
      wrong++;
      viewOf(made).setUint32(at.checksum, 0xdeadbeef, true);
    }
    assertEquals(made, bytes, `line ${shown.line}`);
  }
  assertEquals(wrong, 1, "one frame with a wrong checksum");
});

/** What one side says, then what the other does, and what happens before. */
interface Turn {
  readonly events: string[];
  readonly client: Shown[];
  readonly server: Shown[];
}

function turns(items: readonly Item[]): Turn[] {
  const all: Turn[] = [];
  for (const item of items) {
    let turn = all.at(-1);
    const last = turn?.server.length ? "server" : turn?.client.length ? "client" : "event";
    const kind = item.kind === "event" ? "event" : item.from;
    if (turn === undefined || (kind !== "server" && last !== "event" && kind !== last)) {
      all.push(turn = { events: [], client: [], server: [] });
    }
    if (item.kind === "event") turn.events.push(item.text);
    else turn[item.from].push(item);
  }
  return all;
}

const isSaid = (items: readonly Shown[]) => concat(items.map(bytesOf));

Deno.test("a server answers each turn of the conversations with the bytes of the document", () => {
  const server = new ServerEnd();
  const happened = new Set<string>();
  for (const turn of turns(conversation)) {
    for (const event of turn.events) {
      happened.add(event);
      const happen = server.happenings[event];
      assert(happen, `the document tells of something that the tests do not know: ${event}`);
      happen();
    }
    const answer = server.answer(isSaid(turn.client));
    assertEquals(answer, isSaid(turn.server), `line ${(turn.client[0] ?? turn.server[0])!.line}`);
  }
  assertEquals(happened, new Set(Object.keys(server.happenings)));
});

Deno.test("a client says each turn of the conversations in the bytes of the document, and understands the answers", () => {
  const client = new ClientEnd();
  const until = conversation.findIndex((item) => item.kind === "event" && item.text.startsWith("another connection"));
  const ours = conversation.slice(0, until);
  const heard: unknown[] = [];
  let delivering = 0;
  const spoken = turns(ours);
  for (const [index, turn] of spoken.entries()) {
    if (index > 0 && turn.client.length > 0) {
      const says = client.script[index - 1]!;
      if (says !== null) {
        says();
        assertEquals(client.says(), isSaid(turn.client), `line ${turn.client[0]!.line}`);
      }
    } else if (index === 0) {
      assertEquals(client.says(), isSaid(turn.client));
    }
    for (const shown of turn.server) {
      const bytes = bytesOf(shown);
      const type = bytes[at.type]!;
      client.hears(bytes);
      if (isPreamble(bytes) || type === FrameType.pong) continue;
      if (type === FrameType.messages) heard.push({ name: "MESSAGES", values: { subscription: delivering } });
      else if (type === FrameType.deliver) delivering = valuesOf(bytes).subscription as number;
      else heard.push({ name: controlOf(type)!.name, values: valuesOf(bytes) });
    }
  }
  assertEquals(client.told, heard as typeof client.told);
  assertEquals(spoken.filter((turn) => turn.client.length > 0).length, client.script.length + 1);
  assertEquals(client.session.code, Code.draining);
});

Deno.test("the frames that stand alone are what the document calls them", () => {
  const messages = vectors.filter((shown) => typeOf(shown) === FrameType.messages).map(bytesOf);
  const faults = messages.map((bytes) => faultOf(platform, bytes, viewOf(bytes), 0, bytes.length));
  assertEquals(faults, [Code.done, Code.done, Code.done, Code.unsupported, Code.done, Code.done, Code.done]);

  const greeted = turns(conversation)[0]!;
  const server = new ServerEnd();
  server.answer(isSaid(greeted.client));
  const ping = bytesOf(vectors.find((shown) => typeOf(shown) === FrameType.ping)!);
  assertEquals(server.answer(ping), unhex("10000000170800000800000000000000"));
  const client = new ClientEnd();
  client.hears(isSaid(greeted.server));
  const unknown = bytesOf(vectors.find((shown) => !controlOf(typeOf(shown)) && typeOf(shown) !== 1)!);
  client.hears(unknown);
  assertEquals(client.session.state, "open");
  unknown[at.flags + 1] = 0;
  client.hears(unknown);
  assertEquals(client.session.code, Code.protocol);
});

Deno.test("the compressed frames of the document expand to the messages of the one before them, each by its codec", () => {
  const messages = vectors.filter((shown) => typeOf(shown) === FrameType.messages).map(bytesOf);
  const [plain, ...packed] = messages.slice(messages.findIndex((bytes) => isEncoded(viewOf(bytes), 0)) - 1);
  const expected = plain!.subarray(48);
  assertEquals(packed.map((bytes) => encodingOf(viewOf(bytes), 0)), [
    { codec: Codec.deflate, expanded: expected.length },
    { codec: Codec.zstd, expanded: expected.length },
  ]);
  const codecs = tablesUnder("### Compression")[1]!;
  assertEquals(codecs.map(([codec, name, feature]) => [name, Number(codec), Number(feature)]), [
    ["deflate", Codec.deflate, featureOf(Codec.deflate)],
    ["zstd", Codec.zstd, featureOf(Codec.zstd)],
  ]);
  for (const bytes of packed) {
    const batch = new Batch();
    const segment = new Segment(bytes, viewOf(bytes), 0, bytes.length, 0, 1);
    assertEquals(batch.open("a", segment, 0, 0, opening(platform)), Code.done);
    assertEquals([batch.count, batch.bytes], [3, expected]);
    assertLess(bytes.length, plain!.length);
  }
});

Deno.test("every frame type has a section with its fields, and an example from the side that sends it", () => {
  const headings = [...document.matchAll(/^### ([A-Z]+) \((\d+)\), (client to server|server to client|either way)$/gm)];
  assertEquals(
    headings.map(([, name, type]) => [name!, Number(type)]),
    controls.map(({ name, type }) => [name, type]),
  );
  for (const [heading, , type, direction] of headings) {
    const control = controlOf(Number(type))!;
    const table = tablesUnder(heading)[0]!;
    assertEquals(table.map(([field, kind]) => [field!, kind!]), fieldRows(control.fields), heading);
    assert(table.every((row) => row.length === 3));
    const from = new Set(framesShown.filter((shown) => typeOf(shown) === control.type).map(({ from }) => from));
    assert(from.size > 0, `${heading} has no example`);
    if (direction === "client to server") assertEquals(from, new Set(["client"]), heading);
    if (direction === "server to client") assertEquals(from, new Set(["server"]), heading);
  }
  const messages = framesShown.filter((shown) => typeOf(shown) === FrameType.messages);
  assertEquals(new Set(messages.map(({ from }) => from)), new Set(["client", "server"]));
});

Deno.test("the header of frames stands in the document with its offsets", () => {
  const prefix = tablesUnder("## Frames")[0]!;
  const header = tablesUnder("## Frames of messages")[0]!;
  const rows = (table: string[][]) => table.map(([offset, , name]) => [name!, Number(offset)]);
  assertEquals(rows(header), Object.entries(at).toSorted(([, a], [, b]) => a - b));
  assertEquals(rows(prefix), Object.entries(at).filter(([, offset]) => offset < prefixLength));
});

Deno.test("start points, lag policies and extension types stand in the document with their numbers", () => {
  const numbered = (table: string[][]) => Object.fromEntries(table.map(([number, name]) => [name!, Number(number)]));
  const [, policies, starts] = tablesUnder("### SUBSCRIBE (10), client to server");
  assertEquals(numbered(policies!), Policy);
  assertEquals(numbered(starts!), Start);
  const types = numbered(tablesUnder("### Extension")[1]!);
  const spelled = (name: string) => name.replace(/[ -](.)/g, (_, letter) => letter.toUpperCase());
  assertEquals(Object.fromEntries(Object.entries(types).map(([name, type]) => [spelled(name), type])), ExtensionType);
});

Deno.test("every code stands in the document with its number, name and meaning, and says what to do", () => {
  const table = tablesUnder("## Codes")[0]!;
  assertEquals(
    table.map(([code, name, text]) => ({ code: Number(code), name: name!, text: text! })),
    codes(),
  );
  assert(table.every(([, , , where, advice]) => where && advice));
});

Deno.test("every limit stands in the document with its number", () => {
  const [fixed, settable] = tablesUnder("## Limits");
  const numbers = (table: string[][]) => Object.fromEntries(table.map(([name, number]) => [name!, Number(number)]));
  const { defaultLimits, ...constants } = limits;
  assertEquals(numbers(fixed!), constants);
  assertEquals(numbers(settable!), defaultLimits);
});
