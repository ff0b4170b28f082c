"""Presets through the checks of the trainers that they come from."""

from dataclasses import replace

import pytest

from lorads_core.base_models import BASE_MODELS
from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainers
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.defaults import make_config
from lorads_core.trainers.presets import PRESETS, card_preset, counts, fitted
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


@pytest.mark.parametrize(
    ("base", "vram", "card", "swapped"),
    [("flux", 8, 8, 28), ("flux", 11, 10, 22), ("flux", 16, 12, 16), ("flux_krea", 24, 24, 0), ("flux", 80, 24, 0),
     ("hunyuan_image", 24, 24, 9), ("qwen_image_2512", 23.9, 12, 45), ("qwen_image", 48, 30, 0)],
)  # fmt: skip
def test_a_card_gets_what_the_trainers_own_tables_have_for_it(base, vram, card, swapped):
    found = card_preset(vram, base)
    assert (found.vram, found.values["blocks_to_swap"]) == (card, swapped)
    assert "docs/" in found.source


def test_a_card_that_is_too_small_or_a_base_model_without_a_table_is_said():
    with pytest.raises(SettingsError, match=r"does not fit on a card of 6 GB: the smallest known has 8 GB"):
        card_preset(6, "flux")
    with pytest.raises(SettingsError, match=r"No trainer's own table .* SDXL 1.0.*tables for flux, hunyuan"):
        card_preset(24, "sdxl")


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
        "warmup",
        "activation_offload",
    }
