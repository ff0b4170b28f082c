// All rows of a dataset in this browser: fetched by pages, looked up by key, filtered; it sends nothing.

import { factsOf } from "./filter.js";

/** @typedef {import("./types.d.ts").Row} Row */

const FIRST = 200;
const PAGE = 2000;

export class Rows {
  constructor() {
    /** @type {Row[]} */
    this.list = [];
    /** @type {Map<string, number>} */
    this.places = new Map();
    this.total = 0;
    this.version = 0; // counts changes, for what is worked out from the rows
    /** @type {string | null} */
    this.revision = null;
  }

  /** @param {string} key */
  get(key) {
    const place = this.places.get(key);
    return place === undefined ? undefined : this.list[place];
  }

  /**
   * Fetch all pages; `arrived` is called after each. A dataset that changes meanwhile is fetched from its start.
   * @param {(from: number, count: number) => Promise<{total: number, revision: string, rows: Row[]}>} page
   * @param {() => boolean} arrived returns whether to go on
   */
  async load(page, arrived) {
    /** @type {Row[]} */
    let list = [];
    let revision = null;
    for (;;) {
      const answer = await page(list.length, list.length ? PAGE : FIRST);
      if (revision !== null && answer.revision !== revision) list = [];
      else {
        list = list.concat(answer.rows);
        for (const row of answer.rows) factsOf(row);
      }
      revision = answer.revision;
      this.total = answer.total;
      if (list.length >= this.list.length || list.length >= answer.total) this.#take(list);
      if (!arrived()) return;
      if (list.length >= answer.total || !answer.rows.length) break;
    }
    this.revision = revision;
  }

  /**
   * Put new rows in the place of those with the same key.
   * @param {Iterable<Row>} rows
   */
  replace(rows) {
    let changed = false;
    for (const row of rows) {
      const place = this.places.get(row.key);
      if (place === undefined) continue;
      this.list[place] = row;
      changed = true;
    }
    if (changed) this.version += 1;
  }

  /**
   * Return the places of the rows that pass, in order.
   * @param {(row: Row) => boolean} test
   */
  filtered(test) {
    const places = [];
    for (let n = 0; n < this.list.length; n += 1) if (test(this.list[n])) places.push(n);
    return places;
  }

  /** @param {Row[]} list */
  #take(list) {
    this.list = list;
    this.places = new Map(list.map((row, n) => [row.key, n]));
    this.version += 1;
  }
}
