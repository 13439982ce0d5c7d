/** A server with TLS and users, and the files that it reads: the test's to change. */

import { selfSigned } from "../../transports/tls_self_signed.ts";
import { newToken, tokenHash } from "../../cli/auth/tokens.ts";
import { type ProcessOptions, type ServerProcess, startServer } from "./process.ts";

/** Tokens by user: nobody else's program knows them. */
export type Tokens<User extends string> = Readonly<Record<User, string>>;

/** A directory with a certificate and a file of users, which goes with the test. */
export class SecretFiles implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<SecretFiles> {
    const files = new SecretFiles(await Deno.makeTempDir());
    await files.renew();
    return files;
  }

  get cert(): string {
    return `${this.directory}/server.pem`;
  }

  get key(): string {
    return `${this.directory}/server.key`;
  }

  get users(): string {
    return `${this.directory}/auth.toml`;
  }

  /** Puts another certificate in the place of the one before. */
  async renew(): Promise<void> {
    const { cert, key } = await selfSigned(["localhost", "127.0.0.1", "::1"]);
    await this.replace(this.key, key);
    await this.replace(this.cert, cert);
  }

  /** Writes a file in one step, as editors do. */
  async replace(path: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${path}.new`, text, { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  }

  /** A server that reads them. */
  serve(args: readonly string[] = [], listen: readonly string[] = ["tls://127.0.0.1:0"]): Promise<ServerProcess> {
    const listening = listen.flatMap((endpoint) => ["--listen", endpoint]);
    const files = ["--tls-cert", this.cert, "--tls-key", this.key, "--auth", this.users];
    return startServer([...listening, ...files, "--log-level", "debug", ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** A token for each of a few users. */
export function tokensFor<const User extends string>(...users: User[]): Tokens<User> {
  return Object.fromEntries(users.map((user) => [user, newToken()])) as Tokens<User>;
}

/** The entry of a user in the file of users. */
export function entryOf(user: string, token: string, ...lines: string[]): string {
  return [`[users.${JSON.stringify(user)}]`, `tokens = ["${tokenHash(token)}"]`, ...lines, ""].join("\n");
}

/** The environment of a program that shows a token. */
export function showing(token: string): ProcessOptions {
  return { env: { STREAM_TOKEN: token } };
}
