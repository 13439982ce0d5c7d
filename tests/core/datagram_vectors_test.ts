/** The chapter "Datagrams" of docs/PROTOCOL.md and the code say the same: the bytes of its examples, and its tables. */

import { assert, assertEquals } from "@std/assert";
import { hex, readU64, unhex } from "../../core/bytes.ts";
import {
  bodyOf,
  checksumSeal,
  DatagramFlag,
  datagramHeader,
  DatagramWriter,
  inDatagram,
  openDatagram,
  type Seal,
} from "../../core/datagram.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import { at } from "../../core/frame.ts";
import type { DropReason } from "../../core/group_receiver.ts";
import { platform } from "../../transports/platform.ts";
import { datagramParts } from "./datagram_document.ts";
import { GroupEnds } from "./datagram_ends.ts";
import { framesIn, viewOf } from "./fixtures.ts";
import {
  blocks,
  bytesOf,
  document,
  fieldRows,
  groupControls,
  lines,
  type Shown,
  tablesUnder,
} from "./protocol_document.ts";

const found = blocks(document);
const conversation = found.get("group")!;
const encrypted = found.get("encrypted")! as Shown[];
const plain = conversation.filter((item): item is Shown => item.kind === "bytes");

/** The tables of an encrypted example: the bytes of each value, the text of the info. */
const values = tablesUnder("### A group with a key").map((rows) =>
  Object.fromEntries(rows.map(([name, value]) => [name!, value!]))
);
const groupKey = unhex(values[0]!["group key"]!);
const groupIds = new Map(tablesUnder("## Datagrams")[1]!.map(([address, id]) => [address!, Number(id)]));
const group = groupIds.get("239.255.70.70:7071")!;

const checksum = checksumSeal(platform);
const senders = encryptedSeal(platform, groupKey, "sender");
const receivers = encryptedSeal(platform, groupKey, "receiver");

/** The seals that make a datagram of the document, and that open it. */
function sealsOf(shown: Shown): { makes: Seal; opens: Seal } {
  if (!encrypted.includes(shown)) return { makes: checksum, opens: checksum };
  return shown.from === "server" ? { makes: senders, opens: receivers } : { makes: receivers, opens: senders };
}

/** A datagram of the document, opened: its header, and what is between that and its seal. */
function opened(shown: Shown): { header: Uint8Array; body: Uint8Array } {
  const bytes = bytesOf(shown).slice();
  const { opens } = sealsOf(shown);
  assertEquals(openDatagram(opens, bytes, viewOf(bytes), 0, bytes.length, group), null, `line ${shown.line}`);
  const body = bodyOf(bytes, 0);
  return { header: bytes.slice(0, body), body: bytes.slice(body, bytes.length - opens.length) };
}

const flagsOf = (shown: Shown) => bytesOf(shown)[inDatagram.flags]!;
const counterOf = (shown: Shown) => readU64(viewOf(bytesOf(shown)), inDatagram.counter);

Deno.test("the document says of each byte of its datagrams what this program reads there", () => {
  for (const shown of [...plain, ...encrypted]) {
    const parts = datagramParts(bytesOf(shown));
    assertEquals(
      shown.parts.map(({ bytes, note }) => ({ bytes, note })),
      parts.map(({ bytes, note }) => ({ bytes: bytes.slice(), note })),
      `docs/PROTOCOL.md, line ${shown.line}, should be:\n${lines(shown.from, parts)}\n`,
    );
  }
});

Deno.test("a datagram that is opened, and made again from what was in it, has the bytes of the document", () => {
  for (const shown of [...plain, ...encrypted]) {
    const { header, body } = opened(shown);
    const { makes } = sealsOf(shown);
    const bytes = new Uint8Array(datagramHeader + body.length + makes.length);
    const view = viewOf(bytes);
    const writer = new DatagramWriter(makes, group, header.slice(inDatagram.session, inDatagram.session + 16));
    let length = 0;
    for (let counter = counterOf(shown); counter > 0; counter--) {
      bytes.set(body, datagramHeader);
      const flags = flagsOf(shown) & ~DatagramFlag.encrypted;
      length = writer.finish(
        bytes,
        view,
        datagramHeader + body.length,
        flags,
        readU64(viewOf(header), inDatagram.number),
      );
    }
    assertEquals(bytes.subarray(0, length), bytesOf(shown), `line ${shown.line}`);
  }
});

/**
 * What a group says and tells while that happens which the document tells of: in its order, bytes and texts.
 *
 * @param key the group's, or `null`
 */
function played(key: Uint8Array | null): (Uint8Array | string | undefined | null)[] {
  const ends = new GroupEnds(group, key);
  const rest = () => [ends.told, ends.sends(), ends.asks()];
  const happened = new Set<string>();
  const said = conversation.map((item, index) => {
    if (item.kind === "bytes") return item.from === "server" ? ends.sends() : ends.asks();
    const { text } = item;
    if (text.startsWith("the receiver ")) return ends.told.shift();
    if (text === "the next datagram is lost") ends.lose();
    else if (index > 0) {
      assertEquals(rest(), [[], null, null], `the document leaves out what is before: ${text}`);
      assert(ends.happenings[text], `the document tells of something that the tests do not know: ${text}`);
      ends.happenings[text]();
      happened.add(text);
    }
    return text;
  });
  assertEquals(rest(), [[], null, null]);
  assertEquals(happened, new Set(Object.keys(ends.happenings)));
  return said;
}

