/**
 * What the user may have meant.
 *
 * @module
 */

/**
 * How many letters must be inserted, deleted, changed or swapped with their neighbour to make one word of the other.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { editDistance } from "./suggest.ts";
 *
 * assert(editDistance("--cuont", "--count") === 1);
 * ```
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, beforeLast[j - 2]! + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/**
 * The candidate that is nearest to `word`, or `undefined` when none is near.
 *
 * Near is at most two edits in five letters; a word that a candidate begins with is near too: `sub` for `subscribe`.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const letters = word.replace(/^-+/, "").toLowerCase();
  if (letters === "") return undefined;
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of candidates) {
    const other = candidate.replace(/^-+/, "").toLowerCase();
    let distance = editDistance(letters, other);
    const most = Math.max(1, Math.floor(Math.max(letters.length, other.length) * 0.4));
    if (letters.length >= 2 && other.startsWith(letters)) distance = Math.min(distance, 1);
    // A flag of one letter is near to every other one, which helps nobody.
    if (distance <= most && distance < least && (distance === 0 || Math.min(letters.length, other.length) > 1)) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}
