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

/** Those of this machine. The runtime opens them only to programs that may do everything; other programs may read them. */
export const systemFiles: SystemFiles = {
  read: (path) => told("cat", [path]),
  async list(path) {
    const text = await told("ls", [path]);
    return text === null ? null : text.split("\n").filter((name) => name !== "");
  },
};

/** What another program says, or `null` when it fails or is not there. */
async function told(program: string, args: readonly string[]): Promise<string | null> {
  if (Deno.build.os !== "linux") return null;
  try {
    const command = new Deno.Command(program, { args: [...args], stdin: "null", stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch {
    return null;
  }
}

/** A file that holds one number, or `null`. */
export async function readNumber(files: SystemFiles, path: string): Promise<number | null> {
  const text = (await files.read(path))?.trim();
  return text === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(text) ? null : Number(text);
}
