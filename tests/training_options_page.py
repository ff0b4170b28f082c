"""docs/training-options.md, rendered from the table of training options: ``python -m tests.training_options_page``."""

from dataclasses import replace
from pathlib import Path

from lorads_core.base_models import BASE_MODELS, FAMILIES
from lorads_core.cli.training_options import default_text
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.cards import CARDS
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.defaults import change_config
from lorads_core.trainers.preset_table import CONFIDENCE, PRESETS
from lorads_core.training_fields import ANY, TRAINING_FIELDS, WEIGHT_PRECISIONS, training_field

from .trainers.test_contract import FILES, another, context, errors, made

PAGE = Path(__file__).resolve().parents[1] / "docs" / "training-options.md"
_SUBSETS = (Subset("10_cat", 10, is_regularization=False, sizes=((1024, 1024),) * 8),)
HEAD = """# Training options

Every option of a training config: an input of the node **Training Config** of the same name, an option of
`lorads build`, `lorads export` and `lorads demo`, and a field in the [caption panel](panel.md#training-options). This
page is rendered from `lorads_core/training_fields.py` by `python -m tests.training_options_page`; a test compares the
two.

An option that is *not set* is not the same as one with a fixed default: rank, alpha, learning rate and warm-up follow
network, base model, optimizer and scheduler while they are not set, [repeats and
epochs](trainers.md#repeats-epochs-and-steps) the number of images. In the node, the value in the column *not set*
leaves them so; on the command line, leave the option out; in the panel, leave the field empty. What a trainer lacks is
reported before anything is written; the column *trainers* names those that have an option, for some base model and
some value of it.
"""

OF_ALL = {"base_model", "network", "steps", "optimizer"}  # all take AdamW
TAKEN = {
    "text_encoder_learning_rate": 1e-4,
    "min_snr_gamma": 5.0,
    "initial_lora": "/loras/cat_500_steps_00001_.safetensors",
}
"""Values that all trainers take which have the option: some take only whole numbers, one rate, or names with steps."""
_BESIDE = [{name: value} for name in ("optimizer", "scheduler") for value in training_field(name).choices()]


def page():
    """Return the page as Markdown."""
    groups = dict.fromkeys(each.group for each in TRAINING_FIELDS)
    return HEAD + "".join(_group(name) for name in groups) + _presets() + _cards() + _precisions()


