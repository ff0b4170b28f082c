// What a node has done, as read-only text under its inputs; works in both renderers, writes no HTML.

const WIDGET = "result";

/**
 * Show `text` on `node`, in a widget that is made when there is first something to show.
 * @param {{widgets?: {name: string, element?: HTMLElement}[], addDOMWidget: Function, computeSize?: Function,
 *   setSize?: Function, size?: number[]}} node
 * @param {string} text
 */
export function showText(node, text) {
  const widget = node.widgets?.find((each) => each.name === WIDGET) ?? (text ? addWidget(node) : undefined);
  if (widget?.element) widget.element.textContent = text;
}

function addWidget(node) {
  const element = document.createElement("pre");
  element.setAttribute("role", "status");
  Object.assign(element.style, {
    margin: "0",
    padding: "4px 6px",
    overflow: "auto",
    whiteSpace: "pre-wrap",
    overflowWrap: "anywhere",
    font: "12px/1.4 monospace",
    color: "var(--input-text)",
    background: "var(--comfy-input-bg)",
    borderRadius: "4px",
  });
  const widget = node.addDOMWidget(WIDGET, "lorads-text", element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => 72,
  });
  const [width, height] = node.computeSize?.() ?? node.size ?? [300, 200];
  node.setSize?.([Math.max(node.size?.[0] ?? 0, width, 320), Math.max(node.size?.[1] ?? 0, height)]);
  return widget;
}
