"""Words from widgets and from the command line as values; each is checked here, once, and nowhere believed before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from PIL import ImageColor

from ..captions.caption import CaptionSettings, Uncaptioned
from ..captions.dictionaries import read_vocabulary
from ..captions.merge import MergeRules
from ..captions.profiles import CaptionProfile, profile
from ..captions.sources import source
from ..captions.trigger import checked
from ..captions.vocabulary import SHIPPED, Vocabulary
from ..errors import SettingsError
from ..images.encode import FORMATS, ImagePolicy
from ..images.formats import SUFFIXES
from ..library.sidecars import Reading, SidecarRule
from ..library.sidecars.rule import ENCODINGS, FORMS, NO_SOURCE
from ..model import Position, Trigger
from ..tags import parse_tag_list
from ..vision.similarity.band import BandRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..images.encode import Kind
    from ..settings import Settings

_SUFFIX = re.compile(r"(?:\.[a-z0-9_-]{1,16}){1,3}")
_BAND = re.compile(r"(-?\d*\.?\d+)\s*-\s*(-?\d*\.?\d+)")
_USUAL = MergeRules()
SIZED = ("max_side", "max_area")
"""Image policies that take a size in pixels."""
UNSIZED = ("original", "normalised", "bucket")
"""Image policies that take none."""


def tags(text: str) -> tuple[str, ...]:
    """Return tags written with commas between them."""
    return tuple(parse_tag_list(text))


def comma_separated(text: str) -> tuple[str, ...]:
    """Return names, which may hold spaces, written with commas between them."""
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers written with commas or spaces between them.

    Raises:
        SettingsError: one of them is no whole number.
    """
    words = text.replace(",", " ").split()
    for word in words:
        if not word.isdecimal():
            raise SettingsError(f"{word!r} is no image id: give whole numbers, e.g. 12, 57.")
    return tuple(int(word) for word in words)


def names(text: str) -> tuple[str, ...]:
    """Return names written with commas or spaces between them."""
    return tuple(text.replace(",", " ").split())


def sidecar_rule(words: Sequence[str]) -> SidecarRule:
    """Return the default rule with each ``.suffix=source`` of ``words`` put in; a form and an encoding may follow.

    Raises:
        SettingsError: a word is not of that form, or there is no such source, form or encoding.
    """
    rule = SidecarRule()
    for word in words:
        rule = rule.with_reading(_reading(word))
    return rule


def _reading(word: str) -> Reading:
    suffix, _, meaning = word.lower().partition("=")
    if not _SUFFIX.fullmatch(suffix) or suffix in SUFFIXES:
        raise SettingsError(f"{word!r} does not say what a sidecar holds: write e.g. .txt=wd, or .jpg.txt=sidecar.")
    name, *more = meaning.split(":")
    reading = Reading(suffix, name if name == NO_SOURCE else source(name).name)
    for each in more:
        if each in FORMS:
            reading = reading._replace(form=each)
        elif each in ENCODINGS:
            reading = reading._replace(encoding=each)
        else:
            raise SettingsError(
                f"{word!r}: {each!r} is neither a form ({', '.join(FORMS)}) nor an encoding ({', '.join(ENCODINGS)})."
            )
    return reading


@dataclass(frozen=True, slots=True)
class ImageWishes:
    """How images are re-encoded, as text: see `ImagePolicy`; ``background`` is a colour."""

    format: str = "png"
    quality: int = 95
    background: str = "white"
    keep_alpha: bool = False
    strip: bool = False

    def policy(self, kind: str, size: int | None = None) -> ImagePolicy:
        """Return these wishes as a policy of a kind.

        Raises:
            SettingsError: there is no such format or colour.
            ExportError: they contradict each other.
        """
        if self.format not in FORMATS:
            raise SettingsError(f"There is no image format {self.format!r}; known are: {', '.join(FORMATS)}.")
        return ImagePolicy(
            cast("Kind", kind),
            size,
            self.format,
            self.quality,
            colour(self.background),
            keep_alpha=self.keep_alpha,
            strip=self.strip,
        )


def colour(word: str) -> tuple[int, int, int]:
    """Return a colour written as CSS has it, e.g. ``white``, ``#808080``; 0-255 each.

    Raises:
        SettingsError: it is none.
    """
    try:
        found = ImageColor.getrgb(word.strip())
    except ValueError as error:
        raise SettingsError(f"{word!r:.80} is no colour: write e.g. white or #808080.") from error
    if len(found) > 3:  # noqa: PLR2004 - with an opacity, which nothing lies beneath
        raise SettingsError(f"The colour {word!r} is transparent itself: write it without its opacity, e.g. #808080.")
    return found[0], found[1], found[2]


