// The form of training options, drawn from the server's table: groups that unfold, presets, extra options.

import { isSet, presetOf, presetsFor, shownGroups } from "./training_options.js";
import { Component, counted, html, IconButton } from "./ui.js";

/** @typedef {import("./training_options.js").Option} Option */
/** @typedef {import("./training_options.js").Pair} Pair */
/** @typedef {import("./training.js").Training} Training */
/** @typedef {{training: Training}} Props */
/** @typedef {{training: Training, option: Option}} FieldProps */

const OPEN_FIRST = "base model";
const ALWAYS_SET = "base_model";
const SHOWN_SET = 4; // options that a folded group names

/** @extends {Component<Props, {open: Record<string, boolean>}>} */
export class OptionsForm extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    /** @type {{open: Record<string, boolean>}} */
    this.state = { open: { [OPEN_FIRST]: true } };
  }

  render() {
    const { training } = this.props;
    const { table, check } = training;
    if (!table || !training.exported)
      return training.error
        ? html`<p class="error" role="alert">${training.error}</p>`
        : html`<p class="dim" role="status">Loading the training options…</p>`;
    const groups = shownGroups(table, training.inputs, check).filter(([, options]) => options.length);
    const together = training.faultOf("") || training.error;
    return html`<div class="options">
      <div class="rows"><${Trainers} training=${training} /><${Presets} training=${training} /></div>
      ${groups.map(([group, options]) => this.group(group, options))}
      ${together && html`<p class="error" role="alert">${together}</p>`}
      <${Changes} training=${training} />
    </div>`;
  }

  /**
   * @param {string} group
   * @param {Option[]} options
   */
  group(group, options) {
    const { training } = this.props;
    const faulty = options.filter(({ name }) => training.faultOf(name)).length;
    const isOpen = this.state.open[group] ?? false;
    const toggle = (/** @type {Event} */ event) => {
      const { open } = /** @type {HTMLDetailsElement} */ (event.target);
      if (open !== isOpen) this.setState({ open: { ...this.state.open, [group]: open } });
    };
    return html`<details key=${group} open=${isOpen} onToggle=${toggle}>
      <summary><span class="title">${group[0].toUpperCase() + group.slice(1)}</span>
        ${faulty > 0 && html`<span class="mark error">${counted(faulty, "error")}</span>`}
        <span class="set">${isOpen ? "" : described(options, training)}</span></summary>
      <div class="rows">${options.map((option) => html`<${Field} key=${option.name} option=${option} training=${training} />`)}</div>
    </details>`;
  }
}

/**
 * Return the options of a folded group that are set.
 * @param {Option[]} options
 * @param {Training} training
 */
function described(options, training) {
  const set = options.filter(
    (option) => option.kind !== "file" && option.name !== ALWAYS_SET && isSet(option, training.inputs),
  );
  const named = set.slice(0, SHOWN_SET).map(({ name, kind }) => {
    const [input, short] = [training.inputs[name], name.replaceAll("_", " ")];
    if (Array.isArray(input)) return `${short} (${input.length})`;
    return kind === "lines" ? short : `${short} ${input}`;
  });
  return [...named, ...(set.length > SHOWN_SET ? [`${set.length - SHOWN_SET} more`] : [])].join(" · ");
}

/** @param {Props} props */
function Trainers({ training }) {
  const hint =
    training.profile || !training.model.session?.can_launch
      ? ""
      : "Export only: not a profile in lorads.toml that the panel may start.";
  return html`<div class="option"><label for="options-trainer">Trainer</label>
    <select id="options-trainer" aria-describedby="options-trainer-hint" value=${training.chosen}
      onChange=${(/** @type {Event} */ event) => training.choose(entered(event))}>
      ${training.trainers.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>
    <p class="hint" id="options-trainer-hint">${hint}</p></div>`;
}

