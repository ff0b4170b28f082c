// The filter language: which rows a text lets through, and where its errors are.

import assert from "node:assert/strict";
import test from "node:test";
import { compile, FilterError, tagFilter } from "../../web/panel/filter.js";

const ROW = {
  file: "Cat_0042.png",
  text: "cat, long_hair, saber_(fate)",
  source: "wd",
  edited: true,
  rejected: false,
  tokens: 12,
  width: 1024,
  height: 768,
  rating: null,
  problems: [{ code: "duplicate", severity: "warning" }],
  set: "training",
  concept: "Tom",
};

function matches(text, changes = {}) {
  return compile(text)({ ...ROW, ...changes });
}

for (const text of [
  "",
  "0042",
  "tag:cat",
  'tag:"long hair"',
  "tag:*hair",
  "tag:saber_(fate)",
  "-tag:dog",
  "tag:dog OR tag:cat",
  "(tag:dog OR tag:cat) AND edited:yes",
  "tokens:>=12",
  "tokens:10..20",
  "rating:none",
  "problem:",
  "problem:warning",
  "problem:dup",
  "set:train",
  "concept:tom",
  "NOT rejected:yes",
]) {
  test(`“${text}” finds the row`, () => assert.ok(matches(text)));
}

for (const text of ["tag:ca", "-tag:cat", "tag:cat tag:dog", "tokens:>12", "rating:>=4", "problem:error", "set:reg"]) {
  test(`“${text}” does not find the row`, () => assert.ok(!matches(text)));
}

test("AND binds closer than OR", () => {
  assert.ok(matches("tag:cat OR tag:dog tag:bird"));
  assert.ok(!matches("(tag:cat OR tag:dog) tag:bird"));
});

for (const [text, at] of [
  ["(tag:cat", 0],
  ["tag:cat)", 7],
  ['tag:"cat', 4],
  ["tag:cat OR", 10],
  ["nothing:1", 0],
  ["tokens:many", 0],
  ["edited:perhaps", 0],
]) {
  test(`“${text}” is refused, with the position of the error`, () => {
    assert.throws(
      () => compile(text),
      (error) => error instanceof FilterError && error.at === at,
    );
  });
}

test("a tag becomes a filter that finds it again, whatever is in its name", () => {
  for (const tag of ["cat", "long hair", "saber (fate)"]) assert.ok(matches(tagFilter(tag), { text: `x, ${tag}` }));
  assert.ok(!matches(tagFilter("cat", true)));
});
