// Export, training and the runs there were: starts them, follows them, stops them; the server does the work.

import { RunDetails } from "./run_details.js";
import { Component, date, duration, html, Icon } from "./ui.js";

/** @typedef {import("./types.d.ts").Job} Job */
/** @typedef {import("./types.d.ts").Run} Run */
/** @typedef {{model: import("./model.js").Model}} Props */
/** @typedef {{trainer: string, folder: string, images: string, profile: string, job: Job | null, says: string, runs: Run[] | null, open: string | null, sure: boolean}} State */

const POLL = 500; // ms while a job works
const ENDED = new Set(["done", "failed"]);

/** @extends {Component<Props, State>} */
export class Train extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    const { session, dataset } = props.model;
    /** @type {State} */
    this.state = {
      trainer: session?.trainers[0]?.name ?? "",
      folder: dataset?.name ?? "",
      images: "copy",
      profile: this.profiles[0]?.[0] ?? "",
      job: null,
      says: "",
      runs: null,
      open: null,
      sure: false,
    };
    this.heard = -1;
    this.isHere = true;
  }

  get profiles() {
    const profiles = this.props.model.session?.trainer_profiles ?? [];
    return profiles.map((each) => [each.name, each.label]);
  }

  componentDidMount() {
    this.componentDidUpdate();
  }

  componentWillUnmount() {
    this.isHere = false;
  }

  componentDidUpdate() {
    const { heard } = this.props.model;
    if (heard === this.heard) return;
    this.heard = heard;
    this.fetch();
  }

  async fetch() {
    const { model } = this.props;
    try {
      this.setState({ runs: await model.api.get("runs", { dataset: model.dataset?.id ?? "" }) });
    } catch (error) {
      this.setState({ runs: this.state.runs ?? [], says: /** @type {Error} */ (error).message });
    }
  }

  /**
   * Start an export or a training, and follow its job.
   * @param {"export" | "train"} route
   */
  async begin(route) {
    const { model } = this.props;
    const { trainer, folder, images, profile } = this.state;
    this.setState({
      says: "",
      job: { state: "running", step: "Starting", done: 0, total: 0, message: "", result: null },
    });
    try {
      await model.editing.outbox?.empty();
      const body = route === "export" ? { trainer, folder, images } : { profile, trainer, folder, images };
      const { job } = await model.api.post(`datasets/${model.dataset?.id}/${route}`, body);
      if (job) await this.follow(job);
      else this.setState({ job: null });
    } catch (error) {
      this.setState({ job: null, says: /** @type {Error} */ (error).message });
    }
    this.fetch();
  }

  /** @param {string} id */
  async follow(id) {
    while (this.isHere) {
      const job = await this.props.model.api.get(`jobs/${encodeURIComponent(id)}`);
      this.setState({ job });
      if (ENDED.has(job.state)) return;
      await new Promise((ready) => setTimeout(ready, POLL));
    }
  }

  get isBusy() {
    return this.state.job !== null && !ENDED.has(this.state.job.state);
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
    const { session, rows, isAway } = this.props.model;
    const { trainer, folder, images, profile } = this.state;
    const set = (/** @type {string} */ name) => (/** @type {Event} */ event) =>
      this.setState({ [name]: /** @type {HTMLInputElement} */ (event.target).value });
    const options = (/** @type {string[][]} */ choices) =>
      choices.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`);
    const off = isAway || this.isBusy || !rows.total;
    const trainers = session?.trainers.map(({ name, label }) => [name, label]) ?? [];
    if (session && !session.can_export && !session.can_launch)
      return html`<p class="dim">This server lets the panel neither export nor train. Use the graph, or allow it in lorads.toml.</p>`;
    return html`<form class="fields" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label>Trainer<select value=${trainer} onChange=${set("trainer")}>${options(trainers)}</select></label>
      <label>Folder <small>under the server's export folder</small><input type="text" value=${folder} spellcheck=${false} onInput=${set("folder")} /></label>
      <label>Pictures<select value=${images} onChange=${set("images")}>${options([
        ["copy", "copy"],
        ["link", "link"],
      ])}</select></label>
      ${session?.can_launch && html`<label>Profile<select value=${profile} onChange=${set("profile")}>${options(this.profiles)}</select></label>`}
      <p class="buttons"><button type="button" disabled=${off || !folder.trim()} onClick=${() => this.begin("export")}>Export</button>
        ${
          session?.can_launch
            ? html`<button type="button" class="main" disabled=${off || !folder.trim() || !profile} onClick=${() => this.begin("train")}><${Icon} name="play" />Export and train</button>`
            : html`<small class="dim">Training from the panel is off on this server.</small>`
        }</p>
    </form>`;
  }

  progress() {
    const { job } = this.state;
    if (!job) return null;
    const ended = ENDED.has(job.state);
    const failed = job.state === "failed";
    return html`<div class="job ${failed ? "error" : ""}" role="status">
      <span>${ended ? job.message || (failed ? "It failed." : "Done.") : `${job.step}${job.total ? ` ${job.done} of ${job.total}` : "…"}`}</span>
      ${!ended && html`<progress max=${job.total || 1} value=${job.total ? job.done : undefined}></progress>`}
    </div>`;
  }
}

/** @param {{run: Run}} props */
function RunLine({ run }) {
  const isOn = run.state === "running" || run.state === "starting";
  return html`<span class="name">${run.name}</span> <span class="mark ${{ failed: "error", lost: "error", cancelled: "warning", running: "edited", completed: "edited" }[run.state] ?? "plain"}">${run.state}</span>
    <small>${run.total_steps ? `${run.step} / ${run.total_steps}` : ""}${run.loss !== null ? ` · loss ${run.loss.toPrecision(3)}` : ""}${isOn && run.eta !== null ? ` · ${duration(run.eta)} left` : ""}
    ${!isOn ? ` · ${date(run.ended_at ?? run.started_at)}` : ""} · version ${run.manifest_hash?.slice(0, 8)}</small>
    ${isOn && html`<progress max=${run.total_steps || 1} value=${run.step} aria-label="Steps"></progress>`}`;
}
