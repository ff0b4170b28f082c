// The filter's box with its error, its help and how many images pass; the language itself stands in filter.js.

import { FIELDS } from "./filter.js";
import { KEYS } from "./keys.js";
import { Component, counted, createRef, html, Icon, IconButton } from "./ui.js";

/** @typedef {{model: import("./model.js").Model, onLeave: () => void, held: {current: FilterBox | null}}} Props */

/** @extends {Component<Props, {help: boolean}>} */
export class FilterBox extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.state = { help: false };
    this.input = createRef();
    props.held.current = this;
  }

  focus() {
    this.input.current.select();
  }

  render() {
    const { model, onLeave } = this.props;
    const { filterError: error, shown, rows, stale } = model;
    const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape" && model.filterText) model.filter("");
      else if (event.key === "Escape" || event.key === "Enter" || event.key === "ArrowDown") onLeave();
      else return;
      event.preventDefault();
    };
    return html`<div class="filter" role="search">
      <div class="box ${error ? "wrong" : ""}">
        <${Icon} name="search" />
        <input ref=${this.input} type="text" value=${model.filterText} placeholder="Filter: tag:hat -tag:smile tokens:>75 problem:"
          aria-label="Filter" aria-invalid=${Boolean(error)} aria-describedby="filter-says" spellcheck=${false} autocomplete="off"
          onInput=${(/** @type {InputEvent} */ event) => model.filter(/** @type {HTMLInputElement} */ (event.target).value)} onKeyDown=${onKeyDown} />
        ${model.filterText && html`<${IconButton} icon="close" label="Clear the filter" onClick=${() => model.filter("")} />`}
        <button type="button" class="icon-button" aria-label="Help on filters and keys" aria-expanded=${this.state.help}
          title="Filters and keys" onClick=${() => this.setState({ help: !this.state.help })}>?</button>
      </div>
      <p id="filter-says" class="says ${error ? "error" : ""}" role="status">
        ${error ? error.message : model.filterText ? `${shown.length.toLocaleString("en")} of ${counted(rows.total)}` : counted(rows.total)}
        ${!error && rows.list.length < rows.total ? ` · loading, ${rows.list.length.toLocaleString("en")} so far` : ""}
        ${
          stale > 0 &&
          !error &&
          html` · <button type="button" class="link" onClick=${() => {
            model.refilter();
            model.changed();
          }}>${stale} changed, no longer matching: hide</button>`
        }
      </p>
      ${this.state.help && html`<${Help} />`}
    </div>`;
  }
}

function Help() {
  return html`<div class="help">
    <dl>${Object.entries(FIELDS).map(([field, text]) => html`<div key=${field}><dt>${field}:</dt><dd>${text}</dd></div>`)}
      <div><dt>AND OR NOT</dt><dd>and parentheses; - before a term is NOT; other words are searched for in captions and file names</dd></div></dl>
    <dl>${KEYS.map(([key, text]) => html`<div key=${key}><dt>${key}</dt><dd>${text}</dd></div>`)}</dl>
  </div>`;
}
