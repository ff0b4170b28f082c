// The panel: put into any element of any page, inside a shadow root, so that neither's style touches the other's.

import { App } from "./app.js";
import { Model } from "./model.js";
import { followTheme } from "./theme.js";
import { html, render } from "./ui.js";

const STYLES = ["./panel.css", "./views.css", "./options.css", "../vendor/uplot.css"];

export class Panel {
  /**
   * @param {{base: string, storage?: Storage}} options `base` is the URL of the server's routes
   */
  constructor(options) {
    this.model = new Model({ ...options, changed: () => this.draw() });
    /** @type {ShadowRoot | null} */
    this.root = null;
    /** @type {HTMLElement | null} */
    this.host = null;
    this.width = 0;
    this.isDue = false;
    this.isStarted = false;
    this.leaving = (/** @type {BeforeUnloadEvent} */ event) => this.leave(event);
    this.hiding = () => this.model.editing.commit();
  }

  /**
   * Show the panel in an element, which it fills.
   * @param {HTMLElement} element
   */
  mount(element) {
    this.unmount();
    const host = document.createElement("div");
    host.className = "lorads-panel";
    Object.assign(host.style, { height: "100%", width: "100%", minHeight: "0", overflow: "hidden" });
    // ComfyUI takes Ctrl+Z for its graph unless what has the focus says that it is a text (its changeTracker).
    Object.defineProperty(host, "type", { value: "textarea" });
    for (const name of ["keydown", "keyup", "keypress", "paste", "copy", "cut"])
      host.addEventListener(name, (event) => event.stopPropagation());
    this.host = host;
    this.root = host.attachShadow({ mode: "open" });
    this.style(this.root);
    element.replaceChildren(host);
    this.stopFollowing = followTheme(host);
    this.observer = new ResizeObserver(([entry]) => this.resize(entry.contentRect.width));
    this.observer.observe(host);
    addEventListener("beforeunload", this.leaving);
    addEventListener("pagehide", this.hiding);
    this.width = host.clientWidth;
    this.draw();
    if (!this.isStarted) this.model.start();
    this.isStarted = true;
  }

  /**
   * Show a dataset; before the panel was ever shown, it is the one that it will show first.
   * @param {string} dataset its id
   */
  open(dataset) {
    if (this.isStarted) this.model.open(dataset);
    else this.model.storage.setItem("lorads.dataset", dataset);
  }

  /** Take the panel off the page; edits go on being sent, and it can be mounted again as it was. */
  unmount() {
    if (!this.root) return;
    this.model.editing.commit();
    render(null, this.root.lastElementChild ?? this.root);
    this.observer?.disconnect();
    this.stopFollowing?.();
    removeEventListener("pagehide", this.hiding);
    this.host?.remove();
    this.root = null;
    this.host = null;
  }

  /** @param {ShadowRoot} root */
  style(root) {
    const place = document.createElement("div");
    place.className = "place";
    place.style.visibility = "hidden"; // until it has its style
    const links = STYLES.map((name) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = new URL(name, import.meta.url).href;
      return link;
    });
    const loaded = links.map(
      (link) =>
        new Promise((ready) => {
          for (const name of ["load", "error"]) link.addEventListener(name, ready);
        }),
    );
    Promise.all(loaded).then(() => place.style.removeProperty("visibility"));
    root.append(...links, place);
  }

  /** @param {number} width */
  resize(width) {
    if (Math.abs(width - this.width) < 1) return;
    this.width = width;
    this.draw();
  }

  /** Draw once, however often the model has changed before the next frame. */
  draw() {
    if (this.isDue || !this.root) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      const place = this.root?.lastElementChild;
      if (place) render(html`<${App} model=${this.model} width=${this.width || 360} />`, place);
    });
  }

  /** @param {BeforeUnloadEvent} event */
  leave(event) {
    const { editing } = this.model;
    editing.commit();
    if (editing.unsent) event.preventDefault();
  }
}
