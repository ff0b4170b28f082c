// Registers LoRADS with ComfyUI's frontend; the only module here with a side effect.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

import { openLarge, openPanel, registerTab } from "./panel_tab.js";
import { addResult } from "./result_text.js";
import { addForm } from "./training_config.js";
import { menuItems } from "./use_in_dataset.js";

const SILENT = "LoradsTrainingConfig"; // says nothing when it has run
/** @type {import("./training_config.js").Form | undefined} */
let form;

app.registerExtension({
  name: "lorads.ResultText",
  nodeCreated(/** @type {any} */ node) {
    if (!node.comfyClass?.startsWith("Lorads") || node.comfyClass === SILENT) return;
    const show = addResult(node);
    const before = node.onExecuted;
    node.onExecuted = function onExecuted(/** @type {any} */ output) {
      before?.call(this, output);
      show((output?.text ?? []).join("\n"));
    };
  },
});

app.registerExtension({
  name: "lorads.TrainingConfig",
  beforeRegisterNodeDef(_type, data) {
    if (data.name === "LoradsTrainingConfig") form = data.input.required.base_model[1].lorads;
  },
  nodeCreated(/** @type {any} */ node) {
    if (node.comfyClass !== "LoradsTrainingConfig" || !form) return;
    const refresh = addForm(node, form);
    const before = node.onConfigure;
    node.onConfigure = function onConfigure(/** @type {any} */ saved) {
      before?.call(this, saved);
      refresh();
    };
  },
});

app.registerExtension({
  name: "lorads.EditCaptions",
  nodeCreated(/** @type {any} */ node) {
    if (node.comfyClass !== "LoradsCaptionBuilder") return;
    let dataset = "";
    node.addWidget("button", "Edit captions", null, () => openPanel(dataset), { serialize: false }).serialize = false;
    const before = node.onExecuted;
    node.onExecuted = function onExecuted(/** @type {any} */ output) {
      before?.call(this, output);
      dataset = output?.lorads_dataset?.[0] ?? dataset;
    };
  },
});

app.registerExtension({
  name: "lorads.UseInDataset",
  getNodeMenuItems: menuItems,
});

app.registerExtension({
  name: "lorads.Panel",
  commands: [
    {
      id: "LoRADS.OpenPanel",
      label: "Open the caption panel (LoRADS)",
      icon: "pi pi-images",
      function: () => openPanel(),
    },
    {
      id: "LoRADS.OpenLarge",
      label: "Open the caption panel large (LoRADS)",
      icon: "pi pi-images",
      function: () => openLarge(),
    },
  ],
  keybindings: [
    { commandId: "LoRADS.OpenPanel", combo: { key: "l", alt: true } },
    { commandId: "LoRADS.OpenLarge", combo: { key: "l", alt: true, shift: true } },
  ],
  menuCommands: [{ path: ["LoRADS"], commands: ["LoRADS.OpenPanel", "LoRADS.OpenLarge"] }],
  settings: [
    {
      id: /** @type {any} */ ("LoRADS.Panel.Opens"),
      category: ["LoRADS", "Caption panel", "Opens"],
      name: "The caption panel opens",
      tooltip: "By its key, the menu or a node's button.",
      type: "combo",
      options: [
        { value: "sidebar", text: "in the sidebar" },
        { value: "large", text: "large, over the graph" },
      ],
      defaultValue: "sidebar",
    },
  ],
  setup() {
    registerTab();
    addLibrarySetting().catch((error) => console.warn("LoRADS: no setting of libraries:", error.message));
  },
});

/** The libraries that lorads.toml names are known when the server has answered, so this setting comes a moment later. */
async function addLibrarySetting() {
  const answer = await api.fetchApi("/lorads/api/session");
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const { libraries } = await answer.json();
  app.registerExtension({
    name: "lorads.Libraries",
    settings: [
      {
        id: /** @type {any} */ ("LoRADS.Library.Default"),
        category: ["LoRADS", "Libraries", "Default"],
        name: "Library of new nodes",
        tooltip: "Libraries are named in lorads.toml on the server.",
        type: "combo",
        options: libraries,
        defaultValue: libraries[0],
      },
    ],
    nodeCreated(/** @type {any} */ node) {
      const library = node.widgets?.find((/** @type {any} */ each) => each.name === "library");
      if (!node.comfyClass?.startsWith("Lorads") || !library) return;
      const wanted = app.extensionManager.setting.get("LoRADS.Library.Default");
      if (library.options.values.includes(wanted)) library.value = wanted;
    },
  });
}
