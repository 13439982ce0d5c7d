/**
 * `stream key`: makes the key of a multicast group.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { groupKeyLength } from "../core/encrypted_seal.ts";
import { platform } from "../transports/platform.ts";
import { ExitStatus, Failure } from "./exit.ts";
import { keyText } from "./key_file.ts";
import { addExamples, type Program } from "./program.ts";
import { fileReason, printText } from "./stdio.ts";

/** Declares `stream key`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["a key in a file that only you can read", "stream key group.key"],
    ["a group that only who has the file can hear", "stream serve --multicast --key-file group.key"],
    ["on each machine that has a copy of it", "stream subscribe --multicast --key-file group.key"],
  ]);
  command
    .usage("[options] [FILE]")
    .argument("[FILE]", "where to write it; it must not exist (default: stdout)")
    .action((file) => program.start(() => run(file)));
}

/** Writes a new key to a file, or to stdout. */
export async function run(file: string | undefined): Promise<ExitStatus> {
  const key = new Uint8Array(groupKeyLength);
  platform.random(key);
  if (file === undefined) printText(keyText(key));
  else {
    try {
      // A key that is in use is not written over.
      await Deno.writeTextFile(file, keyText(key), { createNew: true, mode: 0o600 });
    } catch (error) {
      const why = error instanceof Deno.errors.AlreadyExists ? "the file exists: give another name" : fileReason(error);
      throw new Failure(`cannot write the key ${JSON.stringify(file)}: ${why}`);
    }
  }
  return ExitStatus.done;
}
