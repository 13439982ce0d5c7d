/** A server that speaks just enough of Redis to be measured, and forgets every hundredth message. */

const encoder = new TextEncoder();

/** Listens on loopback until it is disposed of. */
export class Forgetful implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];
  readonly #subscribers: { connection: Deno.Conn; writing: Promise<unknown> }[] = [];
  readonly #over: Promise<unknown>;
  #count = 0;

  constructor() {
    this.#over = this.#accept();
  }

  get endpoint(): string {
    return `redis://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#over;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      serving.push(this.#serve(connection).catch(() => {}));
    }
    await Promise.all(serving);
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const bytes = new Uint8Array(64 * 1024);
    let rest = "";
    for (let count = await connection.read(bytes); count !== null; count = await connection.read(bytes)) {
      rest += Array.from(bytes.subarray(0, count), (byte) => String.fromCharCode(byte)).join("");
      for (let words = take(rest); words !== null; words = take(rest)) {
        rest = rest.slice(words.length);
        await this.#obey(connection, words.words);
      }
    }
  }

  async #obey(connection: Deno.Conn, [command, ...words]: readonly string[]): Promise<void> {
    const name = command!.toUpperCase();
    if (name === "SUBSCRIBE") {
      this.#subscribers.push({ connection, writing: Promise.resolve() });
      for (const [index, topic] of words.entries()) {
        await write(
          connection,
          encoder.encode(`*3\r\n$9\r\nsubscribe\r\n$${topic.length}\r\n${topic}\r\n:${index + 1}\r\n`),
        );
      }
    } else if (name === "PUBLISH") {
      const [topic, message] = words as [string, string];
      await write(connection, encoder.encode(":1\r\n"));
      if (++this.#count % 100 === 0) return;
      const frame = bytesOf(
        `*3\r\n$7\r\nmessage\r\n$${topic.length}\r\n${topic}\r\n$${message.length}\r\n${message}\r\n`,
      );
      for (const subscriber of this.#subscribers) {
        subscriber.writing = subscriber.writing.then(() => write(subscriber.connection, frame)).catch(() => {});
        await subscriber.writing;
      }
    } else {
      await write(connection, encoder.encode("+OK\r\n"));
    }
  }
}

/** The first command of a text, and how many characters it takes; `null` when it is not all there. */
function take(text: string): { words: string[]; length: number } | null {
  const header = /^\*(\d+)\r\n/.exec(text);
  if (header === null) return null;
  const words: string[] = [];
  let at = header[0].length;
  for (let left = Number(header[1]); left > 0; left--) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (size === null) return null;
    const start = at + size[0].length;
    at = start + Number(size[1]) + 2;
    if (at > text.length) return null;
    words.push(text.slice(start, at - 2));
  }
  return { words, length: at };
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await connection.write(bytes.subarray(written));
}
