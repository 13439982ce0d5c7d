/** What docs/PROTOCOL.md should say of the bytes of a datagram. */

import { hex, readU64 } from "../../core/bytes.ts";
import { DatagramFlag, fragmentHeader, inDatagram } from "../../core/datagram.ts";
import { viewOf } from "./fixtures.ts";
import { add, type Part, partsOf } from "./protocol_document.ts";

const checksumLength = 4;
const tagLength = 16;

/** The parts of a datagram, as this program reads them; its frames only where they are not encrypted. */
export function datagramParts(bytes: Uint8Array): Part[] {
  const view = viewOf(bytes);
  const parts: Part[] = [];
  const flags = bytes[inDatagram.flags]!;
  const named = Object.entries(DatagramFlag).filter(([, bit]) => flags & bit).map(([name]) => `, ${name}`);
  add(parts, bytes, 0, 4, `datagram${named.join("")}`);
  add(parts, bytes, 4, 8, `group = ${inHex(view.getUint32(inDatagram.group, true))}`);
  add(parts, bytes, 8, 24, `session = ${hex(bytes.subarray(8, 24))}`);
  add(parts, bytes, 24, 32, `counter = ${readU64(view, inDatagram.counter)}`);
  let place = add(parts, bytes, 32, 40, `number = ${readU64(view, inDatagram.number)}`);
  if (flags & DatagramFlag.encrypted) {
    place = add(parts, bytes, place, bytes.length - tagLength, "encrypted");
    add(parts, bytes, place, bytes.length, "tag");
    return parts;
  }
  const end = bytes.length - checksumLength;
  if (flags & DatagramFlag.fragment) {
    add(parts, bytes, place, place + 4, `frame = ${view.getUint32(place, true)}`);
    add(parts, bytes, place + 4, place + 8, `offset = ${view.getUint32(place + 4, true)}`);
    place = add(parts, bytes, place + fragmentHeader, end, "its bytes");
  }
  while (place < end) {
    const frame = bytes.subarray(place, place + view.getUint32(place, true));
    parts.push(...partsOf(frame));
    place += frame.length;
  }
  add(parts, bytes, end, bytes.length, `checksum = ${inHex(view.getUint32(end, true))}`);
  return parts;
}

function inHex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
