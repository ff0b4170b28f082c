// Edits of captions as the page sees them: at once on the screen, then to the server; undo, conflicts, drafts, rejection.

import { Away } from "./api.js";
import { Outbox } from "./outbox.js";

/** @typedef {import("./types.d.ts").Row} Row */
/** @typedef {import("./types.d.ts").WriteResult} WriteResult */
/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {{key: string, mine: string | null, theirs: string | null, source: string}} Conflicting */

const DRAFT = "lorads.draft.";
const CONFLICT = "lorads.conflict.";
const STALE = 5_000; // ms; a younger draft is being typed in another tab

export class Editing {
  /** @param {import("./model.js").Model} model */
  constructor(model) {
    this.model = model;
    /** @type {Outbox | null} */
    this.outbox = null;
    /** @type {{key: string, text: string, before: string | null} | null} what is being typed */
    this.draft = null;
    /** @type {Map<string, Conflicting>} */
    this.conflicts = new Map();
    /** @type {Entry[]} edits that were undone before they had been sent */
    this.undone = [];
    this.busy = ""; // what the server is doing for all of the dataset
    /** @type {Promise<unknown>} */
    this.turn = Promise.resolve();
  }

  /** @param {string} dataset */
  open(dataset) {
    const { model } = this;
    this.outbox = new Outbox(dataset, {
      post: (path, body) => model.api.post(path, body),
      storage: model.storage,
      written: (answer, entry) => this.written(answer, entry),
      refused: (entry, error) => this.refused(entry, error),
      conflict: (entry, conflicts) => this.conflict(entry, conflicts),
      changed: () => model.changed(),
      away: (isAway) => model.away(isAway),
    });
    this.undone = [];
    this.conflicts = new Map(this.stored(CONFLICT).map((each) => [each.key, each]));
    this.outbox.flush();
  }

  close() {
    this.outbox?.close();
    this.outbox = null;
    this.draft = null;
  }

  /** How many edits the server does not have yet. */
  get unsent() {
    return this.outbox?.size ?? 0;
  }

  /**
   * Begin to edit a caption in place.
   * @param {string} key
   */
  begin(key) {
    this.commit();
    const row = this.model.rows.get(key);
    if (!row) return;
    this.draft = { key, text: row.text ?? "", before: row.text };
    this.model.changed();
  }

  /**
   * Take what is being typed; it survives a crash of the browser.
   * @param {string} text
   */
  type(text) {
    if (!this.draft) return;
    this.draft.text = text;
    this.store(DRAFT, { ...this.draft, at: Date.now() });
    this.model.changed();
  }

  /** Leave the editor; what was typed becomes an edit. */
  commit() {
    const { draft } = this;
    if (!draft) return;
    this.draft = null;
    this.forget(DRAFT, draft.key);
    const text = draft.text.trim() || null; // without a word there is no caption
    if (text !== draft.before) this.set(draft.key, draft.before, text);
    this.model.changed();
  }

  /** Leave the editor; what was typed is dropped. */
  cancel() {
    if (this.draft) this.forget(DRAFT, this.draft.key);
    this.draft = null;
    this.model.changed();
  }

  /**
   * Change one caption.
   * @param {string} key
   * @param {string | null} before what it was when the user changed it
   * @param {string | null} after
   * @param {string} [label]
   */
  set(key, before, after, label = "Edit a caption") {
    this.undone = [];
    this.show([{ key, after }]);
    this.outbox?.add(label, [{ key, before, after }]);
  }

  /**
   * Put texts on the screen that the server does not have yet.
   * @param {{key: string, after: string | null}[]} changes
   */
  show(changes) {
    const rows = changes.flatMap(({ key, after }) => {
      const row = this.model.rows.get(key);
      return row ? [{ ...row, text: after, edited: true }] : [];
    });
    this.model.rows.replace(rows);
    this.model.changed();
  }

