// The panel's filter language: text to a predicate over rows; pure, knows no page and no server.
//
//   tag:"long hair" -tag:hat caption:smiling source:wd edited:yes tokens:>75 rating:>=4 problem: set:training
//   words, AND (or nothing), OR, NOT (or -), parentheses. A `*` in a tag stands for anything.

import { isProse, plain, tagsOf } from "./captions.js";

/** @typedef {import("./types.d.ts").Row} Row */
/** @typedef {{row: Row, tags: string[], prose: boolean, text: string, file: string}} Facts */
/** @typedef {(facts: Facts) => boolean} Test */
/** @typedef {(key: string) => string | undefined | null} MarkOf how an image stands among its near-duplicates; null while they are unknown */
/** @typedef {{kind: "(" | ")" | "and" | "or" | "not" | "term", at: number, field?: string, value?: string, quoted?: boolean}} Token */

/** A filter that cannot be understood; `at` is the place in its text. */
export class FilterError extends Error {
  /**
   * @param {string} message
   * @param {number} at
   */
  constructor(message, at) {
    super(message);
    this.name = "FilterError";
    this.at = at;
  }
}

/** The fields, with their help. */
export const FIELDS = Object.freeze({
  tag: 'an exact tag: tag:hat, tag:"long hair", tag:*hair',
  caption: "words in the caption: caption:smiling",
  source: "where the caption came from: source:wd",
  edited: "edited by hand: edited:yes, edited:no",
  tokens: "length of the caption: tokens:>75, tokens:10..20",
  rating: "rating, 0 to 10: rating:>=4, rating:none",
  problem: "any problem, one by its code, or a severity: problem:, problem:duplicate, problem:error",
  duplicate: "near-duplicates, once they were found in Summary: duplicate:, duplicate:best, duplicate:worse",
  set: "set:training or set:regularization",
  concept: "the concept of an image: concept:name",
  file: "part of the file name: file:0042",
  width: "width in pixels: width:<1024",
  height: "height in pixels: height:>=1024",
  rejected: "rejected:yes, rejected:no",
});

/** @type {WeakMap<Row, Facts>} */
const KNOWN = new WeakMap();

/**
 * Return what filters look at in a row; worked out once, as a row never changes.
 * @param {Row} row
 * @returns {Facts}
 */
export function factsOf(row) {
  let facts = KNOWN.get(row);
  if (!facts) {
    const text = row.text ?? "";
    facts = {
      row,
      tags: tagsOf(text).map(plain),
      prose: isProse(text),
      text: plain(text),
      file: row.file.toLowerCase(),
    };
    KNOWN.set(row, facts);
  }
  return facts;
}

/**
 * Turn a filter's text into a test of rows; an empty text lets all through.
 * @param {string} text
 * @param {MarkOf} markOf
 * @returns {(row: Row) => boolean}
 * @throws {FilterError} what is wrong, and where
 */
export function compile(text, markOf = () => null) {
  const tokens = tokenize(text);
  if (!tokens.length) return () => true;
  const test = new Parser(tokens, text.length, markOf).whole();
  return (row) => test(factsOf(row));
}

/**
 * Return a filter for one tag, or without it, as it is written in the box.
 * @param {string} tag
 * @param {boolean} without
 */
export function tagFilter(tag, without = false) {
  const bare = /^[^\s"()*]+$/.test(tag) ? tag : `"${tag.replaceAll('"', "")}"`;
  return `${without ? "-" : ""}tag:${bare}`;
}

/**
 * @param {string} text
 * @returns {Token[]}
 */
function tokenize(text) {
  /** @type {Token[]} */
  const tokens = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (/\s/.test(char)) at += 1;
    else if (char === "(" || char === ")") tokens.push({ kind: char, at: at++ });
    else if (char === "-" && /[^\s)]/.test(text[at + 1] ?? " ")) tokens.push({ kind: "not", at: at++ });
    else at = readTerm(text, at, tokens);
  }
  return tokens;
}

/**
 * @param {string} text
 * @param {number} at
 * @param {Token[]} tokens
 */
