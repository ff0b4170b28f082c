"""The rules for single captions, one function and one row each; what concerns several captions stands elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...base_models import base_model
from ...tags import canonical, one_line, unescape_entities
from ..clean import balanced, is_unbalanced, without_leftovers
from ..features import (
    BEHIND_PROMPT,
    CONTROL,
    ENTITY,
    INFOTEXT,
    LEFTOVER,
    LONG,
    ONE_SIDED,
    OTHER_SEPARATOR,
    OVERLONG,
    PLACEHOLDER,
    PROSE,
    QUALITY_WORD,
    RATING,
    REPEATED,
    SCORE,
    SEPARATOR,
    SIDED,
    SIDES,
    SPACED,
    TRIGGER,
    UNBALANCED,
    UNDERSCORES,
    UNSAFE,
)
from ..tokens import chunks, is_estimate
from ..trigger import add_trigger, place_trigger, remove_placeholder, remove_trigger
from .parsed_caption import CaptionRule, Found

if TYPE_CHECKING:
    from .parsed_caption import LintRules, Look


def _unsafe(look: Look, _rules: LintRules) -> Found | None:
    text = one_line(look.text)
    if text == look.text:
        return None
    return Found(
        "It holds a line end, a separator of trainers (||| or ;;;) or invisible characters, at which trainers cut or"
        " stumble: write it as one plain line.",
        text,
    )


def _entities(look: Look, _rules: LintRules) -> Found | None:
    text = unescape_entities(look.text)
    return Found("It holds characters as HTML writes them (&amp; &#039;), which would be trained as words.", text)


def _placeholder(look: Look, _rules: LintRules) -> Found | None:
    text = place_trigger(look.text, look.called.trigger) if look.is_training else remove_placeholder(look.text)
    return Found(
        "It holds [trigger] or [name], ai-toolkit's placeholders for the trigger, which others train as a word.",
        text,
    )


def _infotext(look: Look, _rules: LintRules) -> Found | None:
    start = BEHIND_PROMPT.search(look.text)
    if not start or (start[0][0] in "sS" and not _PARAMETERS.search(look.text)):
        return None
    return Found(
        "It holds what a generator writes behind a prompt (negative prompt, steps, sampler), which says what the image"
        f" does not show: take out all from {look.text[start.start() : start.start() + _SHOWN]!r} on.",
        look.rest(look.text[: start.start()]),
    )


_PARAMETERS = re.compile(r"\b(?:sampler|cfg scale|seed): ", re.IGNORECASE)
_SHOWN = 40  # characters of what goes


def _leftovers(look: Look, _rules: LintRules) -> Found | None:
    text = without_leftovers(look.text)
    if text == look.text or look.signs & PLACEHOLDER:  # whose brackets are no weight: it goes first
        return None
    return Found(
        "It holds what only a generator understands (weights, a LoRA, an embedding, BREAK or escaped brackets), which"
        " would be trained as words: take it out.",
        text,
    )


def _unbalanced(look: Look, _rules: LintRules) -> Found | None:
    if not is_unbalanced(look.text):
        return None
    text = balanced(look.text)
    # A bracket that is closed may be one around nothing.
    text = text if look.signs & LEFTOVER else without_leftovers(text)
    return Found("A bracket lacks its other half: close it or take it out.", text)


def _other_separators(look: Look, _rules: LintRules) -> Found | None:
    text = unescape_entities(look.text)  # their semicolons separate nothing
    found = len(SEPARATOR.findall(text))
    is_list = found > 1 if "," not in text else found and not look.signs & PROSE
    if not is_list:
        return None
    text = SEPARATOR.sub(", ", text)
    return Found("Tags are separated by other signs than commas, so that they are one to trainers: use commas.", text)


def _spaced(look: Look, _rules: LintRules) -> Found | None:
    if look.kind == "prose":
        return None
    pairs = zip(look.raw, look.parts, strict=True)
    parts = [", ".join(raw.split()) if part.signs & SPACED else raw.strip() for raw, part in pairs]
    return Found(
        "It has tags with spaces between them, so that they are one tag to trainers: use commas.", ", ".join(parts)
    )


def _quality_words(look: Look, _rules: LintRules) -> Found | None:
    if look.kind == "prose":
        return None
    found = [part.key for part in look.odd if part.signs & QUALITY_WORD]
    text = look.without(lambda part: bool(part.signs & QUALITY_WORD))
    return Found(f"{_listed(sorted(found)).capitalize()}: prompts ask for it, and no image shows it.", text)


def _long_part(look: Look, _rules: LintRules) -> Found | None:
    if len(look.names - {"", look.called.key}) < _FEW_TAGS:
        return None
    length = max(len(raw.strip()) for raw, part in zip(look.raw, look.parts, strict=True) if part.signs & LONG)
    return Found(f"Among its tags is a text of {length} characters: split it by commas, or caption with sentences.")


_FEW_TAGS = 2  # that make a list of what else is in it


def _duplicates(look: Look, _rules: LintRules) -> Found | None:
    if look.kind == "prose":
        return None
    seen = {"", look.called.key}
    twice: dict[str, None] = {}

    def again(key: str) -> bool:
        if key in seen:
            if key and key != look.called.key:
                twice[key] = None
                return True
            return False
        seen.add(key)
        return False

    text = look.without(lambda part: again(part.key))
    if not twice:
        return None
    return Found(f"It has tags more than once: {_listed(list(twice))}.", text)


def _trigger_missing(look: Look, _rules: LintRules) -> Found | None:
    if not look.is_training or look.times or not look.called.wanted():
        return None
    trigger = look.called.trigger
    return Found(f"It does not hold the trigger {trigger.word!r}.", place_trigger(look.text, trigger))


def _trigger_twice(look: Look, _rules: LintRules) -> Found | None:
    if not look.is_training or look.times < 2:  # noqa: PLR2004 - twice
        return None
    called = look.called
    as_tags = look.keys.count(called.key) if called.key else 0
    # Where prose says it, it need not stand as a tag besides; where another tag holds it, it must.
    left = 0 if as_tags < look.times and look.signs & PROSE else 1

    def is_surplus(key: str) -> bool:
        nonlocal left
        if key != called.key:
            return False
        left -= 1
        return left < 0

    text = look.without(lambda part: is_surplus(part.key)) if as_tags else look.text
    return Found(
        f"It holds the trigger {called.trigger.word!r} {look.times} times: once is enough.",
        text if called.times(text) == 1 else None,
    )


def _trigger_place(look: Look, _rules: LintRules) -> Found | None:
    called = look.called
    if not look.is_training or not called.wanted() or not called.key or look.times != 1:
        return None
    at = 0 if called.trigger.position == "prepend" else -1
    if look.keys[at] == called.key or called.key not in look.names or look.kind == "prose":
        return None
    where = "first" if at == 0 else "last"
    text = add_trigger(look.text, called.trigger)
    return Found(f"The trigger {called.trigger.word!r} does not stand {where}, where it is to be.", text)


def _trigger_alone(look: Look, _rules: LintRules) -> Found | None:
    if not look.is_training or not look.called.key or look.names - {""} != {look.called.key}:
        return None
    return Found("It is the trigger alone: all that the image shows will be taken for what the trigger means.")


def _trigger_in_regularization(look: Look, _rules: LintRules) -> Found | None:
    said = [] if look.is_training else [called for called in look.triggers if called.times(look.text)]
    if not said:
        return None
    text = look.text
    for called in said:
        text = remove_trigger(text, called.trigger)
    words = ", ".join(repr(called.trigger.word) for called in said)
    return Found(
        f"It is a regularization image, and holds the trigger {words}: it teaches what that does not mean.",
        None if any(called.times(text) for called in said) else text,
    )


def _too_long(look: Look, rules: LintRules) -> Found | None:
    limit = rules.limit
    if look.tokens <= limit:
        return None
    about = "about " if is_estimate(rules.profile.tokenizer) else ""
    extent = "" if about else f" ({chunks(look.tokens)} chunks)"
    return Found(f"It has {about}{look.tokens} tokens{extent}; what is behind {limit} is not read: shorten it.")


def _sides(look: Look, rules: LintRules) -> Found | None:
    found = SIDES.search(look.text)
    if not rules.flip_aug or not found:
        return None
    return Found(f"It says {found[0]!r}, and images are flipped: turn flip_aug off, or take the word out.")


def _one_sided(look: Look, rules: LintRules) -> Found | None:
    if not rules.flip_aug or not look.is_training:
        return None
    found = sorted(part.key for part in look.odd if part.signs & ONE_SIDED)
    return Found(f"{_listed(found).capitalize()} may be of one side, and images are flipped: turn flip_aug off.")


def _scores(look: Look, _rules: LintRules) -> Found | None:
    text = look.without(lambda part: bool(part.signs & SCORE))
    return Found("It holds quality scores (score_9 …), which belong in prompts, not in training captions.", text)


def _control(look: Look, rules: LintRules) -> Found | None:
    if rules.profile.control:
        return None
    text = look.without(lambda part: bool(part.signs & CONTROL))
    return Found(
        f"It holds words of Pony's (source_…, rating_…), which mean nothing to {_label(rules)}.",
        text,
    )


def _ratings(look: Look, rules: LintRules) -> Found | None:
    if rules.profile.ratings != "none" or look.kind == "prose":
        return None
    text = look.without(lambda part: bool(part.signs & RATING))
    return Found(f"It holds a tagger's rating, which means nothing to {_label(rules)}.", text)


def _underscores(look: Look, _rules: LintRules) -> Found | None:
    def is_meant(key: str, signs: int) -> bool:
        return bool(signs & UNDERSCORES) and key != look.called.key

    pairs = list(zip(look.raw, look.parts, strict=True))
    if not any(is_meant(part.key, part.signs) for _, part in pairs):
        return None
    spelled = [_respelt(raw) if is_meant(part.key, part.signs) else raw for raw, part in pairs]
    return Found(
        "Tags are spelled with underscores, which base models read as other words: use spaces.", ",".join(spelled)
    )


def _respelt(raw: str) -> str:
    return f"{raw[: len(raw) - len(raw.lstrip())]}{canonical(raw)}"


def _label(rules: LintRules) -> str:
    return base_model(rules.profile.base).label


def _kind(look: Look, rules: LintRules) -> Found | None:
    if look.kind is None or look.kind in rules.profile.kinds:
        return None
    is_, learns = _KINDS[look.kind], _KINDS[rules.profile.kinds[0]]
    return Found(f"It is {is_}; {_label(rules)} learns best from {learns}.")


_KINDS = {"tags": "a list of tags", "prose": "sentences", "mixed": "sentences with tags"}


def _shuffled(look: Look, rules: LintRules) -> Found | None:
    if not rules.shuffle or look.kind != "prose" or len(look.raw) < 2:  # noqa: PLR2004 - nothing to shuffle
        return None
    return Found("It is prose with commas, whose parts shuffling would mix up: turn shuffle_caption off.")


def _listed(tags: list[str]) -> str:
    few = 5
    return ", ".join(tags[:few]) + (f" and {len(tags) - few} more" if len(tags) > few else "")


CAPTION_RULES: tuple[CaptionRule, ...] = (
    CaptionRule("unsafe-text", "warning", _unsafe, "Write as one plain line", UNSAFE),
    CaptionRule("html-entities", "warning", _entities, "Write characters for HTML entities", ENTITY),
    CaptionRule("trigger-placeholder", "warning", _placeholder, "Put the trigger for its placeholder", PLACEHOLDER),
    CaptionRule("infotext", "warning", _infotext, "Keep the prompt alone", INFOTEXT),
    CaptionRule("space-separated", "warning", _spaced, "Separate tags by commas", SPACED),
    CaptionRule("prompt-leftovers", "warning", _leftovers, "Take out what is left of a prompt", LEFTOVER | UNBALANCED),
    CaptionRule("unbalanced-brackets", "warning", _unbalanced, "Put brackets in pairs", UNBALANCED),
    CaptionRule("other-separators", "warning", _other_separators, "Separate tags by commas", OTHER_SEPARATOR),
    CaptionRule("duplicate-tags", "warning", _duplicates, "Remove duplicate tags", REPEATED),
    CaptionRule("trigger-missing", "warning", _trigger_missing, "Add the trigger", TRIGGER),
    CaptionRule("trigger-twice", "warning", _trigger_twice, "Keep the trigger once", TRIGGER),
    CaptionRule("trigger-place", "warning", _trigger_place, "Move the trigger to its place", TRIGGER),
    CaptionRule("trigger-alone", "info", _trigger_alone, signs=TRIGGER),
    CaptionRule("trigger-in-regularization", "warning", _trigger_in_regularization, "Take the trigger out", TRIGGER),
    CaptionRule("too-many-tokens", "warning", _too_long, signs=OVERLONG),
    CaptionRule("left-right", "error", _sides, signs=SIDED),
    CaptionRule("one-sided", "warning", _one_sided, signs=ONE_SIDED),
    CaptionRule("score-words", "warning", _scores, "Remove quality scores", SCORE),
    CaptionRule("control-words", "warning", _control, "Remove Pony's words", CONTROL),
    CaptionRule("rating-words", "info", _ratings, "Remove the rating", RATING),
    CaptionRule("underscores", "info", _underscores, "Spell tags with spaces", UNDERSCORES),
    CaptionRule("quality-words", "info", _quality_words, "Remove quality words", QUALITY_WORD),
    CaptionRule("long-text", "warning", _long_part, signs=LONG),
    CaptionRule("other-kind", "info", _kind),
    CaptionRule("shuffled-prose", "warning", _shuffled, signs=PROSE),
)
"""Every rule for a caption by itself; adding one is adding its row."""
