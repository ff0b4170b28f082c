// All tags of a dataset by frequency: click to filter, Alt-click to exclude; rename, delete, add. Only tags, no sentences.

import { plain } from "./captions.js";
import { Component, counted, html, IconButton } from "./ui.js";
import { Virtual } from "./virtual.js";

const ROW = 28; // px

/** @typedef {{model: import("./model.js").Model, onClose?: () => void}} Props */

/** @extends {Component<Props, {text: string, chosen: string | null}>} */
export class TagTable extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.state = { text: "", chosen: null };
  }

  /**
   * Open the bulk edits with an operation on a tag.
   * @param {string} operation
   * @param {Record<string, unknown>} values
   */
  bulk(operation, values) {
    const { model } = this.props;
    model.bulk = { operation, arguments: values };
    model.changed();
  }

  /** @param {string} tag */
  tools(tag) {
    return html`<div class="tag-tools" role="group" aria-label="What to do with ${tag}">
      <strong>${tag}</strong>
      <button type="button" title="Give it another name, or merge it with another tag" onClick=${() => this.bulk("replace_tag", { old: tag, new: "" })}>Rename or merge</button>
      <button type="button" onClick=${() => this.bulk("remove_tags", { tags: tag })}>Delete</button>
      <button type="button" onClick=${() => this.bulk("add_tags", { tags: tag, place: "front" })}>Add to selection</button>
    </div>`;
  }

  /**
   * @param {[string, number]} counted
   * @param {number} most
   * @param {number} slot
   */
  row([tag, count], most, slot) {
    const { model } = this.props;
    const click = (/** @type {MouseEvent} */ event) => {
      this.setState({ chosen: tag });
      model.filterTag(tag, event.altKey);
    };
    const choose = () => this.setState({ chosen: this.state.chosen === tag ? null : tag });
    return html`<div class="tag-row" role="row" key=${slot} aria-selected=${this.state.chosen === tag}>
      <button type="button" role="gridcell" class="tag-name" onClick=${click} title="Click: filter. Alt-click: exclude.">
        <span class="share" style=${{ width: `${(100 * count) / most}%` }}></span><span class="name">${tag}</span><span class="number">${count}</span></button>
      <${IconButton} icon="tags" label="More for ${tag}" onClick=${choose} />
    </div>`;
  }

  render() {
    const { model, onClose } = this.props;
    const { text, chosen } = this.state;
    const all = model.tags();
    const wanted = plain(text);
    const rows = wanted ? [...all].filter(([tag]) => tag.includes(wanted)) : [...all];
    const most = rows[0]?.[1] ?? 1;
    return html`<section class="tag-table" aria-label="Tags">
      <header><h2>Tags</h2><span class="number">${all.size}</span>${onClose && html`<${IconButton} icon="close" label="Close the tags" onClick=${onClose} />`}</header>
      <input type="text" value=${text} placeholder="Find a tag" aria-label="Find a tag" spellcheck=${false}
        onInput=${(/** @type {InputEvent} */ event) => this.setState({ text: /** @type {HTMLInputElement} */ (event.target).value })} />
      ${chosen !== null && all.has(chosen) && this.tools(chosen)}
      ${
        rows.length
          ? html`<${Virtual} count=${rows.length} rowHeight=${ROW} least=${0} label=${counted(rows.length, "tag")} item=${(/** @type {number} */ place, /** @type {number} */ slot) => this.row(rows[place], most, slot)} />`
          : html`<p class="empty">${all.size ? "No tag has that in it." : "The captions are sentences, or there are none."}</p>`
      }
    </section>`;
  }
}
