// Training options in the form: inputs as values of a request, what counts, presets, extra options.

import assert from "node:assert/strict";
import test from "node:test";
import {
  counts,
  inputOf,
  inputsOf,
  isSame,
  presetOf,
  presetsFor,
  requestValue,
  requestValues,
  shownGroups,
} from "../../web/panel/training_options.js";

const option = (name, kind, group, more = {}) => ({
  name,
  label: name,
  kind,
  group,
  help: "",
  unit: "",
  choices: [],
  families: ["sdxl", "flux"],
  values: {},
  own: false,
  ...more,
});
const TABLE = {
  options: [
    option("base_model", "choice", "base model", { own: true }),
    option("checkpoint", "file", "base model", { own: true }),
    option("network", "choice", "network"),
    option("network_dim", "whole", "network"),
    option("conv_dim", "whole", "network", { values: { network: ["locon", "lokr"] } }),
    option("min_snr_gamma", "number", "learning", { families: ["sdxl"] }),
    option("shuffle_caption", "flag", "captions"),
    option("keep_tokens", "whole", "captions", { values: { shuffle_caption: ["true"] } }),
    option("sample_prompts", "lines", "running", { own: true }),
    option("sample_every_epochs", "whole", "running", { values: { sample_prompts: ["*"] } }),
    option("extra", "toml", "running", { own: true }),
  ],
  families: { sdxl: "sdxl", pony: "sdxl", flux: "flux" },
  presets: [
    { name: "usual", families: ["sdxl", "flux"], source: "", values: { network: null, network_dim: null } },
    { name: "large", families: ["sdxl"], source: "", values: { network: null, network_dim: 32 } },
  ],
};
const USED = { network: "lora", network_dim: "16", shuffle_caption: "off", sample_prompts: "none", extra: "none" };
const find = (name) => TABLE.options.find((each) => each.name === name);

for (const [text, value] of [
  ["", null],
  ["  ", null],
  ["16", 16],
  [" 1e-4 ", 1e-4],
  [".5", 0.5],
  ["0.10", 0.1],
  ["16x", "16x"],
  ["0x10", "0x10"],
  ["0,5", "0,5"],
  ["1e999", "1e999"],
  ["Infinity", "Infinity"],
]) {
  test(`“${text}” in a number's input is ${JSON.stringify(value)} in the request`, () => {
    assert.equal(requestValue(find("min_snr_gamma"), text), value);
  });
}

test("an empty input is an option that is not set, whatever its kind", () => {
  for (const each of TABLE.options) {
    assert.equal(requestValue(each, inputOf(each, null)), null, each.name);
  }
});

test("values survive the way through their inputs", () => {
  const values = {
    base_model: "pony",
    network_dim: 8,
    min_snr_gamma: 2.5,
    shuffle_caption: false,
    sample_prompts: ["a cat", "a dog"],
    extra: ['loss_type = "huber"', "huber_c = 0.1", 'a."b = c".d = [1, "x=y"]'],
  };
  const sent = requestValues(TABLE, inputsOf(TABLE, values));
  assert.deepEqual(
    sent,
    { ...Object.fromEntries(Object.keys(sent).map((name) => [name, null])), ...values },
    "what is not set is null",
  );
  assert.ok(!("checkpoint" in sent), "no request may choose a file");
});

test("the text of an extra option needs no quotes, and what TOML reads as something else has them", () => {
  const [bare, quoted] = inputOf(find("extra"), ['loss_type = "huber"', 'x = "true"']);
  assert.deepEqual(bare, ["loss_type", "huber"]);
  assert.deepEqual(quoted, ["x", '"true"']);
  assert.deepEqual(
    requestValue(find("extra"), [
      ["loss_type", "huber"],
      ["b", "true"],
      ["c", "-1.5e-3"],
      ["d", "[1, 2]"],
      ["", ""],
      ["half", ""],
    ]),
    ['loss_type = "huber"', "b = true", "c = -1.5e-3", "d = [1, 2]", "half = "],
  );
});

test("an option counts by the base model's family and by what others are, set or not", () => {
  const inputs = { base_model: "pony" };
  assert.ok(counts(TABLE, find("min_snr_gamma"), inputs, USED));
  assert.ok(!counts(TABLE, find("min_snr_gamma"), { base_model: "flux" }, USED));
  assert.ok(!counts(TABLE, find("conv_dim"), inputs, USED));
  assert.ok(counts(TABLE, find("conv_dim"), inputs, { ...USED, network: "locon" }));
  assert.ok(counts(TABLE, find("conv_dim"), { ...inputs, network: "lokr" }, USED));
  assert.ok(!counts(TABLE, find("keep_tokens"), inputs, USED));
  assert.ok(counts(TABLE, find("keep_tokens"), { ...inputs, shuffle_caption: "on" }, USED));
  assert.ok(!counts(TABLE, find("sample_every_epochs"), inputs, USED));
  assert.ok(counts(TABLE, find("sample_every_epochs"), { ...inputs, sample_prompts: "a cat" }, USED));
});

test("what the trainer lacks is hidden unless it is set", () => {
  const check = { used: USED, lacks: { network_dim: "it has none." } };
  const names = (inputs) => shownGroups(TABLE, inputs, check).flatMap(([, options]) => options.map(({ name }) => name));
  assert.ok(!names({ base_model: "sdxl" }).includes("network_dim"));
  assert.ok(names({ base_model: "sdxl", network_dim: "4" }).includes("network_dim"));
});

test("groups keep the order of the table", () => {
  const groups = shownGroups(TABLE, { base_model: "sdxl" }, null).map(([group]) => group);
  assert.deepEqual(groups, ["base model", "network", "learning", "captions", "running"]);
});

test("presets are those of the family, and the one whose values the form has is the current one", () => {
  assert.deepEqual(
    presetsFor(TABLE, { base_model: "flux" }).map(({ name }) => name),
    ["usual"],
  );
  assert.equal(presetOf(TABLE, { base_model: "sdxl" })?.name, "usual");
  assert.equal(presetOf(TABLE, { base_model: "sdxl", network_dim: "32.0" })?.name, "large");
  assert.equal(presetOf(TABLE, { base_model: "sdxl", network_dim: "33" }), undefined);
});

test("inputs that differ only in how a number is written are the same", () => {
  assert.ok(isSame(find("min_snr_gamma"), "0.50", "0.5"));
  assert.ok(!isSame(find("min_snr_gamma"), "", "0"));
});