function readTerm(text, at, tokens) {
  const field = /^([A-Za-z]+):/.exec(text.slice(at))?.[1];
  const start = field ? at + field.length + 1 : at;
  const [value, quoted, end] = readValue(text, start);
  const word = !field && !quoted && { AND: "and", OR: "or", NOT: "not" }[value];
  if (word) tokens.push({ kind: /** @type {Token["kind"]} */ (word), at });
  else tokens.push({ kind: "term", at, field: field?.toLowerCase(), value, quoted });
  return end;
}

/**
 * Read a value; parentheses that are closed within it belong to it, as in `saber_(fate)`.
 * @param {string} text
 * @param {number} start
 * @returns {[value: string, quoted: boolean, end: number]}
 */
function readValue(text, start) {
  if (text[start] === '"') {
    const end = text.indexOf('"', start + 1);
    if (end < 0) throw new FilterError("A quotation mark is not closed. Add a second one.", start);
    return [text.slice(start + 1, end), true, end + 1];
  }
  let end = start;
  let depth = 0;
  while (end < text.length && !/\s/.test(text[end])) {
    if (text[end] === "(") depth += 1;
    if (text[end] === ")" && depth-- === 0) break;
    end += 1;
  }
  return [text.slice(start, end), false, end];
}

class Parser {
  /**
   * @param {Token[]} tokens
   * @param {number} end
   * @param {MarkOf} markOf
   */
  constructor(tokens, end, markOf) {
    this.tokens = tokens;
    this.at = 0;
    this.end = end;
    this.markOf = markOf;
  }

  get next() {
    return this.tokens[this.at];
  }

  /** @returns {Test} */
  whole() {
    const test = this.either();
    if (this.next) throw new FilterError("A closing parenthesis has no opening one.", this.next.at);
    return test;
  }

  /** @returns {Test} */
  either() {
    const tests = [this.all()];
    while (this.next?.kind === "or") {
      this.at += 1;
      tests.push(this.all());
    }
    return tests.length === 1 ? tests[0] : (facts) => tests.some((test) => test(facts));
  }

  /** @returns {Test} */
  all() {
    const tests = [this.one()];
    while (this.next && this.next.kind !== "or" && this.next.kind !== ")") {
      if (this.next.kind === "and") this.at += 1;
      tests.push(this.one());
    }
    return tests.length === 1 ? tests[0] : (facts) => tests.every((test) => test(facts));
  }

  /** @returns {Test} */
  one() {
    const token = this.next;
    this.at += 1;
    if (!token) throw new FilterError("Something is missing at the end.", this.end);
    if (token.kind === "not") {
      const test = this.one();
      return (facts) => !test(facts);
    }
    if (token.kind === "(") return this.group(token);
    if (token.kind === "term") return testOf(token, this.markOf);
    throw new FilterError(`Something is missing before “${token.kind.toUpperCase()}”.`, token.at);
  }

  /**
   * @param {Token} open
   * @returns {Test}
   */
  group(open) {
    const test = this.either();
    if (this.next?.kind !== ")") throw new FilterError("A parenthesis is not closed.", open.at);
    this.at += 1;
    return test;
  }
}

const NEED_NO_VALUE = new Set(["problem", "duplicate"]);

/**
 * @param {Token} token
 * @param {MarkOf} markOf
 * @returns {Test}
 */
function testOf({ field, value = "", at }, markOf) {
  if (!field) {
    const word = plain(value);
    return (facts) => facts.text.includes(word) || facts.file.includes(word);
  }
  const make = TESTS[field];
  if (!make) {
    throw new FilterError(
      `There is no “${field}:”. Use ${Object.keys(FIELDS).join(":, ")}:, or put it in quotation marks.`,
      at,
    );
  }
  if (!value && !NEED_NO_VALUE.has(field))
    throw new FilterError(`“${field}:” needs a value, e.g. ${FIELDS[/** @type {keyof typeof FIELDS} */ (field)]}.`, at);
  return make(value, at, field, markOf);
}

