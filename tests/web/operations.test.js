// Bulk operations in the dialog: arguments by kind of field, defaults, choices, and when an operation is complete.

import assert from "node:assert/strict";
import test from "node:test";
import { argumentsOf, choicesOf, defaultOf, isComplete, shownFields } from "../../web/panel/operations.js";

const field = (kind, more = {}) => ({ name: kind, label: kind, kind, hint: "", default: null, choices: [], ...more });
const dataset = { trigger: { word: "oldlandmark", position: "prepend" }, concepts: [] };

test("tags are a list without empty ones", () => {
  assert.deepEqual(argumentsOf([field("tags")], { tags: "cat, , long hair\nhat" }), {
    tags: ["cat", "long hair", "hat"],
  });
});

test("an operation is complete when all fields without a default are filled in", () => {
  const fields = [field("tag"), field("text", { default: "" })];
  assert.ok(!isComplete(fields, { tag: " " }));
  assert.ok(isComplete(fields, { tag: "x" }));
});

test("an unchecked box is sent as false, an empty text as one", () => {
  const fields = [field("flag", { default: false }), field("text", { default: "" })];
  assert.deepEqual(argumentsOf(fields, {}), { flag: false, text: "" });
});

test("trigger and position are the dataset's until they are changed", () => {
  assert.equal(defaultOf(field("trigger", { default: "" }), dataset, []), "oldlandmark");
  assert.equal(defaultOf(field("position", { default: "" }), dataset, []), "prepend");
});

test("a dataset of several concepts has no trigger to choose", () => {
  const operation = { name: "apply_source", label: "", fields: [field("source"), field("trigger"), field("position")] };
  assert.equal(shownFields(operation, dataset).length, 3);
  const several = { ...dataset, concepts: [{ name: "a", trigger: dataset.trigger, repeats: 0 }] };
  assert.deepEqual(shownFields(operation, several), [field("source")]);
});

test("problems to choose from are those that there are, the most frequent first", () => {
  const problems = [{ code: "too-long" }, { code: "trigger-missing" }, { code: "trigger-missing" }];
  const choices = choicesOf(field("problems"), [], problems);
  assert.deepEqual(choices, [
    { name: "trigger-missing", label: "trigger missing (2)" },
    { name: "too-long", label: "too long (1)" },
  ]);
  assert.equal(defaultOf(field("problems"), dataset, choices), "trigger-missing");
});
