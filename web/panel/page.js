// The panel as a page of its own: fills index.html; on any other page (ComfyUI imports all modules) it does nothing.

import { Panel } from "./panel.js";

const place = document.getElementById("lorads-page");
if (place) {
  const panel = new Panel({ base: new URL("api", document.baseURI).pathname });
  panel.mount(place);
}