  /** Put all that is not sent over rows that have just been fetched. */
  overlay() {
    const latest = new Map(
      (this.outbox?.entries ?? []).flatMap(({ changes }) => changes.map((each) => [each.key, each])),
    );
    const rows = this.model.rows;
    this.show([...latest.values()].filter(({ key, after }) => rows.get(key) && rows.get(key)?.text !== after));
  }

  /**
   * The server has stored something: its rows are the truth, except where a later edit waits. If another client wrote
   * before, our revision stays what it was, so that the next event lets us fetch what we missed.
   * @param {WriteResult} answer
   * @param {Entry} [entry]
   */
  written(answer, entry = undefined) {
    const { rows, dataset } = this.model;
    for (const row of entry ? answer.rows : []) this.rebase(row);
    rows.replace(answer.rows);
    if (rows.revision === answer.was) rows.revision = answer.revision;
    if (dataset) {
      const { revision, can_undo, can_redo } = answer;
      this.model.dataset = { ...dataset, revision, can_undo, can_redo };
    }
    this.overlay();
    this.model.changed();
  }

  /**
   * The server may have tidied a text: the next edit of it that waits starts from there.
   * @param {Row} row
   */
  rebase(row) {
    const waiting = this.outbox?.entries.flatMap(({ changes }) => changes).find(({ key }) => key === row.key);
    if (waiting) waiting.before = row.text;
    if (this.draft?.key === row.key) this.draft.before = row.text;
  }

  /**
   * @param {Entry} entry
   * @param {Error} error
   */
  refused(entry, error) {
    const { model } = this;
    if (this.outbox?.entries.includes(entry))
      model.notify(`${error.message} The edit is stored in this browser and sent again later.`, "error");
    else {
      const [change] = entry.changes;
      this.show(entry.changes.map(({ key, before }) => ({ key, after: before })));
      const edit = () => this.reopen(change.key, change.after ?? "");
      model.notify(error.message, "error", { label: "Edit again", run: edit });
    }
  }

  /**
   * Open the editor with a text of ours.
   * @param {string} key
   * @param {string} text
   */
  reopen(key, text) {
    this.begin(key);
    this.type(text);
  }

  /**
   * The captions have changed elsewhere meanwhile: both texts are shown, the user decides.
   * @param {Entry} entry
   * @param {import("./types.d.ts").Conflict[]} conflicts
   */
  conflict(entry, conflicts) {
    for (const { key, theirs, source = "" } of conflicts) {
      const ours = entry.changes.find((change) => change.key === key)?.after ?? null;
      const conflict = { key, mine: this.withdraw(key, ours), theirs, source };
      this.conflicts.set(key, conflict);
      this.store(CONFLICT, conflict);
    }
    const changes = conflicts.map(({ key, theirs }) => ({ key, after: theirs }));
    this.show(changes);
    this.model.refresh();
  }

  /**
   * Take the edits of one caption out of the queue; return the last text, or `otherwise`.
   * @param {string} key
   * @param {string | null} otherwise
   */
  withdraw(key, otherwise) {
    let mine = otherwise;
    for (const entry of this.outbox?.entries ?? []) {
      const change = entry.changes.find((each) => each.key === key);
      if (!change) continue;
      mine = change.after;
      entry.changes = entry.changes.filter((each) => each !== change);
    }
    return mine;
  }

  /**
   * Resolve a conflict with the chosen text.
   * @param {Conflicting} conflict
   * @param {string | null} text
   */
  settle(conflict, text) {
    this.conflicts.delete(conflict.key);
    this.forget(CONFLICT, conflict.key);
    if (text !== conflict.theirs) this.set(conflict.key, conflict.theirs, text);
    this.model.changed();
  }

  /** Undo the last edit, of this tab if it has not been sent, else the dataset's. */
  async undo() {
    this.commit();
    const entry = this.outbox?.takeBack();
    if (entry) {
      this.undone.push(entry);
      this.show(entry.changes.map(({ key, before }) => ({ key, after: before })));
      this.model.notify(`Undone: ${entry.label}`);
      return;
    }
    await this.post("undo", {}, "Undone");
  }

