/**
 * A TCP proxy that cuts connections: after so many bytes, or when it is told to.
 *
 * @module
 */

/** When connections are cut. */
export interface Cuts {
  /** Bytes from the server to the client after which a connection is cut. */
  readonly down?: number;
  /** Bytes from the client to the server after which a connection is cut. */
  readonly up?: number;
  /** How many reads from the server are passed on: what it says after that is swallowed. */
  readonly reads?: number;
  /** How many connections are cut; those after them are left alone. */
  readonly times?: number;
}

/** Passes bytes between clients and a server. */
export class CuttingProxy implements AsyncDisposable {
  /** Where clients connect to. */
  readonly endpoint: string;
  /** Where it connects to; may be changed for the connections to come. */
  target: string;
  /** How many connections were cut. */
  cuts = 0;
  /** What each connection's client has sent, when asked to record it. */
  readonly recorded: Uint8Array[][] = [];
  /** Resolves when something was swallowed. */
  readonly swallowed: Promise<void>;
  readonly #swallowed = Promise.withResolvers<void>();
  readonly #options: Cuts & { readonly record?: boolean };
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<() => void>();
  readonly #running = new Set<Promise<void>>();

  constructor(target: string, options: Cuts & { readonly record?: boolean } = {}) {
    this.target = target;
    this.#options = options;
    this.swallowed = this.#swallowed.promise;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.endpoint = `tcp://127.0.0.1:${this.#listener.addr.port}`;
    this.#run(this.#accept());
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#open.size;
  }

  /** Cuts every open connection. */
  cut(): void {
    this.cuts += this.#open.size;
    for (const close of this.#open) close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const close of this.#open) close();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #run(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #accept(): Promise<void> {
    try {
      for (;;) this.#run(this.#pass(await this.#listener.accept()));
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #pass(client: Deno.TcpConn): Promise<void> {
    let server: Deno.TcpConn;
    try {
      server = await connectTo(this.target);
    } catch {
      client.close();
      return;
    }
    let closed = false;
    const close = () => {
      if (closed) return;
      closed = true;
      this.#open.delete(close);
      client.close();
      server.close();
    };
    this.#open.add(close);
    const record: Uint8Array[] | undefined = this.#options.record ? [] : undefined;
    if (record) this.recorded.push(record);
    const { up = Infinity, down = Infinity, reads = Infinity, times = Infinity } = this.#options;
    const swallowed = this.#swallowed.resolve;
    const cutting = this.cuts < times;
    const cut = () => {
      if (!closed) this.cuts++;
      close();
    };
    await Promise.all([
      pump(client, server, {
        limit: cutting ? up : Infinity,
        reads: Infinity,
        cut,
        close,
        swallowed,
        ...(record && { record }),
      }),
      pump(server, client, { limit: cutting ? down : Infinity, reads, cut, close, swallowed }),
    ]);
    close();
  }
}

/** One direction of a connection. */
interface Way {
  readonly limit: number;
  readonly reads: number;
  /** Cuts the connection. */
  readonly cut: () => void;
  /** Closes it, because an end has gone. */
  readonly close: () => void;
  /** Something was not passed on. */
  readonly swallowed: () => void;
  /** Takes what passes. */
  readonly record?: Uint8Array[];
}

/** Carries bytes one way to their end, or to the limit. */
async function pump(from: Deno.TcpConn, to: Deno.TcpConn, way: Way): Promise<void> {
  const { limit, reads, cut, close, swallowed, record } = way;
  const buffer = new Uint8Array(65_536);
  let left = limit;
  try {
    for (let read = 1;; read++) {
      const count = await from.read(buffer);
      if (count === null) {
        await to.closeWrite();
        return;
      }
      if (read > reads) {
        swallowed();
        continue;
      }
      const part = buffer.subarray(0, Math.min(count, left));
      record?.push(part.slice());
      for (let at = 0; at < part.length;) at += await to.write(part.subarray(at));
      left -= count;
      if (left <= 0) return cut();
    }
  } catch {
    // One end is gone, or both were closed.
    close();
  }
}

/** Connects to a `tcp://` endpoint. */
export async function connectTo(endpoint: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(endpoint.replace("tcp://", "http://"));
  return await Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) });
}
