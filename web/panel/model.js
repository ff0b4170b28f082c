// The panel's state: session, dataset, rows, filter, selection, notices; it draws nothing.

import { Api, Away, Refused } from "./api.js";
import { frequencies } from "./captions.js";
import { Duplicates } from "./duplicates.js";
import { Editing } from "./editing.js";
import { compile, FilterError, factsOf, tagFilter } from "./filter.js";
import { Following } from "./job.js";
import { Rows } from "./rows.js";
import { Selection } from "./selection.js";
import { Training } from "./training.js";

/** @typedef {import("./types.d.ts").Row} Row */
/** @typedef {import("./types.d.ts").RowPage} RowPage */
/** @typedef {import("./types.d.ts").DatasetSummary} DatasetSummary */
/** @typedef {import("./types.d.ts").DatasetFacts} DatasetFacts */
/** @typedef {import("./types.d.ts").PanelEvent} PanelEvent */
/** @typedef {import("./types.d.ts").EditedEvent} EditedEvent */
/** @typedef {{id: number, text: string, kind: "info" | "error", action?: {label: string, run: () => void}}} Notice */
/** @typedef {"images" | "captions" | "summary" | "train"} Step */

const RETRY = 2_000; // ms
const NOTICE = 8_000; // ms
const SETTLE = 250; // ms; our own edit is an event too, often before its response arrives

export class Model {
  /**
   * @param {{base: string, storage?: Storage, changed?: () => void}} options
   */
  constructor({ base, storage = globalThis.localStorage, changed = () => {} }) {
    this.api = new Api(base);
    this.storage = storage;
    this.changed = changed;
    /** @type {"starting" | "empty" | "loading" | "ready" | "failed"} */
    this.phase = "starting";
    this.failure = "";
    this.isAway = false;
    this.refusal = ""; // why a server that is there gives no session
    /** @type {DatasetSummary[]} */
    this.datasets = [];
    /** @type {DatasetFacts | null} */
    this.dataset = null;
    this.rows = new Rows();
    this.selection = new Selection();
    this.editing = new Editing(this);
    this.following = new Following(this, "lorads.job.");
    this.duplicates = new Duplicates(this);
    this.training = new Training(this);
    /** @type {Step} */
    this.step = "captions";
    this.filterText = "";
    /** @type {FilterError | null} */
    this.filterError = null;
    /** @type {(row: Row) => boolean} */
    this.test = () => true;
    /** @type {string[]} */
    this.shown = [];
    /** @type {Notice[]} */
    this.notices = [];
    /** @type {string | null} */
    this.enlarged = null;
    /** @type {import("./bulk.js").BulkRequest | null} the open bulk dialog */
    this.bulk = null;
    this.tagsOpen = false;
    this.runEvents = 0; // counts events of runs and jobs
    /** @type {EventSource | null} */
    this.events = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    /** @type {Record<string, string>} buckets by keys of images */
    this.buckets = {};
    this.bucketsOf = "";
    /** @type {Map<boolean, {version: number, keys: string, tags: Map<string, number>}>} */
    this.counted = new Map();
  }

  /**
   * Return the bucket that an image is trained in, "" where it is not known yet or the image is not trained.
   * @param {string} key
   */
  bucketOf(key) {
    const { dataset } = this;
    if (dataset && this.bucketsOf !== dataset.id) {
      this.bucketsOf = dataset.id;
      this.buckets = {};
      this.api.get(`datasets/${dataset.id}/buckets`).then(
        (found) => {
          if (this.bucketsOf === dataset.id) this.buckets = /** @type {Record<string, string>} */ (found);
          this.changed();
        },
        () => {}, // other requests report it
      );
    }
    return this.buckets[key] ?? "";
  }

  get session() {
    return this.api.session;
  }

  /** Start: fetch the session and the datasets, and open the one that was open last. */
  async start() {
    try {
      const [, datasets] = await Promise.all([this.api.open(), this.api.get("datasets")]);
      this.datasets = /** @type {DatasetSummary[]} */ (datasets);
    } catch (error) {
      this.fail(error);
      return;
    }
    const last = this.storage.getItem("lorads.dataset");
    const first = this.datasets.find(({ id }) => id === last) ?? this.datasets[0];
    if (first) await this.open(first.id);
    else {
      this.phase = "empty";
      this.retry = setTimeout(() => this.phase === "empty" && this.start(), RETRY);
    }
    this.changed();
  }

