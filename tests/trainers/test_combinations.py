"""The table of docs/trainers.md, what each trainer trains: made from the trainers themselves, and compared.

Run this file to write the table into the page.
"""

from pathlib import Path

import pytest

from lorads_core import base_models
from lorads_core.base_models import BASE_MODELS
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names, networks
from lorads_core.trainers import Subset, trainers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trainers.md"
BEGIN, END = "<!-- trainers -->\n", "<!-- end of trainers -->"
FILES = {"checkpoint": "/models/base", "model_files": {"clip_l": "/c", "t5xxl": "/t", "ae": "/a"}}
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)))
# One base model of each kind is enough where every network is tried: trainers read no more of it than this.
DIFFERENT = tuple({(base.kind, base.v_prediction, base.resolution): base for base in BASE_MODELS}.values())
OTHERS = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (832, 1216)))


def config_of(base, network="lora", **changes):
    # Preservation and DoRA need batches of one picture in some trainers; that is a matter of the config.
    return TrainingConfig(base_model=base.name, network=network, batch_size=1, **{**FILES, **changes})


def refusals(trainer, config, subsets=(TRAINING,)):
    return [p.message for p in trainer.problems(config, subsets) if p.severity == "error"]


def cell(trainer, family, network):
    """Say whether all base models of a family that are neither distilled nor edit models are trained, or none."""
    found = [refusals(trainer, config_of(base, network)) for base in usual(family)]
    assert len({bool(each) for each in found}) == 1, (trainer.name, family.name, network)
    return "–" if found[0] else "\u2713"


def of_family(family):
    return [base for base in base_models.BASE_MODELS if base.family == family]


def usual(family):
    return [base for base in of_family(family) if not base.adapter and not base.edits]


def unusual(trainer, base):
    """Say with which networks a distilled or an edit model is trained, all those of its family."""
    found = [each.label for each in networks() if not refusals(trainer, config_of(base, each.name))]
    first = usual(base.family)[0]
    assert not found or found == [e.label for e in networks() if not refusals(trainer, config_of(first, e.name))]
    return "\u2713" if found else "–"


def regularization(trainer, method):
    base = next(base for base in BASE_MODELS if base.family.name in trainer.families)
    refused = refusals(trainer, config_of(base, regularization_method=method), (TRAINING, OTHERS))
    lacking = [
        p
        for p in trainer.problems(config_of(base, regularization_method=method), (TRAINING, OTHERS))
        if p.code == "not-in-trainer" and "regularization method" in p.message
    ]
    return "–" if refused or lacking else "\u2713"


def table():
    """Return the table in Markdown."""
    known = trainers().values()
    lines = [
        "| | " + " | ".join(each.label for each in known) + " |",
        "|---|" + "---|" * len(known),
    ]
    for family in base_models.FAMILIES:
        for network in networks():
            cells = [cell(each, family, network.name) for each in known]
            lines.append(f"| {family.label}: {network.label} | " + " | ".join(cells) + " |")
    for base in (each for each in base_models.BASE_MODELS if each.adapter or each.edits):
        how = "with a training adapter" if base.adapter else "on single images"
        lines.append(f"| {base.label}, {how} | " + " | ".join(unusual(each, base) for each in known) + " |")
    for method, name in (("prior", "trained along with the others"), ("preservation", "output preserved")):
        lines.append(
            f"| regularization images: {name} | " + " | ".join(regularization(e, method) for e in known) + " |"
        )
    lines += ["", *map(base_models_of, base_models.FAMILIES)]
    return "\n".join(lines) + "\n"


def base_models_of(family):
    """Return the line of a family's base models."""
    labels = [base.label for base in usual(family)]
    return f"- {family.label}: {', '.join(labels)}"


def test_the_page_of_trainers_says_what_each_trainer_trains():
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table()


@pytest.mark.parametrize("name", trainers())
@pytest.mark.parametrize("base", DIFFERENT, ids=lambda base: base.name)
@pytest.mark.parametrize("network", network_names())
@pytest.mark.parametrize("others", [True, False])
def test_a_refused_combination_names_what_to_use(name, base, network, others):
    trainer = trainers()[name]
    subsets = (TRAINING, OTHERS) if others else (TRAINING,)
    config = config_of(base, network)
    refused = refusals(trainer, config, subsets)
    if not refused:
        assert trainer.schedule(config, subsets).total_steps > 0
    for message in refused:
        assert any(word in message for word in ("choose", "leave them out")), message


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8", newline="\n")
