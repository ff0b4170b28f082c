// Training Config in the browser: a preset fills in its values, and only what counts is shown; it trains nothing.

const CUSTOM = "(custom)";

/**
 * What nodes/training_config.py says of presets and of fields that do not always count.
 * @typedef {{families: Record<string, string>, only: Record<string, {families: string[], values: Record<string, string[]>}>,
 *   presets: {name: string, families: string[], values: Record<string, unknown>, source: string}[]}} Form
 * @typedef {{name: string, value: unknown, hidden?: boolean, options: Record<string, unknown>, callback?: Function}} Widget
 */

/**
 * Make a Training Config node fill in presets and show only what counts.
 * @param {{widgets: Widget[], size: number[], computeSize: Function, setSize: Function}} node
 * @param {Form} form
 * @returns {() => void} brings what is shown in line with the values, as after loading a workflow
 */
export function addForm(node, form) {
  const widget = (/** @type {string} */ name) => node.widgets.find((each) => each.name === name);
  const family = () => form.families[String(widget("base_model")?.value)];
  const own = new Set(form.presets.flatMap((each) => Object.keys(each.values)));
  let isFilling = false;

  const refresh = () => {
    const names = form.presets.filter((each) => each.families.includes(family())).map((each) => each.name);
    const chosen = widget("preset");
    if (chosen) {
      chosen.options.values = [CUSTOM, ...names];
      if (!names.includes(String(chosen.value))) chosen.value = CUSTOM;
    }
    for (const [name, only] of Object.entries(form.only)) {
      const values = Object.entries(only.values);
      const fits = values.every(([other, wanted]) => isWanted(widget(other)?.value, wanted));
      show(widget(name), fits && only.families.includes(family()));
    }
  };
  const fit = () => {
    refresh();
    node.setSize([node.size[0], node.computeSize()[1]]);
  };
  const fill = () => {
    const name = widget("preset")?.value;
    const preset = form.presets.find((each) => each.name === name && each.families.includes(family()));
    isFilling = true;
    for (const [field, value] of Object.entries(preset?.values ?? {})) {
      const each = widget(field);
      if (each) each.value = value;
    }
    isFilling = false;
  };
  const changed = (/** @type {Widget} */ each) => {
    if (each.name === "preset") fill();
    const preset = widget("preset");
    if ((own.has(each.name) || each.name === "base_model") && !isFilling && preset) preset.value = CUSTOM;
    fit();
  };
  for (const each of node.widgets) {
    const before = each.callback;
    each.callback = function callback(/** @type {unknown[]} */ ...given) {
      before?.apply(this, given);
      changed(each);
    };
  }
  refresh();
  return refresh;
}

/**
 * @param {unknown} value
 * @param {string[]} wanted values as text; "*" is any that is not empty
 */
function isWanted(value, wanted) {
  return wanted.includes("*") ? Boolean(value) : wanted.includes(String(value));
}

/**
 * @param {Widget | undefined} widget
 * @param {boolean} isShown
 */
function show(widget, isShown) {
  if (!widget) return;
  widget.hidden = !isShown; // for the canvas
  widget.options.hidden = !isShown; // for Vue nodes and the side panel
}
