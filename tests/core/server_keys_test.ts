import { assertEquals } from "@std/assert";
import { everybody } from "../../core/account.ts";
import { BodyReader } from "../../core/body_reader.ts";
import { hex } from "../../core/bytes.ts";
import { Code } from "../../core/codes.ts";
import { failed, key as keyFrame, keys as keysFrame } from "../../core/control.ts";
import { at, prefixLength } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { GroupKeys } from "../../core/group_keys.ts";
import { Pattern } from "../../core/pattern.ts";
import { Permissions } from "../../core/permissions.ts";
import { type KeyedGroup, ServerKeys } from "../../core/server_keys.ts";
import { Random, viewOf } from "./fixtures.ts";

const address = "239.255.70.70:7071";
const [first, second] = [new Random(1).bytes(32), new Random(2).bytes(32)];

/** What a user may read: these, but not those. */
function reading(allow: string[], deny: string[] = []): Permissions {
  const patterns = (texts: string[]) => texts.map((text) => new Pattern(text));
  return new Permissions({ allow: [], deny: [] }, { allow: patterns(allow), deny: patterns(deny) });
}

class Asking {
  readonly keys = new GroupKeys([first]);
  readonly groups = new Map<string, KeyedGroup>([[address, {
    patterns: [new Pattern("ticks/#"), new Pattern("news")],
    keys: this.keys,
  }]]);
  readonly session = { account: { ...everybody, name: "alice" }, control: new FrameWriter() };
  readonly told: ServerKeys;

  constructor(permissions: Permissions = Permissions.all, encrypted = true) {
    this.session.account = { ...this.session.account, permissions };
    this.told = new ServerKeys(this.session, this.groups, encrypted);
  }

  may(permissions: Permissions): void {
    this.session.account = { ...this.session.account, permissions };
    this.told.revise();
  }

  ask(request: number, group = address): void {
    const writer = new FrameWriter();
    keysFrame.write(writer, { request, group });
    const bytes = writer.bytes();
    this.told.ask(new BodyReader().open(bytes, viewOf(bytes), prefixLength, bytes.length));
  }

  /** What was answered since the last time: a request with its keys, or with the code of its failure. */
  answers(): [request: number, what: string[] | number, why?: string][] {
    const bytes = this.session.control.bytes().slice();
    this.session.control.clear(false);
    const view = viewOf(bytes);
    const answers: [number, string[] | number, string?][] = [];
    for (let start = 0; start < bytes.length;) {
      const end = start + view.getUint32(start + at.length, true);
      const type = view.getUint8(start + at.type);
      const body = new BodyReader().open(bytes, view, start + prefixLength, end);
      if (type === keyFrame.type) {
        const { request, keys } = keyFrame.read(body);
        answers.push([request, keys.map(({ upper, lower }) => upper + lower)]);
      } else {
        const { request, code, why } = failed.read(body);
        answers.push([request, code, why]);
      }
      start = end;
    }
    return answers;
  }
}

Deno.test("who may read all that a group carries is told its keys, and told again when they change", () => {
  const asking = new Asking(reading(["#"]));
  asking.ask(7);
  assertEquals(asking.answers(), [[7, [hex(first)]]]);
  asking.keys.replace([first, second]);
  asking.told.changed(address);
  assertEquals(asking.answers(), [[7, [hex(first), hex(second)]]]);
  asking.told.changed("239.255.70.70:9");
  assertEquals(asking.answers(), []);
});

Deno.test("who may read half of it, or all but one topic, is told nothing", () => {
  const refused = "alice may not read all that mcast://239.255.70.70:7071 carries: ticks/# news";
  for (const permissions of [reading(["ticks/#"]), reading(["#"], ["ticks/secret"]), reading([])]) {
    const asking = new Asking(permissions);
    asking.ask(1);
    assertEquals(asking.answers(), [[1, Code.forbidden, refused]]);
    asking.told.changed(address);
    assertEquals(asking.answers(), []);
  }
});

Deno.test("no key goes where it can be read, and none of a group that there is not", () => {
  const plain = new Asking(Permissions.all, false);
  plain.ask(1);
  const why = "the key of a group is told over TLS alone: connect with tls://";
  assertEquals(plain.answers(), [[1, Code.forbidden, why]]);
  const asking = new Asking();
  asking.ask(1, "239.255.70.70:7072");
  assertEquals(asking.answers(), [[1, Code.group, "the server has no key of such a group"]]);
});

Deno.test("who may not read it any more is told so, once, and no later key", () => {
  const asking = new Asking(reading(["#"]));
  asking.ask(1);
  asking.answers();
  asking.may(reading(["#"], ["ticks/#"]));
  assertEquals(asking.answers().map(([request, code]) => [request, code]), [[1, Code.forbidden]]);
  asking.told.changed(address);
  asking.may(reading(["#"]));
  assertEquals(asking.answers(), []);
  asking.ask(2);
  assertEquals(asking.answers(), [[2, [hex(first)]]]);
});

Deno.test("a session asks for 16 groups at most", () => {
  const asking = new Asking();
  for (let request = 1; request <= 16; request++) asking.ask(request);
  asking.ask(16);
  assertEquals(asking.answers().length, 17);
  asking.ask(17);
  assertEquals(asking.answers(), [[17, Code.requests, "more than 16 groups"]]);
});
