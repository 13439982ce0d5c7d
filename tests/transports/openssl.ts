/**
 * OpenSSL's command, as a peer that shares no code with this program.
 *
 * @module
 */

import type { KeyPair } from "../../transports/tls_identity.ts";
import { Output } from "../cli/process.ts";

/** Whether a program is installed. */
export async function installed(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch {
    return false;
  }
}

/** Whether tests can talk to it. */
export const hasOpenssl: boolean = await installed("openssl");

/** Runs it to its end, and returns all that it printed. Throws where it fails. */
export async function openssl(args: readonly string[]): Promise<string> {
  const { success, text } = await tryOpenssl(args);
  if (!success) throw new Error(`openssl ${args.join(" ")}:\n${text}`);
  return text;
}

/** Runs it to its end with an empty stdin; tells whether it was content, and all that it printed. */
export async function tryOpenssl(args: readonly string[]): Promise<{ success: boolean; text: string }> {
  const output = await new Deno.Command("openssl", { args: [...args], stdin: "null" }).output();
  return { success: output.success, text: textOf(output) };
}

function textOf({ stdout, stderr }: Deno.CommandOutput): string {
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** `openssl s_server` on a free port of this machine. */
export class OpensslServer implements AsyncDisposable {
  /** Where it listens. */
  readonly endpoint: string;
  readonly #child: Deno.ChildProcess;
  readonly #outputs: readonly Output[];
  readonly #directory: string;

  private constructor(endpoint: string, child: Deno.ChildProcess, outputs: readonly Output[], directory: string) {
    this.endpoint = endpoint;
    this.#child = child;
    this.#outputs = outputs;
    this.#directory = directory;
  }

  /**
   * Starts it.
   *
   * @param pair what it shows; the certificates behind the first one are those between
   */
  static async start({ cert, key }: KeyPair, args: readonly string[] = []): Promise<OpensslServer> {
    const directory = await Deno.makeTempDir();
    const path = (name: string) => `${directory}/${name}.pem`;
    await Deno.writeTextFile(path("cert"), cert);
    await Deno.writeTextFile(path("key"), key);
    const shown = ["-cert", path("cert"), "-cert_chain", path("cert"), "-key", path("key")];
    const child = new Deno.Command("openssl", {
      args: ["s_server", "-accept", "127.0.0.1:0", ...shown, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const outputs = [new Output("openssl s_server", child.stdout), new Output("its stderr", child.stderr)];
    const line = await outputs[0]!.line(/^ACCEPT /);
    return new OpensslServer(`tls://${line.slice("ACCEPT ".length)}`, child, outputs, directory);
  }

  /** Waits for a line of what it prints, in which is what clients send. */
  line(pattern: RegExp): Promise<string> {
    return this.#outputs[0]!.line(pattern);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.stdin.close().catch(() => {});
    await Promise.all([this.#child.status, ...this.#outputs.map(({ ended }) => ended)]);
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** `openssl s_client` with a certificate, or none. It keeps the session that it was given last, and resumes it. */
export class OpensslClient implements AsyncDisposable {
  readonly #directory: string;
  readonly #shown: readonly string[];
  #hasSession = false;

  private constructor(directory: string, shown: readonly string[]) {
    this.#directory = directory;
    this.#shown = shown;
  }

  /** Keeps the certificate, and those behind it. */
  static async create(pair: KeyPair | null): Promise<OpensslClient> {
    const directory = await Deno.makeTempDir();
    if (pair === null) return new OpensslClient(directory, []);
    const [cert, key] = [`${directory}/cert.pem`, `${directory}/key.pem`];
    await Deno.writeTextFile(cert, pair.cert);
    await Deno.writeTextFile(key, pair.key);
    return new OpensslClient(directory, ["-cert", cert, "-cert_chain", cert, "-key", key]);
  }

  /**
   * Connects, and leaves when the server does; a session comes with the first that the server says.
   *
   * @returns whether the session is new or resumed
   */
  async connect(address: string, args: readonly string[] = []): Promise<"New" | "Reused"> {
    const path = `${this.#directory}/session.pem`;
    const session = ["-sess_out", path, ...(this.#hasSession ? ["-sess_in", path] : [])];
    const child = new Deno.Command("openssl", {
      args: ["s_client", "-connect", address, ...this.#shown, ...session, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const text = textOf(await child.output());
    await child.stdin.close().catch(() => {});
    const how = /^(New|Reused), TLSv1\.[23]/m.exec(text)?.[1];
    if (how === undefined) throw new Error(`openssl s_client did not get through:\n${text}`);
    this.#hasSession = true;
    return how as "New" | "Reused";
  }

  /** Forgets its session. */
  forget(): void {
    this.#hasSession = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}
