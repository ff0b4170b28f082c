// Rows of one height of which only those in view exist; it knows nothing of what they show.

import { Component, createRef, html } from "./ui.js";

const MORE = 3; // rows drawn above and below what is in view

/**
 * Return which rows are to be drawn.
 * @param {number} top pixels scrolled
 * @param {number} height of the view in pixels
 * @param {number} row height of a row in pixels
 * @param {number} count of rows
 */
export function range(top, height, row, count) {
  const first = Math.max(0, Math.min(Math.floor(top / row), count) - MORE);
  return { first, last: Math.min(count, Math.ceil((top + height) / row) + MORE) };
}

/**
 * @typedef {{count: number, rowHeight: number, least: number, item: (place: number, slot: number) => any, label: string,
 *   active?: string, role?: string, class?: string, onKeyDown?: (event: KeyboardEvent) => void, multi?: boolean,
 *   held?: {current: Virtual | null}, columnsChanged?: (columns: number) => void}} Props
 * `item` draws an item with `slot` as its key: what leaves the view is used again for what comes in, which costs less
 * than to make a new one. `least` is the least width of a column; 0 for one column.
 */

/** @extends {Component<Props>} */
export class Virtual extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.state = { first: 0, last: 0, columns: 1 };
    this.place = createRef();
    this.height = 0;
    this.onScroll = () => this.look();
  }

  componentDidMount() {
    if (this.props.held) this.props.held.current = this; // preact passes no ref to a component
    this.observer = new ResizeObserver(() => this.look());
    this.observer.observe(this.place.current);
    this.look();
  }

  componentWillUnmount() {
    this.observer?.disconnect();
  }

  /** @param {Props} before */
  componentDidUpdate(before) {
    const { count, rowHeight, least } = this.props;
    if (before.count !== count || before.rowHeight !== rowHeight || before.least !== least) this.look();
  }

  /** Work out what is in view. */
  look() {
    const place = this.place.current;
    if (!place) return;
    const { count, rowHeight, least } = this.props;
    const columns = least ? Math.max(1, Math.floor(place.clientWidth / least)) : 1;
    const next = { ...range(place.scrollTop, place.clientHeight, rowHeight, Math.ceil(count / columns)), columns };
    const { first, last, columns: before } = this.state;
    if (columns !== before) this.props.columnsChanged?.(columns);
    if (next.first !== first || next.last !== last || columns !== before) this.setState(next);
  }

  /**
   * Scroll as little as is needed to have an item in view.
   * @param {number} item
   */
  reveal(item) {
    const place = this.place.current;
    if (!place || item < 0) return;
    const { rowHeight } = this.props;
    const top = Math.floor(item / this.state.columns) * rowHeight;
    if (top < place.scrollTop) place.scrollTop = top;
    else if (top + rowHeight > place.scrollTop + place.clientHeight)
      place.scrollTop = top + rowHeight - place.clientHeight;
  }

  /** How many rows are in view. */
  get page() {
    return Math.max(1, Math.floor((this.place.current?.clientHeight ?? 0) / this.props.rowHeight));
  }

  focus() {
    this.place.current?.focus({ preventScroll: true });
  }

  render() {
    const { count, rowHeight, item, label, active, role = "grid", class: name = "", onKeyDown, multi } = this.props;
    const { first, last, columns } = this.state;
    const rows = Math.ceil(count / columns);
    const slots = (this.page + 2 * MORE + 3) * columns;
    const places = Array.from(
      { length: Math.max(0, Math.min(count, last * columns) - first * columns) },
      (_, n) => first * columns + n,
    );
    return html`<div class="virtual ${name}" ref=${this.place} tabIndex="0" role=${role} aria-label=${label}
        aria-rowcount=${count} aria-multiselectable=${multi} aria-activedescendant=${active}
        onScroll=${this.onScroll} onKeyDown=${onKeyDown}>
      <div class="virtual-all" style=${{ height: `${rows * rowHeight}px` }} role="presentation">
        <div class="virtual-some" role="presentation"
          style=${{ transform: `translateY(${first * rowHeight}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: `${rowHeight}px` }}>
          ${places.map((place) => item(place, place % slots))}
        </div>
      </div>
    </div>`;
  }
}
