/**
 * How charts tell the targets apart: by colour, by marker and by dash.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import { element, type Markup } from "./html.ts";

const dashes: Readonly<Record<TargetKind, string>> = {
  stream: "none",
  multicast: "none",
  tcp: "6 2",
  nats: "9 3",
  redis: "4 3",
  mqtt: "9 3 2 3",
  limit: "1.5 3.5",
};

/** The dashes of a target's line. */
export function dashOf(target: TargetKind): string {
  return dashes[target];
}

/** A target's marker, around a point. */
export function marker(target: TargetKind, x: number, y: number, size = 4.5): Markup {
  const style = { class: `mark t-${target}` };
  switch (target) {
    case "stream":
    case "multicast":
      return element("circle", { ...style, cx: x, cy: y, r: size });
    case "nats":
      return element("rect", { ...style, x: x - size * 0.9, y: y - size * 0.9, width: size * 1.8, height: size * 1.8 });
    case "tcp":
      return element("path", { ...style, d: path([x, y + size], [x + size, y - size], [x - size, y - size]) + "Z" });
    case "redis":
      return element("path", { ...style, d: path([x, y - size], [x + size, y + size], [x - size, y + size]) + "Z" });
    case "mqtt":
      return element("path", { ...style, d: path([x, y - size], [x + size, y], [x, y + size], [x - size, y]) + "Z" });
    case "limit": {
      const cross = path([x - size, y], [x + size, y]) + path([x, y - size], [x, y + size]);
      return element("path", { class: `${style.class} open`, d: cross });
    }
  }
}

/** A target's marker in a line of text. */
export function inlineMarker(target: TargetKind): Markup {
  return element("svg", { class: "key", viewBox: "0 0 14 14", "aria-hidden": "true" }, marker(target, 7, 7, 5));
}

/** Lines from each point to the next. */
export function path(...points: readonly (readonly [x: number, y: number])[]): string {
  return points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}

/** A coordinate, as exact as the eye is. */
function round(coordinate: number): number {
  return Math.round(coordinate * 10) / 10;
}
