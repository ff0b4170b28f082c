// The caption panel in ComfyUI: as a sidebar tab, and large over the graph; one panel moves between the two.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

import { Panel } from "./panel/panel.js";

const TAB = "lorads";
/** @type {Panel | undefined} made when it is first opened; it goes on sending edits while it is closed */
let panel;
/** @type {HTMLElement | null} */
let tab = null;
/** @type {HTMLDialogElement | null} */
let large = null;

/**
 * Return the panel, with a dataset where one is given.
 * @param {string} [dataset] its id
 */
function panelWith(dataset = "") {
  panel ??= new Panel({ base: api.fileURL("/lorads/api") });
  if (dataset) panel.open(dataset);
  return panel;
}

/** Put the panel's tab into ComfyUI's sidebar. */
export function registerTab() {
  app.extensionManager.registerSidebarTab({
    id: TAB,
    icon: "pi pi-images",
    title: "LoRADS",
    tooltip: "LoRADS: captions, summary, runs",
    type: "custom",
    render(/** @type {HTMLElement} */ element) {
      tab = element;
      element.style.height = "100%"; // the tab's place is as high as the window, this element only as its content
      if (!large) panelWith().mount(element);
    },
    destroy() {
      tab = null;
      if (!large) panel?.unmount();
    },
  });
}

/**
 * Open the panel as the settings say, at a dataset where one is given.
 * @param {string} [dataset] its id
 */
export function openPanel(dataset = "") {
  if (app.extensionManager.setting.get("LoRADS.Panel.Opens") === "large") {
    openLarge(dataset);
    return;
  }
  panelWith(dataset);
  /** @type {any} */ (app.extensionManager).sidebarTab.activeSidebarTabId = TAB;
}

/**
 * Open the panel over the graph; its button closes it, and it is back in its tab where that is open.
 * @param {string} [dataset] its id
 */
export function openLarge(dataset = "") {
  panelWith(dataset);
  if (large) return;
  const place = document.createElement("div");
  Object.assign(place.style, { flex: "1", minHeight: "0" });
  large = frame(place);
  app.canvas.canvas.parentElement?.append(large);
  large.showModal();
  panelWith().mount(place);
}

/**
 * @param {HTMLElement} place
 */
function frame(place) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", "LoRADS");
  Object.assign(dialog.style, { width: "96vw", height: "94vh", maxWidth: "none", maxHeight: "none", padding: "0" });
  Object.assign(dialog.style, { display: "flex", flexDirection: "column", margin: "auto", overflow: "hidden" });
  Object.assign(dialog.style, { border: "1px solid var(--border-color, #4e4e4e)", borderRadius: "8px" });
  Object.assign(dialog.style, { background: "var(--comfy-menu-bg, #171718)", color: "var(--input-text, #ddd)" });
  const bar = document.createElement("div");
  Object.assign(bar.style, {
    display: "flex",
    justifyContent: "space-between",
    alignItems: "center",
    padding: "2px 4px 2px 12px",
  });
  Object.assign(bar.style, { font: "13px sans-serif", borderBottom: "1px solid var(--border-color, #4e4e4e)" });
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "✕";
  close.setAttribute("aria-label", "Close");
  Object.assign(close.style, {
    background: "none",
    border: "0",
    padding: "4px 8px",
    color: "inherit",
    cursor: "pointer",
  });
  close.addEventListener("click", () => dialog.close());
  // Within the panel Escape is the panel's: its keys do not come up to here.
  dialog.addEventListener("keydown", (event) => event.key === "Escape" && dialog.close());
  dialog.addEventListener("close", closeLarge);
  bar.append("LoRADS", close);
  dialog.append(bar, place);
  return dialog;
}

function closeLarge() {
  panel?.unmount();
  large?.remove();
  large = null;
  if (tab) panel?.mount(tab);
}