/** @param {Props} props */
function Presets({ training }) {
  const { table, inputs } = training;
  if (!table) return null;
  const current = presetOf(table, inputs);
  const fill = (/** @type {Event} */ event) => {
    const name = /** @type {HTMLSelectElement} */ (event.target).value;
    const chosen = presetsFor(table, inputs).find((each) => each.name === name);
    if (chosen) training.fill(chosen);
  };
  return html`<div class="option"><label for="options-preset">Preset</label>
    <select id="options-preset" aria-describedby="options-preset-source" value=${current?.name ?? ""} onChange=${fill}>
      <option value="" disabled=${Boolean(current)}>(custom)</option>
      ${presetsFor(table, inputs).map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
    <p class="hint" id="options-preset-source">${current ? current.source : "A preset fills in values that belong together; change any of them afterwards."}</p></div>`;
}

/** @param {Props} props */
function Changes({ training }) {
  const { changed } = training;
  if (!changed.length) return null;
  return html`<p class="changes"><span role="status">${counted(changed.length, "option")} changed, not exported yet</span>
    <button type="button" onClick=${() => training.reset()}>Reset</button></p>`;
}

/** @param {FieldProps} props */
function Field({ option, training }) {
  const { name, label, kind, help, unit } = option;
  const fault = training.faultOf(name);
  const lack = training.check?.lacks[name];
  const id = `option-${name}`;
  const control = html`<${CONTROLS[kind]} id=${id} option=${option} training=${training} isFaulty=${Boolean(fault)} />`;
  const isOwn = kind !== "file" && name !== ALWAYS_SET && isSet(option, training.inputs);
  const automatic = kind === "switch" && training.check && ` Automatic: ${training.check.used[name]}.`;
  const title = html`${label}${unit && html` <small>${unit}</small>`}`;
  return html`<div class="option ${kind} ${isOwn ? "own" : ""} ${fault ? "faulty" : ""}">
    ${kind === "file" || kind === "toml" ? html`<span class="label" id=${`${id}-label`}>${title}</span>` : html`<label for=${id}>${title}</label>`}
    ${control}
    <p class="error" id=${`${id}-fault`} aria-live="polite">${fault}</p>
    <p class="hint" id=${`${id}-hint`}>${`${label}.` === help ? "" : help}${automatic}${lack && html` <em>Not in this trainer: ${lack}</em>`}</p>
  </div>`;
}

/** @typedef {{id: string, option: Option, training: Training, isFaulty: boolean}} ControlProps */

/** @param {ControlProps} props */
function describes({ id, isFaulty }) {
  return { id, "aria-describedby": `${id}-hint ${id}-fault`, "aria-invalid": isFaulty ? "true" : undefined };
}

/** @param {Event} event */
function entered(event) {
  return /** @type {HTMLInputElement} */ (event.target).value;
}

/** @param {ControlProps} props */
function TextInput(props) {
  const { option, training } = props;
  const mode = { whole: "numeric", number: "decimal" }[/** @type {string} */ (option.kind)] ?? "text";
  return html`<input type="text" inputmode=${mode} spellcheck=${false} autocomplete="off" ...${describes(props)}
    value=${training.inputs[option.name] ?? ""} placeholder=${training.check?.used[option.name] ?? ""}
    onInput=${(/** @type {Event} */ event) => training.set(option.name, entered(event))} />`;
}

/** @param {ControlProps} props */
function LinesInput(props) {
  const { option, training } = props;
  return html`<textarea rows="3" ...${describes(props)} value=${training.inputs[option.name] ?? ""}
    placeholder=${training.check?.used[option.name] ?? ""}
    onInput=${(/** @type {Event} */ event) => training.set(option.name, entered(event))}></textarea>`;
}

/** @param {ControlProps} props */
function ChoiceInput(props) {
  const { option, training } = props;
  const isSwitch = option.kind === "flag" || option.kind === "switch";
  const choices = isSwitch ? ["on", "off"].map((name) => ({ name, label: name })) : option.choices;
  const used = training.check?.used[option.name] ?? "";
  const label = choices.find(({ name }) => name === used)?.label ?? used;
  return html`<select ...${describes(props)} value=${training.inputs[option.name] ?? ""}
    onChange=${(/** @type {Event} */ event) => training.set(option.name, entered(event))}>
    ${option.name !== ALWAYS_SET && html`<option value="">${option.kind === "switch" ? "Automatic" : `Default: ${label}`}</option>`}
    ${choices.map((each) => html`<option key=${each.name} value=${each.name}>${each.label}</option>`)}</select>`;
}

