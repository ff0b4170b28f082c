// One run: loss, samples, LoRA files, the end of its log, Stop; fetched again while it goes on.

import { LossPlot } from "./plot.js";
import { Component, html, Icon } from "./ui.js";

/** @typedef {import("./types.d.ts").RunDetails} Details */
/** @typedef {{model: import("./model.js").Model, id: string}} Props */

const POLL = 3_000; // ms while it runs, in addition to events
const ON = new Set(["running", "starting"]);

/** @extends {Component<Props, {run: Details | null, says: string, sure: boolean}>} */
export class RunDetails extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    /** @type {{run: Details | null, says: string, sure: boolean}} */
    this.state = { run: null, says: "", sure: false };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.isHere = true;
  }

  componentDidMount() {
    this.fetch();
  }

  componentWillUnmount() {
    this.isHere = false;
    clearTimeout(this.timer);
  }

  get path() {
    return `runs/${encodeURIComponent(this.props.id)}`;
  }

  async fetch() {
    clearTimeout(this.timer);
    const { model } = this.props;
    try {
      const run = /** @type {Details} */ (await model.api.get(this.path));
      if (this.isHere) this.setState({ run, says: "" });
    } catch (error) {
      if (this.isHere) this.setState({ says: /** @type {Error} */ (error).message });
    }
    if (this.isHere && (!this.state.run || ON.has(this.state.run.state)))
      this.timer = setTimeout(() => this.fetch(), POLL);
  }

  async stop() {
    const { model } = this.props;
    this.setState({ sure: false });
    try {
      await model.api.post(`${this.path}/stop`, {});
      model.notify("Stopping the run");
    } catch (error) {
      model.notify(/** @type {Error} */ (error).message, "error");
    }
    this.fetch();
  }

  render() {
    const { run, says, sure } = this.state;
    if (!run) return html`<p class=${says ? "error" : "empty"}>${says || "Loading…"}</p>`;
    const { model } = this.props;
    return html`<div class="run-details">
      ${run.message && html`<p class=${run.state === "failed" ? "error" : ""}>${run.message}</p>`}
      ${run.history?.length ? html`<${LossPlot} history=${run.history} />` : html`<p class="dim">No loss yet.</p>`}
      ${
        ON.has(run.state) &&
        html`<p class="buttons">${
          sure
            ? html`<button type="button" class="danger" onClick=${() => this.stop()}>Stop now</button><button type="button" onClick=${() => this.setState({ sure: false })}>Keep running</button>`
            : html`<button type="button" onClick=${() => this.setState({ sure: true })}><${Icon} name="stop" />Stop</button>`
        }</p>`
      }
      ${run.samples && run.samples.length > 0 && html`<div class="samples">${run.samples.map((name) => html`<img key=${name} loading="lazy" alt=${name} title=${name} src=${model.api.url(`${this.path}/sample/${encodeURIComponent(name)}`)} />`)}</div>`}
      ${run.loras && run.loras.length > 0 && html`<h4>LoRA files</h4><ul class="loras">${run.loras.map((name) => html`<li key=${String(name)}>${String(name)}</li>`)}</ul>`}
      ${run.log && html`<h4>End of the log</h4><pre class="log" tabIndex="0" aria-label="End of the log">${run.log}</pre>`}
    </div>`;
  }
}
