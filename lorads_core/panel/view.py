"""A dataset as the panel shows it: worked out once for each revision, then changed row by row; it writes nothing."""

from __future__ import annotations

import dataclasses
import os
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..captions.lint import LintRules, looked_at
from ..model import TrainingConfig
from ..workflow.captions import draft
from ..workflow.parse import caption_settings
from .params import key_word
from .responses import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..captions.caption import CaptionSettings
    from ..captions.lint import Looked
    from ..model import Caption, Dataset, DatasetImage, ImageKey, Problem
    from ..settings import Settings
    from ..store.connect import Store
    from ..store.datasets import Standing


BUCKETS = "buckets"
"""The name under which a view keeps the buckets of its images."""


@dataclass(frozen=True, slots=True)
class Row:
    """An image of the dataset: ``values`` are what the page gets, ``text`` the same as JSON."""

    image: DatasetImage
    is_training: bool
    rejected: bool
    values: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class View:
    """A dataset at a revision: all of its images, rejected ones too, and their rows in order.

    ``problems`` are images that have gone from their library. ``config`` says how it was trained last, ``captions`` how
    captions are written for the base model of that.
    """

    dataset: Dataset
    revision: str
    config: TrainingConfig
    captions: CaptionSettings
    rejected: frozenset[ImageKey]
    problems: tuple[Problem, ...]
    rows: Mapping[ImageKey, Row]
    made: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)
    """What else was worked out of this revision, by name."""

    def rows_of(self, keys: Iterable[ImageKey]) -> list[str]:
        """Return the rows of images as JSON; what is not in the dataset at present is left out."""
        return [self.rows[key].text for key in keys if key in self.rows]


def read_view(store: Store, settings: Settings, standing: Standing, rejected: frozenset[ImageKey]) -> View:
    """Return a dataset as it stands.

    Raises:
        LibraryError: a library of its images cannot be read.
    """
    found = draft(store, settings, standing.name, with_rejected=True)
    config = config_of(standing)
    trigger = found.dataset.trigger
    captions = caption_settings("combined", (), trigger.word, trigger.position, config.base_model)
    return View(
        found.dataset,
        standing.revision,
        config,
        captions,
        rejected,
        found.problems,
        _Rows(captions).rows(found.dataset, rejected),
    )


def config_of(standing: Standing) -> TrainingConfig:
    """Return the training config of a dataset's last export, for the base model of its captions.

    It is the usual one where there was no export.
    """
    config = TrainingConfig.from_json(standing.config)
    return dataclasses.replace(config, base_model=standing.base_model) if standing.base_model else config


def config_mark(config: TrainingConfig) -> str:
    """Return a text that is another for another config."""
    return f"{zlib.crc32(repr(config).encode()):08x}"


def still(view: View, standing: Standing) -> View | None:
    """Return a view that is up to date: the same, or with the config of a newer export; None if more has changed."""
    config = config_of(standing)
    if view.revision != standing.revision or view.config.base_model != config.base_model:
        return None
    return view if view.config == config else dataclasses.replace(view, config=config, made={})


def changed(view: View, revision: str, captions: Mapping[ImageKey, Caption | None]) -> View:
    """Return a view in which some captions are others; only their rows are worked out anew."""
    dataset = _with_captions(view.dataset, captions)
    subset = _part(dataset, captions.keys())
    rows = {**view.rows, **_Rows(view.captions).rows(subset, view.rejected)}
    made = {BUCKETS: view.made[BUCKETS]} if BUCKETS in view.made and _same_are_captioned(view, captions) else {}
    return dataclasses.replace(view, dataset=dataset, revision=revision, rows=rows, made=made)


def _same_are_captioned(view: View, captions: Mapping[ImageKey, Caption | None]) -> bool:
    return all((view.rows[key].image.caption is None) == (after is None) for key, after in captions.items())


