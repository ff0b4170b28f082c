// The training options of the open dataset: changes, what is stored of them, answers that come too late.

import assert from "node:assert/strict";
import test from "node:test";
import { Training } from "../../web/panel/training.js";

const option = (name, kind, more = {}) => ({
  name,
  label: name,
  kind,
  group: "steps",
  help: "",
  unit: "",
  choices: [],
  families: ["sdxl"],
  values: {},
  own: false,
  ...more,
});
const TABLE = {
  options: [option("base_model", "choice"), option("checkpoint", "file"), option("epochs", "whole")],
  families: { sdxl: "sdxl" },
  presets: [],
};

/** Return a model as far as the options need it; `answers` are the values of datasets, `checks` the bodies checked. */
function modelOf(answers, items = new Map()) {
  const checks = [];
  return {
    checks,
    dataset: { id: "a", config: "1" },
    session: {
      trainers: [{ name: "sd-scripts", label: "sd-scripts" }],
      trainer_profiles: [{ name: "local", label: "local", trainer: "onetrainer" }],
    },
    storage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => items.set(key, value),
      removeItem: (key) => items.delete(key),
    },
    changed() {},
    api: {
      get: async (path) => (path === "training-options" ? TABLE : await answers[path.split("/")[1]]),
      post: async (path, body) => {
        checks.push([path, body]);
        return { used: {}, lacks: {}, faults: [] };
      },
    },
  };
}

const of = (epochs, config = "1", checkpoint = null) => ({
  config,
  values: { base_model: "sdxl", epochs, checkpoint },
  files: { checkpoint: ["pony.safetensors", "x.safetensors"] },
});

test("the options are those of the last export until they are changed, and again after a reset", async () => {
  const training = new Training(modelOf({ a: of(3) }));
  await training.open("a");
  assert.equal(training.body.config.epochs, 3);
  training.set("epochs", "7");
  assert.deepEqual(training.changed, ["epochs"]);
  assert.equal(training.body.config.epochs, 7);
  training.reset();
  assert.equal(training.body.config.epochs, 3);
  training.stop();
});

test("changes outlive a reload of the page, each dataset's its own", async () => {
  const [items, answers] = [new Map(), { a: of(3), b: of(null) }];
  const training = new Training(modelOf(answers, items));
  await training.open("a");
  training.set("epochs", "7");
  await training.open("b");
  assert.equal(training.body.config.epochs, null);
  const again = new Training(modelOf(answers, items));
  await again.open("a");
  assert.equal(again.body.config.epochs, 7);
  training.stop();
});

test("what was exported is no change any more", async () => {
  const [items, answers] = [new Map(), { a: of(3) }];
  const model = modelOf(answers, items);
  const training = new Training(model);
  await training.open("a");
  training.set("epochs", "7");
  answers.a = of(7, "2");
  model.dataset = { id: "a", config: "2" };
  training.refresh();
  await new Promise((ready) => setTimeout(ready, 0));
  assert.deepEqual(training.changed, []);
  assert.equal(items.size, 0);
  training.stop();
});

test("the options of a dataset that was left while they were on their way are dropped", async () => {
  let arrive;
  const late = new Promise((ready) => {
    arrive = () => ready(of(3));
  });
  const training = new Training(modelOf({ a: late, b: of(5) }));
  const first = training.open("a");
  await training.open("b");
  arrive();
  await first;
  assert.equal(training.body.config.epochs, 5);
  training.stop();
});

test("the trainer is that of the chosen profile, the first one unless another is chosen", async () => {
  const training = new Training(modelOf({ a: of(3) }));
  await training.open("a");
  assert.deepEqual([training.profile, training.trainer], ["local", "onetrainer"]);
  training.choose("sd-scripts");
  assert.deepEqual([training.profile, training.trainer], ["", "sd-scripts"]);
  training.choose("profile:gone");
  assert.equal(training.profile, "local");
  training.stop();
});

test("a damaged store of the browser changes nothing", async () => {
  for (const stored of ["{", '{"changes": {"epochs": 5, "gone": "1"}}', "null"]) {
    const training = new Training(modelOf({ a: of(3) }, new Map([["lorads.options.a", stored]])));
    await training.open("a");
    assert.equal(training.body.config.epochs, 3, stored);
    assert.deepEqual(training.changed, []);
    training.stop();
  }
});

/** Return a model whose server says of each checkpoint that it is a Pony, and notes what it was asked. */
function modelOfPony(answers, items) {
  const model = modelOf(answers, items);
  const { get } = model.api;
  model.asked = [];
  model.api.get = async (path, query) => {
    if (path !== "checkpoint") return get(path);
    model.asked.push([query.name, query.base_model]);
    return { base_model: "pony", is_guess: true, message: "Pony", problems: [] };
  };
  return model;
}

test("a checkpoint that is chosen chooses the base model, once", async () => {
  const model = modelOfPony({ a: of(3) });
  const training = new Training(model);
  await training.open("a");
  training.set("checkpoint", "pony.safetensors");
  await training.ask();
  assert.deepEqual(training.body.config, { base_model: "pony", checkpoint: "pony.safetensors", epochs: 3 });
  assert.equal(training.checkpoint.is_guess, true);
  training.set("base_model", "sdxl");
  await training.ask();
  assert.equal(training.body.config.base_model, "sdxl", "a choice by hand stays");
  assert.deepEqual(model.asked, [
    ["pony.safetensors", "sdxl"],
    ["pony.safetensors", "sdxl"],
  ]);
  training.stop();
});

test("the checkpoint of the last export stays with its base model, and is named in no request", async () => {
  const training = new Training(modelOfPony({ a: of(3, "1", "x.safetensors") }));
  await training.open("a");
  assert.deepEqual(training.body.config, { base_model: "sdxl", epochs: 3 });
  assert.equal(training.checkpoint.base_model, "pony");
  training.set("checkpoint", "");
  await training.ask();
  assert.deepEqual(training.body.config, { base_model: "sdxl", checkpoint: null, epochs: 3 });
  assert.equal(training.checkpoint, null);
  training.stop();
});

test("of a name that is only half typed nothing is asked", async () => {
  const model = modelOfPony({ a: of(3) });
  const training = new Training(model);
  await training.open("a");
  training.set("checkpoint", "pon");
  await training.ask();
  assert.deepEqual(model.asked, []);
  training.stop();
});
