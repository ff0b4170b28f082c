// One image enlarged, with all that is known of it: caption, what sources offer, tags, history; it fetches the details.

import { CaptionText, Conflict, Marks } from "./caption_row.js";
import { Dialog } from "./dialog.js";
import { Editor } from "./editor.js";
import { onUndoKey } from "./keys.js";
import { PromptParts } from "./prompt_parts.js";
import { Component, date, html, Icon, IconButton } from "./ui.js";

/** @typedef {import("./types.d.ts").RowDetails} RowDetails */
/** @typedef {{model: import("./model.js").Model}} Props */

/** @extends {Component<Props, {details: RowDetails | null, says: string}>} */
export class Viewer extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    /** @type {{details: RowDetails | null, says: string}} */
    this.state = { details: null, says: "" };
    /** @type {unknown} */
    this.fetched = null;
  }

  componentDidMount() {
    this.fetch();
  }

  componentDidUpdate() {
    this.fetch();
  }

  /** Fetch the details of the image, and again when its caption has changed on the server. */
  async fetch() {
    const { model } = this.props;
    const mark = `${model.enlarged}#${model.dataset?.revision}`;
    if (mark === this.fetched || !model.enlarged) return;
    this.fetched = mark;
    try {
      const found = await model.api.get(`datasets/${model.dataset?.id}/row/${encodeURIComponent(model.enlarged)}`);
      const details = /** @type {RowDetails} */ (found);
      if (mark === this.fetched) this.setState({ details, says: "" });
    } catch (error) {
      if (mark === this.fetched) this.setState({ details: null, says: /** @type {Error} */ (error).message });
    }
  }

  close() {
    const { model } = this.props;
    model.editing.commit();
    model.enlarged = null;
    model.changed();
  }

  /** @param {number} step */
  go(step) {
    const { model } = this.props;
    const place = model.shown.indexOf(model.enlarged ?? "") + step;
    if (place < 0 || place >= model.shown.length) return;
    model.editing.commit();
    model.enlarged = model.shown[place];
    model.selection.go(model.shown, model.shown[place]);
    model.changed();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { model } = this.props;
    if (/** @type {HTMLElement} */ (event.target).closest("textarea")) return;
    if (onUndoKey(event, model)) return;
    const row = model.rows.get(model.enlarged ?? "");
    if (event.key === "ArrowRight" || event.key === "ArrowDown") this.go(1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") this.go(-1);
    else if (event.key === " " && row && !(/** @type {HTMLElement} */ (event.target).closest("button")))
      model.editing.reject([row.key], !row.rejected);
    else if (event.key === "Enter" && row && !(/** @type {HTMLElement} */ (event.target).closest("button")))
      model.editing.begin(row.key);
    else return;
    event.preventDefault();
  }

  render() {
    const { model } = this.props;
    const row = model.rows.get(model.enlarged ?? "");
    if (!row) return null;
    const details = this.state.details?.key === row.key ? this.state.details : null;
    const { draft, conflicts } = model.editing;
    const conflict = conflicts.get(row.key);
    const limit = model.dataset?.token_limit ?? 0;
    return html`<${Dialog} label=${row.file} class="viewer" onClose=${() => this.close()} onKeyDown=${(/** @type {KeyboardEvent} */ event) => this.key(event)}>
      <div class="viewer-inside">
        <figure class=${row.rejected ? "rejected" : ""}>
          <img key=${row.key} alt=${row.text || row.file} src=${model.api.url(`image/${model.dataset?.id}/${encodeURIComponent(row.key)}`)} />
          <${IconButton} icon="left" label="Previous image" class="over side left" onClick=${() => this.go(-1)} />
          <${IconButton} icon="right" label="Next image" class="over side right" onClick=${() => this.go(1)} />
        </figure>
        <div class="details">
          <div class="about"><${Marks} row=${row} limit=${limit} /></div>
          ${
            draft?.key === row.key
              ? html`<${Editor} key=${row.key} model=${model} label="Caption of ${row.file}" onLeave=${(/** @type {boolean} */ next) => next && this.go(1)} />`
              : conflict
                ? html`<${Conflict} model=${model} conflict=${conflict} />`
                : html`<div class="text whole" onDblClick=${() => model.editing.begin(row.key)}><${CaptionText} model=${model} row=${row} isCurrent=${true} /></div>
                <p class="buttons"><button type="button" onClick=${() => model.editing.begin(row.key)}>Edit</button>
                <button type="button" onClick=${() => model.editing.reject([row.key], !row.rejected)}><${Icon} name=${row.rejected ? "restore" : "reject"} />${row.rejected ? "Restore" : "Reject"}</button></p>`
          }
          <${Facts} row=${row} details=${details} />
          ${this.state.says && html`<p class="error">${this.state.says}</p>`}
          ${details && html`<${More} model=${model} row=${row} details=${details} />`}
        </div>
      </div>
    </${Dialog}>`;
  }
}

/** @param {{row: import("./types.d.ts").Row, details: RowDetails | null}} props */
function Facts({ row, details }) {
  const bucket = details?.bucket;
  const size = bucket && `${bucket.width}×${bucket.height}`;
  const facts = [
    ["Size", `${row.width}×${row.height}`],
    ["Bucket", size || (details ? "none" : "…")],
    ["Rating", row.rating === null ? "none" : `${row.rating} of 10`],
    ["Reason", row.reason],
    ["Prompt", details?.prompt],
  ];
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${details && html`<${PromptParts} parts=${details.prompt_parts} />`}`;
}

/** @param {{model: import("./model.js").Model, row: import("./types.d.ts").Row, details: RowDetails}} props */
function More({ model, row, details }) {
  const use = (/** @type {{text: string, source: string}} */ { text, source }) =>
    model.editing.set(row.key, row.text, text, `Use the caption from ${source}`);
  const by = (/** @type {string} */ person) => (person ? ` by ${person}` : "");
  const score = (/** @type {number | null} */ confidence) =>
    confidence === null ? "" : ` ${Math.round(confidence * 100)} %`;
  return html`
    ${
      details.offered.length > 0 &&
      html`<h3>Captions by source</h3>${details.offered.map(
        (offer) => html`<div class="offered" key=${offer.source}>
      <small>${offer.source}</small><p>${offer.text}</p><button type="button" disabled=${offer.text === row.text} onClick=${() => use(offer)}>Use</button></div>`,
      )}`
    }
    ${details.tags.length > 0 && html`<h3>Tags by source</h3><p class="chips">${details.tags.map((tag) => html`<span class="chip" key=${tag.source + tag.text} title=${tag.source}>${tag.text}<small>${score(tag.confidence)}</small></span>`)}</p>`}
    <h3>History</h3>
    ${
      details.history.length
        ? html`<ol class="history">${details.history.map(
            (each, n) => html`<li key=${n} class=${each.undone ? "undone" : ""}>
      <strong>${each.label}</strong> <small>${date(each.at)}${by(each.by)}${each.undone ? `, undone${by(each.undone_by)}` : ""}</small><p>${each.after ?? "(no caption)"}</p>
      ${each.before !== null && each.before !== row.text && html`<button type="button" onClick=${() => use({ text: each.before ?? "", source: "the history" })}>Restore the earlier text</button>`}</li>`,
          )}</ol>`
        : html`<p class="dim">No edits yet.</p>`
    }`;
}

/**
 * Go to an image and enlarge it; a filter that hides it is cleared.
 * @param {import("./model.js").Model} model
 * @param {string} key
 */
export function enlarge(model, key) {
  if (!model.shown.includes(key)) model.filter("");
  model.selection.go(model.shown, key);
  model.enlarged = key;
  model.changed();
}
