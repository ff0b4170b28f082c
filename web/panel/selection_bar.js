// What can be done with the selected images: common tags, reject, bulk edits; there when several are selected.

import { rejectSelected } from "./keys.js";
import { Component, html, Icon } from "./ui.js";

const MOST = 40;

/** @typedef {{model: import("./model.js").Model}} Props */

/** @extends {Component<Props, {tags: boolean}>} */
export class SelectionBar extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.state = { tags: false };
  }

  render() {
    const { model } = this.props;
    const { selected } = model;
    const isMany = selected.length > 1;
    const rejected = selected.filter((key) => model.rows.get(key)?.rejected).length;
    return html`<div class="selection-bar">
      <span role="status">${isMany && html`${selected.length.toLocaleString("en")} <span class="label">images </span>selected`}</span>
      ${
        isMany &&
        html`<button type="button" aria-expanded=${this.state.tags} aria-label="Tags" onClick=${() => this.setState({ tags: !this.state.tags })}>
        <${Icon} name="tags" /><span class="label">Tags</span></button>`
      }
      <button type="button" disabled=${!selected.length} onClick=${() => rejectSelected(model)}>
        <${Icon} name=${rejected === selected.length && rejected ? "restore" : "reject"} />${rejected === selected.length && rejected ? "Restore" : "Reject"}</button>
      <button type="button" onClick=${() => {
        model.bulk = { operation: "add_tags" };
        model.changed();
      }}><${Icon} name="bulk" />Bulk edit</button>
      ${isMany && this.state.tags && this.common()}
    </div>`;
  }

  common() {
    const { model } = this.props;
    const { selected } = model;
    const tags = [...model.tags(true)];
    const all = tags.filter(([, count]) => count === selected.length);
    const some = tags.filter(([, count]) => count < selected.length);
    const remove = (/** @type {string} */ tag) => {
      model.bulk = { operation: "remove_tags", arguments: { tags: tag }, scope: "selected" };
      model.changed();
    };
    const chip = (/** @type {[string, number]} */ [tag, count]) => html`<span class="chip" key=${tag}>${tag}
      ${count < selected.length && html`<small>${count}</small>`}
      <button type="button" aria-label="Remove ${tag} from the selected images" title="Remove" onClick=${() => remove(tag)}>×</button></span>`;
    return html`<div class="common">
      <p><small>In all</small> ${all.length ? all.map(chip) : "none"}</p>
      <p><small>In some</small> ${some.length ? some.slice(0, MOST).map(chip) : "none"}
        ${some.length > MOST && html` and ${some.length - MOST} more`}</p>
    </div>`;
  }
}
