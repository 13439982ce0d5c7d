/**
 * Starts the servers that are compared, each as its makers deliver it, on a port of its own.
 *
 * @module
 */

import { Failure } from "../exit.ts";
import { version as ownVersion } from "../version.ts";
import type { TargetKind } from "./driver.ts";
import type { BenchGroup } from "./group.ts";
import { type CommandLine, selfCommand, selfEnvironment } from "./self.ts";
import { ServerProcess } from "./server_process.ts";

/** A server that runs for the benchmark. Disposing of it ends it. */
export interface RunningServer extends AsyncDisposable {
  readonly kind: TargetKind;
  /** Where it listens: `nats://127.0.0.1:41235`. */
  readonly endpoint: string;
  /** What it is: `nats-server 2.9.10`. */
  readonly version: string;
  /** How it was started, as it is typed. What differs from the default configuration is all there. */
  readonly commandLine: string;
  /** Its process. */
  readonly pid: number;
  /** Resolves with its exit status when it ends, by itself or not. */
  readonly ended: Promise<number>;
  /** The last lines that it said, at most 20: why it ended. */
  readonly lastWords: string;
}

/** How a server is started. */
export interface StartOptions {
  /** The group that ours multicasts to, of the kind `multicast`. */
  readonly group?: BenchGroup | null;
  /** What it shows to connections, which are with TLS then. */
  readonly certificate?: CertificateFiles | null;
  /** Ends the server, and the wait for it. */
  readonly signal?: AbortSignal;
  /** Runs this instead of what is installed, or of this program, with the same arguments behind its own. For tests. */
  readonly instead?: CommandLine;
  /** Finds a port that is free. For tests. */
  readonly port?: () => number;
}

/** Where a certificate is. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A server of other makers. */
interface Peer {
  readonly program: string;
  /** How to get it. */
  readonly install: string;
  /** Has it print its version, and where that is in what it prints. */
  readonly ask: string;
  readonly version: RegExp;
  /** Its arguments, for a port and a directory that it may write to; with TLS where there is a certificate. */
  readonly args: (port: number, directory: string, tls: CertificateFiles | null) => string[];
  /** What the file holds that its arguments for TLS name, where it can be told of TLS in one only. */
  readonly tlsFile?: (port: number, tls: CertificateFiles) => string;
  /** Whether it finds a port itself, and then says which; else one is found for it. */
  readonly findsPort: boolean;
  /** Whether it wants a directory. */
  readonly writes: boolean;
  /** What it prints when it is ready, with the port where it has found one. */
  readonly ready: RegExp;
}

const peers: Readonly<Partial<Record<TargetKind, Peer>>> = {
  nats: {
    program: "nats-server",
    install: "Debian: apt install nats-server; macOS: brew install nats-server",
    ask: "--version",
    version: /v(\d+\.\S+)/,
    args: (_port, _directory, tls) => [
      ...["-a", "127.0.0.1", "-p", "-1"],
      ...(tls === null ? [] : ["--tls", "--tlscert", tls.certFile, "--tlskey", tls.keyFile]),
    ],
    findsPort: true,
    writes: false,
    ready: /Listening for client connections on 127\.0\.0\.1:(\d+)/,
  },
  redis: {
    program: "redis-server",
    install: "Debian: apt install redis-server; macOS: brew install redis",
    ask: "--version",
    version: /v=(\d+\.\S+)/,
    args: (port, directory, tls) => [
      ...["--bind", "127.0.0.1"],
      ...(tls === null
        ? ["--port", `${port}`]
        : ["--port", "0", "--tls-port", `${port}`, "--tls-cert-file", tls.certFile, "--tls-key-file", tls.keyFile]),
      ...(tls === null ? [] : ["--tls-auth-clients", "no"]),
      ...["--save", "", "--dir", directory],
    ],
    findsPort: false,
    writes: true,
    ready: /Ready to accept connections/,
  },
  mqtt: {
    program: "mosquitto",
    install: "Debian: apt install mosquitto; macOS: brew install mosquitto",
    ask: "-h",
    version: /mosquitto version (\S+)/,
    args: (port, directory, tls) => tls === null ? ["-p", `${port}`] : ["-c", `${directory}/mosquitto.conf`],
    tlsFile: (port, { certFile, keyFile }) =>
      // It would give up the right to read the key before it does so.
      `user root\nlistener ${port} 127.0.0.1\ncertfile ${certFile}\nkeyfile ${keyFile}\nallow_anonymous true\n`,
    findsPort: false,
    writes: true,
    ready: /mosquitto version \S+ running/,
  },
};

/** Where a server may be that PATH does not lead to: it was not meant for users, or is of a package manager. */
const directories = ["", "/usr/sbin/", "/usr/local/sbin/", "/opt/homebrew/sbin/"];
/** How many ports are tried: another program may take one between its being found and its being used. */
const mostPorts = 3;

/** What is installed of a kind, such as `nats-server 2.9.10`; `null` if nothing is: see {@linkcode hintFor}. */
export async function installedVersion(kind: TargetKind): Promise<string | null> {
  return (await find(kind))?.version ?? null;
}

/** What to say when a kind is not installed: `redis-server is not installed (Debian: apt install redis-server; ...)`. */
export function hintFor(kind: TargetKind): string {
  const peer = peers[kind];
  return peer === undefined ? `${kind} is part of this program` : `${peer.program} is not installed (${peer.install})`;
}

/**
 * Starts a server on a free port of loopback, in its default configuration, and waits until it can be connected to.
 *
 * @throws {Failure} when it is not installed, ends before it is ready, or is not ready within 10 s, with its last words
 * @throws the signal's reason when it aborts
 */
