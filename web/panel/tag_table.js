// All tags of a dataset by frequency: click to filter, Alt-click to exclude; rename, delete, add. Only tags, no sentences.

import { plain } from "./captions.js";
import { Component, counted, createRef, html, IconButton } from "./ui.js";
import { Virtual } from "./virtual.js";

const ROW = 28; // px

/** @typedef {{model: import("./model.js").Model, onClose?: () => void}} Props */

/** @extends {Component<Props, {text: string, chosen: string | null}>} */
export class TagTable extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.state = { text: "", chosen: null };
    this.virtual = createRef();
  }

  /**
   * Open the bulk edits with an operation on a tag.
   * @param {import("./types.d.ts").OperationName} operation
   * @param {Record<string, unknown>} values
   * @param {"all" | "selected"} [scope]
   */
  bulk(operation, values, scope = "all") {
    const { model } = this.props;
    model.bulk = { operation, arguments: values, scope };
    model.changed();
  }

  get rows() {
    const all = [...this.props.model.tags()];
    const wanted = plain(this.state.text);
    return wanted ? all.filter(([tag]) => tag.includes(wanted)) : all;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { chosen } = this.state;
    const rows = this.rows;
    const now = rows.findIndex(([tag]) => tag === chosen);
    const page = this.virtual.current.page;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step) {
      const next = Math.min(rows.length - 1, Math.max(0, now + step));
      this.setState({ chosen: rows[next][0] });
      this.virtual.current.reveal(next);
    } else if (event.key === "Enter" && now >= 0) this.props.model.filterTag(rows[now][0], event.altKey);
    else if (event.key === "F2" && now >= 0) this.bulk("replace_tag", { old: chosen, new: "" });
    else if (event.key === "Delete" && now >= 0) this.bulk("remove_tags", { tags: chosen });
    else return;
    event.preventDefault();
  }

  /** @param {string} tag */
  tools(tag) {
    const { selected } = this.props.model;
    return html`<div class="tag-tools" role="group" aria-label="Actions for ${tag}">
      <strong>${tag}</strong>
      <button type="button" title="Rename this tag, or merge it with another (F2)" onClick=${() => this.bulk("replace_tag", { old: tag, new: "" })}>Rename or merge</button>
      <button type="button" title="Remove it from all captions (Del)" onClick=${() => this.bulk("remove_tags", { tags: tag })}>Delete</button>
      <button type="button" disabled=${!selected.length} onClick=${() => this.bulk("add_tags", { tags: tag, place: "front" }, "selected")}>Add to selection</button>
    </div>`;
  }

  /**
   * @param {[string, number]} counted
   * @param {number} most
   * @param {number} slot
   * @param {number} place
   */
  row([tag, count], most, slot, place) {
    const { model } = this.props;
    const click = (/** @type {MouseEvent} */ event) => {
      this.setState({ chosen: tag });
      model.filterTag(tag, event.altKey);
    };
    const choose = () => this.setState({ chosen: this.state.chosen === tag ? null : tag });
    return html`<div class="tag-row" role="row" key=${slot} id="tag-${place}" aria-rowindex=${place + 1} aria-selected=${this.state.chosen === tag}>
      <button type="button" role="gridcell" tabIndex="-1" class="tag-name" onClick=${click} title="Click: filter. Alt-click: exclude.">
        <span class="share" style=${{ width: `${(100 * count) / most}%` }}></span><span class="name">${tag}</span><span class="number">${count}</span></button>
      <button type="button" tabIndex="-1" class="icon-button" aria-label="More for ${tag}" title="More for ${tag}" onClick=${choose}>…</button>
    </div>`;
  }

  render() {
    const { model, onClose } = this.props;
    const { text, chosen } = this.state;
    const all = model.tags();
    const { rows } = this;
    const most = rows[0]?.[1] ?? 1;
    const active = rows.findIndex(([tag]) => tag === chosen);
    const item = (/** @type {number} */ place, /** @type {number} */ slot) => this.row(rows[place], most, slot, place);
    return html`<section class="tag-table" aria-label="Tags">
      <header><h2>Tags</h2><span class="number">${all.size}</span>${onClose && html`<${IconButton} icon="close" label="Close the tags" onClick=${onClose} />`}</header>
      <input type="text" value=${text} placeholder="Find a tag" aria-label="Find a tag" spellcheck=${false}
        onInput=${(/** @type {InputEvent} */ event) => this.setState({ text: /** @type {HTMLInputElement} */ (event.target).value })} />
      ${
        rows.length
          ? html`<${Virtual} held=${this.virtual} count=${rows.length} rowHeight=${ROW} least=${0} label=${counted(rows.length, "tag")}
              active=${active < 0 ? undefined : `tag-${active}`} onKeyDown=${(/** @type {KeyboardEvent} */ event) => this.key(event)} item=${item} />`
          : html`<p class="empty">${all.size ? "No tag matches." : "No tags: the captions are sentences, or there are none."}</p>`
      }
      ${chosen !== null && all.has(chosen) && this.tools(chosen)}
    </section>`;
  }
}
