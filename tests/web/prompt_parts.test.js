// Parts of a prompt: how they are grouped by certainty.

import assert from "node:assert/strict";
import test from "node:test";
import { grouped } from "../../web/panel/prompt_parts.js";

const part = (certainty, text) => ({ certainty, text });

test("parts are grouped by certainty, what captions use first", () => {
  const parts = [part("possible", "red"), part("certain", "a cat"), part("excluded", "hat"), part("certain", "snow")];
  assert.deepEqual(
    grouped(parts).map(({ label, texts }) => [label, texts]),
    [
      ["Certain", ["a cat", "snow"]],
      ["Possible", ["red"]],
      ["Excluded", ["hat"]],
    ],
  );
});

test("the same text is listed once in a group", () => {
  assert.deepEqual(grouped([part("generated", "x"), part("generated", "x")])[0].texts, ["x"]);
});

test("a prompt that is certain as a whole needs no groups", () => {
  assert.deepEqual(grouped([part("certain", "a cat")]), []);
  assert.deepEqual(grouped([]), []);
});
