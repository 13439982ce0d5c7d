/**
 * JSON objects, one a line: how the processes of the load generator talk.
 *
 * @module
 */

/** Reads objects from a stream of bytes until it ends. */
export async function* readObjects<T>(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<T> {
  let rest = "";
  for await (const chunk of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as T;
  }
}

/** An object as a line. */
export function lineOf(object: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(object)}\n`);
}
