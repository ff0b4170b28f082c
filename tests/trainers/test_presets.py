"""Presets through the checks of the trainers that they come from."""

from dataclasses import replace

import pytest

from lorads_core.base_models import BASE_MODELS
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainers
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.defaults import make_config
from lorads_core.trainers.presets import PRESETS, counts, fitted
from lorads_core.training_fields import TRAINING_FIELDS

CASES = [(base, preset) for preset in PRESETS for base in BASE_MODELS if base.family.name in preset.families]


@pytest.mark.parametrize(("base", "preset"), CASES, ids=lambda each: each.name)
def test_every_preset_is_trained_by_some_trainer_as_it_is(base, preset):
    config = fitted(make_config({"base_model": base.name, "checkpoint": "/models/base", **preset.values}))
    files = {name: f"{name}.safetensors" for name in base.family.parts}
    config = replace(config, model_files=files)
    subset = Subset("10_tom", 10, is_regularization=False, sizes=((1024, 1024),) * 8, trigger="tom")
    takes = [
        trainer.label
        for trainer in trainers().values()
        if not any(found.severity == "error" for found in trainer.problems(config, [subset]))
    ]
    able = [each for each in trainers().values() if is_trained(base, each.families, each.adapters, each.edits)]
    assert len(takes) >= min(2, len(able)), takes


def test_rows_of_cards_for_any_trainer_are_presets_under_their_memory():
    named = {each.name: each for each in PRESETS if each.vram}
    assert named["card of 12 GB"].values["blocks_to_swap"]
    assert {"card of 8 GB", "card of 16 GB", "card of 42 GB"} <= set(named)


def test_what_does_not_count_is_as_if_it_was_not_said():
    config = TrainingConfig(base_model="flux", min_snr_gamma=5.0, noise_offset=0.1, v_prediction=True, conv_dim=8)
    assert fitted(config) == TrainingConfig(base_model="flux")
    assert fitted(replace(config, base_model="pony", network="loha")) == replace(
        config, base_model="pony", network="loha"
    )
    assert fitted(TrainingConfig(scheduler="constant")).warmup == 0
    conditional = {each.name for each in TRAINING_FIELDS if not each.when.is_always}
    assert {name for name in conditional if counts(TrainingConfig(), name)} == {
        "v_prediction",
        "min_snr_gamma",
        "noise_offset",
        "debiased_estimation",
        "warmup",
        "activation_offload",
    }