Deno.test("a sender and a receiver say the bytes of the document, and what it tells happens", () => {
  const said = played(null);
  for (const [index, item] of conversation.entries()) {
    if (item.kind === "bytes") assertEquals(said[index], bytesOf(item), `line ${item.line}`);
    else assertEquals(said[index], item.text);
  }
});

Deno.test("with a key the same happens, and the encrypted datagrams have the bytes of the document", () => {
  const said = played(groupKey);
  const told = conversation.flatMap((item) => item.kind === "event" ? [item.text] : []);
  assertEquals(said.filter((text) => typeof text === "string"), told);
  for (const shown of encrypted) {
    const index = conversation.findIndex((item) =>
      item.kind === "bytes" && item.from === shown.from && counterOf(item) === counterOf(shown)
    );
    assertEquals(said[index], bytesOf(shown), `line ${shown.line}`);
    assertEquals(opened(shown).body, opened(conversation[index] as Shown).body);
  }
});

Deno.test("the values on the way to an encrypted datagram are those of the document", () => {
  assertEquals([encrypted.length, values.length], [2, 2]);
  for (const [index, shown] of encrypted.entries()) {
    const of = values[index]!;
    const { header, body } = opened(shown);
    assertEquals(unhex(of.salt!), header.slice(inDatagram.session, inDatagram.session + 16));
    const key = platform.hkdf(unhex(of["group key"]!), unhex(of.salt!), new TextEncoder().encode(of.info!), 32);
    assertEquals(hex(key), of.key);
    assertEquals(of.nonce, "00000000" + hex(header.slice(inDatagram.counter, inDatagram.counter + 8)));
    assertEquals(unhex(of.authenticated!), header);
    const bytes = bytesOf(shown).slice();
    bytes.set(body, header.length);
    platform.encrypt(key, unhex(of.nonce!), bytes, 0, header.length, header.length + body.length);
    assertEquals(bytes, bytesOf(shown));
  }
});

Deno.test("every control frame of datagrams has a section with its fields, and an example from the side that sends it", () => {
  const headings = [...document.matchAll(/^### ([A-Z]+) \((\d+)\), (sender to receivers?|receiver to sender)$/gm)];
  assertEquals(
    headings.map(([, name, type]) => [name!, Number(type)]),
    groupControls.map(({ name, type }) => [name, type]),
  );
  const types = (from: "client" | "server") =>
    plain.filter((shown) => shown.from === from && !(flagsOf(shown) & DatagramFlag.numbered))
      .flatMap((shown) => framesIn(opened(shown).body).map((frame) => frame[at.type]!));
  for (const [index, [heading, , type, direction]] of headings.entries()) {
    const table = tablesUnder(heading)[0] ?? [];
    assertEquals(table.map(([field, kind]) => [field!, kind!]), fieldRows(groupControls[index]!.fields), heading);
    const [speaks, isSilent] = direction === "receiver to sender"
      ? ["client", "server"] as const
      : ["server", "client"] as const;
    assert(types(speaks).includes(Number(type)), `${heading} has no example`);
    assert(!types(isSilent).includes(Number(type)), heading);
  }
});

Deno.test("there is an example of every kind of datagram", () => {
  const { numbered, fragment, repair } = DatagramFlag;
  const kinds = new Set(plain.map(flagsOf));
  for (const kind of [0, numbered, numbered | fragment, numbered | fragment | repair]) {
    assert(kinds.has(kind), `${kind}`);
  }
  const several = plain.filter((shown) => flagsOf(shown) === numbered).map((shown) => framesIn(opened(shown).body));
  const topics = new Set(several[0]!.map((frame) => viewOf(frame).getUint32(at.topic, true)));
  assertEquals(topics.size, 2, "frames of two topics in one");
});

Deno.test("the header of datagrams, its flags and its group ids stand in the document", () => {
  const [header, flags, fragment] = tablesUnder("### The layout of datagrams");
  const numbered = (table: string[][], number: number, name: number) =>
    Object.fromEntries(table.map((row) => [row[name]!, Number(row[number])]));
  assertEquals(numbered(header!, 0, 2), inDatagram);
  assertEquals(numbered(flags!, 0, 1), DatagramFlag);
  assertEquals(numbered(fragment!, 0, 2), { frame: datagramHeader, offset: datagramHeader + 4 });
  assertEquals(groupIds.size, 2);
  for (const [text, id] of groupIds) assertEquals(platform.crc32(new TextEncoder().encode(text)), id, text);
});

Deno.test("every reason to drop a datagram stands in the document", () => {
  const reasons: Record<DropReason, true> = {
    foreign: true,
    version: true,
    encrypted: true,
    plain: true,
    damaged: true,
    large: true,
    request: true,
    senders: true,
    unproven: true,
    repeated: true,
  };
  const told = new Set(tablesUnder("### What is checked")[0]!.map(([, name]) => name!));
  assertEquals([...told], Object.keys(reasons));
});
