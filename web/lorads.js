// Registers LoRADS with ComfyUI's frontend; the only module here with a side effect.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

import { Panel } from "./panel/panel.js";
import { addResult } from "./result_text.js";

const NODES = new Set([
  "LoradsIndexImages",
  "LoradsQueryImages",
  "LoradsRegularizationFinder",
  "LoradsCaptionBuilder",
  "LoradsCombineDatasets",
  "LoradsExportDataset",
  "LoradsLaunchTrainer",
  "LoradsLoadTrainedLora",
  "LoradsLoraVariants",
  "LoradsLoraTestGrid",
  "LoradsDatasetToImages",
]);

app.registerExtension({
  name: "lorads.ResultText",
  nodeCreated(node) {
    if (!NODES.has(node.comfyClass)) return;
    const show = addResult(node);
    const before = node.onExecuted;
    node.onExecuted = function onExecuted(output) {
      before?.call(this, output);
      show((output?.text ?? []).join("\n"));
    };
  },
});

app.registerExtension({
  name: "LoRADS.Panel",
  setup() {
    let panel; // made when it is first opened; it goes on sending edits while the tab is closed
    app.extensionManager.registerSidebarTab({
      id: "lorads",
      icon: "pi pi-images",
      title: "LoRADS",
      tooltip: "LoRADS: captions, summary, runs",
      type: "custom",
      render(element) {
        panel ??= new Panel({ base: api.fileURL("/lorads/api") });
        element.style.height = "100%"; // the tab's place is as high as the window, this element only as its content
        panel.mount(element);
      },
      destroy() {
        panel?.unmount();
      },
    });
  },
});
