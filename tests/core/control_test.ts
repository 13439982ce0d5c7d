import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BodyReader } from "../../core/body_reader.ts";
import { hex } from "../../core/bytes.ts";
import { Code } from "../../core/codes.ts";
import {
  close,
  controls,
  declare,
  type Fields,
  gap,
  hello,
  type Kind,
  Policy,
  preamble,
  preambleFixed,
  Start,
  subscribe,
} from "../../core/control.ts";
import { ProtocolError } from "../../core/errors.ts";
import { at, FrameType, prefixLength } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { concat, viewOf } from "./fixtures.ts";

type Record_ = Record<string, unknown>;

const utf8Length = (text: string) => new TextEncoder().encode(text).length;
const scalars: Record<Kind & string, fc.Arbitrary<unknown>> = {
  u8: fc.nat({ max: 0xff }),
  u16: fc.nat({ max: 0xffff }),
  u32: fc.nat({ max: 0xffff_ffff }),
  u64: fc.maxSafeNat(),
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(hex),
  text: fc.string({ unit: "binary", maxLength: 80 }).filter((text) => utf8Length(text) <= 255),
};

/** Values for the fields of a table. */
function valuesOf(fields: Fields): fc.Arbitrary<Record_> {
  return fc.record(
    Object.fromEntries(
      Object.entries(fields).map(([name, kind]) => [
        name,
        typeof kind === "string" ? scalars[kind] : fc.array(valuesOf(kind[0]!), { maxLength: 5 }),
      ]),
    ),
  );
}

/** Bytes that the fields of these values take. */
function lengthOf(fields: Fields, values: Record_): number {
  const sizes: Record<string, number> = { u8: 1, u16: 2, u32: 4, u64: 8, id: 16 };
  let length = 0;
  for (const [name, kind] of Object.entries(fields)) {
    if (kind === "text") length += 1 + utf8Length(values[name] as string);
    else if (typeof kind === "string") length += sizes[kind]!;
    else length += (values[name] as Record_[]).reduce((sum, record) => sum + lengthOf(kind[0]!, record), 2);
  }
  return length;
}

function read(control: typeof controls[number], frame: Uint8Array, end = frame.length): Record_ {
  return control.read(new BodyReader().open(frame, viewOf(frame), prefixLength, end));
}

Deno.test("the table has every control frame once, in the order of the types", () => {
  assertEquals(
    controls.map((control) => control.type),
    Object.values(FrameType).filter((type) => type !== FrameType.messages),
  );
  for (const control of controls) {
    assertEquals(FrameType[control.name.toLowerCase() as keyof typeof FrameType], control.type);
    assertEquals(control.name, control.name.toUpperCase());
  }
});

for (const control of controls) {
  Deno.test(`${control.name} comes back as it was written`, () => {
    fc.assert(fc.property(valuesOf(control.fields), fc.uint8Array({ maxLength: 20 }), (values, later) => {
      const writer = new FrameWriter();
      writer.u8(0);
      control.write(writer, values as never);
      const frame = writer.bytes().slice(1);
      const view = viewOf(frame);
      assertEquals(view.getUint32(at.length, true), frame.length);
      assertEquals([frame[at.type], frame[at.header], view.getUint16(at.flags, true)], [control.type, prefixLength, 0]);
      assertEquals(frame.length, prefixLength + lengthOf(control.fields, values));
      assertEquals(read(control, frame), values);
      assertEquals(read(control, concat([frame, later])), values, "bytes of a later version are passed over");
    }));
  });

  Deno.test(`${control.name} that is cut anywhere breaks the protocol`, () => {
    fc.assert(
      fc.property(valuesOf(control.fields), (values) => {
        const writer = new FrameWriter();
        control.write(writer, values as never);
        const frame = writer.bytes();
        for (let end = prefixLength; end < frame.length; end++) {
          assertEquals(
            assertThrows(() => read(control, frame, end), ProtocolError).code,
            Code.protocol,
            `cut at ${end}`,
          );
        }
      }),
      { numRuns: 25 },
    );
  });
}

Deno.test("whatever a body holds, it is read or breaks the protocol", () => {
  fc.assert(
    fc.property(fc.constantFrom(...controls), fc.uint8Array({ maxLength: 200 }), (control, body) => {
      try {
        read(control, concat([new Uint8Array(prefixLength), body]));
      } catch (error) {
        assert(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("some frames, byte by byte", () => {
  const id = "00112233445566778899aabbccddeeff";
  const written = (write: (writer: FrameWriter) => void) => {
    const writer = new FrameWriter();
    write(writer);
    return hex(writer.bytes());
  };
  assertEquals(
    written((writer) => hello.write(writer, { features: 1, session: id, agent: "x", user: "u", secret: "s" })),
    "22000000" + "02080000" + "01000000" + id + "0178" + "0175" + "0173",
  );
  assertEquals(
    written((writer) => declare.write(writer, { request: 2, first: 3, topic: "a/b" })),
    "18000000" + "04080000" + "02000000" + "0300000000000000" + "03612f62",
  );
  assertEquals(
    written((writer) =>
      subscribe.write(writer, {
        subscription: 1,
        policy: Policy.wait,
        start: Start.last,
        value: 10,
        epoch: id,
        patterns: [{ pattern: "a" }, { pattern: "#" }],
      })
    ),
    "2c000000" + "0a080000" + "01000000" + "03" + "03" + "0a00000000000000" + id + "0200" + "0161" + "0123",
  );
  assertEquals(
    written((writer) => gap.write(writer, { subscription: 1, topic: 2, first: 3, last: 4, code: Code.lagged })),
    "22000000" + "0f080000" + "01000000" + "02000000" + "0300000000000000" + "0400000000000000" + "0700",
  );
  assertEquals(
    written((writer) => close.write(writer, { code: Code.idle, why: "" })),
    "0b000000" + "19080000" + "0500" + "00",
  );
});

Deno.test("start points, policies and the preamble are those of the wire: none may ever change", () => {
  assertEquals(Start, { latest: 0, earliest: 1, sequence: 2, last: 3, time: 4, ago: 5, resume: 6 });
  assertEquals(Policy, { server: 0, skip: 1, disconnect: 2, wait: 3 });
  assertEquals(new TextDecoder().decode(preamble.subarray(0, 6)), "stream");
  assertEquals([...preamble.subarray(6)], [1, 0]);
  assertEquals(preambleFixed, preamble.length - 1);
});
