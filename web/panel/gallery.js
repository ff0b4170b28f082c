// The images of a dataset, as a grid or as a list of captions, with keys, selection and the filter above; both virtual.

import { CaptionRow } from "./caption_row.js";
import { FilterBox } from "./filter_box.js";
import { ImageCard } from "./image_card.js";
import { onKey } from "./keys.js";
import { SelectionBar } from "./selection_bar.js";
import { Component, createRef, html } from "./ui.js";
import { Virtual } from "./virtual.js";

/** @typedef {{model: import("./model.js").Model, width: number}} Props */

const CARD = { height: 232, least: 168 };
const NARROW = 620; // px

/** @extends {Component<Props>} */
export class Gallery extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.virtual = createRef();
    this.box = createRef();
    this.columns = 1;
    this.onPick = (/** @type {MouseEvent} */ event, /** @type {string} */ key) => this.pick(event, key);
    this.onEdit = (/** @type {string} */ key) => this.edit(key);
    this.onLeave = (/** @type {boolean} */ next) => this.leave(next);
    this.onKeyDown = (/** @type {KeyboardEvent} */ event) => this.key(event);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("button, textarea, input") && event.key !== "Escape") return;
    const { model } = this.props;
    onKey(event, {
      model,
      columns: this.columns,
      page: this.virtual.current.page,
      edit: () => this.edit(model.selection.current),
      reveal: (place) => this.virtual.current.reveal(place),
      search: () => this.box.current.focus(),
    });
  }

  /**
   * @param {MouseEvent} event
   * @param {string} key
   */
  pick(event, key) {
    const { model } = this.props;
    model.selection.go(model.shown, key, { extend: event.shiftKey, toggle: event.ctrlKey || event.metaKey });
    model.changed();
    if (!(/** @type {HTMLElement} */ (event.target).closest("button"))) this.virtual.current.focus();
  }

  /** @param {string | null} key */
  edit(key) {
    const { model } = this.props;
    if (key === null) return;
    if (model.editing.conflicts.has(key)) {
      if (model.step === "images") model.step = "captions";
      const row = () => this.virtual.current.place.current.querySelector(`[id="row-${CSS.escape(key)}"]`);
      this.setState({}, () => row()?.querySelector(".conflict button")?.focus());
      return;
    }
    if (model.step === "images") model.step = "captions";
    model.editing.begin(key);
    this.setState({}, () => this.virtual.current.reveal(model.shown.indexOf(key)));
  }

  /** @param {boolean} next */
  leave(next) {
    const { model } = this.props;
    const { shown, selection } = model;
    const place = selection.current === null ? -1 : shown.indexOf(selection.current) + 1;
    this.virtual.current.focus();
    if (!next || place >= shown.length) return;
    selection.go(shown, shown[place]);
    this.virtual.current.reveal(place);
    this.edit(shown[place]);
  }

  render() {
    const { model, width } = this.props;
    return html`<section class="gallery" aria-label=${model.step === "images" ? "Images" : "Captions"}>
      <${FilterBox} model=${model} held=${this.box} onLeave=${() => this.virtual.current?.focus()} />
      <${SelectionBar} model=${model} />
      ${model.shown.length ? this.list(width) : this.nothing()}
    </section>`;
  }

  /** @param {number} width */
  list(width) {
    const { model } = this.props;
    const { shown, rows, selection } = model;
    const isGrid = model.step === "images";
    const limit = model.dataset?.token_limit ?? 0;
    const item = (/** @type {number} */ place, /** @type {number} */ slot) => {
      const row = rows.get(shown[place]);
      if (!row) return null;
      const props = { model, row, place, limit, onPick: this.onPick, onEdit: this.onEdit, onLeave: this.onLeave };
      return isGrid ? html`<${ImageCard} key=${slot} ...${props} />` : html`<${CaptionRow} key=${slot} ...${props} />`;
    };
    return html`<${Virtual} held=${this.virtual} key=${isGrid ? "grid" : "list"} class=${isGrid ? "cards" : "captions"} count=${shown.length}
      rowHeight=${isGrid ? CARD.height : width < NARROW ? 132 : 112} least=${isGrid ? CARD.least : 0} item=${item} multi=${true}
      label="${shown.length} images" active=${selection.current === null ? undefined : `row-${selection.current}`}
      onKeyDown=${this.onKeyDown} columnsChanged=${(/** @type {number} */ columns) => {
        this.columns = columns;
      }} />`;
  }

  nothing() {
    const { model } = this.props;
    if (model.rows.list.length < model.rows.total) return html`<p class="empty" role="status">Loading the images…</p>`;
    if (!model.rows.total) {
      return html`<div class="empty"><p>This dataset has no images.</p><p>Run the graph again, with a query that finds some.</p></div>`;
    }
    return html`<div class="empty"><p>No image matches the filter.</p>
      <p><button type="button" onClick=${() => model.filter("")}>Show all ${model.rows.total}</button></p></div>`;
  }
}
