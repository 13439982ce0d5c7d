/**
 * Reads docs/PROTOCOL.md as the tests do: its tables, and its blocks of bytes.
 *
 * A block is fenced as `hex NAME`. A line is a mark, bytes in hexadecimal, ` | ` and what they are; behind `; ` stands a
 * remark. The mark is `>` where the client begins a frame and `<` where the server does, in a group where a receiver and
 * the sender begin a datagram; a line without a mark goes on with the frame before, and one without `|` with the field
 * before. A line that begins with `*` is something that happens, in words. Blocks of the same name are one conversation;
 * `vector` is the name of frames that stand alone.
 */

import { BodyReader } from "../../core/body_reader.ts";
import { hex, readU64, unhex } from "../../core/bytes.ts";
import { Control, controls, type Fields, preamble } from "../../core/control.ts";
import { entryHeader, ExtensionType } from "../../core/extension.ts";
import { at, FrameType, isEncoded } from "../../core/frame.ts";
import * as groupFrames from "../../core/group_frames.ts";
import { concat, same, viewOf } from "./fixtures.ts";

/** A field, or another part of a frame: its bytes and what the document says of them, without the remark. */
export interface Part {
  bytes: Uint8Array;
  readonly note: string;
}

/** A preamble or a whole frame, as it stands in the document. */
export interface Shown {
  readonly kind: "bytes";
  readonly from: "client" | "server";
  readonly parts: Part[];
  /** The line of the document it begins on. */
  readonly line: number;
}

/** Something that happens between frames. */
export interface Happening {
  readonly kind: "event";
  readonly text: string;
}

export type Item = Shown | Happening;

export const document = await Deno.readTextFile(new URL("../../docs/PROTOCOL.md", import.meta.url));

/** The control frames of datagrams, in the order of their types. */
export const groupControls: readonly Control<Fields>[] = Object.values(groupFrames)
  .filter((value) => value instanceof Control)
  .map((control) => control as unknown as Control<Fields>)
  .toSorted((a, b) => a.type - b.type);

