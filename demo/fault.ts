/**
 * Faults on purpose: to see that the demo notices them.
 *
 * @module
 */

/** What can be made to go wrong; `die` is the server's end half way, the others happen to one message of a subscriber. */
export const faults = ["tamper", "lose", "double", "swap", "die"] as const;
/** One of them. */
export type Fault = (typeof faults)[number];

/** Takes one message. */
export type Take = (topic: string, payload: Uint8Array) => void;

/** It happens to this message of the topic that first has so many: more of them will follow. */
const victim = 20;

/** Passes messages on to `take`, one of them with the fault; without one, all as they are. */
export function injector(fault: string, take: Take): Take {
  const counts = new Map<string, number>();
  let happened = false;
  let held: { topic: string; payload: Uint8Array } | null = null;
  if (fault === "") return take;
  return (topic, payload) => {
    if (held !== null && held.topic === topic) {
      take(topic, payload);
      take(held.topic, held.payload);
      held = null;
      return;
    }
    const count = (counts.get(topic) ?? 0) + 1;
    counts.set(topic, count);
    if (happened || count !== victim) return take(topic, payload);
    happened = true;
    if (fault === "swap") held = { topic, payload: payload.slice() };
    if (fault === "double") take(topic, payload);
    if (fault === "double" || fault === "die") take(topic, payload);
    if (fault === "tamper") {
      const changed = payload.slice();
      changed[changed.length - 1]! ^= 1;
      take(topic, changed);
    }
  };
}
