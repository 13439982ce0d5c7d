/**
 * Tells when one of a few files has changed.
 *
 * It looks twice a second, and tells of what has stayed as it is since the look before: nobody is to read a file that is half
 * written. What the system tells of changes by itself differs by platform, comes not at all from network
 * file systems, and speaks of a file that editors and secret stores have long put another one in the place of.
 *
 * @module
 */

/** How often it looks, in milliseconds. */
const pause = 500;

/** What is looked at of a file. */
export type Stat = Pick<Deno.FileInfo, "mtime" | "size" | "ino">;

/** What watching needs of the world; a test hands in its own. */
export interface WatchSurroundings {
  /** Looks at a file, following links; rejects when there is none. */
  stat(path: string): Promise<Stat>;
  /** Calls back after so many milliseconds, unless the returned function is called first. Keeps no program running. */
  later(callback: () => void, milliseconds: number): () => void;
}

/**
 * Watches files until the signal is aborted.
 *
 * A file that is gone, or cannot be looked at, is not a change: it is one when it is back with another content. Whoever
 * wants no change to be missed calls this before reading the files.
 *
 * @param changed told the paths that changed since it was last called; not again before it is done. What it throws is the
 * caller's bug
 * @returns once it knows the files as they are now, so that each later change is told
 *
 * @example
 * ```ts ignore
 * await watchFiles(["auth.toml"], async () => accounts = await read("auth.toml"), signal);
 * ```
 */
export async function watchFiles(
  paths: readonly string[],
  changed: (paths: readonly string[]) => Promise<void> | void,
  signal: AbortSignal,
  around: WatchSurroundings = processSurroundings,
): Promise<void> {
  const files = await Promise.all(paths.map(async (path) => {
    const state = await look(path, around);
    return { path, told: state, seen: state };
  }));
  let cancel: (() => void) | undefined;
  const again = () => {
    if (!signal.aborted) cancel = around.later(() => void round(), pause);
  };
  const round = async () => {
    const others: string[] = [];
    for (const file of files) {
      const state = await look(file.path, around);
      if (state !== undefined && state === file.seen && state !== file.told) {
        file.told = state;
        others.push(file.path);
      }
      file.seen = state;
    }
    if (others.length > 0 && !signal.aborted) await changed(others);
    again();
  };
  signal.addEventListener("abort", () => cancel?.(), { once: true });
  again();
}

/** What tells one state of a file from another, or `undefined` if there is none. */
async function look(path: string, around: WatchSurroundings): Promise<string | undefined> {
  try {
    const { mtime, size, ino } = await around.stat(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return undefined;
  }
}

const processSurroundings: WatchSurroundings = {
  stat: (path) => Deno.stat(path),
  later(callback, milliseconds) {
    const timer = setTimeout(callback, milliseconds);
    Deno.unrefTimer(timer);
    return () => clearTimeout(timer);
  },
};
