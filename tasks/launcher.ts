/** The text of the launcher that `deno task install` writes. */

/** What a launcher runs. */
export interface Launch {
  /** The deno executable to try first, a path. */
  readonly deno: string;
  /** The version to fetch when it is not there any more. */
  readonly version: string;
  /** The root of the checkout, a path. */
  readonly root: string;
  /** The entry file, a path. */
  readonly entry: string;
  readonly permissions: readonly string[];
}

/** By this a launcher is told from a file that somebody else put there. */
export const mark = "written by `deno task install` of stream";

/**
 * A launcher for sh. The deno that installed it may live in a cache that is emptied one day: then the same version comes
 * from npm.
 */
export function shellLauncher(launch: Launch): string {
  const args = ["run", "--quiet", "--config", `${launch.root}/deno.json`, ...launch.permissions, launch.entry];
  const command = `${args.map(shellWord).join(" ")} "$@"`;
  return `#!/bin/sh
# ${mark}; it runs the checkout in ${launch.root.replaceAll("\n", " ")}
deno=${shellWord(launch.deno)}
if [ -x "$deno" ]; then
  exec "$deno" ${command}
fi
exec npx -y deno@${launch.version} ${command}
`;
}

/** A launcher for Windows, in the same way. */
export function windowsLauncher(launch: Launch): string {
  const args = ["run", "--quiet", "--config", `${launch.root}\\deno.json`, ...launch.permissions, launch.entry];
  const command = `${args.map(windowsWord).join(" ")} %*`;
  return [
    "@echo off",
    `rem ${mark}; it runs the checkout in ${launch.root.replaceAll("%", "%%")}`,
    `if exist ${windowsWord(launch.deno)} (`,
    `  ${windowsWord(launch.deno)} ${command}`,
    ") else (",
    `  npx -y deno@${launch.version} ${command}`,
    ")",
    "",
  ].join("\r\n");
}

function shellWord(text: string): string {
  return /^[\w./:=,@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function windowsWord(text: string): string {
  return `"${text.replaceAll("%", "%%")}"`;
}
