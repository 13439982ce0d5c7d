import { assertEquals } from "@std/assert";
import { type Stat, watchFiles, type WatchSurroundings } from "../../cli/watch_files.ts";

/** A directory and a clock of the test's own. */
class Surroundings implements WatchSurroundings {
  readonly files = new Map<string, Stat>();
  waiting: (() => void) | undefined;
  #scheduled = Promise.withResolvers<void>();

  stat(path: string): Promise<Stat> {
    const stat = this.files.get(path);
    return stat === undefined ? Promise.reject(new Deno.errors.NotFound()) : Promise.resolve(stat);
  }

  later(callback: () => void, milliseconds: number): () => void {
    assertEquals(milliseconds, 500);
    this.waiting = callback;
    this.#scheduled.resolve();
    return () => this.waiting = undefined;
  }

  /** Lets it look until it has told what is new: twice. */
  async settle(): Promise<void> {
    for (let looks = 0; looks < 2; looks++) await this.look();
  }

  /** Lets it look once, and do what it does then. */
  async look(): Promise<void> {
    this.#scheduled = Promise.withResolvers();
    this.waiting?.();
    await this.#scheduled.promise;
  }

  put(path: string, time: number, size = 1, ino = 1): void {
    this.files.set(path, { mtime: new Date(time), size, ino });
  }
}

async function watched(...paths: string[]) {
  const around = new Surroundings();
  const told: (readonly string[])[] = [];
  const controller = new AbortController();
  for (const path of paths) around.put(path, 0);
  await watchFiles(paths, (changed) => void told.push(changed), controller.signal, around);
  return { around, told, controller };
}

Deno.test("what stays as it is is not told", async () => {
  const { around, told } = await watched("a", "b");
  for (let i = 0; i < 3; i++) await around.settle();
  assertEquals(told, []);
});

Deno.test("another time, size or file in its place is a change, told once", async () => {
  const { around, told } = await watched("a", "b");
  around.put("a", 5);
  await around.settle();
  await around.settle();
  assertEquals(told, [["a"]]);
  around.put("b", 0, 2);
  await around.settle();
  around.put("b", 0, 2, 7);
  await around.settle();
  await around.settle();
  assertEquals(told, [["a"], ["b"], ["b"]]);
  around.put("a", 6);
  around.put("b", 6);
  await around.settle();
  assertEquals(told.at(-1), ["a", "b"]);
});

Deno.test("a file that is being written is told once it stays as it is", async () => {
  const { around, told } = await watched("a");
  for (let size = 2; size < 5; size++) {
    around.put("a", size, size);
    await around.look();
    assertEquals(told, []);
  }
  await around.look();
  await around.look();
  assertEquals(told, [["a"]]);
});

Deno.test("a file that is gone is told when it is back, unless it is the same", async () => {
  const { around, told } = await watched("a");
  around.files.delete("a");
  await around.settle();
  around.put("a", 0);
  await around.settle();
  assertEquals(told, []);
  around.files.delete("a");
  await around.settle();
  around.put("a", 9);
  await around.settle();
  assertEquals(told, [["a"]]);
});

Deno.test("a file that was not there at first is told when it comes", async () => {
  const around = new Surroundings();
  const told: (readonly string[])[] = [];
  await watchFiles(["a"], (changed) => void told.push(changed), new AbortController().signal, around);
  await around.settle();
  around.put("a", 0);
  await around.settle();
  assertEquals(told, [["a"]]);
});

Deno.test("changes are not told while one is worked at, and not missed either", async () => {
  const around = new Surroundings();
  around.put("a", 0);
  const begun: Promise<void>[] = [];
  const work: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
  const entered = Promise.withResolvers<void>();
  await watchFiles(
    ["a"],
    () => {
      begun.push(work[begun.length]!.promise);
      entered.resolve();
      return begun.at(-1)!;
    },
    new AbortController().signal,
    around,
  );
  around.put("a", 1);
  await around.look();
  const round = around.look();
  await entered.promise;
  around.put("a", 2);
  assertEquals(begun.length, 1);
  work[0]!.resolve();
  await round;
  work[1]!.resolve();
  await around.settle();
  assertEquals(begun.length, 2);
});

Deno.test("once it is aborted it looks no more", async () => {
  const { around, told, controller } = await watched("a");
  controller.abort();
  assertEquals(around.waiting, undefined);
  around.put("a", 1);
  assertEquals(told, []);
});

Deno.test("real files: written, renamed over and swapped by a link", async () => {
  const directory = await Deno.makeTempDir();
  const controller = new AbortController();
  try {
    const path = `${directory}/auth.toml`;
    let tick: (() => void) | undefined;
    const told: string[] = [];
    let scheduled = Promise.withResolvers<void>();
    await Deno.writeTextFile(path, "one");
    await watchFiles([path], (paths) => void told.push(...paths), controller.signal, {
      stat: (path) => Deno.stat(path),
      later(callback) {
        tick = callback;
        scheduled.resolve();
        return () => {};
      },
    });
    const changes: (() => Promise<void>)[] = [
      () => Deno.writeTextFile(path, "longer"),
      async () => {
        await Deno.writeTextFile(`${path}.new`, "longer");
        await Deno.rename(`${path}.new`, path);
      },
    ];
    if (Deno.build.os !== "windows") {
      changes.push(async () => {
        await Deno.writeTextFile(`${directory}/1`, "longer");
        await Deno.symlink("1", `${path}.new`);
        await Deno.rename(`${path}.new`, path);
      }, async () => {
        await Deno.writeTextFile(`${directory}/2`, "longer");
        await Deno.symlink("2", `${path}.new`);
        await Deno.rename(`${path}.new`, path);
      });
    }
    for (const [index, change] of changes.entries()) {
      await change();
      for (let looks = 0; looks < 2; looks++) {
        scheduled = Promise.withResolvers();
        tick!();
        await scheduled.promise;
      }
      assertEquals(told.length, index + 1);
    }
  } finally {
    controller.abort();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("it keeps no program running", async () => {
  const watch = JSON.stringify(new URL("../../cli/watch_files.ts", import.meta.url).href);
  const source = `import { watchFiles } from ${watch};
    await watchFiles(["x"], () => {}, new AbortController().signal);
    console.log("watching");`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", source],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "watching\n"]);
});
