// What keys do in the grid and the list of images; it moves and asks the model, it draws nothing.

/** @typedef {{model: import("./model.js").Model, columns: number, page: number, edit: () => void, reveal: (place: number) => void, search: () => void}} Place */

/** What the keys are, for the help. */
export const KEYS = Object.freeze([
  ["Arrows, Home, End, Page Up, Page Down", "go to another image; with Shift, select up to it"],
  ["Enter", "edit the caption; in the editor, save it"],
  ["Ctrl+Enter", "in the editor: save it and edit the next"],
  ["Esc", "in the editor, discard the changes; otherwise select only the current image"],
  ["Space", "reject the selected images, or restore them"],
  ["Ctrl+A", "select all shown images"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["V", "enlarge the image"],
  ["/", "go to the filter"],
  ["In the tags: Enter, Alt+Enter", "filter by the tag, exclude it"],
  ["In the tags: F2, Del", "rename or merge the tag, delete it"],
]);

/** @type {Record<string, (place: Place) => number>} */
const STEPS = {
  ArrowDown: ({ columns }) => columns,
  ArrowUp: ({ columns }) => -columns,
  ArrowRight: () => 1,
  ArrowLeft: () => -1,
  PageDown: ({ columns, page }) => columns * page,
  PageUp: ({ columns, page }) => -columns * page,
  Home: () => Number.NEGATIVE_INFINITY,
  End: () => Number.POSITIVE_INFINITY,
};

/** @type {Record<string, (place: Place) => void>} */
const ACTIONS = {
  Enter: ({ edit }) => edit(),
  F2: ({ edit }) => edit(),
  " ": ({ model }) => rejectSelected(model),
  Escape: ({ model }) => {
    model.selection.none();
    model.changed();
  },
  v: ({ model }) => {
    model.enlarged = model.selection.current;
    model.changed();
  },
  "/": ({ search }) => search(),
};

/**
 * Reject the selected images; if all of them are rejected already, restore them.
 * @param {import("./model.js").Model} model
 */
export function rejectSelected(model) {
  const keys = model.selected;
  const allRejected = keys.every((key) => model.rows.get(key)?.rejected);
  if (keys.length) model.editing.reject(keys, !allRejected);
}

/**
 * Undo and redo, wherever the focus is, except where the browser undoes typing.
 * @param {KeyboardEvent} event
 * @param {import("./model.js").Model} model
 * @returns {boolean} whether the key was one of these
 */
export function onUndoKey(event, model) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return false;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) model.editing.undo();
  else if ((key === "z" && event.shiftKey) || key === "y") model.editing.redo();
  else return false;
  event.preventDefault();
  return true;
}

/**
 * @param {KeyboardEvent} event
 * @param {Place} place
 */
export function onKey(event, place) {
  const { model } = place;
  const withControl = event.ctrlKey || event.metaKey;
  if (withControl && event.key.toLowerCase() === "a") {
    model.selection.all(model.shown);
    model.changed();
  } else if (STEPS[event.key]) step(event, place);
  else if (!withControl && !event.altKey && ACTIONS[event.key]) ACTIONS[event.key](place);
  else return;
  event.preventDefault();
}

/**
 * @param {KeyboardEvent} event
 * @param {Place} place
 */
function step(event, place) {
  const { model, reveal } = place;
  const { shown, selection } = model;
  if (!shown.length) return;
  const now = selection.current === null ? -1 : shown.indexOf(selection.current);
  const next = Math.min(shown.length - 1, Math.max(0, now + STEPS[event.key](place)));
  selection.go(shown, shown[next], { extend: event.shiftKey });
  model.changed();
  reveal(next);
}
