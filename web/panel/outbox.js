// The queue of unsent edits: stored in the browser until the server has them, sent in order, one at a time.

import { Away, Refused } from "./api.js";

/** @typedef {import("./types.d.ts").Change} Change */
/** @typedef {import("./types.d.ts").WriteResult} WriteResult */
/** @typedef {import("./types.d.ts").Conflict} Conflict */
/** @typedef {{id: string, dataset: string, label: string, changes: Change[], at: number}} Entry */

const PREFIX = "lorads.unsent.";
const RETRY = 2_000; // ms

/**
 * Whether an error is temporary and not of the edit itself: not allowed at present, too many at once, a server error.
 * @param {number} status
 */
function isPassing(status) {
  return status === 403 || status === 429 || status >= 500;
}

/**
 * The queue of one dataset. An entry that another tab left behind is taken over; should both send it, the second is
 * refused with our own text as theirs, which is no conflict.
 */
export class Outbox {
  /**
   * @param {string} dataset
   * @param {{
   *   post: (path: string, body: object) => Promise<unknown>,
   *   storage: Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">,
   *   written: (answer: WriteResult, entry: Entry) => void,
   *   refused: (entry: Entry, error: Error) => void,
   *   conflict: (entry: Entry, conflicts: Conflict[]) => void,
   *   changed: () => void,
   *   away: (away: boolean) => void,
   * }} to
   */
  constructor(dataset, to) {
    this.dataset = dataset;
    this.to = to;
    this.entries = this.#stored();
    this.adopted = new Set(this.entries.map(({ id }) => id));
    this.sending = false;
    this.closed = false;
    this.isStored = true; // false where the browser's storage is full: the tab must not be closed then
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {(() => void)[]} */
    this.waiting = [];
  }

  get size() {
    return this.entries.length;
  }

  /**
   * Add an edit: it is stored at once and sent as soon as possible.
   * @param {string} label
   * @param {Change[]} changes
   */
  add(label, changes) {
    const at = Date.now();
    const entry = {
      id: `${at.toString(36)}-${Math.random().toString(36).slice(2, 8)}`,
      dataset: this.dataset,
      label,
      changes,
      at,
    };
    this.entries.push(entry);
    this.#store(entry);
    this.to.changed();
    this.flush();
    return entry;
  }

  /** Take back the last edit if it has not been sent; the entry, or undefined. */
  takeBack() {
    if (this.entries.length > (this.sending ? 1 : 0)) {
      const entry = /** @type {Entry} */ (this.entries.pop());
      this.#forget(entry);
      this.to.changed();
      return entry;
    }
    return undefined;
  }

  /** Send what waits; safe to call at any time. */
  async flush() {
    clearTimeout(this.timer);
    if (this.sending || this.closed) return;
    this.sending = true;
    while (this.entries.length && !this.closed && (await this.#sendFirst(this.entries[0])));
    this.sending = false;
    if (this.entries.length && !this.closed) this.timer = setTimeout(() => this.flush(), RETRY);
    if (!this.entries.length) for (const ready of this.waiting.splice(0)) ready();
    this.to.changed();
  }

  /** Wait until all is sent. */
  empty() {
    if (!this.entries.length && !this.sending) return Promise.resolve();
    return new Promise((/** @type {(value: void) => void} */ ready) => this.waiting.push(() => ready()));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /**
   * @param {Entry} entry
   * @returns {Promise<boolean>} whether to go on with the next
   */
  async #sendFirst(entry) {
    if (!entry.changes.length || this.#isSentElsewhere(entry)) {
      this.#done(entry);
      return true;
    }
    try {
      const { label, changes } = entry;
      const answer = await this.to.post(`datasets/${this.dataset}/edits`, { label, changes });
      this.#done(entry);
      this.to.away(false);
      this.to.written(/** @type {WriteResult} */ (answer), entry);
    } catch (error) {
      if (error instanceof Away) {
        this.to.away(true);
        return false;
      }
      this.to.away(false);
      if (error instanceof Refused && error.conflicts) this.#conflicts(entry, error.conflicts);
      else if (error instanceof Refused && isPassing(error.status)) return this.#failed(entry, error);
      else {
        this.#done(entry);
        this.to.refused(entry, /** @type {Error} */ (error));
      }
    }
    return true;
  }

  /**
   * @param {Entry} entry
   * @param {Error} error
   */
  #failed(entry, error) {
    this.to.refused(entry, error);
    return false;
  }

  /**
   * Nothing of the entry was written. What is there already is no conflict; the rest is sent again, the user decides conflicts.
   * @param {Entry} entry
   * @param {Conflict[]} conflicts
   */
  #conflicts(entry, conflicts) {
    const theirs = new Map(conflicts.map((each) => [each.key, each]));
    const rest = entry.changes.filter((change) => !theirs.has(change.key));
    const real = conflicts.filter((each) => entry.changes.find(({ key }) => key === each.key)?.after !== each.theirs);
    this.#done(entry);
    if (rest.length) {
      const again = { ...entry, id: `${entry.id}r`, changes: rest };
      this.entries.unshift(again);
      this.#store(again);
    }
    this.to.conflict(entry, real);
  }

  /** @param {Entry} entry */
  #done(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    this.#forget(entry);
    this.to.changed();
  }

  /**
   * Say whether another tab, which had an entry too, has sent it meanwhile: it has removed it from the browser's storage.
   * @param {Entry} entry
   */
  #isSentElsewhere(entry) {
    return this.adopted.has(entry.id) && this.to.storage.getItem(PREFIX + entry.id) === null;
  }

  /** @param {Entry} entry */
  #store(entry) {
    try {
      this.to.storage.setItem(PREFIX + entry.id, JSON.stringify(entry));
      this.isStored = true;
    } catch {
      this.isStored = false;
    }
  }

  /** @param {Entry} entry */
  #forget(entry) {
    this.to.storage.removeItem(PREFIX + entry.id);
  }

  /** @returns {Entry[]} what an earlier page, or another tab, has not sent */
  #stored() {
    const { storage } = this.to;
    const names = Array.from({ length: storage.length }, (_, n) => storage.key(n) ?? "");
    return names
      .filter((name) => name.startsWith(PREFIX))
      .map((name) => JSON.parse(storage.getItem(name) ?? "null"))
      .filter((entry) => entry?.dataset === this.dataset)
      .sort((a, b) => a.at - b.at);
  }
}
