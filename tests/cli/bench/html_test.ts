import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { element, escape, html } from "../../../cli/bench/html.ts";

Deno.test("what is foreign cannot become markup, in a text or in an attribute", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const page = String(html`<p title="${text}">${text}</p>`);
    assertEquals(page.match(/[<>]/g)!.length, 4);
    assertEquals(page.match(/"/g)!.length, 2);
    assert(page.isWellFormed());
    const drawn = String(element("text", { class: text }, text));
    assertEquals(drawn.match(/[<>]/g)!.length, 4);
  }));
});

Deno.test("escaped texts can be read again, but for what turns the direction of writing or is no text", () => {
  assertEquals(
    escape(`<script>alert("1" + '&')</script>`),
    "&lt;script&gt;alert(&quot;1&quot; + &#39;&amp;&#39;)&lt;/script&gt;",
  );
  assertEquals(escape("a\u0000b\u001bc\u202ed\ud800e"), "a\ufffdb\ufffdc\ufffdd\ufffde");
  assertEquals(escape("Zürich 日本\tx\ny"), "Zürich 日本\tx\ny");
});

Deno.test("markup in markup stays as it is, and nothing is nothing", () => {
  assertEquals(String(html`${html`<b>${1}</b>`}${null}${["a", [html`<i>`]]}`), "<b>1</b>a<i>");
  assertEquals(String(element("g", { x: 1.005, id: null }, null)), '<g x="1"></g>');
});
