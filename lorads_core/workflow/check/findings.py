"""Everything that an audit finds in a training set: the table of its rules, and the order of what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from ...model import Severity
from . import caption_rules, folder_rules, image_rules
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .read_set import TrainingSet

_ORDER = get_args(Severity)

RULES: tuple[Callable[[TrainingSet], Iterator[Finding]], ...] = (
    folder_rules.missing_folders, folder_rules.nothing, folder_rules.regularization_as_subject, folder_rules.twice,
    folder_rules.outside, caption_rules.captions_unread, caption_rules.no_caption, caption_rules.bad_captions,
    caption_rules.assumed_suffix, caption_rules.orphans, image_rules.masks, image_rules.unread_files,
    image_rules.broken, image_rules.sizes, image_rules.unused, image_rules.identical, image_rules.near,
    folder_rules.balance, folder_rules.amount,
)  # fmt: skip


def findings(checked: TrainingSet, words: Sequence[str] = ()) -> list[Finding]:
    """Return everything that is wrong with a training set, the worst first; ``words`` are triggers that are known."""
    found = [Finding(each.severity, each.code, each.message.removesuffix("."), "") for each in checked.layout.problems]
    for rule in RULES:
        found += rule(checked)
    found += caption_rules.trigger_in_regularization(checked, words)
    return sorted(found, key=lambda each: _ORDER.index(each.severity))
