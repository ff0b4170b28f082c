// The bulk operations as a table: what each asks the user, and its arguments as the server wants them; pure.

/**
 * @typedef {{name: string, label: string, kind: "text" | "check" | "select", choices?: [string, string][], hint?: string,
 *   optional?: boolean}} Field
 * @typedef {{label: string, fields: Field[], of: (values: Record<string, any>) => Record<string, unknown>}} Operation
 */

/** @param {string} text */
function list(text) {
  return (text ?? "")
    .split(/[,\n]/)
    .map((tag) => tag.trim())
    .filter(Boolean);
}

/** @type {Field} */
const TAGS = { name: "tags", label: "Tags", kind: "text", hint: "comma-separated" };

/** @type {Record<string, Operation>} */
export const OPERATIONS = {
  add_tags: {
    label: "Add tags",
    fields: [
      TAGS,
      {
        name: "place",
        label: "Place",
        kind: "select",
        choices: [
          ["front", "in front, after the trigger"],
          ["back", "at the end"],
        ],
      },
    ],
    of: ({ tags, place }) => ({ tags: list(tags), place: place ?? "front" }),
  },
  remove_tags: { label: "Remove tags", fields: [TAGS], of: ({ tags }) => ({ tags: list(tags) }) },
  replace_tag: {
    label: "Rename or merge a tag",
    fields: [
      { name: "old", label: "Tag", kind: "text" },
      { name: "new", label: "Becomes", kind: "text", hint: "where a caption has both, one stays" },
    ],
    of: ({ old, new: other }) => ({ old: old?.trim(), new: other?.trim() }),
  },
  find_replace: {
    label: "Find and replace",
    fields: [
      { name: "find", label: "Find", kind: "text" },
      { name: "replace", label: "Replace with", kind: "text", optional: true },
      { name: "regex", label: "Regular expression", kind: "check" },
      { name: "case", label: "Match case", kind: "check" },
    ],
    of: ({ find, replace, regex, case: capitals }) => ({
      find,
      replace: replace ?? "",
      regex: Boolean(regex),
      case: Boolean(capitals),
    }),
  },
  sort: { label: "Sort tags as the base model wants them", fields: [], of: () => ({}) },
  apply_source: {
    label: "Take captions from a source",
    fields: [
      { name: "source", label: "Source", kind: "select" },
      { name: "trigger", label: "Trigger", kind: "text", optional: true },
      {
        name: "position",
        label: "Trigger stands",
        kind: "select",
        choices: [
          ["prepend", "in front"],
          ["append", "at the end"],
          ["none", "nowhere"],
        ],
      },
    ],
    of: ({ source, trigger, position }) => ({ source, trigger: trigger?.trim(), position }),
  },
  prune: {
    label: "Bind traits to the trigger",
    fields: [{ ...TAGS, label: "Traits", hint: "left unsaid in training captions" }],
    of: ({ tags }) => ({ tags: list(tags) }),
  },
  fix: {
    label: "Fix problems",
    fields: [{ name: "codes", label: "Problem", kind: "select" }],
    of: ({ codes }) => ({ codes: list(codes) }),
  },
};

/**
 * Say whether all that an operation needs is there.
 * @param {Operation} operation
 * @param {Record<string, any>} values
 */
export function isComplete(operation, values) {
  return operation.fields.every(
    ({ name, kind, optional }) => optional || kind === "check" || String(values[name] ?? "").trim(),
  );
}