def with_rejection(view: View, revision: str, keys: Iterable[ImageKey], *, rejected: bool) -> View:
    """Return a view in which some images are rejected, or are not any more."""
    wanted = frozenset(keys)
    now = view.rejected | wanted if rejected else view.rejected - wanted
    rows = dict(view.rows)
    for key in wanted & rows.keys():
        rows[key] = _row(rows[key].image, rows[key].values | {"rejected": rejected}, rows[key].is_training)
    return dataclasses.replace(view, revision=revision, rejected=now, rows=rows, made={})


def _with_captions(dataset: Dataset, captions: Mapping[ImageKey, Caption | None]) -> Dataset:
    training, regularization = (
        tuple(
            dataclasses.replace(image, caption=captions[image.key]) if image.key in captions else image
            for image in images
        )
        for images in (dataset.training, dataset.regularization)
    )
    return dataclasses.replace(dataset, training=training, regularization=regularization)


def _part(dataset: Dataset, keys: Iterable[ImageKey]) -> Dataset:
    """Return a dataset with only these of its images."""
    wanted = frozenset(keys)
    training, regularization = (
        tuple(image for image in images if image.key in wanted) for images in (dataset.training, dataset.regularization)
    )
    return dataclasses.replace(dataset, training=training, regularization=regularization)


class _Rows:
    """Makes rows of a dataset's images, or of some of them."""

    def __init__(self, captions: CaptionSettings) -> None:
        self._rules = LintRules(captions.profile, captions.rules.vocabulary)

    def rows(self, dataset: Dataset, rejected: frozenset[ImageKey]) -> dict[ImageKey, Row]:
        """Return the rows of a dataset's images by their keys, in order.

        They tell of each caption by itself; what captions have in common is told with the dataset's problems.
        """
        made: dict[ImageKey, Row] = {}
        for place, each in enumerate(looked_at(dataset, self._rules)):
            key, is_training = each.image.key, place < len(dataset.training)
            values = self._values(each, is_training=is_training) | {"rejected": key in rejected}
            made[key] = _row(each.image, values, is_training)
        return made

    def _values(self, looked: Looked, *, is_training: bool) -> dict[str, Any]:
        image, record, caption = looked.image, looked.image.record, looked.image.caption
        return {
            "key": key_word(image.key),
            "set": "training" if is_training else "regularization",
            "concept": image.concept,
            "file": file_name(record.path),
            "width": record.width,
            "height": record.height,
            "rating": record.rating,
            "bad": record.marked_bad,
            "reason": image.reason,
            "text": caption.text if caption else None,
            "source": caption.source if caption else "",
            "edited": bool(caption and caption.edited),
            "fixed": bool(caption and caption.fixed),
            "tokens": looked.tokens,
            "problems": [{"code": each.code, "severity": each.severity} for each in looked.problems],
        }


def _row(image: DatasetImage, values: dict[str, Any], is_training: bool) -> Row:  # noqa: FBT001 - ours alone
    return Row(image, is_training, bool(values["rejected"]), values, dumps(values))


def file_name(path: str) -> str:
    """Return a file's name without its folder, whichever system wrote the path."""
    return os.path.basename(path.replace("\\", "/"))  # noqa: PTH119 - a Path would take three times as long


def dataset_facts(view: View, steps: tuple[str | None, str | None]) -> dict[str, Any]:
    """Return what the page gets of a dataset; ``steps`` are what can be undone and redone."""
    dataset = view.dataset
    return {
        "id": str(dataset.id),
        "name": dataset.name,
        "library": dataset.library,
        "trigger": dataclasses.asdict(dataset.trigger),
        "concepts": [dataclasses.asdict(concept) for concept in dataset.concepts],
        "base_model": view.config.base_model,
        "training": len(dataset.training),
        "regularization": len(dataset.regularization),
        "rejected": sum(row.rejected for row in view.rows.values()),
        "revision": view.revision,
        "config": config_mark(view.config),
        "can_undo": steps[0],
        "can_redo": steps[1],
        "problems": [f"{file_name(each.subject)}: {each.message}" for each in view.problems],
    }
