import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Pattern } from "../../core/pattern.ts";
import { Permissions, type Rules } from "../../core/permissions.ts";

function rules(allow: readonly string[], deny: readonly string[] = []): Rules {
  return { allow: allow.map((text) => new Pattern(text)), deny: deny.map((text) => new Pattern(text)) };
}

/** Who may read by these rules, and publish nothing. */
function reader(allow: readonly string[], deny: readonly string[] = []): Permissions {
  return new Permissions(rules([]), rules(allow, deny));
}

Deno.test("denial goes over what is allowed, and what is not allowed is denied", () => {
  const permissions = new Permissions(
    rules(["sensors/1/#"], ["sensors/1/secret/#"]),
    rules(["ticks/#", "news"], ["ticks/+/secret"]),
  );
  for (const topic of ["sensors/1", "sensors/1/a/b"]) assert(permissions.mayPublish(topic), topic);
  for (const topic of ["sensors/1/secret", "sensors/1/secret/a", "sensors/2", "ticks/a"]) {
    assert(!permissions.mayPublish(topic), topic);
  }
  for (const topic of ["ticks", "ticks/a", "ticks/secret", "news"]) assert(permissions.mayRead(topic), topic);
  for (const topic of ["ticks/a/secret", "news/a", "sensors/1"]) assert(!permissions.mayRead(topic), topic);
});

Deno.test("a rule that begins with a wildcard says nothing of $ topics", () => {
  const permissions = reader(["#"]);
  assert(permissions.mayRead("a") && !permissions.mayRead("$sys/a"));
  assert(!permissions.mayReadSome(new Pattern("$sys/#")));
  assert(permissions.mayReadAll([new Pattern("#"), new Pattern("+/a")]));
  assert(reader(["$sys/#"], ["#"]).mayRead("$sys/a"));
});

Deno.test("all is everything, and none is nothing", () => {
  const pattern = new Pattern("a/#");
  const system = new Pattern("$sys/#");
  const { all, none } = Permissions;
  assert(all.mayPublish("a") && all.mayRead("a") && all.mayRead("$sys/a"));
  assert(all.mayReadSome(system) && all.mayReadAll([pattern, system]));
  assert(!none.mayPublish("a") && !none.mayRead("a") && !none.mayReadSome(pattern) && !none.mayReadAll([pattern]));
});

Deno.test("a subscription makes sense where something of it may be read", () => {
  const permissions = reader(["ticks/#", "news/+"], ["ticks/private/#"]);
  for (const text of ["#", "ticks/#", "+/a", "ticks/private/#", "news/x", "other"]) {
    const some = !["ticks/private/#", "other"].includes(text);
    assertEquals(permissions.mayReadSome(new Pattern(text)), some, text);
  }
});

Deno.test("all of a subscription may be read where nothing that is denied lies in it", () => {
  const permissions = reader(["ticks/#", "news/+"], ["ticks/private/#"]);
  const all = (...texts: string[]) => permissions.mayReadAll(texts.map((text) => new Pattern(text)));
  assert(all("ticks/a/#"));
  assert(all("ticks/a", "news/+"));
  assert(!all("ticks/a", "news/#"));
  assert(!all("ticks/#"));
  assert(!all("ticks/+"));
  assert(!all("ticks/private"));
});

Deno.test("what is said of patterns holds for each of their topics", () => {
  const words = ["a", "$b", "x"];
  const topics = words.flatMap((
    one,
  ) => [one, ...words.flatMap((two) => words.map((three) => `${one}/${two}/${three}`))])
    .concat(words.flatMap((one) => words.map((two) => `${one}/${two}`)));
  const text = fc.tuple(fc.array(fc.constantFrom("a", "$b", "+"), { maxLength: 2 }), fc.boolean())
    .map(([levels, rest]) => (rest || levels.length === 0 ? [...levels, "#"] : levels).join("/"));
  const texts = fc.array(text, { maxLength: 3 });
  fc.assert(
    fc.property(texts, texts, fc.array(text, { minLength: 1, maxLength: 2 }), (allow, deny, asked) => {
      const permissions = reader(allow, deny);
      const patterns = asked.map((text) => new Pattern(text));
      const readable = (pattern: Pattern) =>
        topics.filter((topic) => pattern.matches(topic)).map((topic) => permissions.mayRead(topic));
      for (const pattern of patterns) {
        if (readable(pattern).some((may) => may)) assert(permissions.mayReadSome(pattern), pattern.text);
      }
      if (permissions.mayReadAll(patterns)) assert(patterns.every((pattern) => readable(pattern).every((may) => may)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("rules are the same where their patterns are, in their order and place", () => {
  const of = (...texts: [string[], string[], string[], string[]]) => {
    const [publish, notPublish, subscribe, notSubscribe] = texts.map((texts) => texts.map((text) => new Pattern(text)));
    return new Permissions({ allow: publish!, deny: notPublish! }, { allow: subscribe!, deny: notSubscribe! });
  };
  const rules = of(["a", "b"], ["c"], ["d"], []);
  assert(rules.equals(of(["a", "b"], ["c"], ["d"], [])));
  for (
    const other of [
      of(["a"], ["b", "c"], ["d"], []),
      of(["b", "a"], ["c"], ["d"], []),
      of(["a", "b"], ["c"], [], ["d"]),
      of(["a", "b"], [], ["d"], []),
      of(["d"], [], ["a", "b"], ["c"]),
      Permissions.all,
    ]
  ) {
    assert(!rules.equals(other) && !other.equals(rules));
  }
  assert(Permissions.all.equals(Permissions.all) && Permissions.none.equals(of([], [], [], [])));
});
