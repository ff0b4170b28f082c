// A caption being edited: a text area that offers the dataset's tags and known aliases; the model stores what is typed.

import { partAt, plain } from "./captions.js";
import { Component, createRef, html } from "./ui.js";

/** @typedef {{tag: string, alias?: string, count: number}} Offer */
/** @typedef {{model: import("./model.js").Model, onLeave: (next: boolean) => void, label: string}} Props */

const MOST = 8;
const PAUSE = 120; // ms without typing before the server is queried
const BELOW = 230; // px that the offers need

/**
 * Return the dataset's tags that begin so, then those that have a word that does.
 * @param {Map<string, number>} tags by frequency
 * @param {string} begins
 * @returns {Offer[]}
 */
export function offersOf(tags, begins) {
  /** @type {Offer[]} */
  const first = [];
  /** @type {Offer[]} */
  const then = [];
  for (const [tag, count] of tags) {
    if (tag === begins) continue;
    if (tag.startsWith(begins)) first.push({ tag, count });
    else if (tag.includes(` ${begins}`)) then.push({ tag, count });
    if (first.length >= MOST) break;
  }
  return [...first, ...then].slice(0, MOST);
}

/** @extends {Component<Props, {offers: Offer[], active: number, above: boolean}>} */
export class Editor extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    /** @type {{offers: Offer[], active: number, above: boolean}} */
    this.state = { offers: [], active: -1, above: false };
    this.area = createRef();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.onInput = () => {
      this.props.model.editing.type(this.area.current.value);
      this.offer();
    };
    this.onKeyDown = (/** @type {KeyboardEvent} */ event) => this.key(event);
  }

  componentDidMount() {
    const area = this.area.current;
    area.focus({ preventScroll: true });
    area.setSelectionRange(area.value.length, area.value.length);
    this.fit();
  }

  componentDidUpdate() {
    this.fit();
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
  }

  /** Be as high as the text needs; the rows below are covered, not moved. */
  fit() {
    const area = this.area.current;
    area.style.height = "0";
    area.style.height = `${Math.min(Math.max(area.scrollHeight + 2, 56), 240)}px`;
  }

  offer() {
    const { model } = this.props;
    const { value, selectionStart } = this.area.current;
    const begins = plain(partAt(value, selectionStart).text);
    clearTimeout(this.timer);
    if (!begins) {
      this.setState({ offers: [], active: -1 });
      return;
    }
    const offers = offersOf(model.tags(), begins);
    const root = this.area.current.closest(".virtual") ?? document.documentElement;
    const above = root.getBoundingClientRect().bottom - this.area.current.getBoundingClientRect().bottom < BELOW;
    this.setState({ offers, active: -1, above });
    if (begins.length > 1) this.timer = setTimeout(() => this.ask(begins, offers), PAUSE);
  }

  /**
   * Ask the server for aliases and tags that the dataset does not have.
   * @param {string} begins
   * @param {Offer[]} ours
   */
  async ask(begins, ours) {
    const found = await this.props.model.api.get("tags", { begins, limit: MOST }).catch(() => []);
    const more = /** @type {import("./types.d.ts").Completion[]} */ (found);
    const area = this.area.current;
    if (!area || plain(partAt(area.value, area.selectionStart).text) !== begins) return;
    const known = new Set(ours.map(({ tag }) => tag));
    const fresh = more.filter(({ tag }) => !known.has(tag));
    if (fresh.length) this.setState({ offers: [...ours, ...fresh].slice(0, MOST) });
  }

  /** @param {Offer} offer */
  accept(offer) {
    const area = this.area.current;
    const { begin, end } = partAt(area.value, area.selectionStart);
    area.setRangeText(offer.tag, begin, end, "end");
    if (area.selectionStart === area.value.length) area.setRangeText(", ", area.value.length, area.value.length, "end");
    this.props.model.editing.type(area.value);
    this.setState({ offers: [], active: -1 });
    area.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (this.state.offers.length && this.offerKey(event)) {
      event.preventDefault();
      return;
    }
    const { editing } = this.props.model;
    if (event.key === "Escape") editing.cancel();
    else if (event.key === "Enter") {
      const text = this.area.current.value.replace(/[\s,]+$/, "");
      if (text !== this.area.current.value) editing.type(text);
      editing.commit();
    } else return;
    event.preventDefault();
    this.props.onLeave(event.key === "Enter" && (event.ctrlKey || event.metaKey));
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it was for the offers
   */
  offerKey(event) {
    const { offers, active } = this.state;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.setState({ active: Math.max(-1, Math.min(offers.length - 1, active + step)) });
    else if (event.key === "Tab" && !event.shiftKey) this.accept(offers[Math.max(0, active)]);
    else if (event.key === "Enter" && active >= 0) this.accept(offers[active]);
    else if (event.key === "Escape") this.setState({ offers: [], active: -1 });
    else return false;
    return true;
  }

  render() {
    const { model, label } = this.props;
    const { offers, active, above } = this.state;
    return html`<div class="editor" onClick=${(/** @type {Event} */ event) => event.stopPropagation()}>
      <div class="over-rows"><textarea ref=${this.area} value=${model.editing.draft?.text ?? ""} aria-label=${label} spellcheck=${true}
        role="combobox" aria-autocomplete="list" aria-expanded=${offers.length > 0} aria-controls="offers"
        aria-activedescendant=${active >= 0 ? `offer-${active}` : undefined}
        onInput=${this.onInput} onKeyDown=${this.onKeyDown} onBlur=${() => model.editing.commit()}></textarea>
      ${
        offers.length > 0 &&
        html`<ul class="offers ${above ? "above" : ""}" id="offers" role="listbox" aria-label="Tags">
        ${offers.map(
          (offer, n) => html`<li id="offer-${n}" key=${offer.tag} role="option" aria-selected=${n === active}
            onPointerDown=${(/** @type {Event} */ event) => event.preventDefault()} onClick=${() => this.accept(offer)}>
            <span>${offer.tag}</span>${offer.alias && html`<small>${offer.alias}</small>`}<small class="number">${offer.count}</small>
          </li>`,
        )}
      </ul>`
      }
    </div></div>`;
  }
}
