// The training options of the open dataset: those of its last export, what was changed in the form since, and their check.

import { Away } from "./api.js";
import { inputsOf, isSame, requestValues } from "./training_options.js";

/** @typedef {import("./training_options.js").Table} Table */
/** @typedef {import("./training_options.js").Input} Input */
/** @typedef {import("./training_options.js").Inputs} Inputs */
/** @typedef {import("./types.d.ts").DatasetOptions} DatasetOptions */
/** @typedef {import("./types.d.ts").OptionsCheck} Check */
/** @typedef {import("./types.d.ts").Writing} Writing */
/** @typedef {import("./types.d.ts").CheckpointFacts} Facts */

const PAUSE = 250; // ms without a change before the inputs are checked
const RETRY = 2_000; // ms
const STORED = "lorads.options.";
const PROFILE = "profile:";

export class Training {
  /** @param {import("./model.js").Model} model */
  constructor(model) {
    this.model = model;
    this.dataset = "";
    /** @type {Table | null} */
    this.table = null;
    /** @type {Inputs | null} those of the last export */
    this.exported = null;
    this.config = ""; // the mark of its config
    /** @type {Inputs} what was changed since */
    this.changes = {};
    /** @type {Writing} how the last export was written */
    this.written = { images: "copy", first_frame: false, keep_alpha: false, strip: false };
    /** @type {Partial<Writing>} what was changed of it since */
    this.writingChanges = {};
    this.choice = ""; // `profile:NAME`, or a trainer that is not started from here
    /** @type {Check | null} */
    this.check = null;
    /** @type {Record<string, string[]>} the files that each option offers */
    this.files = {};
    /** @type {(Facts & {name: string, base: string}) | null} what the chosen checkpoint is, as which base model */
    this.checkpoint = null;
    this.recognised = ""; // the checkpoint that has chosen its base model
    this.error = "";
    this.round = 0; // of the dataset that is open: answers about an older one are dropped
    this.request = 0; // the number of the newest check
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Show the options of a dataset.
   * @param {string} dataset
   */
  async open(dataset) {
    this.round += 1;
    this.dataset = dataset;
    this.exported = null;
    this.writingChanges = {};
    this.check = null;
    const { changes, choice } = this.stored();
    this.changes = changes;
    this.choice = choice;
    this.checkpoint = null;
    await this.load();
  }

  /** Fetch the options of the last export; what was changed here since stays. */
  async load() {
    const { model, dataset, round } = this;
    clearTimeout(this.timer);
    try {
      const [table, found] = await Promise.all([
        this.table ?? model.api.get("training-options"),
        model.api.get(`datasets/${dataset}/training-options`),
      ]);
      if (round !== this.round) return;
      this.table = /** @type {Table} */ (table);
      this.exported = inputsOf(this.table, /** @type {DatasetOptions} */ (found).values);
      this.config = /** @type {DatasetOptions} */ (found).config;
      this.written = /** @type {DatasetOptions} */ (found).writing;
      this.files = /** @type {DatasetOptions} */ (found).files;
      this.recognised = String(this.inputs.checkpoint ?? ""); // the base model was settled before
      this.error = "";
      this.tidy();
      await this.ask();
    } catch (error) {
      if (round !== this.round) return;
      this.error = /** @type {Error} */ (error).message;
      if (error instanceof Away) this.timer = setTimeout(() => round === this.round && this.load(), RETRY);
    }
    model.changed();
  }

  /** Fetch the options again where the dataset was exported with others. */
  refresh() {
    const { dataset } = this.model;
    if (dataset && dataset.id === this.dataset && this.exported && dataset.config !== this.config) this.load();
  }

  /** What the inputs hold. @returns {Inputs} */
  get inputs() {
    return { ...this.exported, ...this.changes };
  }

  /** The profile to train with, "" where the trainer is not started from here. */
  get profile() {
    return this.chosen.startsWith(PROFILE) ? this.chosen.slice(PROFILE.length) : "";
  }

  /** The name of the trainer. */
  get trainer() {
    const profile = this.model.session?.trainer_profiles.find(({ name }) => name === this.profile);
    return profile ? profile.trainer : this.chosen;
  }

  /** What the list of trainers has chosen: the first profile unless another is chosen. */
  get chosen() {
    const known = this.trainers.map(([value]) => value);
    return known.includes(this.choice) ? this.choice : (known[0] ?? "");
  }

  /** The list of trainers, profiles of installed ones first. @returns {[value: string, label: string][]} */
  get trainers() {
    const { session } = this.model;
    return [
      .../** @type {[string, string][]} */ (
        session?.trainer_profiles.map(({ name, label }) => [PROFILE + name, label]) ?? []
      ),
      .../** @type {[string, string][]} */ (session?.trainers.map(({ name, label }) => [name, label]) ?? []),
    ];
  }

  /** The part of a request that is about training, null while it is loading. */
  get body() {
    return this.table && this.exported
      ? { trainer: this.trainer, config: requestValues(this.table, this.inputs, this.changed) }
      : null;
  }

  /** How images are written. @returns {Writing} */
  get writing() {
    return { ...this.written, ...this.writingChanges };
  }

  /** @param {Partial<Writing>} changes */
  write(changes) {
    this.writingChanges = { ...this.writingChanges, ...changes };
    this.model.changed();
  }

  /** The body of a request for a summary, null while it is loading. */
  get planned() {
    const { body, writing } = this;
    return body && { ...body, first_frame: writing.first_frame };
  }

  /** Changes with everything that a summary depends on. */
  get mark() {
    const { planned } = this;
    return planned ? JSON.stringify(planned) : "";
  }

  /** Whether the server refuses the inputs. */
  get isFaulty() {
    return Boolean(this.check?.faults.length);
  }

  /**
   * Why an option is refused, "" where it is not.
   * @param {string} name of the option; "" is for several together
   */
  faultOf(name) {
    const found = this.check?.faults.filter((each) => each.name === name) ?? [];
    return found.map(({ message }) => message).join(" ");
  }

  /**
   * @param {string} name
   * @param {Input} input
   */
  set(name, input) {
    this.change({ [name]: input });
  }

  /** @param {Inputs} inputs */
  change(inputs) {
    this.changes = { ...this.changes, ...inputs };
    this.later();
  }

  /**
   * Fill in a preset.
   * @param {import("./training_options.js").Preset} preset
   */
  fill(preset) {
    if (this.table) this.change(inputsOf(this.table, preset.values));
  }

  /** @param {string} choice */
  choose(choice) {
    this.choice = choice;
    this.later();
  }

  /** Take back all changes since the last export. */
  reset() {
    this.changes = {};
    this.later();
  }

  /** The names of the options that were changed since the last export. */
  get changed() {
    const { table, exported, changes } = this;
    if (!table || !exported) return [];
    const options = table.options.filter(({ name }) => name in changes);
    return options
      .filter((each) => !isSame(each, changes[each.name], exported[each.name] ?? ""))
      .map(({ name }) => name);
  }

  /** Forget changes that are exported by now, and options that this server does not have. */
  tidy() {
    const { changed } = this;
    this.changes = Object.fromEntries(Object.entries(this.changes).filter(([name]) => changed.includes(name)));
    this.store();
  }

  later() {
    this.store();
    this.model.changed();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  /** Ask what the chosen checkpoint is; one that was chosen just now chooses the base model. */
  async recognise() {
    const [name, base] = [String(this.inputs.checkpoint ?? ""), String(this.inputs.base_model)];
    if (!this.files.checkpoint?.includes(name)) {
      this.checkpoint = null;
      this.recognised = name && this.recognised;
    } else if (this.checkpoint?.name !== name || this.checkpoint.base !== base) {
      const { round } = this;
      const found = /** @type {Facts} */ (await this.model.api.get("checkpoint", { name, base_model: base }));
      if (round !== this.round || String(this.inputs.checkpoint ?? "") !== name) return;
      const chosen = this.recognised === name ? base : (found.base_model ?? base);
      this.recognised = name;
      this.checkpoint = { ...found, name, base: chosen };
      if (chosen !== base) this.changes = { ...this.changes, base_model: chosen };
      this.store();
    }
  }

  /** Let the server check the inputs. */
  async ask() {
    if (!this.body) return;
    this.request += 1;
    const { model, dataset, round, request } = this;
    try {
      await this.recognise();
      const { body } = this;
      if (request !== this.request || round !== this.round || !body) return;
      const check = /** @type {Check} */ (await model.api.post(`datasets/${dataset}/training-options`, body));
      if (request !== this.request || round !== this.round) return;
      this.check = check;
      this.error = "";
    } catch (error) {
      if (request !== this.request || round !== this.round) return;
      this.error = /** @type {Error} */ (error).message;
      if (error instanceof Away) this.timer = setTimeout(() => round === this.round && this.ask(), RETRY);
    }
    model.changed();
  }

  store() {
    const { changes, choice, dataset } = this;
    try {
      if (choice || Object.keys(changes).length)
        this.model.storage.setItem(STORED + dataset, JSON.stringify({ changes, choice }));
      else this.model.storage.removeItem(STORED + dataset);
    } catch {
      // The browser's storage is full: the changes stay as long as this page does.
    }
  }

  /** What was changed before the page was reloaded. @returns {{changes: Inputs, choice: string}} */
  stored() {
    try {
      const found = JSON.parse(this.model.storage.getItem(STORED + this.dataset) ?? "{}");
      const inputs = Object.entries(found.changes ?? {}).filter(
        ([, each]) => typeof each === "string" || Array.isArray(each),
      );
      return { changes: Object.fromEntries(inputs), choice: String(found.choice ?? "") };
    } catch {
      return { changes: {}, choice: "" };
    }
  }

  stop() {
    this.round += 1;
    clearTimeout(this.timer);
  }
}
