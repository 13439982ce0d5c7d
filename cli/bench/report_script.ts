/**
 * What a report does where scripts run: it tells what is under the pointer at once. Without, the browser tells it after a while.
 *
 * @module
 */

/** The script. */
export const script = `"use strict";
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
for (const svg of document.querySelectorAll("svg.chart")) {
  const title = svg.querySelector("title");
  svg.setAttribute("aria-label", title.textContent);
  svg.removeAttribute("aria-labelledby");
  title.remove();
}
for (const part of document.querySelectorAll("svg.chart .hit")) {
  const title = part.querySelector("title");
  const [first, ...rest] = title.textContent.split("\\n");
  title.remove();
  const show = (event) => {
    const head = document.createElement("b");
    head.textContent = first;
    tip.replaceChildren(head, ...rest.map((line) => {
      const text = document.createElement("div");
      text.textContent = line;
      return text;
    }));
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(event.clientX + 16, room)) + "px";
    const below = event.clientY + 16;
    const fits = below + tip.offsetHeight < innerHeight;
    tip.style.top = (fits ? below : event.clientY - tip.offsetHeight - 12) + "px";
  };
  part.addEventListener("pointermove", show);
  part.addEventListener("pointerleave", () => tip.hidden = true);
}
`;
