// Export, training and the runs there were: starts them, follows them, stops them; the server does the work.

import { OptionsForm } from "./options_form.js";
import { RunDetails } from "./run_details.js";
import { Component, date, duration, html, Icon } from "./ui.js";

/** @typedef {import("./types.d.ts").Run} Run */
/** @typedef {{model: import("./model.js").Model}} Props */
/** @typedef {{folder: string, says: string, runs: Run[] | null, open: string | null}} State */

const IMAGE_POLICIES = [
  ["copy", "copied unchanged"],
  ["link", "linked, no copies"],
  ["bucket", "scaled to their buckets"],
  ["max_area=1024", "scaled down to 1024² pixels"],
];
/** @type {["first_frame" | "keep_alpha" | "strip", label: string, help: string][]} */
const SWITCHES = [
  ["first_frame", "First frame of animations", "Animated images are left out otherwise."],
  ["keep_alpha", "Keep transparency", "As masks in the alpha channel need it; in PNG and WebP."],
  ["strip", "Remove metadata", "Workflows and other metadata are removed from copies."],
];
const STOPPED = new Set(["cancelled", "failed", "lost"]);
const RESUMES =
  "Continues the last training from its last saved state, if images, captions and options are the same as then.";

/** @extends {Component<Props, State>} */
export class Train extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    /** @type {State} */
    this.state = {
      folder: props.model.dataset?.name ?? "",
      says: "",
      runs: null,
      open: null,
    };
    this.seen = "";
    this.run = ""; // that was started last
  }

  componentDidMount() {
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    const { runEvents, isAway, following } = this.props.model;
    const result = following.job?.result;
    if (result && "run" in result && result.run !== this.run) {
      this.run = result.run;
      this.setState({ open: result.run });
    }
    const now = `${runEvents}#${isAway}`;
    if (now === this.seen || isAway) return;
    this.seen = now;
    this.fetch();
  }

  async fetch() {
    const { model } = this.props;
    try {
      const runs = await model.api.get("runs", { dataset: model.dataset?.id ?? "" });
      this.setState({ runs: /** @type {Run[]} */ (runs), says: "" });
    } catch (error) {
      this.setState({ runs: this.state.runs ?? [], says: /** @type {Error} */ (error).message });
    }
  }

  /**
   * Start an export or a training.
   * @param {"export" | "train"} route
   * @param {boolean} resume whether the training goes on from the last saved state of a stopped one
   */
  begin(route, resume = false) {
    const { following, training } = this.props.model;
    if (!training.body) return;
    const { trainer, config } = training.body;
    const body = { folder: this.state.folder.trim(), config, ...training.writing };
    following.begin(route, route === "export" ? { ...body, trainer } : { ...body, profile: training.profile, resume });
  }

  render() {
    const { model } = this.props;
    const { says, runs, open } = this.state;
    return html`<section class="train" aria-label="Export and train">
      <header><h2>Export and train</h2></header>
      ${this.form()}
      ${this.progress()}
      ${says && html`<p class="error" role="alert">${says}</p>`}
      <h3>Runs</h3>
      ${
        runs === null
          ? html`<p class="empty">Loading…</p>`
          : runs.length === 0
            ? html`<p class="dim">Nothing has been trained from this dataset yet.</p>`
            : html`<ul class="runs">${runs.map(
                (run) => html`<li key=${run.id}>
        <button type="button" class="run" aria-expanded=${open === run.id} onClick=${() => this.setState({ open: open === run.id ? null : run.id })}>
          <${RunLine} run=${run} /></button>
        ${open === run.id && html`<${RunDetails} model=${model} id=${run.id} key=${run.id} />`}</li>`,
              )}</ul>`
      }
    </section>`;
  }

  form() {
    const { session, rows, isAway, following, training } = this.props.model;
    const { folder } = this.state;
    const { writing } = training;
    const onFolder = (/** @type {Event} */ event) =>
      this.setState({ folder: /** @type {HTMLInputElement} */ (event.target).value });
    const onImages = (/** @type {Event} */ event) =>
      training.write({ images: /** @type {HTMLSelectElement} */ (event.target).value });
    const policies = IMAGE_POLICIES.some(([value]) => value === writing.images)
      ? IMAGE_POLICIES
      : [...IMAGE_POLICIES, [writing.images, writing.images]];
    const [canExport, canLaunch] = [session?.can_export, session?.can_launch];
    if (!canExport && !canLaunch)
      return html`<p class="dim">Export and training from the panel are disabled on this server. Use the graph, or enable them in lorads.toml.</p>`;
    const off = isAway || following.isBusy || !rows.total || !folder.trim() || !training.body || training.isFaulty;
    const canTrain = Boolean(training.profile);
    const canResume = canLaunch && STOPPED.has(this.state.runs?.[0]?.state ?? "");
    return html`<form onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <${OptionsForm} training=${training} />
      <div class="fields">
        <label>Folder <small>under the server's export folder</small><input type="text" value=${folder} spellcheck=${false} onInput=${onFolder} /></label>
        <label>Images<select value=${writing.images} onChange=${onImages}>${options(policies)}</select></label>
        <div class="switches">${SWITCHES.map(
          ([
            name,
            label,
            help,
          ]) => html`<label class="check" key=${name} title=${help}><input type="checkbox" checked=${writing[name]}
          onChange=${(/** @type {Event} */ event) => training.write({ [name]: /** @type {HTMLInputElement} */ (event.target).checked })} />${label}</label>`,
        )}</div>
        <p class="buttons"><button type="button" disabled=${off || !canExport} onClick=${() => this.begin("export")}>Export</button>
          ${
            canLaunch
              ? html`<button type="button" class="main" disabled=${off || !canTrain} onClick=${() => this.begin("train")}><${Icon} name="play" />Export and train</button>`
              : html`<small class="dim">Training from the panel is disabled on this server.</small>`
          }
          ${canResume && html`<button type="button" disabled=${off || !canTrain} title=${RESUMES} onClick=${() => this.begin("train", true)}>Resume training</button>`}
          ${training.isFaulty && html`<small class="error">An option has an error.</small>`}</p>
      </div>
    </form>`;
  }

  progress() {
    const { job, says, isBusy } = this.props.model.following;
    if (!job) return says && html`<p class="error" role="alert">${says}</p>`;
    const failed = job.state === "failed";
    const now = job.total ? `${job.step} ${job.done} of ${job.total}` : `${job.step || "Waiting"}…`;
    const summary = job.result && "summary" in job.result ? job.result.summary : null;
    return html`<div class="job ${failed ? "error" : ""}" role="status">
      <span>${isBusy ? now : job.message || (failed ? "Failed." : "Done.")}</span>
      ${isBusy && html`<progress max=${job.total || 1} value=${job.total ? job.done : undefined} aria-label="Progress"></progress>`}
      ${summary && html`<dl class="facts">${summary.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`}
    </div>`;
  }
}

/** @param {string[][]} choices */
function options(choices) {
  return choices.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`);
}

/** @param {{run: Run}} props */
function RunLine({ run }) {
  const isOn = run.state === "running" || run.state === "starting";
  return html`<span class="name">${run.name}</span> <span class="mark ${{ failed: "error", lost: "error", cancelled: "warning", running: "edited", completed: "edited", starting: "plain" }[run.state]}">${run.state}</span>
    <small>${run.stage ? `${run.stage} ${run.cached} / ${run.to_cache}` : run.total_steps ? `${run.step} / ${run.total_steps}` : ""}${run.loss !== null ? ` · loss ${run.loss.toPrecision(3)}` : ""}${isOn && run.eta !== null ? ` · ${duration(run.eta)} left` : ""}
    ${!isOn ? ` · ${date(run.ended_at ?? run.started_at)}` : ""} · version ${run.manifest_hash?.slice(0, 8)}</small>
    ${isOn && html`<progress max=${(run.stage ? run.to_cache : run.total_steps) || 1} value=${run.stage ? run.cached : run.step} aria-label=${run.stage || "Steps"}></progress>`}`;
}
