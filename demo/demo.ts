/**
 * The demo: `stream serve`, a publisher of a market feed, two subscribers and a listener to multicast, as processes
 * on this machine.
 *
 * ```text
 * deno task demo [--seconds N] [--seed N] [--fault tamper|lose|double|swap|die]
 * ```
 *
 * Exits with 0 when every end has the same checksums, with 1 when one has not or a process ended before its time.
 *
 * @module
 */

import { type Fault, faults } from "./fault.ts";
import { picture, secondLine, styleFor, verdict } from "./picture.ts";
import { play, type PlayOptions } from "./play.ts";
import { DemoError } from "./process.ts";
import type { Scene } from "./scene.ts";
import { Screen } from "./screen.ts";

const usage = `deno task demo [--seconds N] [--seed N] [--fault ${faults.join("|")}]`;
/** The lines of the picture that are not of symbols. */
const linesBesideSymbols = 15;

/** The arguments are wrong. */
class DemoUsageError extends Error {}

/** A signal came. */
class Interrupted extends DemoError {}

function parse(args: readonly string[]): PlayOptions {
  const options = { seconds: 9, seed: Date.now() % 1_000_000, fault: "" as Fault | "" };
  for (let i = 0; i < args.length; i += 2) {
    const [flag, value = ""] = [args[i], args[i + 1]];
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
    const fault = faults.find((it) => it === value);
    if (flag === "--seconds" && number >= 1 && number <= 60) options.seconds = number;
    else if (flag === "--seed" && Number.isSafeInteger(number)) options.seed = number;
    else if (flag === "--fault" && fault !== undefined) options.fault = fault;
    else throw new DemoUsageError(`cannot take ${JSON.stringify(args.join(" "))}: usage: ${usage}`);
  }
  return options;
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
  } catch (error) {
    // Nobody looks any more, as in `| head`: the exit status still tells.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Runs the demo on a terminal: a picture that moves. */
async function runOnTerminal(options: PlayOptions, interrupted: Promise<never>): Promise<Scene> {
  const style = styleFor(!Deno.env.get("NO_COLOR"));
  using screen = new Screen({ write, size: () => Deno.consoleSize() });
  const rows = () => Math.min(8, Deno.consoleSize().rows - linesBesideSymbols);
  screen.draw([` ${style.bold("stream demo")}`, style.dim(" starting a server, a publisher and subscribers ...")]);
  const scene = await play(options, (scene) => screen.draw(picture(scene, style, rows())), interrupted);
  screen.draw(picture(scene, style, rows()));
  write(`\n${verdict(scene, style).join("\n")}\n`);
  return scene;
}

/** Runs it where there is none: a line a second, and the last picture. */
async function runInLines(options: PlayOptions, interrupted: Promise<never>): Promise<Scene> {
  const style = styleFor(false);
  write("stream demo: starting a server, a publisher and subscribers ...\n");
  let next = 1;
  const scene = await play(options, (scene) => {
    if (scene.elapsed < next) return;
    write(`${secondLine(scene)}\n`);
    next = Math.floor(scene.elapsed) + 1;
  }, interrupted);
  write(`\n${[...picture(scene, style), "", ...verdict(scene, style)].join("\n")}\n`);
  return scene;
}

/** Runs the demo. Returns its exit status. */
async function main(args: readonly string[]): Promise<number> {
  const terminal = Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb";
  try {
    const options = parse(args);
    const interrupted = new Promise<never>((_, reject) => {
      const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
      for (const signal of signals) Deno.addSignalListener(signal, () => reject(new Interrupted("interrupted")));
    });
    interrupted.catch(() => {});
    const { faults } = await (terminal ? runOnTerminal : runInLines)(options, interrupted);
    return faults?.length === 0 ? 0 : 1;
  } catch (error) {
    if (error instanceof DemoUsageError) {
      console.error(`demo: ${error.message}`);
      return 2;
    }
    if (!(error instanceof DemoError)) throw error;
    // Over the ^C that a terminal shows.
    if (terminal) write("\r\x1b[K");
    console.error(`demo: ${error.message}`);
    return error instanceof Interrupted ? 130 : 1;
  }
}

Deno.exit(await main(Deno.args));
