/** Runs the program as a user does. */

const root = new URL("../../", import.meta.url);

/** What a run of the program left behind. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `deno run` with the permissions the program needs, up to its file. */
export const denoRun: readonly string[] = [
  "run",
  "--quiet",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
  "--allow-sys=hostname,networkInterfaces",
];

/** Runs `stream` with these arguments and an empty stdin, to its end. */
export async function stream(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...denoRun, "cli/main.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  return { status: code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}