/** @param {ControlProps} props */
function FileInput(props) {
  const { id, option, training } = props;
  const files = training.files[option.name] ?? [];
  const used = training.check?.used[option.name] ?? "";
  if (!files.length)
    return html`<span class="file" aria-labelledby=${`${id}-label`} title=${used}>${used || "not chosen"}</span>
      <small class="dim">${used ? "" : "Choose it in Training Config, on the command line or in lorads.toml."}</small>`;
  return html`<input type="text" spellcheck=${false} autocomplete="off" list=${`${id}-files`} aria-labelledby=${`${id}-label`}
      ...${describes(props)} value=${training.inputs[option.name] ?? ""} placeholder=${used || "not chosen"}
      onInput=${(/** @type {Event} */ event) => training.set(option.name, entered(event))} />
    <datalist id=${`${id}-files`}>${files.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
    ${option.name === "checkpoint" && html`<${Recognised} training=${training} />`}`;
}

/** @param {Props} props */
function Recognised({ training }) {
  const { checkpoint } = training;
  if (!checkpoint) return null;
  const { is_guess, message, problems } = checkpoint;
  return html`<div class="recognised" role="status"><p>${is_guess && html`<span class="mark warning">guess</span> `}${message}</p>
    ${problems.map((each) => html`<p key=${each.message} class=${each.severity === "error" ? "error" : ""}>${each.severity === "warning" && html`<span class="mark warning">warning</span> `}${each.message}</p>`)}</div>`;
}

/** @param {ControlProps} props */
function ExtraInput({ id, option, training, isFaulty }) {
  const pairs = /** @type {Pair[]} */ (training.inputs[option.name] || []);
  const one = option.label.replace(/s$/, "");
  const put = (/** @type {Pair[]} */ found) => training.set(option.name, found);
  const change = (/** @type {number} */ at, /** @type {number} */ part) => (/** @type {Event} */ event) =>
    put(pairs.map((pair, n) => (n === at ? /** @type {Pair} */ (pair.with(part, entered(event))) : pair)));
  const focus = (/** @type {Event} */ event) => {
    const group = /** @type {HTMLElement} */ (event.target).closest(".extra");
    requestAnimationFrame(() => /** @type {HTMLElement} */ (group?.querySelector("li:last-child input"))?.focus());
  };
  return html`<div class="extra" role="group" aria-labelledby=${`${id}-label`} aria-describedby=${`${id}-hint ${id}-fault`}>
    ${
      pairs.length > 0 &&
      html`<ul>${pairs.map(
        ([key, value], n) => html`<li key=${n}>
        <input type="text" aria-label=${`${one} ${n + 1}: name`} placeholder="name" spellcheck=${false} autocapitalize="off"
          aria-invalid=${isFaulty ? "true" : undefined} value=${key} onInput=${change(n, 0)} />
        <span aria-hidden="true">=</span>
        <input type="text" aria-label=${`${one} ${n + 1}: value`} placeholder="value" spellcheck=${false} autocapitalize="off"
          aria-invalid=${isFaulty ? "true" : undefined} value=${value} onInput=${change(n, 1)} />
        <${IconButton} icon="close" label=${`Remove ${one.toLowerCase()} ${n + 1}`} onClick=${() => put(pairs.filter((_, other) => other !== n))} /></li>`,
      )}</ul>${option.name === "extra" && html`<p class="unchecked">Not checked by LoRADS</p>`}`
    }
    <button type="button" onClick=${(/** @type {Event} */ event) => {
      put([...pairs, ["", ""]]);
      focus(event);
    }}>Add an ${one.split(" ").at(-1)}</button>
  </div>`;
}

/** @type {Record<import("./types.d.ts").OptionKind, (props: any) => any>} */
const CONTROLS = {
  whole: TextInput,
  number: TextInput,
  text: TextInput,
  lines: LinesInput,
  flag: ChoiceInput,
  switch: ChoiceInput,
  choice: ChoiceInput,
  file: FileInput,
  toml: ExtraInput,
};
