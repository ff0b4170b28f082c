// What every view draws with: preact's elements through htm templates, icons, numbers as text; no state.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export { Component, createRef, render } from "../vendor/preact.js";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(h);

const PATHS = {
  undo: "M9 7H4V2M4.5 7A8 8 0 1 1 3 13",
  redo: "M15 7h5V2M19.500 7A8 8 0 1 0 21 13",
  close: "M5 5l14 14M19 5L5 19",
  enlarge: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  reject: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M6 6l12 12",
  restore: "M4 12a8 8 0 1 1 3 6.200M4 12l-2-3M4 12l3-2",
  tags: "M3 11V3h8l10 10-8 8zM7.500 7.500h.01",
  bulk: "M4 6h10M4 12h10M4 18h6M17 14l2 2 4-5",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13M15.500 15.500L21 21",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  check: "M4 12l5 5L20 6",
  warning: "M12 4L2 20h20zM12 10v5M12 17.500h.01",
  refresh: "M20 12a8 8 0 1 1-2.500-5.800M20 3v5h-5",
  play: "M7 4l13 8-13 8z",
  stop: "M6 6h12v12H6z",
  images: "M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 5M15.500 9h.01",
};

/**
 * @param {{name: keyof typeof PATHS}} props
 */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

/**
 * A button that is only an icon; its label is its name and its tooltip.
 * @param {{icon: keyof typeof PATHS, label: string, onClick: (event: MouseEvent) => void, disabled?: boolean, pressed?: boolean, class?: string, hint?: string}} props
 */
export function IconButton({
  icon,
  label,
  onClick,
  disabled = false,
  pressed = undefined,
  class: extra = "",
  hint = "",
}) {
  return html`<button type="button" class="icon-button ${extra}" aria-label=${label} title=${hint || label}
    aria-pressed=${pressed} disabled=${disabled} onClick=${onClick}><${Icon} name=${icon} /></button>`;
}

/** @param {number} count */
export function counted(count, one = "image", many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/**
 * Return a time in words, e.g. `2 h 5 min`.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "under a minute";
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * Return a date as the browser's language writes it, without seconds.
 * @param {string | null | undefined} iso
 */
export function date(iso) {
  return iso ? new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "";
}