  /** Fetch the list of datasets again. */
  async relist() {
    try {
      this.datasets = /** @type {DatasetSummary[]} */ (await this.api.get("datasets"));
    } catch {
      return; // other requests report it
    }
    this.changed();
  }

  /**
   * Show a dataset.
   * @param {string} id
   */
  async open(id) {
    this.editing.commit();
    this.editing.close();
    this.events?.close();
    this.rows = new Rows();
    this.selection = new Selection();
    this.shown = [];
    this.phase = "loading";
    this.changed();
    try {
      this.dataset = /** @type {DatasetFacts} */ (await this.api.get(`datasets/${id}`));
    } catch (error) {
      this.fail(error);
      return;
    }
    this.storage.setItem("lorads.dataset", id);
    this.editing.open(id);
    this.following.open(id);
    this.duplicates.open(id);
    this.training.open(id);
    await this.reload();
    const { problems = [] } = this.dataset ?? {};
    if (problems.length)
      this.notify(
        problems.length === 1 ? problems[0] : `${problems[0]} There are ${problems.length - 1} more such problems.`,
        "error",
      );
    this.listen(id);
  }

  /** Fetch all rows again; what is not sent yet stays as it is. */
  async reload() {
    const { dataset, rows } = this;
    if (!dataset) return;
    this.bucketsOf = "";
    const page = async (/** @type {number} */ from, /** @type {number} */ count) =>
      /** @type {RowPage} */ (await this.api.get(`datasets/${dataset.id}/rows`, { from, count }));
    const arrived = () => {
      if (this.rows !== rows) return false;
      this.editing.overlay();
      this.phase = "ready";
      this.refilter();
      return true;
    };
    try {
      await rows.load(page, arrived);
      if (this.rows === rows) this.editing.restoreDraft();
    } catch (error) {
      this.fail(error);
    }
    this.changed();
  }

  /** @param {unknown} error */
  fail(error) {
    if (error instanceof Away) this.away(true);
    if (this.phase !== "ready") {
      this.phase = "failed";
      this.failure = /** @type {Error} */ (error).message;
    } else if (!(error instanceof Away)) this.notify(/** @type {Error} */ (error).message, "error");
    this.changed();
  }

  /**
   * The server went away, or is back.
   * @param {boolean} isAway
   */
  away(isAway) {
    if (isAway === this.isAway) return;
    this.isAway = isAway;
    clearTimeout(this.retry);
    if (isAway) this.retry = setTimeout(() => this.reconnect(), RETRY);
    this.changed();
  }

  /**
   * Show why the server gives no session: one that was started again has another secret in its address.
   * @param {unknown} error
   */
  refused(error) {
    this.refusal = error instanceof Refused ? error.message : "";
    this.changed();
  }

