"""What we write for ComfyUI's own trainer, and what we say of it, against its own node and algorithms (0.26.0)."""

import json
from pathlib import PurePosixPath

import pytest

from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer
from lorads_core.trainers.comfyui import rules

from .accepted import trained
from .capture.comfyui import GOLDEN
from .cases_expert import EXPERT

COMFYUI = trainer("comfyui")
SUBSETS = (Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (1024, 1024)), trigger="tomcat"),)
VARIANTS = (
    {},
    {"lokr_factor": 128, "lokr_full_rank": True},
    {"network_dim": 128, "gradient_accumulation_steps": 1024, "learning_rate": 1.0, "optimizer": "AdamW8bit"},
    {"mixed_precision": "no", "gradient_checkpointing": False},
    {"mixed_precision": "fp16"},
    {"initial_lora": "/loras/cat_500_steps_00001_.safetensors"},
    *EXPERT.values(),
)


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def faults(widgets, values):
    """Yield each value that is not one of its widget's."""
    for name, value in values.items():
        known = widgets.get(name)
        if known is None or type(value).__name__ != known["type"]:
            yield name
        elif value not in known.get("choices", [value]) or not known.get("min", 0) <= limited(known, value):
            yield f"{name} = {value}"


def limited(known, value):
    """Return a number for the lower limit: below it where the value is above the upper one."""
    return (value if value <= known["max"] else known["min"] - 1) if "max" in known else 0


def written(config):
    (text,) = COMFYUI.files(config, SUBSETS, PurePosixPath("/e"), PurePosixPath("/o"), "cat").values()
    return json.loads(text)["TrainLoraNode"]


def test_each_value_is_one_of_a_widget_of_the_node(golden):
    configs = list(trained("comfyui", SUBSETS, VARIANTS, lambda _: {"checkpoint": "base.safetensors"}))
    assert {config.network for config in configs} == set(rules.NETWORKS)
    assert {fault for config in configs for fault in faults(golden["widgets"], written(config))} == set()


def test_a_value_that_the_node_does_not_take_would_be_noticed(golden):
    wrong = {"rank": 129, "algorithm": "LoCon", "rang": 8, "steps": 1.0}
    assert list(faults(golden["widgets"], wrong)) == ["rank = 129", "algorithm = LoCon", "rang", "steps"]


def test_the_limits_that_are_refused_are_the_widgets(golden):
    rank = golden["widgets"]["rank"]
    for network, field in (("lora", "network_dim"), ("lokr", "lokr_factor")):
        for value, refused in ((rank["max"], False), (rank["max"] + 1, True)):
            config = TrainingConfig(checkpoint="base.safetensors", network=network, **{field: value})
            assert any(p.severity == "error" for p in COMFYUI.problems(config, SUBSETS)) is refused


def test_the_rank_is_the_dim_of_lora_and_loha_whose_alpha_counts(golden):
    for name, pairs in (("LoRA", 1), ("LoHa", 2)):
        found = golden["algorithms"][name]
        assert found["scaled_by_alpha"] is True
        assert found["matrices"]["attention 8"] == [[1280, 8], [8, 1280]] * pairs
        assert found["matrices"]["convolution 8"] == [[640, 8], [8, 320 * 9]] * pairs


def test_the_rank_is_the_factor_of_lokr_which_has_full_rank_and_no_alpha(golden):
    found = golden["algorithms"]["LoKr"]
    assert found["scaled_by_alpha"] is False
    for factor in (4, 8, 16):
        assert found["matrices"][f"attention {factor}"] == [[factor, factor], [1280 // factor, 1280 // factor]]
    assert found["matrices"]["convolution 8"] == [[8, 8], [80, 40, 3, 3]]
    said = " ".join(p.message for p in COMFYUI.problems(lokr(network_alpha=4.0), SUBSETS))
    assert "full rank and without an alpha" in said
    assert "has no network alpha: its LoKr has full rank, and so no alpha" in said
    assert "alpha 1" not in said


def test_an_unset_factor_is_the_default_of_the_widget(golden):
    assert written(lokr())["rank"] == golden["widgets"]["rank"]["default"] == rules.USUAL_FACTOR
    assert written(lokr(lokr_factor=16))["rank"] == 16


def lokr(**changes):
    return TrainingConfig(checkpoint="base.safetensors", network="lokr", **changes)
