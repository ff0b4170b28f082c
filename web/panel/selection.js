// Which images are selected, and which one is current; pure, and by key, so that a filter does not lose them.

export class Selection {
  constructor() {
    /** @type {Set<string>} */
    this.keys = new Set();
    /** @type {string | null} */
    this.current = null;
    /** @type {string | null} */
    this.anchor = null;
  }

  /**
   * Go to an image; with `extend` the range from where the selection began, with `toggle` this one besides.
   * @param {string[]} order keys as they are shown
   * @param {string} key
   * @param {{extend?: boolean, toggle?: boolean}} [how]
   */
  go(order, key, { extend = false, toggle = false } = {}) {
    if (extend && this.anchor !== null) {
      const [from, to] = [order.indexOf(this.anchor), order.indexOf(key)].sort((a, b) => a - b);
      if (from >= 0) this.keys = new Set(order.slice(from, to + 1));
    } else if (toggle) {
      if (!this.keys.delete(key)) this.keys.add(key);
      this.anchor = key;
    } else {
      this.keys = new Set([key]);
      this.anchor = key;
    }
    this.current = key;
  }

  /** @param {string[]} order */
  all(order) {
    this.keys = new Set(order);
    this.anchor = order[0] ?? null;
    this.current ??= this.anchor;
  }

  none() {
    this.keys = new Set(this.current === null ? [] : [this.current]);
    this.anchor = this.current;
  }
}
