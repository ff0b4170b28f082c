// Bulk operations: the session's table as the dialog uses it: defaults, choices, and the arguments of a request; pure.

/** @typedef {import("./types.d.ts").Operation} Operation */
/** @typedef {import("./types.d.ts").OperationField} Field */
/** @typedef {import("./types.d.ts").FieldKind} FieldKind */
/** @typedef {import("./types.d.ts").Named} Named */
/** @typedef {Record<string, unknown>} Values what the dialog's inputs hold, by field: strings, for checkboxes booleans */
/** @typedef {Pick<import("./types.d.ts").DatasetFacts, "trigger" | "concepts">} Dataset */

/** @param {unknown} value */
function text(value) {
  return String(value ?? "");
}

/** @param {unknown} value */
function trimmed(value) {
  return text(value).trim();
}

/** @param {unknown} value */
function list(value) {
  return text(value)
    .split(/[,\n]/)
    .map((tag) => tag.trim())
    .filter(Boolean);
}

/** What a request holds of each kind of field. @type {Record<FieldKind, (value: unknown) => unknown>} */
const ARGUMENTS = {
  tags: list,
  tag: trimmed,
  text,
  flag: Boolean,
  choice: text,
  source: text,
  problems: (value) => [text(value)],
  trigger: trimmed,
  position: text,
};

/** @type {ReadonlySet<FieldKind>} */
const SELECTS = new Set(["choice", "source", "problems", "position"]);

/**
 * Whether a field is a list to choose from.
 * @param {Field} field
 */
export function isSelect(field) {
  return SELECTS.has(field.kind);
}

/**
 * Return the fields that the dialog shows. Where concepts have triggers of their own, there is none to choose.
 * @param {Operation} operation
 * @param {Dataset | null} dataset
 */
export function shownFields({ fields }, dataset) {
  const several = Boolean(dataset?.concepts.length);
  return several ? fields.filter(({ kind }) => kind !== "trigger" && kind !== "position") : fields;
}

/**
 * Return the choices of a field.
 * @param {Field} field
 * @param {Named[]} sources caption sources of the session
 * @param {Iterable<{code: string}>} problems of all captions
 * @returns {Named[]}
 */
export function choicesOf(field, sources, problems) {
  if (field.kind === "source") return sources;
  if (field.kind !== "problems") return field.choices;
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { code } of problems) counts.set(code, (counts.get(code) ?? 0) + 1);
  const frequent = [...counts].sort((a, b) => b[1] - a[1]);
  return frequent.map(([name, count]) => ({ name, label: `${name.replaceAll("-", " ")} (${count})` }));
}

/**
 * Return what a field holds before the user changes it.
 * @param {Field} field
 * @param {Dataset | null} dataset
 * @param {Named[]} choices
 */
export function defaultOf(field, dataset, choices) {
  if (field.kind === "trigger") return dataset?.trigger.word ?? "";
  if (field.kind === "position") return dataset?.trigger.position ?? "";
  return field.default ?? (isSelect(field) ? choices[0]?.name : undefined);
}

/**
 * Return the arguments of a request.
 * @param {Field[]} fields
 * @param {Values} values
 */
export function argumentsOf(fields, values) {
  return Object.fromEntries(fields.map(({ name, kind }) => [name, ARGUMENTS[kind](values[name])]));
}

/**
 * Whether all required fields are filled in.
 * @param {Field[]} fields
 * @param {Values} values
 */
export function isComplete(fields, values) {
  return fields.every((field) => field.default !== null || trimmed(values[field.name]));
}
