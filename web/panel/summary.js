// What training will see: counts, a plot of the buckets, steps, time, problems; fetched, and again after edits.

import { DuplicatesView } from "./duplicates.js";
import { Component, counted, duration, html, IconButton } from "./ui.js";
import { enlarge } from "./viewer.js";

/** @typedef {import("./types.d.ts").Summary} Facts */
/** @typedef {{model: import("./model.js").Model}} Props */

const PAUSE = 800; // ms after an edit
const SIDE = 56; // px of the longest side of a bucket in the plot
const MOST = 100; // problems shown of each severity

/** @extends {Component<Props, {facts: Facts | null, says: string, isOld: boolean}>} */
export class Summary extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    /** @type {{facts: Facts | null, says: string, isOld: boolean}} */
    this.state = { facts: null, says: "", isOld: false };
    this.requested = "";
    this.due = ""; // what the timer runs for
    this.isFetching = false;
    this.isHere = true;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  componentDidMount() {
    this.fetch();
  }

  componentWillUnmount() {
    this.isHere = false;
    clearTimeout(this.timer);
  }

  componentDidUpdate() {
    if (this.mark === this.requested || this.mark === this.due) return;
    this.due = this.mark;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), this.state.facts ? PAUSE : 0);
  }

  get mark() {
    const { dataset, rows, isAway, training } = this.props.model;
    return `${dataset?.id}#${rows.revision}#${dataset?.config}#${isAway}#${training.mark}#${training.isFaulty}`;
  }

  async fetch() {
    const { model } = this.props;
    const { planned, isFaulty } = model.training;
    this.due = "";
    // The rows and the options come first.
    if (this.mark === this.requested || !model.dataset || model.rows.revision === null || !planned) return;
    if (this.isFetching) return; // it looks again at its end: typing must not pile up plans of a large dataset
    const mark = this.mark;
    this.requested = mark;
    if (isFaulty && this.state.facts) {
      this.setState({ isOld: true, says: "" });
      return;
    }
    this.isFetching = true;
    try {
      const path = `datasets/${model.dataset.id}`;
      const [summary, problems] = await Promise.all([
        model.api.post(`${path}/summary`, planned),
        model.api.get(`${path}/problems`),
      ]);
      const facts = /** @type {Facts} */ (summary);
      const ofCaptions = /** @type {import("./types.d.ts").Problem[]} */ (problems);
      if (mark === this.requested) {
        this.setState({ facts: { ...facts, problems: [...facts.problems, ...ofCaptions] }, says: "", isOld: false });
      }
    } catch (error) {
      if (mark === this.requested) this.setState({ says: /** @type {Error} */ (error).message });
    } finally {
      this.isFetching = false;
      if (this.isHere) this.componentDidUpdate();
    }
  }

  render() {
    const { facts, says, isOld } = this.state;
    return html`<section class="summary ${isOld ? "old" : ""}" aria-label="Summary">
      <header><h2>Summary</h2><${IconButton} icon="refresh" label="Recalculate" onClick=${() => {
        this.requested = "";
        this.fetch();
      }} /></header>
      ${says && html`<p class="error" role="alert">${says}</p>`}
      ${isOld && html`<p class="dim" role="status">These numbers are for the previous options: some options now have an error, see Export and train.</p>`}
      ${facts ? this.facts(facts) : !says && html`<p class="empty">Calculating…</p>`}
    </section>`;
  }

  /** @param {Facts} facts */
  facts(facts) {
    const numbers = [
      ["Training", facts.training.toLocaleString("en")],
      ["Regularization", facts.regularization.toLocaleString("en")],
      ["Steps per epoch", facts.steps_per_epoch?.toLocaleString("en")],
      ["Total steps", facts.total_steps?.toLocaleString("en")],
      ["Time", duration(facts.seconds)],
      ["Rejected", facts.rejected || null],
      ["Dropped", facts.dropped],
      ["Upscaled", facts.upscaled],
    ].filter(([, value]) => value !== undefined && value !== null);
    return html`<dl class="numbers">${numbers.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      <h3>Buckets <small>images with their repeats</small></h3>
      ${facts.buckets.length ? html`<${Buckets} buckets=${facts.buckets} />` : html`<p class="dim">${facts.steps_per_epoch === null ? "Unknown: the options have an error." : "No image fits a bucket."}</p>`}
      <${DuplicatesView} model=${this.props.model} />
      <h3>Problems</h3>
      ${facts.problems.length ? this.problems(facts.problems) : html`<p class="dim">None.</p>`}`;
  }

  /** @param {import("./types.d.ts").Problem[]} problems */
  problems(problems) {
    const { model } = this.props;
    const fix = (/** @type {import("./types.d.ts").Problem} */ { key, fix: found }) => {
      const row = key && model.rows.get(key);
      if (row && found) model.editing.set(row.key, row.text, found.text, found.label);
    };
    return ["error", "warning", "info"].map((severity) => {
      const found = problems.filter((each) => each.severity === severity);
      if (!found.length) return null;
      return html`<details class="problems ${severity}" key=${severity} open=${severity === "error"}>
        <summary>${counted(found.length, { error: "error", warning: "warning", info: "note" }[severity])}</summary>
        <ul>${found.slice(0, MOST).map(
          (
            each,
            n,
          ) => html`<li key=${n}>${each.key && html`<strong>${model.rows.get(each.key)?.file}</strong> `}${each.message}
          ${each.key && html` <button type="button" class="link" onClick=${() => enlarge(model, /** @type {string} */ (each.key))}>Show</button>`}
          ${each.fix && html` <button type="button" class="link" onClick=${() => fix(each)}>${each.fix.label}</button>`}</li>`,
        )}
          ${found.length > MOST && html`<li class="dim">and ${found.length - MOST} more</li>`}</ul>
      </details>`;
    });
  }
}

/** @param {{buckets: Facts["buckets"]}} props */
function Buckets({ buckets }) {
  const longest = Math.max(...buckets.flatMap(({ width, height }) => [width, height]));
  const scale = SIDE / longest;
  return html`<ul class="buckets">${buckets.map(
    ({
      width,
      height,
      count,
    }) => html`<li key=${`${width}x${height}`} title=${`${width}×${height}: ${counted(count, "sample")} per epoch`}>
    <svg width=${SIDE + 2} height=${SIDE + 2} aria-hidden="true"><rect x=${(SIDE - width * scale) / 2 + 1} y=${(SIDE - height * scale) / 2 + 1}
      width=${width * scale} height=${height * scale} rx="2" /><text x=${SIDE / 2 + 1} y=${SIDE / 2 + 5}>${count}</text></svg>
    <small>${width}×${height}</small></li>`,
  )}</ul>`;
}
