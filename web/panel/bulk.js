// The dialog for bulk edits: an operation, the captions it applies to, a preview; the server does the work.

import { difference } from "./captions.js";
import { Dialog } from "./dialog.js";
import { argumentsOf, choicesOf, defaultOf, isComplete, isSelect, shownFields } from "./operations.js";
import { Component, counted, html } from "./ui.js";

/** @typedef {import("./types.d.ts").Preview} Preview */
/** @typedef {import("./types.d.ts").OperationName} OperationName */
/** @typedef {import("./operations.js").Field} Field */
/** @typedef {"selected" | "shown" | "all"} Scope */
/** @typedef {{operation: OperationName, arguments?: import("./operations.js").Values, scope?: Scope}} BulkRequest */
/** @typedef {{model: import("./model.js").Model}} Props */
/** @typedef {{operation: OperationName, values: import("./operations.js").Values, scope: Scope, unedited: boolean, preview: Preview | null, error: string}} State */

const PAUSE = 250; // ms without a change before a preview is requested

/** @extends {Component<Props, State>} */
export class Bulk extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    const { bulk, selected, filterText } = props.model;
    const likely = selected.length > 1 ? "selected" : filterText ? "shown" : "all";
    /** @type {State} */
    this.state = {
      operation: bulk?.operation ?? "add_tags",
      values: { ...bulk?.arguments },
      scope: bulk?.scope ?? likely,
      unedited: true,
      preview: null,
      error: "",
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.request = 0; // the number of the newest preview request; answers to older ones are dropped
  }

  componentDidMount() {
    this.later();
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
  }

  /** @param {Partial<State>} state */
  change(state) {
    this.request += 1;
    this.setState({ ...state, preview: null, error: "" }, () => this.later());
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.preview(), PAUSE);
  }

  get keys() {
    const { model } = this.props;
    return { selected: model.selected, shown: model.shown, all: null }[this.state.scope];
  }

  /** @param {boolean} preview */
  body(preview) {
    const { operation, unedited } = this.state;
    return {
      operation,
      arguments: argumentsOf(this.fields, this.values),
      keys: this.keys,
      unedited_only: unedited,
      preview,
    };
  }

  get operations() {
    return this.props.model.session?.operations ?? [];
  }

  /** The fields of the chosen operation. */
  get fields() {
    const chosen = this.operations.find(({ name }) => name === this.state.operation);
    return chosen ? shownFields(chosen, this.props.model.dataset) : [];
  }

  /** The values of the fields: as given, else their defaults. */
  get values() {
    const { dataset } = this.props.model;
    const defaults = this.fields.map((field) => [field.name, defaultOf(field, dataset, this.choices(field))]);
    return { ...Object.fromEntries(defaults), ...this.state.values };
  }

  /** @param {Field} field */
  choices(field) {
    const { session, rows } = this.props.model;
    const problems = field.kind === "problems" ? rows.list.flatMap((row) => row.problems) : [];
    return choicesOf(field, session?.sources ?? [], problems);
  }

  async preview() {
    const { model } = this.props;
    if (!isComplete(this.fields, this.values)) return;
    if (model.isAway) {
      this.setState({ error: "The server does not respond. Try again when it is back." });
      return;
    }
    this.request += 1;
    const { request } = this;
    try {
      await model.editing.outbox?.empty();
      const found = await model.api.post(`datasets/${model.dataset?.id}/bulk`, this.body(true));
      if (request === this.request) this.setState({ preview: /** @type {Preview} */ (found), error: "" });
    } catch (error) {
      if (request === this.request) this.setState({ preview: null, error: /** @type {Error} */ (error).message });
    }
  }

  close() {
    const { model } = this.props;
    model.bulk = null;
    model.changed();
  }

  async apply() {
    if (await this.props.model.editing.post("bulk", this.body(false), "Done")) this.close();
  }

  /** @param {Field} field */
  field(field) {
    const { values } = this;
    const set = (/** @type {unknown} */ value) =>
      this.change({ values: { ...this.state.values, [field.name]: value } });
    const onChange = (/** @type {Event} */ event) => set(/** @type {HTMLInputElement} */ (event.target).value);
    if (field.kind === "flag") {
      return html`<label class="check"><input type="checkbox" checked=${Boolean(values[field.name])}
        onChange=${(/** @type {Event} */ event) => set(/** @type {HTMLInputElement} */ (event.target).checked)} />${field.label}</label>`;
    }
    if (isSelect(field)) {
      return html`<label>${field.label}<select value=${values[field.name]} onChange=${onChange}>
        ${this.choices(field).map(({ name, label }) => html`<option key=${name} value=${name}>${label}</option>`)}</select></label>`;
    }
    return html`<label>${field.label}${field.hint && html` <small>${field.hint}</small>`}
      <input type="text" value=${values[field.name] ?? ""} spellcheck=${false} onInput=${onChange} /></label>`;
  }

  render() {
    const { model } = this.props;
    const { operation, scope, unedited, preview } = this.state;
    const scopes = [
      ["selected", `${counted(model.selected.length)} selected`],
      ["shown", `${counted(model.shown.length)} shown`],
      ["all", `All ${counted(model.rows.total)}`],
    ].filter(([name]) => name !== "selected" || model.selected.length);
    const value = (/** @type {Event} */ event) =>
      /** @type {any} */ (/** @type {HTMLSelectElement} */ (event.target).value);
    return html`<${Dialog} label="Bulk edit" class="bulk" onClose=${() => this.close()}>
      <form onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        if (preview?.count) this.apply();
      }}>
        <div class="fields">
          <label>Operation<select value=${operation} onChange=${(/** @type {Event} */ event) => this.change({ operation: value(event), values: {} })}>
            ${this.operations.map(({ name, label }) => html`<option key=${name} value=${name}>${label}</option>`)}</select></label>
          <label>Apply to<select value=${scope} onChange=${(/** @type {Event} */ event) => this.change({ scope: value(event) })}>
            ${scopes.map(([name, label]) => html`<option key=${name} value=${name}>${label}</option>`)}</select></label>
          ${this.fields.map((field) => this.field(field))}
          <label class="check"><input type="checkbox" checked=${unedited} onChange=${(/** @type {Event} */ event) =>
            this.change({
              unedited: /** @type {HTMLInputElement} */ (event.target).checked,
            })} />Skip captions edited by hand</label>
        </div>
        <div class="preview" role="status">${this.result()}</div>
        <footer><button type="button" onClick=${() => this.close()}>Cancel</button>
          <button type="submit" class="main" disabled=${!preview?.count || model.editing.busy}>${model.editing.busy ? "Working…" : preview?.count ? `Change ${counted(preview.count, "caption")}` : "Change"}</button></footer>
      </form>
    </${Dialog}>`;
  }

  /** The preview, or why there is none. */
  result() {
    const { preview, error } = this.state;
    if (error) return html`<p class="error">${error}</p>`;
    if (!preview) return html`<p class="dim">The preview appears here.</p>`;
    const { count, emptied, examples } = preview;
    const more = count > examples.length ? `; the first ${examples.length}:` : count ? ":" : ".";
    return html`<p><strong>${counted(count, "caption")}</strong> ${count === 1 ? "changes" : "change"}${more}${emptied ? ` ${counted(emptied, "caption")} would become empty and ${emptied === 1 ? "stays" : "stay"} unchanged.` : ""}</p>
      ${examples.map((example) => html`<${Example} key=${example.key} ...${example} />`)}`;
  }
}

/** @param {{before: string | null, after: string | null}} props */
function Example({ before, after }) {
  const { head, removed, added, tail } = difference(before ?? "", after ?? "");
  return html`<p class="example">${head}${removed && html`<del>${removed}</del>`}${added && html`<ins>${added}</ins>`}${tail}</p>`;
}