export async function startServer(kind: TargetKind, options: StartOptions = {}): Promise<RunningServer> {
  const found = options.instead === undefined ? await find(kind) : { command: options.instead, version: kind };
  if (found === null) throw new Failure(hintFor(kind));
  const { command, version } = found;
  const peer = peers[kind];
  if (peer === undefined) return await startOwn(kind, version, options);
  const directory = peer.writes ? await Deno.makeTempDir({ prefix: `${peer.program}-` }) : "";
  const remove = async () => {
    if (directory !== "") await Deno.remove(directory, { recursive: true });
  };
  try {
    const [process, port, args] = await startPeer(peer, command, directory, options);
    const commandLine = typed([peer.program, ...args]);
    return running({ kind, endpoint: `${kind}://127.0.0.1:${port}`, version, commandLine }, process, remove, options);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** This program as a server, or as the byte copier. */
async function startOwn(kind: TargetKind, version: string, options: StartOptions): Promise<RunningServer> {
  const { group = null, certificate = null, instead, signal } = options;
  const keyFile = group === null || group.key === null ? null : await Deno.makeTempFile({ suffix: ".key" });
  const remove = async () => {
    if (keyFile !== null) await Deno.remove(keyFile);
  };
  const args = group === null ? ownArgs(kind, certificate) : groupArgs(group, keyFile);
  try {
    if (keyFile !== null) await Deno.writeTextFile(keyFile, `${group!.key}\n`);
    const [process, match] = await ServerProcess.start({
      ...(instead ??
        selfCommand(args, { interfaces: group !== null, readFiles: keyFile !== null || certificate !== null })),
      name: kind === "limit" ? "the byte copier" : "stream serve",
      ready: /^listening (t(?:cp|ls):\/\/\S+)$/,
      env: selfEnvironment,
      // Deno finds its cache by it.
      inherit: true,
      watchesStdin: kind === "limit",
    }, signal);
    return running(
      { kind, endpoint: match[1]!, version, commandLine: typed(["stream", ...args]) },
      process,
      remove,
      options,
    );
  } catch (error) {
    await remove();
    throw error;
  }
}

async function startPeer(
  peer: Peer,
  { command, args: before }: CommandLine,
  directory: string,
  { signal, certificate = null, port: find = freePort }: StartOptions,
): Promise<[process: ServerProcess, port: number, args: string[]]> {
  for (let attempt = 1;; attempt++) {
    const port = peer.findsPort ? 0 : find();
    const args = peer.args(port, directory, certificate);
    if (certificate !== null && peer.tlsFile !== undefined) {
      await Deno.writeTextFile(`${directory}/${peer.program}.conf`, peer.tlsFile(port, certificate));
    }
    try {
      const [process, match] = await ServerProcess.start({
        name: peer.program,
        command,
        args: [...before, ...args],
        ready: peer.ready,
        env: {},
        // Windows has no sockets without a variable or two of its own.
        inherit: Deno.build.os === "windows",
        watchesStdin: false,
      }, signal);
      return [process, port || Number(match[1]), args];
    } catch (error) {
      const taken = error instanceof Failure && /address already in use/i.test(error.message);
      if (!taken || peer.findsPort || attempt === mostPorts) throw error;
    }
  }
}

function running(
  about: Pick<RunningServer, "kind" | "endpoint" | "version" | "commandLine">,
  process: ServerProcess,
  remove: () => Promise<void>,
  { signal }: StartOptions,
): RunningServer {
  const { pid, ended } = process;
  let disposed: Promise<void> | undefined;
  const dispose = () => disposed ??= process[Symbol.asyncDispose]().then(remove);
  // What cannot be removed is told to who disposes of it.
  const abort = () => void dispose().catch(() => {});
  signal?.addEventListener("abort", abort, { once: true });
  return {
    ...about,
    pid,
    ended,
    get lastWords() {
      return process.lastWords;
    },
    [Symbol.asyncDispose]() {
      signal?.removeEventListener("abort", abort);
      return dispose();
    },
  };
}

/** What to run for a kind, and what it is; `null` if it is not installed. */
async function find(kind: TargetKind): Promise<{ command: CommandLine; version: string } | null> {
  const peer = peers[kind];
  if (peer === undefined) {
    const version = kind === "limit" ? "byte copier" : `stream ${ownVersion}`;
    return { command: selfCommand(ownArgs(kind)), version };
  }
  for (const directory of directories) {
    const command = `${directory}${peer.program}`;
    try {
      const { stdout } = await new Deno.Command(command, { args: [peer.ask], stdin: "null", stderr: "null" }).output();
      const version = peer.version.exec(new TextDecoder().decode(stdout))?.[1] ?? "of unknown version";
      return { command: { command, args: [] }, version: `${peer.program} ${version}` };
    } catch (error) {
      // It is not there, or not for this user.
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) throw error;
    }
  }
  return null;
}

function ownArgs(kind: TargetKind, tls: CertificateFiles | null = null): string[] {
  if (kind === "limit") return ["bench", "copier"];
  if (tls === null) return ["serve", "-q", "-l", "tcp://127.0.0.1:0"];
  return ["serve", "-q", "-l", "tls://127.0.0.1:0", "--tls-cert", tls.certFile, "--tls-key", tls.keyFile];
}

/** Not quietly: at its end it says what it has sent. */
function groupArgs({ endpoint }: BenchGroup, keyFile: string | null): string[] {
  const key = keyFile === null ? [] : ["--key-file", keyFile];
  return ["serve", "-l", "tcp://127.0.0.1:0", "--multicast", endpoint, ...key];
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A command as a shell takes it. */
function typed(words: readonly string[]): string {
  return words.map((word) => /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
