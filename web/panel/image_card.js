// One image in the grid of images: thumbnail, rating, size, why it was picked, rejection; it draws what the model holds.

import { Thumbnail } from "./caption_row.js";
import { html, Icon, IconButton } from "./ui.js";

/**
 * @param {{model: import("./model.js").Model, row: import("./types.d.ts").Row, place: number,
 *   onPick: (event: MouseEvent, key: string) => void}} props
 */
export function ImageCard({ model, row, place, onPick }) {
  const { key } = row;
  const bucket = model.bucketOf(key);
  const isCurrent = model.selection.current === key;
  const enlarge = () => {
    model.enlarged = key;
    model.changed();
  };
  const reject = (/** @type {Event} */ event) => {
    event.stopPropagation();
    model.editing.reject([key], !row.rejected);
  };
  return html`<div class="card ${isCurrent ? "current" : ""} ${row.rejected ? "rejected" : ""}" role="row"
      id="row-${key}" aria-rowindex=${place + 1} aria-selected=${model.selection.keys.has(key)}
      onClick=${(/** @type {MouseEvent} */ event) => onPick(event, key)} onDblClick=${enlarge}>
    <div role="gridcell" class="inside">
      <div class="frame">
        <${Thumbnail} model=${model} row=${row} />
        ${row.set === "regularization" && html`<span class="mark set corner">reg</span>`}
        ${row.rejected && html`<span class="mark error corner right">rejected</span>`}
        <span class="tools">
          <${IconButton} icon="enlarge" label="Enlarge ${row.file}" class="over" onClick=${enlarge} />
          <${IconButton} icon=${row.rejected ? "restore" : "reject"} label=${`${row.rejected ? "Restore" : "Reject"} ${row.file}`}
            class="over" onClick=${reject} />
        </span>
      </div>
      <div class="file" title=${row.file}>${row.file}</div>
      <div class="about">
        <span>${row.width}×${row.height}</span>
        ${bucket && html`<span class="bucket" title="Bucket in training">→ ${bucket}</span>`}
        ${row.rating !== null && html`<span title="Rating, 0 to 10">★ ${row.rating}</span>`}
        ${row.bad && html`<span class="mark error" title="Marked as bad in the library">bad</span>`}
        ${row.problems.length > 0 && html`<span class="mark warning" title=${row.problems.map(({ code }) => code).join(", ")}><${Icon} name="warning" />${row.problems.length}</span>`}
      </div>
      <div class="reason" title=${row.reason}>${row.reason || (row.set === "training" ? row.concept : "")}</div>
    </div>
  </div>`;
}
