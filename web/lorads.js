// Registers LoRADS with ComfyUI's frontend; the only module here with a side effect.
import { app } from "../../scripts/app.js";

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
