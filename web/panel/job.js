// A job that the panel has started, such as an export or a training, followed to its end; it outlives the view and the page, not the server.

import { Away, Refused } from "./api.js";

/** @typedef {import("./types.d.ts").Job} Job */

const POLL = 500; // ms while a job works
const ENDED = new Set(["done", "failed"]);

export class Following {
  /**
   * @param {import("./model.js").Model} model
   * @param {string} stored the beginning of the names under which the browser keeps what is followed
   */
  constructor(model, stored) {
    this.model = model;
    this.stored = stored;
    this.dataset = "";
    /** @type {Job | null} */
    this.job = null;
    this.says = ""; // why it could not be started, or is not known any more
    this.round = 0; // of the dataset that is open: an older one is not followed any more
  }

  get isBusy() {
    return this.job !== null && !ENDED.has(this.job.state);
  }

  /**
   * Follow what was started for a dataset before the page was reloaded.
   * @param {string} dataset
   */
  open(dataset) {
    this.round += 1;
    this.dataset = dataset;
    this.job = null;
    this.says = "";
    const id = this.model.storage.getItem(this.stored + dataset);
    if (id) this.follow(id);
  }

  /**
   * Start a job, once all edits have been sent.
   * @param {"export" | "train" | "duplicates"} route
   * @param {object} body
   */
  async begin(route, body) {
    const { model, dataset } = this;
    if (this.isBusy) return; // a double click
    this.says = "";
    this.show({ state: "waiting", step: "Starting", done: 0, total: 0, message: "", result: null });
    try {
      await model.editing.outbox?.empty();
      const started = await model.api.post(`datasets/${dataset}/${route}`, body);
      const { job } = /** @type {import("./types.d.ts").JobStarted} */ (started);
      model.storage.setItem(this.stored + dataset, job);
      await this.follow(job);
    } catch (error) {
      this.says = /** @type {Error} */ (error).message;
      this.show(null);
    }
  }

  /** @param {string} id */
  async follow(id) {
    const { round, model, dataset } = this;
    while (round === this.round) {
      try {
        const job = /** @type {Job} */ (await model.api.get(`jobs/${encodeURIComponent(id)}`));
        if (round !== this.round) return;
        this.show(job);
        if (ENDED.has(job.state)) break;
      } catch (error) {
        if (!(error instanceof Away)) {
          this.forget(dataset, round, error instanceof Refused ? error.message : String(error));
          return;
        }
      }
      await new Promise((ready) => setTimeout(ready, POLL));
    }
    if (round === this.round) this.forget(dataset, round, "");
  }

  /**
   * @param {string} dataset
   * @param {number} round
   * @param {string} says
   */
  forget(dataset, round, says) {
    this.model.storage.removeItem(this.stored + dataset);
    if (round !== this.round) return;
    this.says = says;
    if (says) this.job = null;
    this.model.runEvents += 1; // there may be a run now
    this.model.changed();
  }

  /** @param {Job | null} job */
  show(job) {
    this.job = job;
    this.model.changed();
  }
}
