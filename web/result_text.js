// What a node has done, as read-only text under its inputs; works in both renderers, writes no HTML.

const HEIGHT = 84;

/**
 * Give `node` a place for what it says when it has run.
 * @param {{addDOMWidget: Function, computeSize: Function, setSize: Function, size: number[]}} node
 * @returns {(text: string) => void} shows a text there
 */
export function addResult(node) {
  const element = document.createElement("pre");
  element.setAttribute("role", "status");
  element.setAttribute("aria-label", "Result");
  element.tabIndex = 0; // a long text is scrolled by keys too
  Object.assign(element.style, {
    boxSizing: "border-box",
    width: "100%",
    height: "100%",
    minHeight: `${HEIGHT}px`,
    margin: "0",
    padding: "6px 8px",
    overflow: "auto",
    whiteSpace: "pre-wrap",
    overflowWrap: "anywhere",
    userSelect: "text",
    font: "11px/1.45 ui-monospace, monospace",
    color: "var(--input-text, #ddd)",
    background: "var(--comfy-input-bg, #222)",
    borderRadius: "6px",
  });
  const show = (/** @type {string} */ text) => {
    element.textContent = text || "Not run yet.";
    element.style.opacity = text ? "1" : "0.6";
  };
  show("");
  const widget = node.addDOMWidget("result", "lorads-text", element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => HEIGHT,
  });
  widget.serialize = false; // neither in the prompt (the option) nor in the saved workflow
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  return show;
}
