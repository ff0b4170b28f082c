// Captions as text and as tags, for showing and for editing one tag; pure, and not the server's rules of a bulk edit.

const SEPARATOR = /(\s*(?:,|\|\|\||;;;|\n)\s*)/;
const WORDS_OF_A_TAG = 5;

/**
 * Return a tag as it is compared: lower case, spaces for underscores.
 * @param {string} text
 */
export function plain(text) {
  return text.trim().toLowerCase().replaceAll("_", " ");
}

/**
 * Return the tags of a caption in their order, as they are written.
 * @param {string | null} text
 * @returns {string[]}
 */
export function tagsOf(text) {
  if (!text) return [];
  return text
    .split(SEPARATOR)
    .filter((part, n) => n % 2 === 0 && part.trim())
    .map((part) => part.trim());
}

/**
 * Say whether a caption is sentences rather than tags: it has a full stop that ends one, or long parts.
 * @param {string | null} text
 */
export function isProse(text) {
  if (!text) return false;
  const parts = tagsOf(text);
  const words = text.split(/\s+/).length;
  if (/[.!?](\s+\p{Lu}|\s*$)/u.test(text) && words / parts.length > WORDS_OF_A_TAG / 2) return true;
  return parts.length > 0 && words / parts.length > WORDS_OF_A_TAG;
}

/**
 * Return the caption without its tag number `at`; the stronger of the two separators beside it stays.
 * @param {string} text
 * @param {number} at counted as `tagsOf` counts
 */
export function withoutTag(text, at) {
  const parts = text.split(SEPARATOR);
  const places = parts.map((_, n) => n).filter((n) => n % 2 === 0 && parts[n].trim());
  const place = places[at];
  if (place === undefined) return text;
  const left = parts[place - 1];
  const keepsLeft = left === undefined || left.trim() !== ",";
  parts.splice(keepsLeft && place + 1 < parts.length ? place : Math.max(place - 1, 0), 2);
  return parts.join("").trim();
}

/**
 * Return the part of a caption that the caret stands in, for completing it: where it begins and ends.
 * @param {string} text
 * @param {number} caret
 */
export function partAt(text, caret) {
  const before = text.slice(0, caret);
  const start = Math.max(...[",", "\n", "|||"].map((mark) => endOfLast(before, mark)));
  const begin = start + (text.slice(start).match(/^\s*/)?.[0].length ?? 0);
  const rest = text.slice(caret).search(/,|\n|\|\|\|/);
  const end = rest < 0 ? text.length : caret + rest;
  return { begin: Math.min(begin, caret), end, text: text.slice(Math.min(begin, caret), caret) };
}

/**
 * Return where the last `mark` in a text ends; 0 where there is none.
 * @param {string} text
 * @param {string} mark
 */
function endOfLast(text, mark) {
  const at = text.lastIndexOf(mark);
  return at < 0 ? 0 : at + mark.length;
}

/**
 * Return two texts cut into what is the same at both ends and what differs between.
 * @param {string} before
 * @param {string} after
 */
export function difference(before, after) {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  return {
    head: before.slice(0, head),
    removed: before.slice(head, before.length - tail),
    added: after.slice(head, after.length - tail),
    tail: before.slice(before.length - tail),
  };
}

/**
 * Count the tags of many captions; sentences are left out.
 * @param {Iterable<{tags: string[], prose: boolean}>} facts
 * @returns {Map<string, number>} by tag, the most frequent first
 */
export function frequencies(facts) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { tags, prose } of facts) {
    if (prose) continue;
    for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  return new Map([...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}
