"""The page of training options says what the table says, and names every option."""

import pytest

from lorads_core.training_fields import TRAINING_FIELDS

from .training_options_page import PAGE, page


def test_the_page_is_rendered_from_the_table():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.training_options_page"


def test_every_option_has_a_row_of_as_many_cells_as_the_heading():
    rows = {
        line.split("`")[1]: line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")
    }
    for each in TRAINING_FIELDS:
        assert rows[each.name].count("|") == 9, each.name
        assert each.help in rows[each.name]


def _cells(start):
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.split("|")]


@pytest.mark.parametrize(
    ("option", "trainers"),
    [
        ("base_precision", "ai-toolkit, musubi-tuner, onetrainer, sd-scripts, simpletuner"),
        ("text_encoder_precision", "ai-toolkit, musubi-tuner, onetrainer, sd-scripts, simpletuner"),
        ("fused_backward", "onetrainer"),  # with two of the optimizers alone
        ("blocks_to_swap", "musubi-tuner, onetrainer, sd-scripts, simpletuner"),  # OneTrainer for one base model alone
        ("cache_to_disk", "ai-toolkit, sd-scripts"),  # one can turn it off, the other on
        ("warmup", "ai-toolkit, musubi-tuner, onetrainer, sd-scripts, simpletuner"),  # two with one scheduler alone
    ],
)
def test_a_trainer_that_has_an_option_for_some_value_model_and_optimizer_is_named(option, trainers):
    assert _cells(f"| `{option}`<br>")[7] == trainers


@pytest.mark.parametrize("base", ["hidream", "ideogram4"])
def test_precisions_are_those_of_a_checkpoint_that_the_trainer_loads(base):
    assert "fp8" in _cells(f"| `{base}` |")[4]
