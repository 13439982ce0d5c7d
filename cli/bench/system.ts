/**
 * What the operating system tells of this machine, by files or by programs of its own.
 *
 * @module
 */

/**
 * How this machine's TCP avoids congestion, as `cubic`, which is Linux's default, or `bbr`; `null` where that is not known.
 */
export async function congestionControl(): Promise<string | null> {
  if (Deno.build.os !== "linux") return null;
  return (await readProc("/proc/sys/net/ipv4/tcp_congestion_control")).trim() || null;
}

/** The machine and its operating system in words: `linux x86_64, Deno 2.9.6, TCP cubic`. */
export function systemText(congestion: string | null): string {
  const { build, version } = Deno;
  return [`${build.os} ${build.arch}`, `Deno ${version.deno}`, ...congestion === null ? [] : [`TCP ${congestion}`]]
    .join(", ");
}

/**
 * What is to be known about how TCP is set on this machine; `null` for nothing.
 *
 * BBR sets a timer for what it sends, on loopback too, which costs most whoever sends most: with 4 publishers and 4 subscribers
 * ours went at 10.8 M/s, and at 14.4 without.
 */
export function congestionHint(congestion: string | null): string | null {
  if (congestion !== "bbr") return null;
  return "TCP is set to bbr here, which paces what is sent, on loopback too: less goes than with Linux's default " +
    "(sysctl -w net.ipv4.tcp_congestion_control=cubic)";
}

/**
 * Texts of /proc, one after the other; empty when they cannot be read.
 *
 * Deno reads most of it itself only with all permissions; `cat` may read what its user may.
 */
export async function readProc(...paths: readonly string[]): Promise<string> {
  try {
    let text = "";
    for (const path of paths) text += await Deno.readTextFile(path);
    return text;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) return "";
  }
  return await told("cat", paths, (text) => text) ?? "";
}

/** What another program says, read by `parse`; `null` when it cannot be run. */
export async function told<T>(
  program: string,
  args: readonly string[],
  parse: (text: string) => T | null,
): Promise<T | null> {
  try {
    const { stdout } = await new Deno.Command(program, { args: [...args], stdin: "null", stderr: "null" }).output();
    return parse(new TextDecoder().decode(stdout));
  } catch {
    // Not installed, or not permitted: what it would say is not known then.
    return null;
  }
}
