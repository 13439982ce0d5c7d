/**
 * A chart and what belongs to it: a caption, and one drawing for wide screens and paper and one for narrow ones.
 *
 * @module
 */

import { type Content, element, html, type Markup } from "./html.ts";

/** For what a chart is drawn, in the units of its coordinates, which are pixels at its natural width. */
export interface Canvas {
  readonly width: number;
  readonly narrow: boolean;
}

/** A drawing, before it is put into a page. */
export interface Drawing {
  readonly height: number;
  readonly content: Content;
}

/** What a chart tells, for those who do not see it too. */
export interface Caption {
  readonly title: string;
  /** How to read it. */
  readonly how: string;
  /** What it shows, in a sentence or two. */
  readonly shows: string;
}

/** One of several small drawings. */
export interface Panel {
  readonly heading: Content;
  /** As {@linkcode Caption.title} and {@linkcode Caption.shows}, of this drawing. */
  readonly title: string;
  readonly shows: string;
  readonly draw: (canvas: Canvas) => Drawing;
}

/** How wide drawings are, in the units of their coordinates: what fills a column, and what shares it. */
const widths = { whole: { wide: 900, narrow: 350 }, half: { wide: 470, narrow: 350 } } as const;

/** A figure with one drawing. */
export function figure(id: string, caption: Caption, draw: (canvas: Canvas) => Drawing): Markup {
  const drawn = (["wide", "narrow"] as const).map((kind) => {
    const width = widths.whole[kind];
    return chart(`${id}-${kind}`, kind, width, caption, draw({ width, narrow: kind === "narrow" }));
  });
  return element("figure", { id }, head(caption), drawn);
}

/** A figure of several small drawings that stand side by side where there is room. */
export function panelFigure(id: string, caption: Omit<Caption, "shows">, panels: readonly Panel[]): Markup {
  const drawn = panels.map((panel, index) => {
    const charts = (["wide", "narrow"] as const).map((kind) => {
      const width = widths.half[kind];
      return chart(`${id}-${index}-${kind}`, kind, width, panel, panel.draw({ width, narrow: true }));
    });
    return element("div", { class: "panel" }, element("h4", {}, panel.heading), charts);
  });
  return element("figure", { id }, head(caption), element("div", { class: "panels" }, drawn));
}

function head({ title, how }: Omit<Caption, "shows">): Markup {
  return html`
    <figcaption>
      <h3>${title}</h3>
      <p>${how}</p>
    </figcaption>
  `;
}

function chart(
  id: string,
  kind: string,
  width: number,
  { title, shows }: Omit<Caption, "how">,
  drawing: Drawing,
): Markup {
  return element(
    "svg",
    {
      class: `chart ${kind}`,
      viewBox: `0 0 ${width} ${Math.ceil(drawing.height)}`,
      role: "img",
      "aria-labelledby": `${id}-title`,
      "aria-describedby": `${id}-desc`,
    },
    element("title", { id: `${id}-title` }, title),
    element("desc", { id: `${id}-desc` }, shows),
    drawing.content,
  );
}

/** A text in a drawing. */
export function label(x: number, y: number, text: Content, style: string, anchor = "start"): Markup {
  return element("text", { class: style, x, y, "text-anchor": anchor }, text);
}

/** A straight line in a drawing. */
export function line(x1: number, y1: number, x2: number, y2: number, style: string): Markup {
  return element("line", { class: style, x1, y1, x2, y2 });
}

/** A part of a drawing that tells something when it is pointed at. */
export function hit(x: number, y: number, width: number, height: number, lines: readonly string[]): Markup {
  return element("rect", { class: "hit", x, y, width, height }, element("title", {}, lines.join("\n")));
}