/** The blocks of bytes, by name. */
export function blocks(markdown: string): Map<string, Item[]> {
  const found = new Map<string, Item[]>();
  let items: Item[] | null = null;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^```(?:hex (\S+))?/.exec(line);
    if (fence && items) items = null;
    else if (fence?.[1]) found.set(fence[1], items = found.get(fence[1]) ?? []);
    else if (items && line.trim() !== "") addLine(items, line, index + 1);
  }
  return found;
}

function addLine(items: Item[], line: string, number: number): void {
  if (line.startsWith("* ")) {
    items.push({ kind: "event", text: line.slice(2) });
    return;
  }
  const [, mark, digits, note] = /^([<> ]) ((?:[0-9a-f]{2} ?)+?) *(?:\| (.*))?$/.exec(line) ??
    raise(number, "neither a mark, bytes and what they are, nor an event");
  if (mark !== " ") {
    items.push({ kind: "bytes", from: mark === ">" ? "client" : "server", parts: [], line: number });
  }
  const shown = items.at(-1);
  if (shown?.kind !== "bytes") return raise(number, "bytes of no frame");
  const bytes = unhex(digits!.replaceAll(" ", ""));
  if (note !== undefined) shown.parts.push({ bytes, note: note.replace(/;.*/, "").trim() });
  else if (shown.parts.length > 0) shown.parts.at(-1)!.bytes = concat([shown.parts.at(-1)!.bytes, bytes]);
  else raise(number, "the first line of a frame says what it is");
}

function raise(line: number, what: string): never {
  throw new Error(`docs/PROTOCOL.md, line ${line}: ${what}`);
}

export function bytesOf(shown: Shown): Uint8Array {
  return concat(shown.parts.map(({ bytes }) => bytes));
}

/** What the document should say of a preamble or a frame: its parts, as this program reads them. */
export function partsOf(bytes: Uint8Array): Part[] {
  if (bytes.length === preamble.length && same(bytes.subarray(0, 6), preamble.subarray(0, 6))) {
    return [{ bytes, note: `preamble, version ${bytes[6]}.${bytes[7]}` }];
  }
  const view = viewOf(bytes);
  const type = view.getUint8(at.type);
  const header = view.getUint8(at.header);
  if (type === FrameType.messages) return messageParts(bytes, view);
  const control = [...controls, ...groupControls].find((control) => control.type === type);
  const parts: Part[] = [];
  const body = new Recorder(bytes, parts);
  add(parts, bytes, 0, 8, control?.name ?? `type ${type}`);
  if (header > 8) add(parts, bytes, 8, header, "longer header");
  body.open(bytes, view, header, bytes.length);
  body.place = header;
  if (control) body.fields(control.fields, "");
  if (body.place < bytes.length) add(parts, bytes, body.place, bytes.length, "unknown");
  return parts;
}

/** Adds what stands at `start` to `end`. Returns where that ends. */
export function add(parts: Part[], bytes: Uint8Array, start: number, end: number, note: string): number {
  parts.push({ bytes: bytes.subarray(start, end), note });
  return end;
}

/** Reads fields, and notes which bytes they took. */
class Recorder extends BodyReader {
  place = 0;
  readonly #all: Uint8Array;
  readonly #parts: Part[];

  constructor(all: Uint8Array, parts: Part[]) {
    super();
    this.#all = all;
    this.#parts = parts;
  }

  fields(fields: Fields, prefix: string): void {
    for (const [name, kind] of Object.entries(fields)) {
      if (typeof kind === "string") {
        const value = this[kind]();
        this.#note(`${prefix}${name} = ${kind === "text" ? JSON.stringify(value) : value}`, sizeOf(kind, value));
      } else {
        const count = this.u16();
        this.#note(`${prefix}${name} = ${count} of them`, 2);
        for (let i = 0; i < count; i++) this.fields(kind[0]!, `${name}[${i}].`);
      }
    }
  }

  #note(note: string, size: number): void {
    this.place = add(this.#parts, this.#all, this.place, this.place + size, note);
  }
}

function sizeOf(kind: "u8" | "u16" | "u32" | "u64" | "id" | "text", value: string | number): number {
  const sizes = { u8: 1, u16: 2, u32: 4, u64: 8, id: 16 };
  return kind === "text" ? 1 + new TextEncoder().encode(value as string).length : sizes[kind];
}

function messageParts(bytes: Uint8Array, view: DataView): Part[] {
  const parts: Part[] = [];
  const header = view.getUint8(at.header);
  const payload = header + view.getUint16(at.extension, true);
  add(parts, bytes, 0, 8, "MESSAGES");
  add(parts, bytes, 8, 12, `topic = ${view.getUint32(at.topic, true)}`);
  add(parts, bytes, 12, 14, `count = ${view.getUint16(at.count, true)}`);
  add(parts, bytes, 14, 16, `extension = ${payload - header}`);
  add(parts, bytes, 16, 24, `sequence = ${readU64(view, at.sequence)}`);
  add(parts, bytes, 24, 32, `time = ${readU64(view, at.time)}`);
  add(parts, bytes, 32, 40, `number = ${readU64(view, at.number)}`);
  add(parts, bytes, 40, 44, `payload = ${view.getUint32(at.payload, true)}`);
  add(parts, bytes, 44, 48, `checksum = 0x${view.getUint32(at.checksum, true).toString(16).padStart(8, "0")}`);
  if (header > 48) add(parts, bytes, 48, header, "longer header");
  for (let offset = header; offset < payload;) {
    const length = view.getUint16(offset + 2, true);
    const value = offset + entryHeader;
    add(parts, bytes, offset, value, `entry of type ${bytes[offset]}, flags ${bytes[offset + 1]}, ${length} bytes`);
    if (bytes[offset] === ExtensionType.codec) {
      add(parts, bytes, value, value + 1, `codec = ${bytes[value]}`);
      add(parts, bytes, value + 1, value + length, `expanded = ${view.getUint32(value + 1, true)}`);
    } else if (length > 0) add(parts, bytes, value, value + length, "value");
    offset = value + length;
  }
  if (isEncoded(view, 0)) {
    add(parts, bytes, payload, bytes.length, "compressed payload");
    return parts;
  }
  for (let offset = payload; offset < bytes.length;) {
    let length = 0;
    let start = offset;
    for (let shift = 0;; shift += 7) {
      const byte = bytes[start++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    add(parts, bytes, offset, start, `message of ${length} bytes`);
    offset = start + length;
    if (length > 0) add(parts, bytes, start, offset, messageNote(bytes.subarray(start, offset)));
  }
  return parts;
}

function messageNote(message: Uint8Array): string {
  return message.length > 40 ? "its bytes" : JSON.stringify(new TextDecoder().decode(message));
}

/** The lines of a block that show a frame: what to put into the document when a test finds it wrong. */
export function lines(from: "client" | "server", parts: readonly Part[]): string {
  const mark = from === "client" ? ">" : "<";
  const rows = parts.flatMap(({ bytes, note }) => {
    const digits = hex(bytes).match(/../g) ?? [];
    return Array.from({ length: Math.ceil(digits.length / 16) }, (_, row) => {
      const cells = digits.slice(16 * row, 16 * row + 16).join(" ");
      return row === 0 ? `${cells.padEnd(47)} | ${note}` : cells;
    });
  });
  return rows.map((row, index) => `${index === 0 ? mark : " "} ${row}`).join("\n");
}

/** The rows that a table of a control frame's fields should have: their names and types. */
export function fieldRows(fields: Fields, prefix = ""): [string, string][] {
  return Object.entries(fields).flatMap(([name, kind]): [string, string][] =>
    typeof kind === "string"
      ? [[prefix + name, kind]]
      : [[prefix + name, "list"], ...fieldRows(kind[0]!, `${prefix}${name}[].`)]
  );
}

/** The tables under a heading, up to the next heading: rows of cells, without the head, code marks taken off. */
export function tablesUnder(heading: string): string[][][] {
  const all = document.split("\n");
  const start = all.findIndex((line) => line === heading);
  if (start < 0) throw new Error(`docs/PROTOCOL.md has no heading "${heading}"`);
  const end = all.findIndex((line, index) => index > start && /^#+ /.test(line));
  const tables: string[][][] = [];
  let table: string[][] | null = null;
  let fenced = false;
  for (const line of all.slice(start, end < 0 ? undefined : end)) {
    if (line.startsWith("```")) fenced = !fenced;
    if (fenced || !line.startsWith("|")) table = null;
    else if (table === null) tables.push(table = []);
    else if (!/^\|[-: |]+\|$/.test(line)) {
      table.push(line.slice(1, -1).split("|").map((cell) => cell.trim().replaceAll("`", "")));
    }
  }
  return tables;
}