def image_policy(kind: str, size: int = 0, wishes: ImageWishes | None = None) -> ImagePolicy:
    """Return the policy called ``kind``; ``size`` in pixels counts for max_side and max_area only.

    Raises:
        SettingsError: there is no such policy, it needs a size, or a wish cannot be understood.
        ExportError: wishes contradict each other.
    """
    wishes = wishes or ImageWishes()
    if kind in UNSIZED:
        return wishes.policy(kind)
    if kind not in SIZED:
        raise SettingsError(f"There is no image policy {kind!r}; known are: {', '.join((*UNSIZED, *SIZED))}.")
    if size < 64:  # noqa: PLR2004 - the smallest side that any trainer takes
        raise SettingsError(f"The image policy {kind} needs a size of at least 64 pixels, e.g. {kind}=2048.")
    return wishes.policy(kind, size)


def image_policy_word(word: str, wishes: ImageWishes | None = None) -> ImagePolicy:
    """Return the policy written as ``original``, ``normalised``, ``bucket``, ``max_side=N`` or ``max_area=N``.

    Raises:
        SettingsError: as `image_policy`, or the size is no number.
    """
    kind, _, size = word.partition("=")
    if size and kind in UNSIZED:
        raise SettingsError(f"The image policy {kind} takes no size: write {kind}, or e.g. max_side={size}.")
    if size and not size.isdecimal():
        raise SettingsError(f"{size!r} is no size in pixels: write e.g. {kind}=2048.")
    return image_policy(kind, int(size or 0), wishes)


def band_wish(similarities: str, percentiles: str) -> BandRequest:
    """Return the band written as ``0.5-0.85``, in similarities or else in percentiles of the library's own.

    Raises:
        SettingsError: it is not written so, both are given, or a bound is out of its range.
    """
    if similarities and percentiles:
        raise SettingsError("The band is given twice: write it in similarities or in percentiles, not in both.")
    if not similarities and not percentiles:
        return BandRequest()
    bounds = _BAND.fullmatch((similarities or percentiles).strip())
    if not bounds:
        raise SettingsError(
            f"{similarities or percentiles!r} is not a valid band: write e.g. 0.5-0.85, or percentiles 60-95."
        )
    return BandRequest(float(bounds[1]), float(bounds[2]), "percentile" if percentiles else "similarity")


@dataclass(frozen=True, slots=True)
class CaptionWishes:
    """What else can be said of captions: thresholds (0–1), tags that no caption gets, traits bound to the trigger.

    ``left_out`` and ``bound`` are tags separated by commas. ``uncaptioned`` and ``class_name`` as in `CaptionSettings`.
    """

    wd: float = _USUAL.wd_general
    wd_character: float = _USUAL.wd_character
    joytag: float = _USUAL.joytag
    left_out: str = ""
    bound: str = ""
    uncaptioned: Uncaptioned = "leave-out"
    class_name: str = ""


def vocabulary(settings: Settings, name: str) -> Vocabulary:
    """Return the vocabulary called ``name``, ours where the name is empty.

    Raises:
        SettingsError: there is none, or its files cannot be read.
    """
    return read_vocabulary(settings.vocabulary(name)) if name else SHIPPED


def caption_settings(
    name: str,
    fallback: Sequence[str],
    trigger: str,
    position: str,
    base_model: str,
    wishes: CaptionWishes | None = None,
    known: Vocabulary = SHIPPED,
) -> CaptionSettings:
    """Return how to caption.

    Raises:
        SettingsError: a source, the position or the base model is unknown, or a threshold out of range.
        CaptionError: the trigger cannot stand in a caption.
    """
    written_for = profile(base_model)
    for each in (name, *fallback):
        source(each)
    wishes = wishes or CaptionWishes()
    if position not in get_args(Position):
        raise SettingsError(f"The trigger cannot stand at {position!r}; known are: {', '.join(get_args(Position))}.")
    return CaptionSettings(
        source=name,
        fallback=tuple(fallback),
        trigger=checked(Trigger(trigger.strip(), cast("Position", position))),
        rules=_merge_rules(wishes, written_for, known),
        profile=written_for,
        left_out=frozenset(tags(wishes.left_out)),
        bound={"": frozenset(tags(wishes.bound))},
        uncaptioned=wishes.uncaptioned,
        class_name=wishes.class_name,
    )


def _merge_rules(wishes: CaptionWishes, written_for: CaptionProfile, known: Vocabulary) -> MergeRules:
    thresholds = {"WD": wishes.wd, "WD character": wishes.wd_character, "JoyTag": wishes.joytag}
    for what, threshold in thresholds.items():
        if not 0 <= threshold <= 1:
            raise SettingsError(f"The {what} threshold {threshold:g} is out of range: give a number from 0 to 1.")
    return MergeRules(
        wd_general=wishes.wd,
        wd_character=wishes.wd_character,
        joytag=wishes.joytag,
        ratings=written_for.ratings,
        order=written_for.order,
        vocabulary=known,
    )
