import { assertEquals } from "@std/assert";
import { Heard, Repairing, run } from "./repairs.ts";

for (const linkFirst of [true, false]) {
  Deno.test(`group logs: another life of the server: ${linkFirst ? "the link" : "the group"} knows it first`, async () => {
    await using it = await Repairing.start();
    const { sender, network } = it;
    const names = Array.from({ length: 40 }, (_, i) => `t/${i}`);
    for (const name of names) sender.pass(name);
    network.down = true;
    await network.cut();
    for (const name of names) {
      it.append(name, 2);
      sender.pass(name);
    }
    const late = it.append("t/0", 2);
    it.sink.take();
    const next = await it.restart();
    for (const name of names) it.append(name, 3, 0, next);
    if (linkFirst) {
      network.down = false;
      await it.world.run(5_000);
    }
    const heard = new Heard(it, next);
    for (const name of names) heard.pass(name);
    // The one before is still heard, and it has missed something.
    it.append("t/0", 20);
    sender.brings("t/0", late);
    sender.pass("t/0");
    sender.leave();
    network.down = false;
    await it.world.run(10_000);
    for (const name of names) {
      const lines = it.lines.filter((line) => line.startsWith(`${name} `));
      const [old, young] = [
        lines.filter((line) => !line.endsWith(" of 2")),
        lines.filter((line) => line.endsWith(" of 2")),
      ];
      const rest = name === "t/0" ? ["t/0 5", "t/0 6", "t/0 7-26 unrepaired", "t/0 27"] : [];
      assertEquals(old, [`${name} 2-3 unrepaired`, `${name} 4`, ...rest]);
      assertEquals(young, run(name, 1, 4, " of 2"));
    }
    it.sink.take();
    heard.append("t/1");
    heard.pass("t/1");
    assertEquals(await it.settled(), run("t/1", 5, 6, " of 2"));
  });
}

for (const down of [false, true]) {
  const what = down ? "while nobody can tell whose it is" : "as soon as it is heard";
  Deno.test(`group logs: another server than the link's is not repaired, nor mixed up with the link's, ${what}`, async () => {
    await using it = await Repairing.start();
    const { sender, network } = it;
    const other = it.another();
    it.append("a", 3, 0, other);
    network.down = down;
    if (down) await network.cut();
    sender.pass("a", 50);
    const foreign = new Heard(it, other);
    foreign.pass("a", 2);
    foreign.append("a", 2);
    foreign.pass("a");
    if (!down) assertEquals(it.lines.at(-1), "a 8 of 2", "nobody is asked in vain");
    it.append("a");
    sender.pass("a");
    network.down = false;
    await it.world.run(10_000);
    const lines = it.sink.take();
    const theirs = [...run("a", 4, 5, " of 2"), "a 6-7 unrepaired", "a 8 of 2"];
    // What may be another life of the link's server is to come from its beginning.
    if (down) theirs.unshift("a 4-0 unrepaired");
    assertEquals(lines.filter((line) => theirs.includes(line)), theirs);
    assertEquals(lines.filter((line) => !theirs.includes(line)), run("a", 1, 52));
  });
}

Deno.test("group logs: a sender that is heard again goes on where it was", async () => {
  await using it = await Repairing.start("earliest");
  await it.logs.begin(["#"]);
  it.sender.pass("a", 3);
  it.sender.leave();
  it.append("a", 3);
  const again = new Heard(it, it.network.test);
  again.pass("a");
  assertEquals(await it.settled(), run("a", 1, 7));
});

Deno.test("group logs: of a server that is neither heard nor linked to nothing is kept", async () => {
  await using it = await Repairing.start();
  let heard = it.sender;
  for (let life = 1; life <= 5; life++) {
    heard.pass("a");
    heard.leave();
    const next = await it.restart();
    await it.world.run(1_000);
    assertEquals(it.sink.closed, life - 1, "it may come back");
    heard = new Heard(it, next);
    assertEquals(it.sink.closed, life);
  }
});
