/**
 * Checks as a person reads them, and as a program does.
 *
 * @module
 */

import { wrap } from "../bench/grid.ts";
import type { Check, State } from "./check.ts";

const colors: Readonly<Record<State, number>> = { ok: 32, warning: 33, wrong: 31, unknown: 90 };
const stateWidth = "warning".length + 2;
const nameWidth = "multicast route".length + 2;

/**
 * A check for people: its state, name and finding, and below them what to type. Ends with a line end.
 *
 * @param width how many characters a line may have
 */
export function textOf({ name, state, finding, advice }: Check, color: boolean, width: number): string {
  const indent = " ".repeat(stateWidth + nameWidth);
  const word = state.padEnd(stateWidth);
  const painted = color ? `\x1b[${colors[state]}m${word}\x1b[0m` : word;
  const lines = wrap(finding, width - indent.length, "");
  // What is to be typed stays in one line, however long, so that it can be copied.
  const typed = advice.map((line) => " ".repeat(stateWidth) + line);
  const below = [...lines.slice(1).map((line) => indent + line), ...typed];
  return [painted + name.padEnd(nameWidth) + lines[0], ...below].map((line) => `${line}\n`).join("");
}

/** A check for programs: an object in a line. */
export function jsonOf({ name, state, finding, advice }: Check): string {
  return `${JSON.stringify({ name, state, finding, advice })}\n`;
}