def _group(name):
    lines = ["", f"## {name[0].upper()}{name[1:]}", ""]
    lines += ["| option | type | range | default | not set | counts for | trainers | meaning |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    lines += [_row(each) for each in TRAINING_FIELDS if each.group == name]
    return "\n".join(lines) + "\n"


def _row(each):
    default = each.unset or each.zero or default_text(each) or "none"
    cells = (
        f"`{each.name}`<br>`{each.flag}`",
        _type(each),
        _range(each),
        default,
        _unset(each),
        _when(each),
        _trainers(each),
        each.help,
    )
    return f"| {' | '.join(cells)} |"


def _type(each):
    kinds = {"whole": "whole number", "switch": "on, off or automatic", "flag": "on or off", "lines": "texts"}
    return kinds.get(each.kind, each.kind)


def _range(each):
    if each.choices():
        return ", ".join(each.choices())
    if each.kind not in ("whole", "number"):
        return ""
    lowest = "0 or " if each.zero and each.low else ""
    unit = f" {each.unit}" if each.unit else ""
    return f"{lowest}{each.low:.10g} to {each.high:.10g}{unit}"


def _unset(each):
    if each.kind == "switch":
        return "automatic"
    return f"{each.blank:g}" if each.unset else ("0" if each.zero else "")


def _when(each):
    found = [] if len(each.when.families) == len(FAMILIES) else [f"families {', '.join(each.when.families)}"]
    for other, wanted in each.when.values.items():
        found.append(f"`{other}` set" if ANY in wanted else f"`{other}` {', '.join(wanted)}")
    return "; ".join(found)


def _trainers(each):
    if each.is_part:
        return ""  # its base models need it in whichever trainer reads it
    if each.name in OF_ALL:
        return "all"
    known = [*trainers().values()]
    able = [one for one in known if _has(one, each)]
    return "all" if len(able) == len(known) else ", ".join(one.name for one in able)


def _has(one, each):
    """Say whether a trainer takes an option, with some base model, some value, some optimizer and some scheduler."""
    trained = [base for base in BASE_MODELS if is_trained(base, one.families, one.adapters, one.edits)]
    bases = [base.name for base in trained if each.when.fits(base.family)]
    return any(_is_taken(one, each, base, value) for base in bases for value in _values(each))


def _values(each):
    """Return values of an option: all of a choice or switch, of others some, of which a trainer may refuse each."""
    if each.kind in ("choice", "switch", "flag"):
        all_of_it = each.choices() if each.kind == "choice" else (True, False)
        return [value for value in all_of_it if value != each.default]
    return [TAKEN[each.name]] if each.name in TAKEN else [another(each)]


def _is_taken(one, each, base, value):
    """Say whether a trainer takes a value, and makes something else of it than of the default."""
    before = replace(TrainingConfig(model_files=FILES), **{**context(each), "base_model": base, "checkpoint": ""})
    after = change_config(before, {each.name: value})
    if each.name in one.lacks(after):
        return False
    beside = [{}, *(other for other in _BESIDE if each.name not in other)]
    pairs = ((change_config(before, other), change_config(after, other)) for other in beside)
    fitting = ((old, new) for old, new in pairs if errors(one, new) == [])
    return any(errors(one, old) != [] or made(one, old) != made(one, new) for old, new in fitting)


def _presets():
    lines = [
        "",
        "## Presets",
        "",
        "`--preset NAME`, the node's first input, or *Preset* in the panel; other options override it. What is from",
        "one trainer's guide can be trained by others, which report what they lack. A figure is as good as its source:",
        "",
        *(f"- *{word}*: {meaning}" for word, meaning in CONFIDENCE.items()),
        "",
        "None was measured by LoRADS, and no training of yours changes them: that one completed says nothing of how",
        "good its LoRA is. Presets called `card of … GB (…)` are rows of [graphics cards](#graphics-cards)",
        "for the trainer that they name.",
        "",
        "| preset | purpose | trainer | families | sets | source | date | confidence | note |",
        "|---|---|---|---|---|---|---|---|---|",
        *(line for each in PRESETS if not each.vram for line in _figures(each)),
    ]
    return "\n".join(lines) + "\n"


def _figures(preset):
    """Yield a line for each source of a preset's figures."""
    families = ", ".join(preset.families) if preset.named else "all"
    head, note = f"| {preset.name} | {preset.purpose} | {preset.trainer or 'any'} | {families}", preset.note
    if not preset.figures:
        yield f"{head} | nothing | | | | {note} |"
    for source in dict.fromkeys(figure.source for figure in preset.figures.values()):
        sets = ", ".join(f"`{name}` {value}" for name, (value, its) in preset.figures.items() if its == source)
        yield f"{head} | {sets} | {source.text} | {source.date} | {source.confidence} | {note} |"


def _cards():
    lines = [
        "",
        "## Graphics cards",
        "",
        "`--vram GB` takes the largest row of the trainer and base model that is not above it; `--vram auto` asks the",
        "driver of an NVIDIA card. Nothing here was measured by LoRADS: each row is what its source says.",
        "",
    ]
    lines += ["| trainer | base models | GB | sets | source |", "|---|---|---|---|---|"]
    for each in CARDS:
        values = ", ".join(f"`{name}` {value}" for name, value in each.values.items())
        lines.append(f"| {each.trainer} | {', '.join(each.models)} | {each.vram} | {values} | {each.source} |")
    return "\n".join(lines) + "\n"


def _precisions():
    lines = [
        "",
        "## Precisions of weights",
        "",
        "What `base_precision` can be besides `usual`, by base model and trainer; all else is refused.",
        "",
    ]
    names = [name for name in trainers() if name != "comfyui"]
    lines += [f"| base model | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for base in BASE_MODELS:
        found = [", ".join(_taken(trainer(name), base)) or "–" for name in names]
        lines.append(f"| `{base.name}` | {' | '.join(found)} |")
    return "\n".join(lines) + "\n"


def _taken(chosen, base):
    for precision in WEIGHT_PRECISIONS[1:]:
        tries = (
            TrainingConfig(base_model=base.name, base_precision=precision, checkpoint=checkpoint)
            for checkpoint in dict.fromkeys((base.usual_checkpoint, "/models/base", "/models/base.safetensors"))
        )
        if any(_fits(chosen, config) for config in tries):
            yield precision


def _fits(chosen, config):
    return not any(each.severity == "error" for each in chosen.problems(config, _SUBSETS))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
