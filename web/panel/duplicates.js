// Near-duplicates of a dataset: looked for on the server, shown group by group, all but the best rejected on request.

import { Thumbnail } from "./caption_row.js";
import { Following } from "./job.js";
import { Component, counted, html } from "./ui.js";
import { enlarge } from "./viewer.js";

/** @typedef {import("./types.d.ts").DuplicateGroup} DuplicateGroup */
/** @typedef {"best" | "worse"} Mark */
/** @typedef {{best: string, worse: string[], identical: number}} Group */
/** @typedef {{model: import("./model.js").Model}} Props */

const MOST = 50; // groups shown

/** What is known of a dataset's near-duplicates, until another dataset is opened or it is looked for again. */
export class Duplicates {
  /** @param {import("./model.js").Model} model */
  constructor(model) {
    this.model = model;
    this.following = new Following(model, "lorads.duplicates.");
    /** @type {DuplicateGroup[] | null} */
    this.last = null;
    /** @type {{of: DuplicateGroup[] | null, version: number, groups: Group[], marks: Map<string, Mark>}} */
    this.known = { of: null, version: -1, groups: [], marks: new Map() };
  }

  /** @param {string} dataset */
  open(dataset) {
    this.last = null;
    this.following.open(dataset);
  }

  find() {
    this.following.begin("duplicates", {});
  }

  /** The server's groups, while it looks again those of the last time; null before they were looked for. */
  get found() {
    const result = this.following.job?.result;
    if (result && "groups" in result) this.last = result.groups;
    return this.last;
  }

  /**
   * Groups of two or more images that are not rejected. Where the best one was rejected by hand, the next best takes
   * its place: a group never loses its last image.
   */
  get groups() {
    return this.current().groups;
  }

  /**
   * How an image stands in its group; undefined for one without a near-duplicate.
   * @param {string} key
   */
  mark(key) {
    return this.current().marks.get(key);
  }

  current() {
    const { found, known, model } = this;
    if (known.of !== found || known.version !== model.rows.version) {
      const groups = (found ?? []).flatMap((group) => remaining(group, model.rows));
      const marks = new Map(groups.flatMap(({ best, worse }) => [entry(best, "best"), ...worse.map(asWorse)]));
      this.known = { of: found, version: model.rows.version, groups, marks };
    }
    return this.known;
  }

  /** Reject all but the best of each group. */
  async reject() {
    const { model } = this;
    const keys = this.groups.flatMap(({ worse }) => worse);
    await model.editing.reject(keys, true);
    const rejected = keys.filter((key) => model.rows.get(key)?.rejected);
    if (!rejected.length) return; // it was refused, and the server said why
    const restore = { label: "Undo", run: () => model.editing.reject(rejected, false) };
    model.notify(`${counted(rejected.length, "near-duplicate")} rejected.`, "info", restore);
  }
}

/**
 * @param {DuplicateGroup} group
 * @param {import("./rows.js").Rows} rows
 * @returns {Group[]} one, or none if fewer than two of its images are left
 */
function remaining(group, rows) {
  const identical = new Set(group.duplicates.filter((each) => each.identical).map(({ key }) => key));
  const [best, ...worse] = [group.best, ...group.duplicates.map(({ key }) => key)].filter((key) => {
    const row = rows.get(key);
    return row && !row.rejected;
  });
  return worse.length ? [{ best, worse, identical: worse.filter((key) => identical.has(key)).length }] : [];
}

/**
 * @param {string} key
 * @param {Mark} mark
 * @returns {[string, Mark]}
 */
function entry(key, mark) {
  return [key, mark];
}

/** @param {string} key */
function asWorse(key) {
  return entry(key, "worse");
}

/** @extends {Component<Props>} */
export class DuplicatesView extends Component {
  render() {
    const { model } = this.props;
    const { duplicates } = model;
    const { job, says, isBusy } = duplicates.following;
    const progress = job?.total ? `${job.done} of ${job.total} compared` : "Waiting…";
    return html`<h3>Near-duplicates</h3>
      <div class="duplicates">
        ${
          isBusy
            ? html`<p role="status">${progress} <progress max=${job?.total || 1} value=${job?.total ? job.done : undefined} aria-label="Progress"></progress></p>`
            : html`<p class="buttons"><button type="button" disabled=${model.isAway} onClick=${() => duplicates.find()}>${duplicates.found ? "Look again" : "Find near-duplicates"}</button></p>`
        }
        ${says && html`<p class="error" role="alert">${says}</p>`}
        ${job?.state === "failed" && html`<p class="error" role="alert">${job.message || "Failed."}</p>`}
        ${duplicates.found && !isBusy && this.found()}
      </div>`;
  }

  found() {
    const { model } = this.props;
    const { found, groups, following } = model.duplicates;
    const result = following.job?.result;
    const problems = result && "groups" in result ? result.problems : [];
    const worse = groups.flatMap((group) => group.worse).length;
    const show = () => {
      model.step = "images";
      model.filter("duplicate:");
    };
    return html`
      <p role="status">${groups.length ? `${counted(worse, "image")} with a better near-duplicate, in ${counted(groups.length, "group")}.` : found?.length ? "No near-duplicates are left." : following.job?.message}</p>
      ${
        groups.length > 0 &&
        html`<p class="buttons"><button type="button" onClick=${() => model.duplicates.reject()}>Reject ${counted(worse, "image")}, keep the best</button>
        <button type="button" onClick=${show}>Show all</button></p>
        <ul class="duplicate-groups">${groups.slice(0, MOST).map((group) => html`<${GroupLine} model=${model} group=${group} key=${group.best} />`)}
          ${groups.length > MOST && html`<li class="dim">and ${counted(groups.length - MOST, "more group")}</li>`}</ul>`
      }
      ${problems.length > 0 && html`<p class="warning">${counted(problems.length, "image")} not compared: ${problems[0].message}</p>`}`;
  }
}

/** @param {{model: import("./model.js").Model, group: Group}} props */
function GroupLine({ model, group }) {
  const image = (/** @type {string} */ key) => {
    const row = model.rows.get(key);
    const isBest = key === group.best;
    return html`<button type="button" class=${isBest ? "best" : ""} key=${key} onClick=${() => enlarge(model, key)}
      title="${row?.file}, ${row?.width}×${row?.height}${isBest ? ": the best" : ""}"><${Thumbnail} model=${model} row=${row} side=${128} /></button>`;
  };
  return html`<li>${[group.best, ...group.worse].map(image)}
    <small>${group.identical ? `${counted(group.identical, "identical file")}` : ""}</small></li>`;
}
