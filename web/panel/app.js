// The whole panel as one view: header, the four steps side by side or one at a time, dialogs, notices.

import { Bulk } from "./bulk.js";
import { Gallery } from "./gallery.js";
import { onUndoKey } from "./keys.js";
import { Summary } from "./summary.js";
import { TagTable } from "./tag_table.js";
import { Train } from "./train.js";
import { Component, counted, html, Icon, IconButton } from "./ui.js";
import { Viewer } from "./viewer.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {{model: Model, width: number}} Props */

const WIDE = 1180; // px from which summary and training stand beside the captions
const ROOMY = 860; // px from which the tag table stands beside them

/** @extends {Component<Props>} */
export class App extends Component {
  render() {
    const { model, width } = this.props;
    const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
      if (!(/** @type {HTMLElement} */ (event.composedPath()[0]).closest("input, textarea, dialog")))
        onUndoKey(event, model);
    };
    return html`<div class="app ${width < 620 ? "narrow" : ""} ${width >= WIDE ? "wide" : ""}" onKeyDown=${onKeyDown}>
      <${Header} model=${model} width=${width} />
      ${
        model.isAway &&
        html`<p class="banner" role="alert"><${Icon} name="warning" />${model.refusal || "The server does not respond."}
        ${model.editing.unsent ? ` ${counted(model.editing.unsent, "edit")} stored in this browser until it is back.` : " You can continue editing: nothing is lost."}</p>`
      }
      ${!model.isAway && model.editing.outbox?.isStored === false && html`<p class="banner" role="alert">The browser's storage is full: unsent edits exist in this page only. Leave it open until they are sent.</p>`}
      ${this.body(model, width)}
      <${Notices} model=${model} />
      ${model.enlarged !== null && html`<${Viewer} model=${model} />`}
      ${model.bulk && html`<${Bulk} model=${model} />`}
    </div>`;
  }

  /**
   * @param {Model} model
   * @param {number} width
   */
  body(model, width) {
    if (model.phase === "starting" || model.phase === "loading") return html`<${Skeleton} />`;
    if (model.phase === "failed") {
      return html`<div class="empty whole"><p><strong>The panel could not be loaded.</strong></p><p>${model.failure}</p>
        <p><button type="button" class="main" onClick=${() => model.start()}>Try again</button></p></div>`;
    }
    if (model.phase === "empty") {
      return html`<div class="empty whole"><${Icon} name="images" /><p><strong>No dataset yet.</strong></p>
        <p>Run a graph with <em>Caption Builder</em>, or <code>${model.session?.command ?? "lorads"} build</code>: the dataset then appears here.</p></div>`;
    }
    const isWide = width >= WIDE;
    const isGallery = model.step === "images" || model.step === "captions" || isWide;
    if (isWide && model.step !== "images") model.step = "captions";
    const close = () => {
      model.tagsOpen = false;
      model.changed();
    };
    const tags = model.tagsOpen || width >= 1500;
    return html`<main>
      ${isGallery && tags && html`<div class="beside ${width < ROOMY ? "floating" : ""}"><${TagTable} model=${model} onClose=${width >= 1500 ? undefined : close} /></div>`}
      ${isGallery && html`<${Gallery} model=${model} width=${width} />`}
      ${isWide ? html`<aside><${Summary} model=${model} /><${Train} model=${model} key=${model.dataset?.id} /></aside>` : null}
      ${!isWide && model.step === "summary" && html`<div class="alone"><${Summary} model=${model} /></div>`}
      ${!isWide && model.step === "train" && html`<div class="alone"><${Train} model=${model} key=${model.dataset?.id} /></div>`}
    </main>`;
  }
}

/** @type {[import("./model.js").Step, string][]} */
const STEPS = [
  ["images", "Images"],
  ["captions", "Captions"],
  ["summary", "Summary"],
  ["train", "Train"],
];

/** @param {Props} props */
function Header({ model, width }) {
  const { dataset, editing } = model;
  const open = (/** @type {Event} */ event) => model.open(/** @type {HTMLSelectElement} */ (event.target).value);
  const go = (/** @type {import("./model.js").Step} */ step) => {
    editing.commit();
    model.step = step;
    model.changed();
  };
  const steps = width >= WIDE ? STEPS.slice(0, 2) : STEPS;
  const undo = editing.outbox?.entries.at(-1)?.label ?? dataset?.can_undo;
  const redo = editing.undone.at(-1)?.label ?? dataset?.can_redo;
  return html`<header class="top">
    <div class="line">
      <label class="dataset"><span class="hidden">Dataset</span>
        <select value=${dataset?.id ?? ""} onChange=${open} disabled=${!model.datasets.length}>
          ${model.datasets.length ? model.datasets.map(({ id, name, training, regularization }) => html`<option key=${id} value=${id}>${name} (${training}${regularization ? ` + ${regularization}` : ""})</option>`) : html`<option value="">No dataset</option>`}
        </select></label>
      <span class="state ${editing.unsent ? "waiting" : ""}" role="status">${state(model)}</span>
      <${IconButton} icon="undo" label="Undo" hint=${undo ? `Undo: ${undo} (Ctrl+Z)` : "Nothing to undo"} disabled=${!undo} onClick=${() => editing.undo()} />
      <${IconButton} icon="redo" label="Redo" hint=${redo ? `Redo: ${redo} (Ctrl+Shift+Z)` : "Nothing to redo"} disabled=${!redo} onClick=${() => editing.redo()} />
    </div>
    <nav aria-label="Steps">
      ${steps.map(([step, label]) => html`<button type="button" key=${step} aria-current=${model.step === step ? "step" : undefined} onClick=${() => go(step)}>${label}</button>`)}
      ${
        width < 1500 &&
        html`<button type="button" class="tags-button" aria-label="Tags" title="Tags" aria-pressed=${model.tagsOpen} onClick=${() => {
          model.tagsOpen = !model.tagsOpen;
          model.changed();
        }}><${Icon} name="tags" />${width >= 400 && "Tags"}</button>`
      }
    </nav>
  </header>`;
}

/** @param {Model} model */
function state({ editing, isAway, phase }) {
  if (phase !== "ready") return "";
  const conflicts = editing.conflicts.size ? `${counted(editing.conflicts.size, "conflict")}` : "";
  if (editing.unsent) return `${editing.unsent} unsent`;
  return conflicts || (isAway ? "offline" : "saved");
}

/** @param {{model: Model}} props */
function Notices({ model }) {
  return html`<div class="notices" role="status" aria-live="polite">${model.notices.map(
    (notice) => html`<div class="notice ${notice.kind}" key=${notice.id}>
    <span>${notice.text}</span>
    ${
      notice.action &&
      html`<button type="button" onClick=${() => {
        notice.action?.run();
        model.dismiss(notice);
      }}>${notice.action.label}</button>`
    }
    <${IconButton} icon="close" label="Dismiss" onClick=${() => model.dismiss(notice)} /></div>`,
  )}</div>`;
}

function Skeleton() {
  return html`<div class="skeleton" role="status" aria-label="Loading">${Array.from({ length: 8 }, (_, n) => html`<div key=${n}><span></span><span></span></div>`)}</div>`;
}