  /** Check whether the server is back; if so, send the unsent edits and fetch what has changed. */
  async reconnect() {
    try {
      await this.api.open();
    } catch (error) {
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.reconnect(), RETRY);
      this.refused(error);
      return;
    }
    this.away(false);
    if (!this.dataset || this.phase !== "ready") {
      await this.start();
      return;
    }
    await this.editing.outbox?.flush();
    this.listen(this.dataset.id);
    await this.refresh();
  }

  /** @param {string} id */
  listen(id) {
    this.events?.close();
    const events = new EventSource(this.api.url("events", { dataset: id }));
    this.events = events;
    events.onmessage = (message) => this.onEvent(JSON.parse(message.data));
    events.onopen = () => this.away(false);
    events.onerror = () => this.onEventError(events, id);
  }

  /**
   * The event stream has ended: the server is away, or only this connection was closed.
   * @param {EventSource} events
   * @param {string} id
   */
  async onEventError(events, id) {
    if (this.events !== events || this.isAway) return;
    try {
      await this.api.open();
    } catch (error) {
      this.away(true);
      this.refused(error);
      return;
    }
    if (this.events !== events) return;
    if (events.readyState === EventSource.CLOSED) setTimeout(() => this.events === events && this.listen(id), RETRY);
    await this.refresh();
  }

  /** @param {PanelEvent} event */
  onEvent(event) {
    if (event.kind === "edited") setTimeout(() => this.refreshIfChanged(event), SETTLE);
    else if (event.kind === "datasets") {
      if (`${event.names}` !== `${this.datasets.map(({ name }) => name).sort()}`) this.relist();
    } else {
      this.runEvents += 1;
      this.changed();
    }
  }

  /**
   * Fetch the dataset if it has changed: edited elsewhere, or exported with another config.
   * @param {EditedEvent} event
   */
  refreshIfChanged(event) {
    const { dataset, rows, editing } = this;
    if (editing.outbox?.sending) setTimeout(() => this.refreshIfChanged(event), SETTLE);
    else if (event.revision !== rows.revision || (event.config ?? dataset?.config) !== dataset?.config) this.refresh();
  }

  /** Look whether another tab, or a run of the graph, has changed the dataset, and fetch it if so. */
  async refresh() {
    if (!this.dataset || this.editing.outbox?.sending) return;
    const { config, base_model } = this.dataset;
    try {
      this.dataset = /** @type {DatasetFacts} */ (await this.api.get(`datasets/${this.dataset.id}`));
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.dataset?.config !== config) this.bucketsOf = "";
    this.training.refresh();
    // Tokens and problems of captions are those of the base model.
    if (this.dataset?.revision !== this.rows.revision || this.dataset?.base_model !== base_model)
      await Promise.all([this.reload(), this.relist()]);
    this.changed();
  }

  /** @param {string} text */
  filter(text) {
    this.filterText = text;
    try {
      this.test = compile(text, (key) => (this.duplicates.found ? this.duplicates.mark(key) : null));
      this.filterError = null;
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.filterError = error;
    }
    this.refilter();
    this.changed();
  }

  /**
   * Filter by one tag, or without it, in addition to the present filter.
   * @param {string} tag
   * @param {boolean} without
   */
  filterTag(tag, without) {
    const term = tagFilter(tag, without);
    const other = tagFilter(tag, !without);
    const terms = this.filterText.trim();
    if (terms === term || terms.endsWith(` ${term}`)) this.filter(terms.slice(0, -term.length).trim());
    else this.filter(`${terms.replace(other, "").trim()} ${term}`.trim());
  }

  /** Work out which rows pass. An edited row stays in view until this is called, so that nothing jumps. */
  refilter() {
    const { list } = this.rows;
    this.shown = this.rows.filtered(this.test).map((place) => list[place].key);
    if (this.selection.current === null && this.shown.length) this.selection.go(this.shown, this.shown[0]);
  }

  /** How many rows are shown that would not pass any more. */
  get stale() {
    if (!this.filterText) return 0;
    return this.shown.filter((key) => {
      const row = this.rows.get(key);
      return row && !this.test(row);
    }).length;
  }

  /** The rows that a bulk operation or a rejection is about. */
  get selected() {
    return [...this.selection.keys].filter((key) => this.rows.places.has(key));
  }

  /**
   * Return the dataset's tags, or those of the selected images, by frequency.
   * @param {boolean} ofSelection
   */
  tags(ofSelection = false) {
    const keys = ofSelection ? this.selected.join() : "";
    const known = this.counted.get(ofSelection);
    if (known?.version === this.rows.version && known.keys === keys) return known.tags;
    const list = ofSelection ? this.selected.flatMap((key) => this.rows.get(key) ?? []) : this.rows.list;
    const tags = frequencies(list.map(factsOf));
    this.counted.set(ofSelection, { version: this.rows.version, keys, tags });
    return tags;
  }

  /**
   * @param {string} text
   * @param {"info" | "error"} [kind]
   * @param {Notice["action"]} [action]
   */
  notify(text, kind = "info", action = undefined) {
    const notice = { id: Date.now() + Math.random(), text, kind, action };
    this.notices = [...this.notices.filter((each) => each.text !== text), notice].slice(-3);
    if (kind === "info") setTimeout(() => this.dismiss(notice), NOTICE);
    this.changed();
  }

  /** @param {Notice} notice */
  dismiss(notice) {
    this.notices = this.notices.filter((each) => each !== notice);
    this.changed();
  }

  stop() {
    this.training.stop();
    this.editing.commit();
    this.editing.close();
    this.events?.close();
    this.events = null;
    clearTimeout(this.retry);
  }
}
