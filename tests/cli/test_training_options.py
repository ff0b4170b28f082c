"""The words for a training config: each makes its field, and none is mistaken for a word of the choosing."""

from dataclasses import fields

import pytest

from lorads_core.cli.parser import parser
from lorads_core.cli.training_options import training_config
from lorads_core.model import TrainingConfig


def config(*words):
    return training_config(parser(None, None).parse_args(["build", "folder", "--trigger", "x", *words]))


def test_without_words_it_is_the_usual_config():
    assert config() == TrainingConfig()


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (("--network", "loha"), "network", "loha"),
        (("--conv-dim", "4"), "conv_dim", 4),
        (("--weight-decay", "0.1"), "weight_decay", 0.1),
        (("--sample-prompt", "a", "--sample-prompt", "b"), "sample_prompts", ("a", "b")),
        (("--shuffle-caption",), "shuffle_caption", True),
        (("--training-seed", "7"), "seed", 7),
        (("--masked-loss", "alpha"), "masked_loss", "alpha"),
        (("--t5xxl", "/models/t5.safetensors"), "model_files", {"t5xxl": "/models/t5.safetensors"}),
    ],
)
def test_a_word_makes_its_field(words, field, value):
    made = config(*words)
    assert getattr(made, field) == value
    others = [each.name for each in fields(made) if each.name != field]
    assert all(getattr(made, other) == getattr(TrainingConfig(), other) for other in others)


def test_the_seed_of_a_random_order_is_another():
    assert config("--seed", "5").seed == TrainingConfig().seed
