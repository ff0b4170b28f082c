// The loss of a run over its steps, drawn by uPlot in the theme's colours; made once, then only given new data.

import uPlot from "../vendor/uplot.js";
import { Component, createRef, html } from "./ui.js";

const HEIGHT = 160;
const SMOOTH = 0.95; // weight of what was before, as trainers' own boards do it

/**
 * Return losses smoothed, without the pull of the start.
 * @param {number[]} values
 */
export function smoothed(values) {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    mean = SMOOTH * mean + (1 - SMOOTH) * value;
    weight = SMOOTH * weight + (1 - SMOOTH);
    return mean / weight;
  });
}

/** @typedef {{history: [number, number, number | null][]}} Props */

/** @extends {Component<Props>} */
export class LossPlot extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.place = createRef();
    /** @type {any} */
    this.plot = null;
    this.made = ""; // the colours that it is drawn in
  }

  get data() {
    const { history } = this.props;
    const losses = history.map(([, loss]) => loss);
    return [history.map(([step]) => step), losses, smoothed(losses)];
  }

  componentDidMount() {
    this.make();
    const place = this.place.current;
    this.observer = new ResizeObserver(() => this.plot.setSize({ width: place.clientWidth, height: HEIGHT }));
    this.observer.observe(place);
  }

  /** A canvas does not know our variables: ask what they come to. */
  get colours() {
    const place = this.place.current;
    const found = ["--dim", "--line", "--faint", "--accent"].map((name) => {
      place.style.color = `var(${name})`;
      return getComputedStyle(place).color;
    });
    place.style.removeProperty("color");
    return found;
  }

  make() {
    const place = this.place.current;
    const colours = this.colours;
    this.made = colours.join();
    const [dim, line, faint, accent] = colours;
    const axis = { stroke: dim, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const series = [
      { label: "step" },
      { label: "loss", stroke: faint, width: 1, points: { show: false } },
      { label: "smoothed", stroke: accent, width: 2, points: { show: false } },
    ];
    this.plot?.destroy();
    this.plot = new uPlot(
      {
        width: place.clientWidth || 300,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false },
        scales: { x: { time: false } },
        axes: [axis, { ...axis, size: 48 }],
        series,
      },
      /** @type {any} */ (this.data),
      place,
    );
  }

  componentDidUpdate() {
    if (this.made !== this.colours.join()) this.make();
    else this.plot.setData(this.data);
  }

  componentWillUnmount() {
    this.observer?.disconnect();
    this.plot.destroy();
  }

  render() {
    const last = this.props.history.at(-1);
    return html`<div class="plot" ref=${this.place} role="img" style=${{ height: `${HEIGHT}px` }}
      aria-label=${last ? `Loss ${last[1].toPrecision(3)} at step ${last[0]}` : "No loss yet"}></div>`;
  }
}
