import { assert, assertEquals, assertRejects } from "@std/assert";
import { ExitStatus, Failure, Interrupted } from "../../cli/exit.ts";
import { openInput, OutputClosed, readChunks, writeAll } from "../../cli/stdio.ts";

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const copies: Uint8Array[] = [];
  for await (const chunk of chunks) copies.push(chunk.slice());
  return copies;
}

Deno.test("writeAll goes on after a partial write", async () => {
  const written: number[] = [];
  await writeAll(Uint8Array.of(1, 2, 3, 4, 5), {
    write(bytes) {
      written.push(...bytes.subarray(0, 2));
      return Promise.resolve(Math.min(2, bytes.length));
    },
  });
  assertEquals(written, [1, 2, 3, 4, 5]);
});

Deno.test("a closed pipe is an end of its own, another fault a failure that names where", async () => {
  const failing = (error: Error) => ({ write: () => Promise.reject(error) });
  await assertRejects(() => writeAll(Uint8Array.of(1), failing(new Deno.errors.BrokenPipe("x"))), OutputClosed);
  await assertRejects(
    () => writeAll(Uint8Array.of(1), failing(new Error("No space left on device (os error 28)"))),
    Failure,
    "cannot write to stdout: no space left on device",
  );
});

Deno.test("a file comes in chunks from one buffer, and is the file", async () => {
  const path = await Deno.makeTempFile();
  try {
    const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
    await Deno.writeFile(path, bytes);
    using input = await openInput(path, 4096);
    assertEquals(input.name, path);
    const chunks = await collect(input.chunks());
    assert(chunks.every((chunk) => chunk.length > 0 && chunk.length <= 4096));
    assertEquals(new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), bytes);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a file that does not exist, and a directory, are one clear line and status 1", async () => {
  const missing = await assertRejects(() => openInput("/no/such/file"), Failure);
  assertEquals(missing.message, "cannot read /no/such/file: no such file");
  assertEquals(missing.status, ExitStatus.failed);
  const path = await Deno.makeTempDir();
  try {
    await assertRejects(
      async () => {
        using input = await openInput(path);
        await collect(input.chunks());
      },
      Failure,
      `cannot read ${path}: `,
    );
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("an abort ends a read that never comes, with the signal's reason", async () => {
  const controller = new AbortController();
  const pending = Promise.withResolvers<number | null>();
  const chunks = readChunks({ read: () => pending.promise }, "stdin", 16, controller.signal);
  const next = chunks.next();
  controller.abort(new Interrupted("SIGINT"));
  await assertRejects(() => next, Interrupted);
  pending.resolve(null);
});

Deno.test("an abort between two reads ends it too, and leaves no listener", async () => {
  const controller = new AbortController();
  const chunks = readChunks({ read: () => Promise.resolve(3) }, "stdin", 16, controller.signal);
  assertEquals((await chunks.next()).value?.length, 3);
  controller.abort(new Interrupted("SIGINT"));
  await assertRejects(() => chunks.next(), Interrupted);
});
