// One image in the list of captions: thumbnail, caption in place, what is known of it; it draws what the model holds.

import { isProse, plain, tagsOf, withoutTag } from "./captions.js";
import { Editor } from "./editor.js";
import { html, Icon, IconButton } from "./ui.js";

/** @typedef {import("./types.d.ts").Row} Row */
/** @typedef {import("./model.js").Model} Model */

const SEVERITIES = /** @type {const} */ (["error", "warning", "info"]);

/**
 * A thumbnail of an image; where there is none, an empty frame of the same size.
 * @param {{model: Model, row: Row, side?: number}} props
 */
export function Thumbnail({ model, row, side = 256 }) {
  const failed = (/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.target).classList.add("broken");
  return html`<img key=${row.key} class="thumbnail" alt=${row.file} loading="lazy" decoding="async" draggable=${false} onError=${failed}
    src=${model.api.url(`thumbnail/${model.dataset?.id}/${encodeURIComponent(row.key)}`, { side })} />`;
}

/**
 * Marks of a row: its set, its problems, what a person did.
 * @param {{row: Row, limit: number}} props
 */
export function Marks({ row, limit }) {
  const worst = SEVERITIES.find((each) => row.problems.some(({ severity }) => severity === each));
  const problems = row.problems.map(({ code }) => code.replaceAll("_", " ").replaceAll("-", " ")).join(", ");
  const long = limit > 0 && row.tokens > limit;
  return html`
    ${row.set === "regularization" && html`<span class="mark set" title=${row.reason || "Regularization image"}>reg</span>`}
    ${row.concept && html`<span class="mark">${row.concept}</span>`}
    ${row.rejected && html`<span class="mark error">rejected</span>`}
    <span class="mark plain" title="Caption source">${row.text === null ? "no caption" : row.source}</span>
    ${row.edited && html`<span class="mark edited" title="Edited by hand">edited</span>`}
    <span class="mark plain ${long ? "warning" : ""}" title="Tokens, of ${limit || "an unknown limit"}">${row.tokens} tokens</span>
    ${worst && html`<span class="mark ${worst}" title=${problems}><${Icon} name="warning" />${row.problems.length === 1 ? problems : `${row.problems.length} problems`}</span>`}`;
}

/**
 * A caption as chips or, for sentences, as text; those of the current row can be removed.
 * @param {{model: Model, row: Row, isCurrent: boolean}} props
 */
export function CaptionText({ model, row, isCurrent }) {
  const { text } = row;
  if (!text) return html`<span class="nothing">No caption yet. Press Enter to write one.</span>`;
  if (isProse(text)) return html`<span class="prose">${text}</span>`;
  const trigger = plain(model.dataset?.trigger.word ?? "");
  const remove = (/** @type {Event} */ event, /** @type {number} */ at) => {
    event.stopPropagation();
    model.editing.set(row.key, text, withoutTag(text, at), `Remove “${tagsOf(text)[at]}”`);
  };
  return tagsOf(text).map((tag, at) => {
    const kind = trigger && plain(tag) === trigger ? "trigger" : "";
    return html`<span class="chip ${kind}" key=${at}>${tag}${
      isCurrent &&
      html`<button type="button" tabIndex="-1" aria-label="Remove ${tag}" title="Remove" onClick=${(/** @type {Event} */ event) => remove(event, at)}>×</button>`
    }</span>`;
  });
}

/**
 * A conflict: both texts of the caption, and the choices.
 * @param {{model: Model, conflict: import("./editing.js").Conflicting}} props
 */
export function Conflict({ model, conflict }) {
  const { mine, theirs } = conflict;
  const both = () => {
    model.editing.settle(conflict, theirs);
    model.editing.reopen(conflict.key, mine ?? "");
  };
  return html`<div class="conflict" role="group" aria-label="Conflict">
    <p><strong>Changed elsewhere in the meantime.</strong> Which text do you want to keep?</p>
    <div class="texts">
      <div><small>Yours</small><p>${mine || "(empty)"}</p></div>
      <div><small>Theirs</small><p>${theirs || "(empty)"}</p></div>
    </div>
    <p class="buttons">
      <button type="button" class="main" onClick=${() => model.editing.settle(conflict, mine)}>Keep yours</button>
      <button type="button" onClick=${() => model.editing.settle(conflict, theirs)}>Keep theirs</button>
      <button type="button" onClick=${both}>Edit yours</button>
    </p>
  </div>`;
}

/**
 * @param {{model: Model, row: Row, place: number, limit: number, onPick: (event: MouseEvent, key: string) => void,
 *   onEdit: (key: string) => void, onLeave: (next: boolean) => void}} props
 */
export function CaptionRow({ model, row, place, limit, onPick, onEdit, onLeave }) {
  const { key } = row;
  const { draft, conflicts } = model.editing;
  const isCurrent = model.selection.current === key;
  const conflict = conflicts.get(key);
  const state = `${isCurrent ? "current" : ""} ${row.rejected ? "rejected" : ""} ${conflict ? "in-conflict" : ""}`;
  return html`<div class="caption-row ${state}" role="row" id="row-${key}" aria-rowindex=${place + 1}
      aria-selected=${model.selection.keys.has(key)} onClick=${(/** @type {MouseEvent} */ event) => onPick(event, key)} onDblClick=${() => onEdit(key)}>
    <div role="gridcell" class="image">
      <${Thumbnail} model=${model} row=${row} />
      <${IconButton} icon="enlarge" label="Enlarge ${row.file}" class="over" onClick=${() => {
        model.enlarged = key;
        model.changed();
      }} />
    </div>
    <div role="gridcell" class="caption">
      ${
        draft?.key === key && model.enlarged === null
          ? html`<${Editor} key=${key} model=${model} label="Caption of ${row.file}" onLeave=${onLeave} />`
          : conflict
            ? html`<${Conflict} model=${model} conflict=${conflict} />`
            : html`<div class="text"><${CaptionText} model=${model} row=${row} isCurrent=${isCurrent} /></div>`
      }
      <div class="about"><span class="file" title=${row.file}>${row.file}</span><${Marks} row=${row} limit=${limit} /></div>
    </div>
  </div>`;
}
