/**
 * JSON objects, one a line: how the processes of the load generator talk.
 *
 * @module
 */

/** Somewhere bytes come from, as `Deno.stdin` has it. */
export interface ByteSource {
  /** Reads some bytes; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/**
 * Reads objects until the source ends; each is told as soon as it is there. Rejects with what `tell` throws.
 *
 * No streams and no iterators: hundreds of lines a second go by while others are measured.
 */
export async function readObjects<T>(source: ByteSource, tell: (object: T) => void): Promise<void> {
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(64 * 1024);
  let rest = "";
  for (let count = await source.read(bytes); count !== null; count = await source.read(bytes)) {
    rest += decoder.decode(bytes.subarray(0, count), { stream: true });
    let start = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
      tell(JSON.parse(rest.slice(start, end)));
      start = end + 1;
    }
    rest = rest.slice(start);
  }
}

/** An output of a child process, to be read without a stream's queue between. */
export function sourceOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): ByteSource {
  const reader = stream.getReader({ mode: "byob" });
  let memory = new ArrayBuffer(0);
  return {
    async read(into) {
      const view = new Uint8Array(
        memory.byteLength < into.length ? new ArrayBuffer(into.length) : memory,
        0,
        into.length,
      );
      const { value } = await reader.read(view);
      if (value === undefined || value.length === 0) return null;
      into.set(value);
      memory = value.buffer;
      return value.length;
    },
  };
}

/** An object as a line. */
export function lineOf(object: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(object)}\n`);
}
