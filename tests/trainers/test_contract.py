"""What is asked of every trainer: above all, each field of a config reaches it or is reported."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from lorads_core import base_models, networks
from lorads_core.base_models import BaseModel, Family, ModelFile, base_model, base_model_names, model_parts
from lorads_core.captions.profiles import profile
from lorads_core.errors import SettingsError, TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.defaults import change_config
from lorads_core.training_fields import ANY, TRAINING_FIELDS

from ..trained import trained_by
from . import test_combinations

FOLDER, OUTPUT = Path("/exports/cat"), Path("/exports/cat-lora")
SUBSETS = (
    Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024), (640, 480))),
    Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000))),
)
# What a trainer cannot take at all; a test of its own holds it to that.
WITHOUT_REGULARIZATION = {"comfyui"}
FILES = {file.part: f"/{file.part}" for file in model_parts()}
DIFFERENT = [base.name for base in test_combinations.DIFFERENT]
FLUX = {"base_model": "flux", "model_files": FILES, "checkpoint": "/flux"}

# What gives a field a meaning where its row's `when` does not say it, and a value where the rule below has none.
CONTEXTS = {
    "regularization_method": {"batch_size": 1},
    "color_aug": {"cache_latents": False},
    "random_crop": {"cache_latents": False},
}
VALUES = {
    "base_model": "sd15",
    "network": "locon",
    "network_dropout": 0.1,
    "scheduler": "linear",
    "optimizer": "AdamW",
    "max_token_length": 150,
    "max_bucket_side": 1536,
    "resolution": 768,
    "bucket_step": 128,
    "fp8_base": True,
    "cache_to_disk": True,
    "base_precision": "int4",
    "text_encoder_precision": "fp8",
    "cache_text_encoder_outputs": False,
    "layer_filter": "attn",
    "optimizer_args": {"betas": [0.9, 0.98]},
    "ema_decay": 0.99,
    "timestep_sampling": "uniform",
    "extra": {"quantized_backward": True},
}
# Wishes that a trainer meets whatever is said: it is asked for the contrary.
CONTRARY = {("cache_to_disk", name): False for name in ("musubi-tuner", "onetrainer", "simpletuner", "ai-toolkit")}


def context(each):
    """Return the values of other fields with which a field counts."""
    found = dict(CONTEXTS.get(each.name, {}))
    if set(each.when.families) <= {family.name for family in base_models.FAMILIES if family.files}:
        base = next(base for base in base_models.BASE_MODELS if base.family.name in each.when.families)
        found |= {**FLUX, "base_model": base.name}
    for other, wanted in each.when.values.items():
        if getattr(TrainingConfig(), other) not in wanted:
            found[other] = {"true": True, ANY: ("a cat",)}.get(wanted[0], wanted[0])
    return found


def another(each):
    """Return a value of a field that is not its default."""
    if each.name in VALUES:
        return VALUES[each.name]
    if each.kind == "number":
        return (each.default or 0.01) / 2 if each.high > 1 else (each.default or 0.02) * 2
    if each.kind == "choice":
        return next(choice for choice in each.choices() if choice != each.default)
    values = {"flag": not each.default, "lines": ("a cat",), "file": "/other.safetensors"}
    return values[each.kind] if each.kind in values else (each.default or 3) + 1


@pytest.fixture(params=trainers())
def each(request):
    return trainer(request.param)


def of_config(each, config):
    repeats = (config.repeats, config.regularization_repeats)
    subsets = tuple(replace(subset, repeats=number) for subset, number in zip(SUBSETS, repeats, strict=True))
    return subsets[:1] if each.name in WITHOUT_REGULARIZATION else subsets


def made(each, config):
    """All that a trainer makes of a config."""
    subsets = of_config(each, config)
    texts = dict(each.files(config, subsets, FOLDER, OUTPUT, "cat"))
    caption = each.caption("cat, 1girl, {hat}, tree, sky", 2, config)
    return texts, caption, each.stages(config, FOLDER), each.schedule(config, subsets)


def told(each, config):
    return {(p.code, p.message) for p in each.problems(config, of_config(each, config))}


def errors(each, config):
    return [p.message for p in each.problems(config, of_config(each, config)) if p.severity == "error"]


def test_every_field_of_a_config_has_a_row():
    rows = [each.name for each in TRAINING_FIELDS if not each.is_part]
    assert sorted(rows) == sorted({each.name for each in fields(TrainingConfig)} - {"automatic", "model_files"})
    assert {each.part for each in model_parts()} == {each.name for each in TRAINING_FIELDS if each.is_part}


@pytest.mark.parametrize("field", TRAINING_FIELDS, ids=lambda each: each.name)
def test_a_field_reaches_the_trainer_or_is_reported(each, field):
    before = replace(TrainingConfig(checkpoint="/base.safetensors"), **context(field))
    if base_model(before.base_model).family.name not in each.families:
        return  # refused as a whole, whatever its options
    after = change_config(before, {field.name: CONTRARY.get((field.name, each.name), another(field))})
    assert after != before
    new = told(each, after) ^ told(each, before)
    if errors(each, after):
        assert any(code for code, _ in new), field.name
        return
    reported = any(code == "not-in-trainer" for code, _ in new)
    assert reported or made(each, after) != made(each, before), f"{each.name} drops {field.name} in silence"


@pytest.mark.parametrize("base", base_model_names())
def test_the_default_config_is_refused_only_for_families_that_a_trainer_does_not_train(each, base):
    config = replace(TrainingConfig(**{**FLUX, "base_model": base}))
    assert bool(errors(each, config)) != is_trained(base_model(base), each.families, each.adapters, each.edits)


def test_a_trainer_trains_some_family_and_only_known_ones(each):
    assert each.families
    assert set(each.families) <= {family.name for family in base_models.FAMILIES}
    assert set(each.adapters) <= set(each.families)
    assert set(each.networks) <= set(network_names())
    assert each.networks


@pytest.mark.parametrize("family", base_models.FAMILIES, ids=lambda family: family.name)
def test_every_family_is_trained_by_some_trainer(family):
    assert any(family.name in each.families for each in trainers().values())


@pytest.mark.parametrize("base", base_model_names())
def test_every_base_model_is_trained_by_some_trainer(base):
    assert any(is_trained(base_model(base), each.families, each.adapters, each.edits) for each in trainers().values())


def test_no_two_base_models_are_taken_from_one_repository():
    # De-Turbo's other parts are Turbo's, and two denoisers of one model lie in one folder.
    rows = [base for base in base_models.BASE_MODELS if base.repository and base.variant != "deturbo"]
    named = [(base.repository, base.half) for base in rows]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("each", [each for each in trainers() if "flux" in trainer(each).families])
def test_what_is_said_of_a_base_model_names_no_other_one(each):
    config = TrainingConfig(base_model="flux_krea", checkpoint="/m/krea.safetensors")
    said = " ".join(problem.message for problem in trainer(each).problems(config, ()))
    assert "FLUX.1-dev" not in said


@pytest.mark.parametrize("base", base_model_names())
def test_every_base_model_has_a_caption_profile(base):
    assert profile(base).limits == base_model(base).family.token_limits


@pytest.mark.parametrize("base", DIFFERENT)
def test_no_two_networks_render_the_same_files(each, base):
    rendered = {}
    for name in network_names():
        config = TrainingConfig(**{**FLUX, "base_model": base, "network": each.same.get(name, name)})
        if name not in each.same and not errors(each, config):
            text = json.dumps(dict(each.files(config, of_config(each, config), FOLDER, OUTPUT, "cat")))
            assert text not in rendered, f"{each.name} trains {name} as {rendered[text]}"
            rendered[text] = name


def test_networks_that_a_trainer_declares_the_same_render_the_same(each):
    for name, other in each.same.items():
        one, two = (TrainingConfig(network=network) for network in (name, other))
        subsets = of_config(each, one)
        assert each.files(one, subsets, FOLDER, OUTPUT, "cat") == each.files(two, subsets, FOLDER, OUTPUT, "cat")


@pytest.fixture
def made_up(monkeypatch):
    """Add a family with a base model, and a network, that no trainer lists."""
    file = ModelFile("brain", "Dreamer's text encoder", ("text_encoders",))
    dreamer = Family(
        "dreamer", "Dreamer", "flow", convolutions=False, resolution=1024, text_encoders=("brain",), tokenizer="t5",
        token_limits=(512,), lora_prefixes=("diffusion_model.",), files=(file,),
    )  # fmt: skip
    monkeypatch.setattr(base_models, "FAMILIES", (*base_models.FAMILIES, dreamer))
    added = BaseModel("dream", "Dream 1", dreamer, captions="flux")
    monkeypatch.setattr(base_models, "BASE_MODELS", (*base_models.BASE_MODELS, added))
    rows = (*networks.NETWORKS, networks.Network("lofu", "LoFu", convolutions=True))
    monkeypatch.setattr(networks, "NETWORKS", rows)


@pytest.mark.usefixtures("made_up")
def test_a_family_that_no_trainer_lists_is_refused_by_each_in_one_sentence(each):
    (message,) = errors(each, TrainingConfig(base_model="dream"))
    assert "does not train Dream 1" in message
    assert "choose another base model" in message


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("base", ["sdxl", "sd15", "flux"])
def test_a_network_that_no_trainer_lists_is_refused_by_each_in_one_sentence(each, base):
    (message,) = errors(each, trained_by(each.name, TrainingConfig(base_model=base, network="lofu")))
    assert "does not train LoFu" in message
    assert "choose one of the networks lora" in message


@pytest.mark.usefixtures("made_up")
def test_made_up_rows_are_in_combos_tables_and_captions_without_more():
    assert "dream" in base_model_names()
    assert "lofu" in network_names()
    assert model_parts()[-1].part == "brain"
    assert profile("dream").kinds == profile("flux").kinds
    lines = test_combinations.table().splitlines()
    assert f"| Dreamer: LoFu |{' – |' * len(trainers())}" in lines
    assert f"| SDXL: LoFu |{' – |' * len(trainers())}" in lines


def test_a_refusal_names_the_trainers_that_do_it():
    (message,) = errors(trainer("ai-toolkit"), TrainingConfig(network="loha"))
    assert message == (
        "ai-toolkit does not train LoHa: choose one of the trainers ComfyUI's own trainer, OneTrainer,"
        " sd-scripts (kohya-ss), SimpleTuner, or choose one of the networks lora, locon, lokr."
    )


def test_a_base_model_without_a_caption_profile_is_named(monkeypatch):
    row = BaseModel("bare", "Bare 1", base_models.family("sdxl"))
    monkeypatch.setattr(base_models, "BASE_MODELS", (*base_models.BASE_MODELS, row))
    with pytest.raises(SettingsError, match="Bare 1 has no caption profile"):
        profile("bare")


@pytest.mark.parametrize("network", network_names())
@pytest.mark.parametrize("base", DIFFERENT)
def test_a_network_is_trained_or_refused_with_another_to_use(each, base, network):
    config = TrainingConfig(**{**FLUX, "base_model": base, "network": network})
    found = errors(each, config)
    if not is_trained(base_model(base), each.families, each.adapters, each.edits):
        assert all("choose another base model" in message or network in message.lower() for message in found)
        assert found
    elif found:
        assert all(any(name in message.lower() for name in network_names()) for message in found)
    else:
        made(each, config)


def test_what_it_saves_ends_with_the_final_file(each):
    config = TrainingConfig(epochs=4, save_every_epochs=2)
    names = each.checkpoints(config, each.schedule(config, SUBSETS), "cat")
    assert names
    assert len(set(names)) == len(names)
    assert all(name.endswith(".safetensors") for name in names)


def test_paths_in_its_files_are_absolute(each):
    config = trained_by(each.name, TrainingConfig(checkpoint="/base.safetensors"))
    text = "".join(each.files(config, SUBSETS, FOLDER, OUTPUT, "cat").values())
    for path in (FOLDER, OUTPUT):
        assert json.dumps(str(path))[1:-1] in text  # JSON, TOML and YAML alike double a backslash


def test_regularization_images_are_learnt_as_such_or_refused(each):
    config = trained_by(each.name, TrainingConfig())
    refused = [p.code for p in each.problems(config, SUBSETS) if p.severity == "error"]
    assert refused == (["regularization"] if each.name in WITHOUT_REGULARIZATION else [])


def test_pictures_are_placed_in_the_buckets_of_the_schedule(each):
    config = TrainingConfig()
    placed = each.placements(config, SUBSETS[:1])
    assert [item.source for item in placed] == list(SUBSETS[0].sizes)
    assert {item.bucket for item in placed} == {size for size, _ in each.schedule(config, SUBSETS[:1]).buckets}


def test_a_mask_is_a_file_of_its_own(each):
    assert each.mask("10_cat", "000001-a") not in {"10_cat/000001-a.png", "10_cat/000001-a.txt"}


def test_a_line_that_says_nothing_is_no_progress(each):
    assert each.tick("") is None
    assert each.tick("loading the model") is None


def test_an_unknown_trainer_is_refused_with_those_there_are():
    with pytest.raises(TrainerError, match=r"known are: .*sd-scripts"):
        trainer("sdscripts")


@pytest.mark.parametrize("name", trainers())
def test_what_a_trainer_lacks_can_be_requested_of_any_config(name):
    known = {each.name for each in fields(TrainingConfig)}
    for base in (*base_model_names(), "no such model"):
        for network in network_names():
            config = replace(TrainingConfig(), base_model=base, network=network)
            assert trainer(name).lacks(config).keys() <= known, "also where the trainer refuses it"
