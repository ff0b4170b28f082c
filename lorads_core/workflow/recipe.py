"""Recipe of an export, ``dataset.toml``: the options of `lorads build` that make the same dataset again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomli_w

from ..export.plan import ExportOptions
from ..trainers.defaults import AUTOMATIC
from ..trainers.extra import extra_lines
from ..training_fields import TRAINING_FIELDS
from .last_export import writing_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import TrainingConfig

_HEADING = """\
# The recipe of this dataset. It is made again by: lorads build dataset.toml
# Keys are options of lorads build (--help-all), which go over it on the command line. The next export writes this file.
"""


def recipe_text(selection: Mapping[str, Any], name: str, config: TrainingConfig, options: ExportOptions) -> str:
    """Return the recipe of an export: what chose the images and captions of a dataset, and how it is written.

    It is empty where no `lorads build` made the dataset.
    """
    if not selection:
        return ""
    writing = writing_words(options).items() - writing_words(ExportOptions()).items()
    values = {"name": name, **selection, **dict(_training(config)), **dict(sorted(writing))}
    return f"{_HEADING}\n{tomli_w.dumps(values)}"


def _training(config: TrainingConfig) -> Iterator[tuple[str, Any]]:
    """Yield the training options that are not what they would be without a word of them, by their option's name."""
    for each in TRAINING_FIELDS:
        value: Any = config.model_files.get(each.name, "") if each.is_part else getattr(config, each.name)
        is_set = each.name not in config.automatic if each.name in AUTOMATIC else value != each.default
        if is_set and value is not None:
            key = each.flag.removeprefix("--").replace("-", "_")
            yield key, extra_lines(value) if each.kind == "toml" else list(value) if each.kind == "lines" else value
