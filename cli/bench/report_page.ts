/**
 * The page that a report is: one file that loads nothing.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Content, html, Markup } from "./html.ts";
import { script } from "./report_script.ts";
import { style } from "./report_style.ts";

/** Puts the parts of a page together. */
export function page(title: string, header: Content, sections: Content, footer: Content): string {
  // Nothing may be loaded, and no script may run but this one: what a server says of itself cannot bring any.
  const hash = createHash("sha256").update(script).digest("base64");
  const policy =
    `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return String(html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="${policy}">
        <meta name="color-scheme" content="light dark">
        <title>${title}</title>
        <style>${new Markup(style)}</style>
      </head>
      <body>
        <header>${header}</header>
        <main>${sections}</main>
        <footer>${footer}</footer>
        <script>${new Markup(script)}</script>
      </body>
    </html>
  `).trimStart();
}
