"""The rows of cards: each is taken by the trainer that it is from, and the largest that fits is chosen."""

import pytest

from lorads_core.base_models import BASE_MODELS, base_model, model_parts
from lorads_core.errors import SettingsError
from lorads_core.trainers import Subset, trainer
from lorads_core.trainers.cards import CARDS, CardError, card_setting, cards_of, set_for_card
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.defaults import make_config
from lorads_core.training_fields import training_field

SUBSETS = (Subset("10_tom", 10, is_regularization=False, sizes=((1024, 1024),) * 8, trigger="tom"),)
PLACES = [
    (base.name, row)
    for base in BASE_MODELS
    for row in CARDS
    if row in cards_of(row.trainer, base)
    and is_trained(base, trainer(row.trainer).families, trainer(row.trainer).adapters, trainer(row.trainer).edits)
]


@pytest.mark.parametrize(("base", "row"), PLACES, ids=lambda each: each if isinstance(each, str) else each.source[-30:])
def test_a_row_is_taken_by_its_trainer_as_it_is(base, row):
    chosen = base_model(base)
    repository = chosen.usual_checkpoint if trainer(row.trainer).downloads else ""
    checkpoint = repository or ("/models/base" if base == "ideogram4" else "/models/base.safetensors")
    files = {each.part: f"/{each.part}.safetensors" for each in model_parts() if each.part in chosen.family.parts}
    config = make_config({"base_model": base, "checkpoint": checkpoint, **files, **row.values})
    found = trainer(row.trainer).problems(config, SUBSETS)
    assert [each.message for each in found if each.severity == "error"] == []
    # A value that the trainer would pass over would not make the model fit.
    lacks = trainer(row.trainer).lacks(config)
    assert not [name for name in row.values if name in lacks and row.values[name] != training_field(name).default]


def test_every_row_is_for_some_base_model_and_names_its_source():
    assert {id(row) for _, row in PLACES} == {id(row) for row in CARDS}
    assert all(each.source.count("/") and each.vram > 0 for each in CARDS)


@pytest.mark.parametrize(
    ("name", "base", "vram", "card", "values"),
    [
        ("sd-scripts", "flux", 8, 8, {"blocks_to_swap": 28}),
        ("sd-scripts", "flux", 11, 10, {"blocks_to_swap": 22}),
        ("sd-scripts", "flux", 16, 16, {"blocks_to_swap": 16, "batch_size": 1}),
        ("sd-scripts", "flux_krea", 24, 24, {"blocks_to_swap": 0, "batch_size": 2}),
        ("sd-scripts", "flux", 80, 24, {"blocks_to_swap": 0}),
        ("sd-scripts", "hunyuan_image", 24, 24, {"blocks_to_swap": 9}),
        ("sd-scripts", "hunyuan_image", 48, 40, {"fp8_base": False}),
        ("musubi-tuner", "qwen_image_2512", 23.9, 12, {"blocks_to_swap": 45}),
        ("musubi-tuner", "qwen_image", 48, 42, {"fp8_base": False}),
        ("onetrainer", "zimage", 12, 8, {"layer_offload": 0.6, "base_precision": "fp8"}),
        ("onetrainer", "zimage_deturbo", 16, 16, {"base_precision": "int8-w8a8"}),
        ("onetrainer", "flux2_klein_4b", 10, 8, {"text_encoder_offload": 0.7}),
        ("ai-toolkit", "qwen_image", 24, 24, {"base_precision": "int3"}),
        ("onetrainer", "ernie_image", 12, 8, {"layer_offload": 0.7, "base_precision": "int8-w8a8"}),
        ("onetrainer", "ideogram4", 16, 16, {"layer_offload": 0.1, "text_encoder_precision": "nf4"}),
        ("simpletuner", "flux2_klein_9b", 24, 24, {"base_precision": "16-bit"}),
        ("simpletuner", "flux2_klein_4b", 12, 10, {"base_precision": "int8"}),
        ("simpletuner", "chroma", 16, 12, {"base_precision": "int4"}),
        ("simpletuner", "flux2", 48, 48, {"base_precision": "int8"}),
        ("simpletuner", "flux", 10, 10, {"base_precision": "nf4", "resolution": 512}),
    ],
)
def test_a_card_gets_what_the_trainers_own_tables_have_for_it(name, base, vram, card, values):
    found = card_setting(vram, name, base)
    assert found.vram == card
    assert {**found.values, **values} == found.values


def test_a_card_that_is_too_small_is_said_with_the_trainers_that_have_a_setting():
    with pytest.raises(SettingsError, match=r"says that FLUX.1 dev fits on a card of 6 GB: .* has 8 GB\.$"):
        card_setting(6, "sd-scripts", "flux")
    with pytest.raises(SettingsError, match=r"of ai-toolkit says .* 12 GB: .* 24 GB; .* setting for sd-scripts .*Simp"):
        card_setting(12, "ai-toolkit", "flux")


def test_a_base_model_without_a_row_is_said():
    with pytest.raises(SettingsError, match=r"Nothing of OneTrainer says .* SDXL 1.0: .* yourself\.$"):
        card_setting(24, "onetrainer", "sdxl")
    with pytest.raises(CardError, match=r"Nothing of musubi-.* setting for OneTrainer, SimpleTuner \(--tr") as said:
        card_setting(12, "musubi-tuner", "zimage")
    assert said.value.reason == f"Nothing of {trainer('musubi-tuner').label} says what fits which card for Z-Image"


@pytest.mark.parametrize("base", BASE_MODELS, ids=lambda each: each.name)
@pytest.mark.parametrize("name", sorted({each.trainer for each in CARDS}))
def test_only_trainers_that_train_the_base_model_are_advised(name, base):
    try:
        card_setting(24, name, base.name)
    except CardError as error:
        for each in {row.trainer for row in CARDS}:
            advised = f"{trainer(each).label}," in f"{str(error).partition('setting for ')[2].replace(' (--', ',')}"
            assert not advised or is_trained(base, trainer(each).families, trainer(each).adapters, trainer(each).edits)


def test_where_the_trainer_does_not_train_the_base_model_nothing_is_said_of_the_card():
    with pytest.raises(CardError, match=r"^sd-scripts \S+ does not train Z-Image; .* setting for OneTrainer, Simpl"):
        card_setting(16, "sd-scripts", "zimage")
    with pytest.raises(CardError, match=r"setting for musubi-tuner \(kohya-ss\) \(--trainer\)\.$"):
        card_setting(24, "sd-scripts", "qwen_image_edit")


def test_what_a_row_has_set_is_known_from_the_config():
    def of_row(vram, **more):
        return make_config({"base_model": "flux", **card_setting(vram, "simpletuner", "flux").values, **more})

    both = {"base_precision": "nf4", "resolution": 512}
    assert set_for_card(of_row(10), "simpletuner", wholly=True) == {**both, "batch_size": 1}
    changed = of_row(10, batch_size=3)
    assert set_for_card(changed, "simpletuner", wholly=True) == {}
    assert set_for_card(changed, "simpletuner", wholly=False) == both
    assert set_for_card(make_config({"base_model": "flux", "batch_size": 1}), "sd-scripts", wholly=False) == {}
