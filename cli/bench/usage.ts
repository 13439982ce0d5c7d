/**
 * What processes have used of the machine, processor time and memory; and which process a server is.
 *
 * @module
 */

import process from "node:process";
import { isLoopback } from "../endpoints.ts";
import { readProc, told } from "./system.ts";

/** What a process has used since it began. */
export interface ProcessUsage {
  /** Seconds of processor time, of all its threads, in user code and in the kernel. */
  readonly cpuSeconds: number;
  /** Memory that is resident now, in bytes. */
  readonly residentBytes: number;
  /** The most that ever was, in bytes; 0 where the system does not say (macOS, of other processes). */
  readonly peakBytes: number;
}

/**
 * What a process has used, or `null` where that cannot be told: it is gone, or another user's, or may not be looked at.
 *
 * Linux tells it from /proc, to 0.02 s and within a few milliseconds; macOS from `ps`, to 0.01 s; Windows from PowerShell,
 * to 0.02 s and within half a second.
 */
export async function usageOf(pid: number): Promise<ProcessUsage | null> {
  switch (Deno.build.os) {
    case "darwin":
      return await told("ps", ["-o", "time=,rss=", "-p", `${pid}`], parsePs);
    case "windows":
      return await told("powershell", ["-NoProfile", "-NonInteractive", "-Command", getProcess(pid)], parseGetProcess);
    default:
      return parseProc(await readProc(`/proc/${pid}/stat`, `/proc/${pid}/status`));
  }
}

/** What this process has used. Needs no permission. */
export function ownUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  const residentBytes = process.memoryUsage.rss();
  const { maxRSS } = process.resourceUsage();
  // The peak is in KiB, or in bytes where the system's own unit was passed on: as KiB it would be a thousand times this.
  const peak = maxRSS > residentBytes / 32 ? maxRSS : maxRSS * 1024;
  return { cpuSeconds: (user + system) / 1e6, residentBytes, peakBytes: Math.max(peak, residentBytes) };
}

/**
 * The process that listens at an endpoint, or `null` where that is not known: on another machine, or one which this user
 * may not look at, or another system than Linux.
 *
 * @param endpoint any URL with a port; the host must be loopback, since only then it is this machine for certain
 */
export async function findServerPid(endpoint: string): Promise<number | null> {
  const url = URL.parse(endpoint);
  if (url === null || url.port === "" || Deno.build.os !== "linux") return null;
  if (!isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1"))) return null;
  // Without IPv6 the second file is missing, which is no reason to ignore the first.
  const tables = [await readProc("/proc/net/tcp"), await readProc("/proc/net/tcp6")];
  const inodes = tables.flatMap((table) => listeningInodes(table, Number(url.port)));
  if (inodes.length === 0) return null;
  // Deno does not read these links without all permissions.
  const links = inodes.flatMap((inode) => ["-o", "-lname", `socket:\\[${inode}\\]`]).slice(1);
  const files = ["/proc", "-mindepth", "3", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*"];
  return await told("find", [...files, "(", ...links, ")"], firstOwner);
}

/** The unit of processor time in /proc: `USER_HZ`, the same on every architecture that Deno runs on. */
const ticksPerSecond = 100;

/**
 * Reads /proc/PID/stat, which is one line, and /proc/PID/status behind it.
 *
 * The kernel scales both times of `stat` to what its scheduler has measured, ended threads included: only the unit is
 * coarse. /proc/PID/task/N/schedstat is in nanoseconds, and loses what a thread had used when the thread ends.
 */
export function parseProc(text: string): ProcessUsage | null {
  const [stat = "", status = ""] = text.split(/\n(.*)/s);
  // The name stands in parentheses, and may have some itself, and spaces: what follows the last one is numbers.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (Number.isNaN(ticks)) return null;
  // A process that has ended and was not waited for has no memory any more.
  const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
  return { cpuSeconds: ticks / ticksPerSecond, residentBytes: bytes("VmRSS"), peakBytes: bytes("VmHWM") };
}

/** Reads `ps -o time=,rss=`: `1-02:03:04 5120`, `12:03.45 5120`, the memory in KiB. */
export function parsePs(text: string): ProcessUsage | null {
  const found = /^\s*(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)\s+(\d+)\s*$/.exec(text);
  if (found === null) return null;
  const [, days, hours, minutes, seconds, kibibytes] = found.map((part) => Number((part ?? "0").replace(",", ".")));
  const cpuSeconds = ((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!;
  return { cpuSeconds, residentBytes: kibibytes! * 1024, peakBytes: 0 };
}

/** Whole numbers only: the others are written as the user's language writes them. */
function getProcess(pid: number): string {
  return `$p = Get-Process -Id ${pid} -ErrorAction Stop; ` +
    `'{0} {1} {2}' -f $p.TotalProcessorTime.Ticks, $p.WorkingSet64, $p.PeakWorkingSet64`;
}

/** Reads what {@linkcode getProcess} prints: units of 100 ns, and bytes. */
export function parseGetProcess(text: string): ProcessUsage | null {
  const found = /^\s*(\d+) (\d+) (\d+)\s*$/.exec(text);
  if (found === null) return null;
  const [, ticks, residentBytes, peakBytes] = found.map(Number);
  return { cpuSeconds: ticks! / 1e7, residentBytes: residentBytes!, peakBytes: peakBytes! };
}

/** The state of a socket that listens, in /proc/net/tcp. */
const listening = "0A";

/** The inodes of the sockets that listen on a port, of /proc/net/tcp or /proc/net/tcp6. */
export function listeningInodes(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").slice(1).map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === listening)
    .map((fields) => fields[9]!);
}

/** The lowest process of paths such as /proc/123/fd/4: a server that has forked shares the socket with its parent. */
export function firstOwner(paths: string): number | null {
  const pids = Array.from(paths.matchAll(/^\/proc\/(\d+)\/fd\//gm), ([, pid]) => Number(pid));
  return pids.length === 0 ? null : Math.min(...pids);
}
