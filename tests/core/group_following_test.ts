import { assertEquals } from "@std/assert";
import { GroupFollowing } from "../../core/group_following.ts";

/** Intervals in which so many datagrams are sent, and what is asked for in them. */
function setUp(kept = Infinity) {
  const following = new GroupFollowing(kept);
  let next = 1;
  return {
    next: () => next,
    asks: (first: number, count = 1, from = "a") => following.asked([{ first, count }], from),
    pass: (sent: number, overloaded = false) => following.troubled(next += sent, overloaded),
  };
}

Deno.test("who asks for nothing, or for little of what was sent just now, follows", () => {
  const { pass, asks, next } = setUp();
  for (let i = 0; i < 20; i++) {
    assertEquals(pass(5000), false);
    asks(next() - 500, 200);
  }
});

Deno.test("who asks for what is far back cannot follow", () => {
  const { pass, asks, next } = setUp();
  pass(10_000);
  asks(next() - 3000);
  assertEquals(pass(3000), false, "6,000 back");
  asks(next() - 3000);
  asks(next() - 10, 10);
  assertEquals(pass(3200), true);
  assertEquals(pass(3200), false, "it is told once");
});

Deno.test("where less is kept, less is far back", () => {
  const { pass, asks, next } = setUp(500);
  pass(10_000);
  asks(next() - 400);
  assertEquals(pass(50), false);
  asks(next() - 460);
  assertEquals(pass(50), true);
});

Deno.test("who asks for what was sent some intervals ago cannot follow, however little was sent since", () => {
  const { pass, asks } = setUp();
  for (let i = 0; i < 20; i++) assertEquals(pass(100), false);
  // 101 to 200 were sent in the second of these twenty.
  asks(101);
  assertEquals(pass(100), false);
  asks(101);
  assertEquals(pass(100), true);
});

Deno.test("who misses a large part cannot follow; many who each miss a little can", () => {
  const { pass, asks, next } = setUp();
  pass(1000);
  for (let i = 0; i < 50; i++) asks(next() - 300, 250, `receiver ${i}`);
  assertEquals(pass(1000), false);
  asks(next() - 600, 256);
  asks(next() - 300, 256);
  assertEquals(pass(1000), true);
  // A few are no large part of anything.
  for (let i = 0; i < 5; i++) pass(10);
  asks(next() - 10, 10);
  assertEquals(pass(1), false);
});

Deno.test("no more receivers are told apart than there is room for", () => {
  const { pass, asks, next } = setUp();
  pass(1000);
  for (let i = 0; i < 5000; i++) asks(next() - 1, 1, `receiver ${i}`);
  asks(1, 1000, "one too many");
  assertEquals(pass(1000), false);
});

Deno.test("one that cannot follow for long is not waited for, and after a minute it is again", () => {
  const { pass, asks, next } = setUp();
  pass(10_000);
  const intervals = (count: number, from: string) => {
    let troubled = 0;
    for (let i = 0; i < count; i++) {
      asks(next() - 7000, 1, from);
      if (pass(100)) troubled++;
    }
    return troubled;
  };
  assertEquals(intervals(300, "bad"), 199);
  assertEquals(intervals(100, "another"), 100, "others are");
  assertEquals(intervals(999, "bad"), 0);
  assertEquals(intervals(300, "bad"), 199);
});

Deno.test("one that cannot follow now and then is waited for each time", () => {
  const { pass, asks, next } = setUp();
  pass(10_000);
  let troubled = 0;
  for (let i = 0; i < 2000; i++) {
    if (i % 2 === 0) asks(next() - 7000);
    if (pass(100)) troubled++;
  }
  assertEquals(troubled, 1000);
});

Deno.test("where more is asked for than can be sent again, who asks for most cannot follow", () => {
  const { pass, asks, next } = setUp();
  pass(10_000);
  const interval = (overloaded: boolean, bad: number) => {
    if (bad > 0) asks(next() - 100, bad, "bad");
    asks(next() - 100, 10, "good");
    return pass(1000, overloaded);
  };
  assertEquals([interval(false, 20), interval(true, 20), interval(true, 0)], [false, true, true]);
  assertEquals(pass(1000, true), false, "nobody asks");
  for (let i = 0; i < 200; i++) interval(true, 20);
  assertEquals(interval(true, 20), false, "the bad one is not waited for");
});
