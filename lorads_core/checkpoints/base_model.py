"""Base models that a checkpoint can be of: by its family and variant, which are certain, then by its file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..base_models import BaseModel, base_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .recognition import Checkpoint

# What derivatives of a base model are called besides its own name.
_ALSO_CALLED = {
    "illustrious": ("illu", "wai"),
    "pony": ("pdxl",),
    "noobai": ("noob",),
    "flux_krea": ("krea",),
    "flux_kontext": ("kontext",),
    "pony7": ("pony",),
    "qwen_image_edit": ("imageedit", "qwenedit"),
    "qwen_image_edit_2509": ("edit2509", "qwenedit2509"),
    "qwen_image_edit_2511": ("edit2511", "qwenedit2511"),
    "wan21_14b": ("wan21",),
    "wan22_high": ("highnoise",),
    "wan22_low": ("lownoise",),
}


class BaseModelChoice(NamedTuple):
    """The base model that is taken for a file; ``others`` are of the same tensors, so that they may be meant."""

    base: BaseModel
    others: tuple[BaseModel, ...] = ()


def fitting_base_models(found: Checkpoint) -> tuple[BaseModel, ...]:
    """Return the base models whose tensors a checkpoint's can be: those of its families, and of its variant.

    A variant that no base model is called by is that of those that have none of their own, a distilled one also theirs.
    Names of variants of which one is meant are separated by slashes.
    A model that is `apart` has none.
    """
    if is_apart(found):
        return ()
    rows = tuple(each for each in base_models() if each.family.name in found.families)
    if found.architecture is None or not found.variant:
        return rows
    known = {_plain(each.label) for each in found.architecture.variants}
    named = tuple(each for each in rows if each.variant in _variants(found))
    others = tuple(each for each in rows if each.variant not in known)
    return (*named, *others) if found.distilled_from else named or others


def _variants(found: Checkpoint) -> list[str]:
    return [_plain(label) for label in found.variant.split("/")] if found.variant else []


def is_apart(found: Checkpoint) -> bool:
    """Whether a checkpoint is of a family's architecture, and needs more to be trained than images and captions."""
    if found.architecture is None:
        return False
    variants = (each for each in found.architecture.variants if each.label == found.variant)
    return found.architecture.apart or any(each.apart for each in variants)


def _plain(label: str) -> str:
    return label.lower().replace(" ", "_")


def base_model_of(found: Checkpoint) -> BaseModelChoice | None:
    """Return the base model to take for a checkpoint: by its name, or the first of its family.

    None where its tensors leave several families, and its name points to none of their base models.
    """
    rows = fitting_base_models(found)
    if len({each.family.name for each in rows}) != 1:
        named = _by_name(found.path.stem, rows)
        return named and BaseModelChoice(named, tuple(each for each in rows if each is not named))
    certain = [each for each in rows if each.variant in _variants(found)]
    base = like_by_name(found.path.stem, certain or rows)
    return BaseModelChoice(base, tuple(each for each in rows if each is not base))


def base_model_for(found: Checkpoint, current: str) -> BaseModelChoice | None:
    """Return the base model to take for a checkpoint in the place of the ``current`` one, by name; None as above.

    The current one stays where the checkpoint can be one of it, unless the file's name points to another.
    """
    chosen = base_model_of(found)
    if chosen is None:
        return None
    rows = (chosen.base, *chosen.others)
    stays = next((each for each in rows if each.name == current), None)
    if stays is None or any(word in _letters(found.path.stem) for word in _words(chosen.base)):
        return chosen
    return BaseModelChoice(stays, tuple(each for each in rows if each is not stays))


def like_by_name(stem: str, rows: Sequence[BaseModel]) -> BaseModel:
    """Return the base model that a file's name points to, by the longest name in it, else the first of its family."""
    return _by_name(stem, rows[1:]) or rows[0]


def _by_name(stem: str, rows: Sequence[BaseModel]) -> BaseModel | None:
    name = _letters(stem)
    words = [(len(word), each) for each in rows for word in _words(each) if word in name]
    return max(words, key=lambda found: found[0])[1] if words else None


def _words(base: BaseModel) -> list[str]:
    return [_letters(word) for word in (base.name, *_ALSO_CALLED.get(base.name, ()))]


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
