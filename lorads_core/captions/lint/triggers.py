"""The rules for triggers as words, apart from the captions that hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from ...errors import CaptionError
from ...model import Problem
from ...system.paths import DEVICES
from ...tags import canonical
from ..inherent import inherent
from ..tokens import counter, is_common
from ..trigger import checked, mentions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...model import Dataset, Severity, Trigger
    from .parsed_caption import LintRules

_MOST_TOKENS = 4
_UNSAFE_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]|[. ]$|^[.~-]')


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """A rule for a trigger; ``find`` returns what is wrong with it, empty where nothing is."""

    code: str
    severity: Severity
    find: Callable[[Trigger, LintRules], str]


def trigger_problems(dataset: Dataset, rules: LintRules) -> Iterator[Problem]:
    """Yield what is wrong with each trigger by itself, then with several together; the subject is the concept."""
    triggers = {concept.name: concept.trigger for concept in dataset.concepts} or {"": dataset.trigger}
    for concept, trigger in triggers.items():
        for rule in TRIGGER_RULES if trigger.word else (_NONE,):
            message = rule.find(trigger, rules)
            if message:
                yield Problem(rule.severity, rule.code, message, concept)
    for (concept, one), (_, other) in combinations(triggers.items(), 2):
        if mentions(one.word, other) or mentions(other.word, one):
            yield Problem(
                "warning",
                "triggers-alike",
                f"The triggers {one.word!r} and {other.word!r} hold one another, so that one calls both concepts:"
                " choose words that share nothing.",
                concept,
            )


def _none(trigger: Trigger, _rules: LintRules) -> str:
    if trigger.position == "none":
        return ""
    return "There is no trigger: the LoRA will have no word that calls it. Give one, or set its position to none."


def _breaks_captions(trigger: Trigger, _rules: LintRules) -> str:
    try:
        checked(trigger)
    except CaptionError as error:
        return str(error)
    return ""


def _known(trigger: Trigger, rules: LintRules) -> str:
    tag = canonical(trigger.word)
    if not rules.vocabulary.knows(tag) and inherent(tag) is None:
        return ""
    return f"The trigger {trigger.word!r} is a tag that means something already: choose a word that means nothing."


def _common(trigger: Trigger, rules: LintRules) -> str:
    if _known(trigger, rules) or not is_common(trigger.word):
        return ""
    return (
        f"The trigger {trigger.word!r} is a common word: the base model has a meaning for it, against which the LoRA is"
        " trained. Choose a rarer one."
    )


def _many_tokens(trigger: Trigger, _rules: LintRules) -> str:
    tokens = counter("clip")(trigger.word)
    if tokens <= _MOST_TOKENS:
        return ""
    return f"The trigger {trigger.word!r} has {tokens} tokens: choose a shorter word, {_MOST_TOKENS} tokens at most."


def _file_name(trigger: Trigger, _rules: LintRules) -> str:
    word = trigger.word
    if word.split(".")[0].strip().casefold() not in DEVICES and not _UNSAFE_IN_NAMES.search(word):
        return ""
    return f"The trigger {word!r} cannot be a file's name on every system: LoRAs and folders are often named by it."


_NONE = TriggerRule("no-trigger", "warning", _none)

TRIGGER_RULES: tuple[TriggerRule, ...] = (
    TriggerRule("trigger-unsafe", "error", _breaks_captions),
    TriggerRule("trigger-known", "warning", _known),
    TriggerRule("trigger-common", "warning", _common),
    TriggerRule("trigger-long", "warning", _many_tokens),
    TriggerRule("trigger-file-name", "warning", _file_name),
)
"""Every rule for a trigger that there is; adding one is adding its row."""
