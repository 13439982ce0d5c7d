/**
 * HTML and SVG whose texts cannot be mistaken for markup.
 *
 * @module
 */

/** A piece of markup: what is in it is written as it is. */
export class Markup {
  readonly #text: string;

  /** @param text markup that is whole, and has nothing foreign in it that is not escaped */
  constructor(text: string) {
    this.#text = text;
  }

  /** The markup. */
  toString(): string {
    return this.#text;
  }
}

/** What can stand in markup: markup as it is, texts and numbers escaped, several one after the other, and nothing. */
export type Content = Markup | string | number | null | readonly Content[];

/**
 * Markup with values in it, all but markup escaped.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { html } from "./html.ts";
 *
 * assertEquals(String(html`<b title="${'"'}">${"a < b"}${[html`<i>`, 1]}</b>`), '<b title="&quot;">a &lt; b<i>1</b>');
 * ```
 */
export function html(parts: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(parts.reduce((text, part, index) => text + markupOf(values[index - 1]!) + part));
}

/** The attributes of an element. Those that are `null` are left out; numbers are coordinates, and rounded as such. */
export type Attributes = Readonly<Record<string, string | number | null>>;

/**
 * An element.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { element } from "./html.ts";
 *
 * assertEquals(String(element("rect", { x: 1 / 3, id: null })), '<rect x="0.33"/>');
 * assertEquals(String(element("text", { class: "a" }, "<", 1)), '<text class="a">&lt;1</text>');
 * ```
 */
export function element(name: string, attributes: Attributes, ...content: Content[]): Markup {
  const written = Object.entries(attributes).map(([attribute, value]) => {
    if (value === null) return "";
    return ` ${attribute}="${escape(String(typeof value === "number" ? Math.round(value * 100) / 100 : value))}"`;
  });
  const begin = `<${name}${written.join("")}`;
  return new Markup(content.length === 0 ? `${begin}/>` : `${begin}>${markupOf(content)}</${name}>`);
}

function markupOf(content: Content): string {
  if (content === null) return "";
  if (content instanceof Markup) return String(content);
  if (typeof content === "object") return content.map(markupOf).join("");
  return escape(String(content));
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** What a document may not have, and what would turn the direction of the text that follows. */
// deno-lint-ignore no-control-regex
const unwanted = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

/** A text as it must be written in markup, in attributes too. Control characters are replaced. */
export function escape(text: string): string {
  return text.toWellFormed().replace(unwanted, "\ufffd").replace(/[&<>"']/g, (character) => entities[character]!);
}
