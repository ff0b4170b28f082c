// The dialog for edits of many captions: what, on which, a preview, then the edit; the server does the work.

import { difference } from "./captions.js";
import { Dialog } from "./dialog.js";
import { isComplete, OPERATIONS } from "./operations.js";
import { Component, counted, html } from "./ui.js";

/** @typedef {import("./types.d.ts").Preview} Preview */
/** @typedef {{model: import("./model.js").Model}} Props */
/** @typedef {{operation: string, values: Record<string, any>, scope: "selected" | "shown" | "all", keep: boolean, preview: Preview | null, says: string}} State */

const PAUSE = 250; // ms of no change before a preview is asked for

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
      keep: true,
      preview: null,
      says: "",
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.asked = 0;
  }

  componentDidMount() {
    this.later();
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
  }

  /** @param {Partial<State>} state */
  change(state) {
    this.asked += 1; // a preview on its way is of what was wanted before
    this.setState({ ...state, preview: null, says: "" }, () => this.later());
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PAUSE);
  }

  get keys() {
    const { model } = this.props;
    return { selected: model.selected, shown: model.shown, all: null }[this.state.scope];
  }

  /** @param {boolean} preview */
  body(preview) {
    const { operation, keep } = this.state;
    const made = OPERATIONS[operation].of(this.values);
    return { operation, arguments: made, keys: this.keys, unedited_only: keep, preview };
  }

  get fields() {
    const { fields } = OPERATIONS[this.state.operation];
    const several = Boolean(this.props.model.dataset?.concepts.length); // then each concept has its own trigger
    return several ? fields.filter(({ name }) => name !== "trigger" && name !== "position") : fields;
  }

  /** What is asked for: as it was given, else what is likely. */
  /** @returns {Record<string, any>} */
  get values() {
    const { trigger } = this.props.model.dataset ?? {};
    const first = (/** @type {string} */ name) => this.choices({ name, label: "", kind: "select" })[0]?.[0];
    const likely = {
      source: first("source"),
      codes: first("codes"),
      trigger: trigger?.word,
      position: trigger?.position,
    };
    return { ...likely, place: "front", ...this.state.values };
  }

  /**
   * @param {import("./operations.js").Field} field
   * @returns {string[][]} values and what they are called
   */
  choices({ name, choices = [] }) {
    const { session, rows } = this.props.model;
    if (name === "source") return session?.sources.map((each) => [each.name, each.label]) ?? [];
    if (name !== "codes") return choices;
    /** @type {Map<string, number>} */
    const found = new Map();
    for (const { code } of rows.list.flatMap((row) => row.problems)) found.set(code, (found.get(code) ?? 0) + 1);
    return [...found]
      .sort((a, b) => b[1] - a[1])
      .map(([code, count]) => [code, `${code.replaceAll("-", " ")} (${count})`]);
  }

  async look() {
    const { model } = this.props;
    if (!isComplete(OPERATIONS[this.state.operation], this.values)) return;
    if (model.isAway) {
      this.setState({ says: "The server does not answer. It can be tried again when it is back." });
      return;
    }
    this.asked += 1;
    const asked = this.asked;
    try {
      await model.editing.outbox?.empty();
      const preview = await model.api.post(`datasets/${model.dataset?.id}/bulk`, this.body(true));
      if (asked === this.asked) this.setState({ preview, says: "" });
    } catch (error) {
      if (asked === this.asked) this.setState({ preview: null, says: /** @type {Error} */ (error).message });
    }
  }

  close() {
    const { model } = this.props;
    model.bulk = null;
    model.changed();
  }

  async apply() {
    if (await this.props.model.editing.ask("bulk", this.body(false), "Done")) this.close();
  }

  /** @param {import("./operations.js").Field} field */
  field(field) {
    const { values } = this;
    const set = (/** @type {unknown} */ value) =>
      this.change({ values: { ...this.state.values, [field.name]: value } });
    const take = (/** @type {Event} */ event) => set(/** @type {HTMLInputElement} */ (event.target).value);
    if (field.kind === "check") {
      return html`<label class="check"><input type="checkbox" checked=${Boolean(values[field.name])}
        onChange=${(/** @type {Event} */ event) => set(/** @type {HTMLInputElement} */ (event.target).checked)} />${field.label}</label>`;
    }
    if (field.kind === "select") {
      const choices = this.choices(field);
      return html`<label>${field.label}<select value=${values[field.name]} onChange=${take}>
        ${choices.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select></label>`;
    }
    return html`<label>${field.label}${field.hint && html` <small>${field.hint}</small>`}
      <input type="text" value=${values[field.name] ?? ""} spellcheck=${false} onInput=${take} /></label>`;
  }

  render() {
    const { model } = this.props;
    const { operation, scope, keep, preview, says } = this.state;
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
          <label>What<select value=${operation} onChange=${(/** @type {Event} */ event) => this.change({ operation: value(event), values: {} })}>
            ${Object.entries(OPERATIONS).map(([name, { label }]) => html`<option key=${name} value=${name}>${label}</option>`)}</select></label>
          <label>Where<select value=${scope} onChange=${(/** @type {Event} */ event) => this.change({ scope: value(event) })}>
            ${scopes.map(([name, label]) => html`<option key=${name} value=${name}>${label}</option>`)}</select></label>
          ${this.fields.map((field) => this.field(field))}
          <label class="check"><input type="checkbox" checked=${keep} onChange=${(/** @type {Event} */ event) =>
            this.change({
              keep: /** @type {HTMLInputElement} */ (event.target).checked,
            })} />Leave captions alone that a person has edited</label>
        </div>
        <div class="preview" role="status">
          ${says ? html`<p class="error">${says}</p>` : preview ? html`<p><strong>${counted(preview.count, "caption")}</strong> ${preview.count === 1 ? "changes" : "change"}${preview.count > preview.examples.length ? `; the first ${preview.examples.length}:` : preview.count ? ":" : ". Nothing to do."}${preview.emptied ? ` ${counted(preview.emptied, "caption")} would be left empty and stay.` : ""}</p>` : html`<p class="dim">A preview comes here.</p>`}
          ${preview?.examples.map((example) => html`<${Example} key=${example.key} ...${example} />`)}
        </div>
        <footer><button type="button" onClick=${() => this.close()}>Cancel</button>
          <button type="submit" class="main" disabled=${!preview?.count || model.editing.busy}>${model.editing.busy ? "Working…" : preview?.count ? `Change ${counted(preview.count, "caption")}` : "Change"}</button></footer>
      </form>
    </${Dialog}>`;
  }
}

/** @param {{before: string | null, after: string | null}} props */
function Example({ before, after }) {
  const { head, removed, added, tail } = difference(before ?? "", after ?? "");
  return html`<p class="example">${head}${removed && html`<del>${removed}</del>`}${added && html`<ins>${added}</ins>`}${tail}</p>`;
}
