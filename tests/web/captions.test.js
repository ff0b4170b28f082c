// Captions as text and as tags: what the page shows, removes and completes.

import assert from "node:assert/strict";
import test from "node:test";
import { difference, frequencies, isProse, partAt, plain, tagsOf, withoutTag } from "../../web/panel/captions.js";

test("tags are compared in lower case, with spaces for underscores", () => {
  assert.equal(plain("  Long_Hair "), "long hair");
});

test("tags are split at commas, section separators and line ends, and empty ones are none", () => {
  assert.deepEqual(tagsOf("cat, long hair ||| sitting ;;; red\nhat,, "), ["cat", "long hair", "sitting", "red", "hat"]);
  assert.deepEqual(tagsOf(null), []);
});

test("sentences are prose and tags are not", () => {
  assert.ok(isProse("A cat sits on the wall. It looks at the sea."));
  assert.ok(!isProse("cat, long hair, red hat"));
  assert.ok(!isProse(""));
});

test("removing a tag leaves one separator, the stronger one", () => {
  assert.equal(withoutTag("a, b, c", 1), "a, c");
  assert.equal(withoutTag("a, b", 0), "b");
  assert.equal(withoutTag("a ||| b, c", 1), "a ||| c");
  assert.equal(withoutTag("a, b", 7), "a, b");
});

test("a difference is what is the same at both ends and what differs between", () => {
  assert.deepEqual(difference("cat, hat, sea", "cat, coat, sea"), {
    head: "cat, ",
    removed: "h",
    added: "co",
    tail: "at, sea",
  });
});

test("frequencies count tags of captions that are no prose, the most frequent first", () => {
  const found = frequencies([
    { tags: ["hat", "cat"], prose: false },
    { tags: ["cat"], prose: false },
    { tags: ["It sits."], prose: true },
  ]);
  assert.deepEqual(
    [...found],
    [
      ["cat", 2],
      ["hat", 1],
    ],
  );
});

test("the part at the caret begins after the last separator, or with the caption", () => {
  assert.deepEqual(partAt("long h", 6), { begin: 0, end: 6, text: "long h" });
  assert.deepEqual(partAt("a, lo, b", 5), { begin: 3, end: 5, text: "lo" });
  assert.deepEqual(partAt("a ||| lo", 8), { begin: 6, end: 8, text: "lo" });
});
