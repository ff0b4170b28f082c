// Bulk operations: arguments as the server wants them, and when an operation is complete.

import assert from "node:assert/strict";
import test from "node:test";
import { isComplete, OPERATIONS } from "../../web/panel/operations.js";

test("tags are a list without empty ones", () => {
  assert.deepEqual(OPERATIONS.remove_tags.of({ tags: "cat, , long hair\nhat" }), { tags: ["cat", "long hair", "hat"] });
});

test("an operation is complete when all but its optional fields are filled in", () => {
  assert.ok(!isComplete(OPERATIONS.find_replace, { find: " " }));
  assert.ok(isComplete(OPERATIONS.find_replace, { find: "x" }));
});

test("an unchecked box is sent as false", () => {
  assert.deepEqual(OPERATIONS.find_replace.of({ find: "x" }), { find: "x", replace: "", regex: false, case: false });
});
