// The parts of an image's prompt by certainty: what captions take of it, and what the image may not show.

import { html } from "./ui.js";

/** @typedef {import("./types.d.ts").PromptPart} PromptPart */

/** @type {{certainty: PromptPart["certainty"], label: string, about: string}[]} */
const CERTAINTIES = [
  { certainty: "certain", label: "Certain", about: "captions made from the prompt use this" },
  { certainty: "possible", label: "Possible", about: "one of several, or for some steps or a part of the image" },
  {
    certainty: "generated",
    label: "Made at run time",
    about: "such as a wildcard: the prompt does not say what it became",
  },
  { certainty: "excluded", label: "Excluded", about: "a negative weight: the image should not show it" },
];

/**
 * Group parts by certainty, the same text once in each group; none where all of the prompt is certain.
 * @param {PromptPart[]} parts
 * @returns {{label: string, about: string, texts: string[]}[]}
 */
export function grouped(parts) {
  if (parts.every((part) => part.certainty === "certain")) return [];
  const groups = CERTAINTIES.map(({ certainty, label, about }) => {
    const texts = parts.filter((part) => part.certainty === certainty).map((part) => part.text);
    return { label, about, texts: [...new Set(texts)] };
  });
  return groups.filter((group) => group.texts.length > 0);
}

/** @param {{parts: PromptPart[]}} props */
export function PromptParts({ parts }) {
  const groups = grouped(parts);
  if (parts.length === 0) return null;
  if (groups.length === 0)
    return html`<p class="dim">All of the prompt is certain: captions made from it use all of it.</p>`;
  return html`<h3>Prompt by certainty</h3>
    <dl class="prompt-parts">${groups.map(
      ({ label, about, texts }) => html`<div key=${label}>
        <dt>${label} <small>${about}</small></dt>${texts.map((text) => html`<dd key=${text}>${text}</dd>`)}
      </div>`,
    )}</dl>`;
}