  async redo() {
    const entry = this.undone.pop();
    if (entry) {
      this.show(entry.changes);
      this.outbox?.add(entry.label, entry.changes);
      return;
    }
    await this.post("redo", {}, "Redone");
  }

  /**
   * Reject images, or restore them.
   * @param {string[]} keys
   * @param {boolean} rejected
   */
  async reject(keys, rejected) {
    const before = keys.flatMap((key) => this.model.rows.get(key) ?? []);
    this.model.rows.replace(before.map((row) => ({ ...row, rejected })));
    this.model.changed();
    if (!(await this.post("reject", { keys, rejected }, ""))) this.model.rows.replace(before);
    this.model.changed();
  }

  /**
   * Do something for many captions on the server, once all that waits has been sent.
   * @param {string} route
   * @param {object} body
   * @param {string} done what to say before the label; empty for nothing
   * @returns {Promise<boolean>} whether it was done
   */
  post(route, body, done) {
    const next = this.turn.then(() => this.postNow(route, body, done)); // three quick undos are three undos
    this.turn = next;
    return next;
  }

  /**
   * @param {string} route
   * @param {object} body
   * @param {string} done
   */
  async postNow(route, body, done) {
    const { model } = this;
    if (!model.dataset) return false;
    if (model.isAway) {
      model.notify("The server does not respond. Try again when it is back.", "error");
      return false;
    }
    this.busy = route;
    model.changed();
    try {
      await this.outbox?.empty();
      const answer = /** @type {WriteResult} */ (await model.api.post(`datasets/${model.dataset.id}/${route}`, body));
      this.written(answer);
      if (done) model.notify(answer.label ? `${done}: ${answer.label}` : done, "info", this.undoing(route));
      return true;
    } catch (error) {
      if (error instanceof Away) model.away(true);
      model.notify(/** @type {Error} */ (error).message, "error");
      return false;
    } finally {
      this.busy = "";
      model.changed();
    }
  }

  /** @param {string} route */
  undoing(route) {
    return route === "undo" || route === "redo" ? undefined : { label: "Undo", run: () => this.undo() };
  }

  /** Open the editor again with what was typed when the browser went down. */
  restoreDraft() {
    if (this.draft) return;
    const draft = this.stored(DRAFT).find((each) => Date.now() - each.at > STALE && this.model.rows.get(each.key));
    if (!draft) return;
    if (this.model.rows.get(draft.key)?.text === draft.text) {
      this.forget(DRAFT, draft.key);
      return;
    }
    this.draft = { key: draft.key, text: draft.text, before: draft.before };
    this.model.selection.go(this.model.shown, draft.key);
    this.model.notify("Your unfinished caption is open again.");
  }

  /**
   * @param {string} prefix
   * @param {{key: string} & Record<string, unknown>} value
   */
  store(prefix, value) {
    try {
      this.model.storage.setItem(this.name(prefix, value.key), JSON.stringify(value));
    } catch {
      // The storage is full: the text is still on the screen, and leaving the page asks first.
    }
  }

  /**
   * @param {string} prefix
   * @param {string} key
   */
  forget(prefix, key) {
    this.model.storage.removeItem(this.name(prefix, key));
  }

  /**
   * @param {string} prefix
   * @param {string} key
   */
  name(prefix, key) {
    return `${prefix}${this.outbox?.dataset}.${key}`;
  }

  /**
   * @param {string} prefix
   * @returns {any[]}
   */
  stored(prefix) {
    const { storage } = this.model;
    const names = Array.from({ length: storage.length }, (_, n) => storage.key(n) ?? "");
    const ours = names.filter((name) => name.startsWith(this.name(prefix, "")));
    return ours.map((name) => JSON.parse(storage.getItem(name) ?? "null"));
  }
}
