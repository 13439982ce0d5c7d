/**
 * The files in which Linux tells about its network: `/proc` and `/sys`.
 *
 * @module
 */

/** Reads them; a test hands in its own. */
export interface SystemFiles {
  /** The text of a file, or `null` where there is none, or it may not be read. */
  read(path: string): Promise<string | null>;
  /** The names of a directory's directories, or `null` where there is none, or it may not be read. */
  list(path: string): Promise<readonly string[] | null>;
}

/** Whether the runtime keeps them from this program: it opens them to one with all permissions alone. */
export async function areClosed(): Promise<boolean> {
  try {
    await Deno.stat("/proc/net/snmp");
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotCapable;
  }
}

/** Those of this machine. */
export const systemFiles: SystemFiles = {
  async read(path) {
    try {
      return await Deno.readTextFile(path);
    } catch {
      return null;
    }
  },
  async list(path) {
    try {
      return (await Array.fromAsync(Deno.readDir(path))).filter(({ isFile }) => !isFile).map(({ name }) => name);
    } catch {
      return null;
    }
  },
};

/** A file that holds one number, or `null`. */
export async function readNumber(files: SystemFiles, path: string): Promise<number | null> {
  const text = (await files.read(path))?.trim();
  return text === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(text) ? null : Number(text);
}
