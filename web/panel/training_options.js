// Training options: the server's table as the form uses it: what counts, inputs as values, presets, extra options; pure.

/** @typedef {import("./types.d.ts").TrainingTable} Table */
/** @typedef {import("./types.d.ts").TrainingOption} Option */
/** @typedef {import("./types.d.ts").TrainingPreset} Preset */
/** @typedef {import("./types.d.ts").OptionValue} Value */
/** @typedef {[key: string, value: string]} Pair an extra option */
/** @typedef {string | Pair[]} Input what an option's input holds; empty is one that is not set */
/** @typedef {Record<string, Input>} Inputs by the options' names */

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const TOML = /^(true|false|[+-]?\d[\d_]*(\.\d+)?([eE][+-]?\d+)?|["'[{].*)$/;
const LINE = /^((?:"(?:[^"\\]|\\.)*"|[^"=])*?)\s*=\s*(.*)$/;

/**
 * Whether a value is one of those that another option counts for.
 * @param {unknown} value
 * @param {string[]} wanted values as text; "*" is any that is not empty
 */
export function isWanted(value, wanted) {
  return wanted.includes("*") ? Boolean(value) : wanted.includes(String(value));
}

/**
 * Return what an input holds for a value.
 * @param {Option} option
 * @param {Value} value
 * @returns {Input}
 */
export function inputOf({ kind }, value) {
  if (kind === "toml") return Array.isArray(value) ? value.map(pairOf) : [];
  if (value === null) return "";
  if (Array.isArray(value)) return value.join("\n");
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value);
}

/**
 * Return the value of an input for a request: null where it is empty. What is no number stays a text, for the server
 * to refuse it.
 * @param {Option} option
 * @param {Input} input
 * @returns {Value}
 */
export function requestValue({ kind }, input) {
  if (Array.isArray(input)) return linesOf(input);
  const text = input.trim();
  if (!text) return null;
  if (kind === "flag" || kind === "switch") return text === "on";
  if (kind === "lines") return text.split("\n").flatMap((line) => line.trim() || []);
  if (kind !== "whole" && kind !== "number") return text;
  const number = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : text; // JSON has no infinity: 1e999 would be sent as null
}

/**
 * Return extra options as lines of TOML; a text needs no quotes.
 * @param {Pair[]} pairs
 */
function linesOf(pairs) {
  const lines = pairs.flatMap(([key, value]) => (key.trim() || value.trim() ? `${key.trim()} = ${toml(value)}` : []));
  return lines.length ? lines : null;
}

/** @param {string} value */
function toml(value) {
  const text = value.trim();
  return !text || TOML.test(text) ? text : JSON.stringify(text);
}

/**
 * @param {string} line
 * @returns {Pair}
 */
function pairOf(line) {
  const [, key = line, value = ""] = LINE.exec(line) ?? [];
  if (!value.startsWith('"')) return [key, value];
  try {
    const text = JSON.parse(value);
    return [key, toml(text) === value ? text : value];
  } catch {
    return [key, value]; // a string of TOML alone, such as """
  }
}

/**
 * Return the values of all options but files, of which only those are named that are to be others than before.
 * @param {Table} table
 * @param {Inputs} inputs
 * @param {string[]} changed the names of the options that were changed
 * @returns {Record<string, Value>}
 */
export function requestValues(table, inputs, changed = []) {
  const options = table.options.filter(({ kind, name }) => kind !== "file" || changed.includes(name));
  return Object.fromEntries(options.map((option) => [option.name, requestValue(option, inputs[option.name] ?? "")]));
}

/**
 * Return the inputs for values.
 * @param {Table} table
 * @param {Record<string, Value>} values
 * @returns {Inputs}
 */
export function inputsOf(table, values) {
  const options = table.options.filter(({ name }) => name in values);
  return Object.fromEntries(options.map((option) => [option.name, inputOf(option, values[option.name])]));
}

/**
 * Whether two inputs stand for the same value.
 * @param {Option} option
 * @param {Input} one
 * @param {Input} other
 */
export function isSame(option, one, other) {
  return JSON.stringify(requestValue(option, one)) === JSON.stringify(requestValue(option, other));
}

/**
 * Whether an option counts for the base model and for what the other options are, set or not.
 * @param {Table} table
 * @param {Option} option
 * @param {Inputs} inputs
 * @param {Record<string, string>} used what is used where an option is not set
 */
export function counts(table, option, inputs, used) {
  if (!option.families.includes(table.families[String(inputs.base_model)])) return false;
  return Object.entries(option.values).every(([name, wanted]) => {
    const other = table.options.find((each) => each.name === name);
    return other && isWanted(inUse(other, inputs[name] ?? "", used[name] ?? ""), wanted);
  });
}

/**
 * @param {Option} option
 * @param {Input} input
 * @param {string} used
 */
function inUse(option, input, used) {
  const value = requestValue(option, input);
  if (value !== null) return value;
  if (option.kind === "flag") return used === "on";
  return option.kind === "lines" || option.kind === "toml" ? "" : used;
}

/**
 * Return the options of each group that the form shows: those that count, and that the trainer has unless they are set.
 * @param {Table} table
 * @param {Inputs} inputs
 * @param {{used: Record<string, string>, lacks: Record<string, string>} | null} check
 * @returns {[group: string, options: Option[]][]}
 */
export function shownGroups(table, inputs, check) {
  const shown = table.options.filter(
    (option) =>
      counts(table, option, inputs, check?.used ?? {}) &&
      (!(option.name in (check?.lacks ?? {})) || isSet(option, inputs)),
  );
  const groups = [...new Set(table.options.map(({ group }) => group))];
  return groups.map((group) => [group, shown.filter((option) => option.group === group)]);
}

/**
 * @param {Option} option
 * @param {Inputs} inputs
 */
export function isSet(option, inputs) {
  return requestValue(option, inputs[option.name] ?? "") !== null;
}

/**
 * Return the presets for the base model.
 * @param {Table} table
 * @param {Inputs} inputs
 */
export function presetsFor(table, inputs) {
  const family = table.families[String(inputs.base_model)];
  return table.presets.filter(({ families }) => families.includes(family));
}

/**
 * Return the preset that the form has the values of, undefined where they are a user's own.
 * @param {Table} table
 * @param {Inputs} inputs
 */
export function presetOf(table, inputs) {
  return presetsFor(table, inputs).find(({ values }) =>
    table.options.every(
      (option) =>
        !(option.name in values) || isSame(option, inputs[option.name] ?? "", inputOf(option, values[option.name])),
    ),
  );
}
