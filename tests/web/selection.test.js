// Which images are selected after clicks with and without Shift and Ctrl.

import assert from "node:assert/strict";
import test from "node:test";
import { Selection } from "../../web/panel/selection.js";

const ORDER = ["a", "b", "c", "d"];

function after(...steps) {
  const selection = new Selection();
  for (const [key, how] of steps) selection.go(ORDER, key, how);
  return selection;
}

test("a click selects one image alone", () => {
  assert.deepEqual([...after(["a"], ["c"]).keys], ["c"]);
});

test("Shift selects the range from the first click, in either direction", () => {
  assert.deepEqual([...after(["b"], ["d", { extend: true }]).keys], ["b", "c", "d"]);
  assert.deepEqual([...after(["c"], ["a", { extend: true }]).keys], ["a", "b", "c"]);
});

test("a second range begins at the same image", () => {
  assert.deepEqual([...after(["b"], ["d", { extend: true }], ["a", { extend: true }]).keys], ["a", "b"]);
});

test("Ctrl adds an image and removes it again", () => {
  assert.deepEqual([...after(["a"], ["c", { toggle: true }]).keys], ["a", "c"]);
  assert.deepEqual([...after(["a"], ["c", { toggle: true }], ["c", { toggle: true }]).keys], ["a"]);
});

test("a range whose first image is filtered out leaves the selection as it was", () => {
  const selection = after(["b"]);
  selection.go(["a", "c"], "c", { extend: true });
  assert.deepEqual([...selection.keys], ["b"]);
  assert.equal(selection.current, "c");
});

test("select all and select none", () => {
  const selection = after(["b"]);
  selection.all(ORDER);
  assert.equal(selection.keys.size, 4);
  selection.none();
  assert.deepEqual([...selection.keys], ["b"]);
});
