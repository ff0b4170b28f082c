// "Use in a dataset": images that a node shows are put into a folder of their own, with nodes that read it.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const FOLDER = "lorads"; // under ComfyUI's input folder
const NOT_IN_NAMES = /[^\p{L}\p{N}_-]+/gu;

/**
 * An image of ComfyUI's, as its routes name it.
 * @typedef {{filename: string, subfolder: string, type: string}} ImageFile
 */

/**
 * Return the images that a node shows; the chosen one alone where one is enlarged.
 * @param {any} node
 * @returns {ImageFile[]}
 */
export function imagesOf(node) {
  const shown = (node.imgs ?? []).map((/** @type {HTMLImageElement} */ each) => ofUrl(each.src)).filter(Boolean);
  const found = shown.length ? shown : (app.nodeOutputs?.[node.id]?.images ?? []);
  const chosen = found[node.imageIndex ?? -1];
  return (chosen ? [chosen] : found).filter((/** @type {ImageFile} */ each) => each.filename);
}

/**
 * @param {string} url
 * @returns {ImageFile | null}
 */
function ofUrl(url) {
  const query = new URL(url, location.href).searchParams;
  const filename = query.get("filename");
  return filename ? { filename, subfolder: query.get("subfolder") ?? "", type: query.get("type") ?? "output" } : null;
}

/**
 * Return the line for a node's context menu, none where the node shows no image.
 * @param {any} node
 */
export function menuItems(node) {
  const nodes = new Set([node, ...selected()]);
  const images = [...nodes].flatMap(imagesOf);
  if (!images.length) return [];
  const what = images.length === 1 ? "image" : `${images.length} images`;
  return [{ content: `Use ${what} in a dataset`, callback: () => use(images, node) }];
}

function selected() {
  return [...(app.canvas?.selectedItems ?? [])].filter((each) => "imgs" in each || app.nodeOutputs?.[each.id]);
}

/**
 * @param {ImageFile[]} images
 * @param {any} node
 */
async function use(images, node) {
  const { dialog, toast } = app.extensionManager;
  const given = await dialog.prompt({
    title: "Use in a dataset",
    message: "Name of the dataset:",
    defaultValue: "my dataset",
  });
  const name = (given ?? "").replace(NOT_IN_NAMES, " ").trim();
  if (!name) return;
  const folder = `${FOLDER}/${name}`;
  try {
    for (const each of images) await copy(each, folder);
    const isNew = place(folder, name, node);
    const what = images.length === 1 ? "1 image is" : `${images.length} images are`;
    const next = isNew
      ? "Index Images and Query Images are in the graph."
      : "Its Index Images is in the graph already.";
    toast.add({ severity: "success", summary: "LoRADS", detail: `${what} in input/${folder}. ${next}`, life: 6000 });
  } catch (error) {
    toast.add({ severity: "error", summary: "LoRADS", detail: `Not used: ${/** @type {Error} */ (error).message}` });
  }
}

/**
 * Put an image, as it is, into a folder under ComfyUI's input folder; the same one twice is there once.
 * @param {ImageFile} image
 * @param {string} folder
 */
async function copy(image, folder) {
  const read = await api.fetchApi(`/view?${new URLSearchParams({ ...image })}`);
  if (!read.ok) throw new Error(`${image.filename} cannot be read (HTTP ${read.status}).`);
  const form = new FormData();
  form.append("image", await read.blob(), image.filename);
  form.append("type", "input");
  form.append("subfolder", folder);
  const written = await api.fetchApi("/upload/image", { method: "POST", body: form });
  if (!written.ok) throw new Error(`${image.filename} cannot be copied (HTTP ${written.status}).`);
}

/**
 * Put the nodes that read a folder beside a node, unless they are there.
 * @param {string} folder
 * @param {string} name
 * @param {any} node
 * @returns {boolean} whether they are new
 */
function place(folder, name, node) {
  const graph = node.graph ?? app.graph;
  const known = (/** @type {any} */ each) => each.type === "LoradsIndexImages" && valueIn(each, "folder") === folder;
  if (graph.nodes.some(known)) return false;
  const litegraph = /** @type {any} */ (globalThis).LiteGraph;
  const index = litegraph.createNode("LoradsIndexImages");
  const query = litegraph.createNode("LoradsQueryImages");
  const [x, y] = [node.pos[0] + node.size[0] + 60, node.pos[1]];
  index.pos = [x, y];
  graph.add(index);
  query.pos = [x + index.size[0] + 50, y];
  graph.add(query);
  set(index, "folder", folder);
  set(query, "name", name);
  index.connect(
    0,
    query,
    query.inputs.findIndex((/** @type {any} */ each) => each.name === "index"),
  );
  return true;
}

/**
 * @param {any} node
 * @param {string} name
 */
function valueIn(node, name) {
  return node.widgets?.find((/** @type {any} */ each) => each.name === name)?.value;
}

/**
 * @param {any} node
 * @param {string} name
 * @param {string} value
 */
function set(node, name, value) {
  const widget = node.widgets.find((/** @type {any} */ each) => each.name === name);
  widget.value = value;
  widget.callback?.(value);
}
