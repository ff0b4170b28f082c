"""Last export of a dataset: the training options and the way of writing that the next export goes on from.

The way of writing is stored in the words of the command line (`writing.WRITING`): `writing_options` reads them,
`writing_words` writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..export.plan import ExportOptions
from ..model import TrainingConfig
from ..store import datasets
from ..trainers.defaults import change_config, make_config
from .parse import UNSIZED, ImageWishes, image_policy_word
from .writing import WRITING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store.connect import Store
    from ..store.datasets import DatasetState
    from ..trainers.installed import Installed


def find_last_export(store: Store, name: str) -> DatasetState | None:
    """Return how a dataset stands that was exported before; None where there is none, or it never was."""
    with store.connection() as connection:
        found = datasets.find_dataset(connection, name, store.owner)
        standing = datasets.dataset_state(connection, found[0]) if found else None
    return standing if standing and standing.config else None


def last_config(standing: DatasetState) -> TrainingConfig:
    """Return the training config of a dataset's last export, for the base model that it was captioned for since.

    Without an export it is the default config, for the base model of its captions.
    """
    if not standing.config:
        return make_config({"base_model": standing.base_model} if standing.base_model else {})
    values = dict(standing.config)
    captioned_for = values.pop(datasets.CAPTIONED_FOR, "")
    return change_config(TrainingConfig.from_json(values), {"base_model": captioned_for} if captioned_for else {})


def writing_options(words: Mapping[str, Any], installed: Installed | None) -> ExportOptions:
    """Return how to write by words; see `WRITING`, whose value stands for each that is missing.

    Raises:
        SettingsError: there is no such policy, format or colour.
        ExportError: they contradict each other.
    """
    known = {**WRITING, **{name: value for name, value in words.items() if name in WRITING}}
    flags = {name: bool(known[name]) for name in ("keep_alpha", "strip")}
    wishes = ImageWishes(known["format"], known["quality"], known["background"], **flags)
    return ExportOptions(
        trainer=known["trainer"],
        policy=image_policy_word(known["images"], wishes),
        link=known["link"],
        installed=installed,
        first_frame=known["first_frame"],
    )


def writing_words(options: ExportOptions) -> dict[str, Any]:
    """Return how an export is written as the command line has it, e.g. ``{"images": "max_side=1024", ...}``."""
    policy = options.policy
    return {
        "trainer": options.trainer,
        "images": policy.kind if policy.kind in UNSIZED else f"{policy.kind}={policy.size}",
        "format": policy.format,
        "quality": policy.quality,
        "background": "#{:02x}{:02x}{:02x}".format(*policy.background),
        "keep_alpha": policy.keep_alpha,
        "strip": policy.strip,
        "link": options.link,
        "first_frame": options.first_frame,
    }