/** @type {Record<string, (value: string, at: number, field: string, markOf: MarkOf) => Test>} */
const TESTS = {
  tag: tagTest,
  caption: (value) => {
    const words = plain(value);
    return (facts) => facts.text.includes(words);
  },
  source: (value) => (facts) => facts.row.source.toLowerCase().includes(value.toLowerCase()),
  edited: (value, at, field) => yesOrNo(value, at, field, (row) => row.edited),
  rejected: (value, at, field) => yesOrNo(value, at, field, (row) => row.rejected),
  tokens: (value, at, field) => number(value, at, field, (row) => row.tokens),
  width: (value, at, field) => number(value, at, field, (row) => row.width),
  height: (value, at, field) => number(value, at, field, (row) => row.height),
  rating: (value, at, field) =>
    value === "none" ? ({ row }) => row.rating === null : number(value, at, field, (row) => row.rating),
  problem: (value) => {
    const wanted = value.toLowerCase();
    return ({ row }) =>
      row.problems.some(({ code, severity }) => !wanted || severity === wanted || code.includes(wanted));
  },
  duplicate: (value, at, _field, markOf) => {
    const wanted = ["", "best", "worse"].find((mark) => mark === value.toLowerCase());
    if (wanted === undefined) throw new FilterError(`“duplicate:” is best, worse or nothing, not “${value}”.`, at);
    if (markOf("") === null)
      throw new FilterError("Near-duplicates are not known yet: find them first, in Summary.", at);
    return ({ row }) => (wanted ? markOf(row.key) === wanted : Boolean(markOf(row.key)));
  },
  set: (value, at) => {
    const set = ["training", "regularization"].find((name) => name.startsWith(value.toLowerCase()));
    if (!set) throw new FilterError(`“set:” is training or regularization, not “${value}”.`, at);
    return ({ row }) => row.set === set;
  },
  concept:
    (value) =>
    ({ row }) =>
      row.concept.toLowerCase() === value.toLowerCase(),
  file: (value) => (facts) => facts.file.includes(value.toLowerCase()),
};

/**
 * @param {string} value
 * @returns {Test}
 */
function tagTest(value) {
  const tag = plain(value);
  if (!tag.includes("*")) return (facts) => facts.tags.includes(tag);
  const pieces = tag.split("*").map((piece) => piece.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const pattern = new RegExp(`^${pieces.join(".*")}$`);
  return (facts) => facts.tags.some((each) => pattern.test(each));
}

/**
 * @param {string} value
 * @param {number} at
 * @param {string} field
 * @param {(row: Row) => boolean} get
 * @returns {Test}
 */
function yesOrNo(value, at, field, get) {
  const answer = { yes: true, true: true, no: false, false: false }[value.toLowerCase()];
  if (answer === undefined) throw new FilterError(`“${field}:” is yes or no, not “${value}”.`, at);
  return ({ row }) => get(row) === answer;
}

/**
 * @param {string} value
 * @param {number} at
 * @param {string} field
 * @param {(row: Row) => number | null} get
 * @returns {Test}
 */
function number(value, at, field, get) {
  const range = /^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)$/.exec(value);
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])];
    return ({ row }) => within(get(row), low, high);
  }
  const parts = /^(>=|<=|>|<|=)?(\d+(?:\.\d+)?)$/.exec(value);
  if (!parts)
    throw new FilterError(`“${field}:” needs a number, e.g. ${field}:>5 or ${field}:2..4, not “${value}”.`, at);
  const compare = COMPARE[/** @type {keyof typeof COMPARE} */ (parts[1] ?? "=")];
  const limit = Number(parts[2]);
  return ({ row }) => {
    const found = get(row);
    return found !== null && compare(found, limit);
  };
}

/**
 * @param {number | null} value
 * @param {number} low
 * @param {number} high
 */
function within(value, low, high) {
  return value !== null && value >= low && value <= high;
}

const COMPARE = {
  ">=": (/** @type {number} */ a, /** @type {number} */ b) => a >= b,
  "<=": (/** @type {number} */ a, /** @type {number} */ b) => a <= b,
  ">": (/** @type {number} */ a, /** @type {number} */ b) => a > b,
  "<": (/** @type {number} */ a, /** @type {number} */ b) => a < b,
  "=": (/** @type {number} */ a, /** @type {number} */ b) => a === b,
};
