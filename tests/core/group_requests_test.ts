import { assertEquals } from "@std/assert";
import { mostAsked, mostRanges } from "../../core/arrivals.ts";
import { BodyReader } from "../../core/body_reader.ts";
import { noId } from "../../core/bytes.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { cookie, repair } from "../../core/group_frames.ts";
import { GroupRequests, mostNames } from "../../core/group_requests.ts";
import { largestSequence } from "../../core/limits.ts";
import { viewOf, VirtualPlatform } from "./fixtures.ts";

const target = "11".repeat(16);
const nonce = "22".repeat(16);
const from = { text: "192.0.2.7:40000" };

/** What one receiver asks of a session, and what is done for it. */
function setUp() {
  const done: unknown[] = [];
  const requests = new GroupRequests<typeof from>(new VirtualPlatform(), target, {
    proven: () => {},
    again: (ranges) => void done.push(ranges),
    name: (topics) => void done.push(topics),
  });
  let proof = noId;
  const ask = (ranges: readonly (readonly [number, number])[], topics: readonly number[] = []) => {
    const writer = new FrameWriter();
    repair.write(writer, {
      target,
      cookie: proof,
      nonce,
      ranges: ranges.map(([first, count]) => ({ first, count })),
      topics: topics.map((topic) => ({ topic })),
    });
    requests.received(writer.bytes(), viewOf(writer.bytes()), 0, writer.length, from, 0);
    return [requests.unproven, requests.accepted, requests.malformed];
  };
  /** Asks without a cookie, and reads the one that is the answer. */
  const prove = () => {
    ask([]);
    const writer = new FrameWriter();
    assertEquals(requests.answer(writer, 0), from);
    const answer = cookie.read(new BodyReader().open(writer.bytes(), viewOf(writer.bytes()), 8, writer.length));
    assertEquals(answer.nonce, nonce);
    proof = answer.cookie;
  };
  return { ask, prove, done };
}

Deno.test("a request is done for who has a cookie, and is bounded", () => {
  const { ask, prove, done } = setUp();
  assertEquals([ask([[1, 1]]), done], [[1, 0, 0], []]);
  prove();
  assertEquals(ask([[3, 2]], [9]), [2, 1, 0]);
  assertEquals(done, [[{ first: 3, count: 2 }], [9]]);
  const many = Array.from({ length: mostRanges }, (_, i): [number, number] => [2 * i + 1, 1]);
  assertEquals(ask(many, Array(mostNames).fill(9)), [2, 2, 0]);
  assertEquals(ask([[1, mostAsked]]), [2, 3, 0]);
  ask([...many, [99, 1]]);
  ask([[1, mostAsked], [999, 1]]);
  assertEquals(ask([], Array(mostNames + 1).fill(9)), [2, 3, 3]);
});

Deno.test("numbers that no datagram can have are not asked for", () => {
  const { ask, prove, done } = setUp();
  prove();
  ask([[0, 1]]);
  ask([[largestSequence, 256]]);
  assertEquals([ask([[largestSequence, 2]]), done], [[1, 0, 3], []]);
});
