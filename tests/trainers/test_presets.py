"""Presets through the checks of the trainers that they come from."""

import re
from dataclasses import replace

import pytest

from lorads_core.base_models import BASE_MODELS
from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.defaults import counts, make_config
from lorads_core.trainers.preset_table import CONFIDENCE, PRESETS
from lorads_core.trainers.presets import find_preset, fitted
from lorads_core.training_fields import TRAINING_FIELDS

SUBSET = Subset("10_tom", 10, is_regularization=False, sizes=((1024, 1024),) * 8, trigger="tom")
CASES = [(base, preset) for preset in PRESETS for base in BASE_MODELS if base.family.name in preset.families]


@pytest.mark.parametrize(("base", "preset"), CASES, ids=lambda each: each.name)
def test_every_preset_is_trained_by_some_trainer_as_it_is(base, preset):
    config = fitted(make_config({"base_model": base.name, "checkpoint": "/models/base", **preset.values}))
    files = {name: f"{name}.safetensors" for name in base.family.parts}
    config = replace(config, model_files=files)
    takes = [
        each.label
        for each in trainers().values()
        if not any(found.severity == "error" for found in each.problems(config, [SUBSET]))
    ]
    able = [each for each in trainers().values() if is_trained(base, each.families, each.adapters, each.edits)]
    assert len(takes) >= min(2, len(able)), takes


def test_rows_of_cards_are_presets_that_name_their_trainer():
    named = {each.name: each for each in PRESETS if each.vram}
    assert named["card of 12 GB (sd-scripts)"].values["blocks_to_swap"]
    assert {"card of 8 GB (sd-scripts)", "card of 16 GB (sd-scripts)", "card of 42 GB (musubi-tuner)"} <= set(named)
    assert all(name.endswith(f"({each.trainer})") for name, each in named.items())


def test_a_card_of_one_trainer_is_refused_for_another():
    name = "card of 12 GB (sd-scripts)"
    assert find_preset(name, "flux", "sd-scripts").vram == find_preset(name, "flux").vram == 12
    with pytest.raises(SettingsError, match=r"fits with sd-scripts, and not with ai-toolkit: use --vram 12"):
        find_preset(name, "flux", "ai-toolkit")
    assert find_preset("subject (sd-scripts' guide)", "flux", "ai-toolkit").trainer == "sd-scripts"


def is_trained_by(name, base):
    chosen = trainer(name)
    return is_trained(base, chosen.families, chosen.adapters, chosen.edits)


OWN = [(base, preset) for base, preset in CASES if preset.trainer and is_trained_by(preset.trainer, base)]


@pytest.mark.parametrize(("base", "preset"), OWN, ids=lambda each: each.name)
def test_the_trainer_of_a_preset_takes_all_of_it(base, preset):
    checkpoint = "" if base.denoiser else base.usual_checkpoint
    config = make_config({"base_model": base.name, "checkpoint": checkpoint, **preset.values})
    found = trainer(preset.trainer).problems(fitted(config), [SUBSET])
    assert [each.message for each in found if each.severity == "error"] == []
    assert not set(preset.figures) & set(trainer(preset.trainer).lacks(config))


def test_every_figure_is_of_an_option_with_a_dated_source():
    rows = {each.name: each for each in TRAINING_FIELDS if not each.own}
    for preset in PRESETS:
        assert preset.purpose or not preset.figures
        for name, (value, source) in preset.figures.items():
            assert rows[name].kind not in ("whole", "number") or rows[name].low <= value <= rows[name].high
            assert re.fullmatch(r"20\d\d-[01]\d", source.date)
            assert source.confidence in CONFIDENCE
        assert all(figure.source.text in preset.source for figure in preset.figures.values())


def test_no_family_has_two_presets_of_a_name():
    for base in BASE_MODELS:
        names = [each.name for each in PRESETS if base.family.name in each.families]
        assert len(names) == len(set(names)), base.family.name


@pytest.mark.parametrize("purpose", ["subject", "person", "style", "concept", "small set"])
def test_there_is_a_preset_of_each_purpose_for_the_usual_families(purpose):
    for family in ("sd15", "sdxl", "flux", "zimage", "krea2", "flux2", "qwen_image", "chroma", "anima"):
        assert any(each.purpose == purpose and family in each.families for each in PRESETS), family


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
        "clip_skip",
    }
