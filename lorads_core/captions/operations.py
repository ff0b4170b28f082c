"""Edits of captions as values: each can be looked at before it is applied, and taken back; nothing is stored here.

What an operation does not change stays byte for byte. Captions that a person wrote stay whole unless the
selection names them. No operation leaves a caption empty, at which trainers stop: such a one stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import CaptionError
from ..model import Caption, Change, Dataset, DatasetImage, Edit, ImageKey
from ..tags import canonical, is_prose, one_line
from .patterns import check_pattern, substitution
from .tag_list import without_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .profiles import CaptionProfile
    from .vocabulary import Vocabulary

Set = Literal["all", "training", "regularization"]
SETS: tuple[Set, ...] = get_args(Set)
Place = Literal["front", "end"] | int
"""Where a tag is put in: behind the trigger, at the end, or before the part of that number (0 is the first)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which captions an operation may change: of these images (None: of all), of this set, those by hand too or not."""

    images: frozenset[ImageKey] | None = None
    of: Set = "all"
    by_hand: bool = False

    def captions(self, dataset: Dataset) -> Iterator[tuple[DatasetImage, Caption]]:
        """Yield the images that it names, with their captions; those without a caption are left out."""
        groups = {"all": dataset.images, "training": dataset.training, "regularization": dataset.regularization}
        for image in groups[self.of]:
            caption = image.caption
            if caption and (self.images is None or image.key in self.images) and (self.by_hand or not caption.edited):
                yield image, caption


ALL = Selection()


@dataclass(frozen=True, slots=True)
class Bulk:
    """What an operation would do: its edit, and the images whose captions it would have emptied and leaves alone."""

    edit: Edit
    emptied: tuple[ImageKey, ...] = ()


def applied(dataset: Dataset, edit: Edit) -> Dataset:
    """Return the dataset with an edit done.

    Raises:
        CaptionError: a caption is not what the edit says that it was, or its image is not in the dataset; the message
            names it.
    """
    changes = {change.image: change for change in edit.changes}
    training, regularization = (
        tuple(_changed(image, changes.pop(image.key, None)) for image in images)
        for images in (dataset.training, dataset.regularization)
    )
    if changes:
        library, image_id = next(iter(changes))
        raise CaptionError(
            f"Image {image_id} of library {library} is not in the dataset {dataset.name!r}: query again."
        )
    return replace(dataset, training=training, regularization=regularization)


def _changed(image: DatasetImage, change: Change | None) -> DatasetImage:
    if change is None:
        return image
    now, before = (each.text if each else None for each in (image.caption, change.before))
    if now != before:
        raise CaptionError(
            f"The caption of {image.record.path} is {now!r} by now, where {before!r} was to be changed: look again."
        )
    return replace(image, caption=change.after)


def _bulk(label: str, dataset: Dataset, selection: Selection, text_of: Callable[[DatasetImage, Caption], str]) -> Bulk:
    changes: list[Change] = []
    emptied: list[ImageKey] = []
    for image, caption in selection.captions(dataset):
        text = text_of(image, caption)
        if _is_unsafe(text) and not _is_unsafe(caption.text):
            text = one_line(text)
        if not text.strip(" ,"):
            emptied.append(image.key)
        elif text != caption.text:
            changes.append(Change(image.key, caption, replace(caption, text=text, fixed=True)))
    return Bulk(Edit(label, tuple(changes)), tuple(emptied))


def _is_unsafe(text: str) -> bool:
    """Tell whether a text could break a caption file."""
    return not text.isprintable() or "|||" in text or ";;;" in text


# Operations


def apply_source(
    dataset: Dataset, rebuilt: Mapping[ImageKey, Caption | None], source: str, selection: Selection = ALL
) -> Bulk:
    """Take captions that were built from a source; images for which it has nothing keep theirs."""
    changes: list[Change] = []
    without: list[ImageKey] = []
    for image, caption in selection.captions(dataset):
        new = rebuilt.get(image.key)
        if new is None:
            without.append(image.key)
        elif new.text != caption.text:
            changes.append(Change(image.key, caption, Caption(new.text, new.source, fixed=True)))
    return Bulk(Edit(f"Captions from {source}", tuple(changes)), tuple(without))


def find_and_replace(
    dataset: Dataset, find: str, replacement: str, selection: Selection = ALL, *, match_case: bool = False
) -> Bulk:
    """Replace a text wherever it stands.

    Raises:
        CaptionError: there is nothing to find.
    """
    import regex  # noqa: PLC0415 - used by few

    pattern = regex.escape(find, special_only=True)
    label = f"Replace {find!r} by {replacement!r}"
    return _substituted(label, dataset, selection, pattern, lambda _match: replacement, match_case=match_case)


def regex_replace(
    dataset: Dataset, pattern: str, template: str, selection: Selection = ALL, *, match_case: bool = False
) -> Bulk:
    r"""Replace what a regular expression finds (the `regex` library's, which knows all of Python's); ``\1`` is a group.

    Raises:
        CaptionError: the pattern or template is malformed, or takes more time or memory than `patterns` allows.
    """
    check_pattern(pattern)
    label = f"Replace /{pattern}/ by {template!r}"
    return _substituted(label, dataset, selection, pattern, template, match_case=match_case)


def _substituted(
    label: str,
    dataset: Dataset,
    selection: Selection,
    pattern: str,
    replacement: str | Callable[[object], str],
    *,
    match_case: bool,
) -> Bulk:
    replaced = substitution(pattern, replacement, match_case=match_case)
    return _bulk(label, dataset, selection, lambda _image, caption: replaced(caption.text))


def add_tags(dataset: Dataset, tags: Sequence[str], place: Place = "front", selection: Selection = ALL) -> Bulk:
    """Put tags in where captions do not have them.

    Raises:
        CaptionError: there is no tag.
    """
    wanted = _named(tags)

    def text_of(image: DatasetImage, caption: Caption) -> str:
        parts = caption.text.split(",")
        has = {canonical(part) for part in parts}
        new = [tag for key, tag in wanted.items() if key not in has]
        at = _position(place, parts, canonical(dataset.trigger_of(image).word))
        return ",".join(_inserted(parts, new, at)) if new else caption.text

    return _bulk(f"Add {', '.join(wanted.values())}", dataset, selection, text_of)


def _position(place: Place, parts: Sequence[str], trigger: str) -> int:
    if place == "front":
        return 1 if trigger and canonical(parts[0]) == trigger else 0
    return len(parts) if place == "end" else max(0, min(place, len(parts)))


def _inserted(parts: Sequence[str], new: Sequence[str], at: int) -> list[str]:
    before, behind = list(parts[:at]), list(parts[at:])
    if not before and behind:
        behind[0] = f" {behind[0]}"
    if before and not behind and before[-1].endswith("."):
        before[-1] = before[-1].removesuffix(".")
    spaced = [f" {tag}" if before or number else tag for number, tag in enumerate(new)]
    return [*before, *spaced, *behind]


def remove_tags(dataset: Dataset, tags: Sequence[str], selection: Selection = ALL) -> Bulk:
    """Take tags out, however they are spelled.

    Raises:
        CaptionError: there is no tag.
    """
    wanted = _named(tags)
    keys = frozenset(wanted)
    label = f"Remove {', '.join(wanted.values())}"
    return _bulk(label, dataset, selection, lambda _image, caption: without_parts(caption.text, keys))


def replace_tag(dataset: Dataset, old: str, new: str, selection: Selection = ALL) -> Bulk:
    """Put one tag in the place of another; a caption that has the new one already only loses the old one.

    Raises:
        CaptionError: one of them is no tag.
    """
    (was,), (key, tag) = _named([old]), next(iter(_named([new]).items()))

    def text_of(_image: DatasetImage, caption: Caption) -> str:
        parts = caption.text.split(",")
        keys = [canonical(part) for part in parts]
        if was not in keys or was == key:
            return caption.text
        if key in keys:
            return without_parts(caption.text, {was})
        first = keys.index(was)
        kept = [part for number, part in enumerate(parts) if keys[number] != was or number == first]
        lead = len(parts[first]) - len(parts[first].lstrip())
        kept[first] = f"{parts[first][:lead]}{tag}"
        return ",".join(kept)

    return _bulk(f"Replace the tag {old.strip()} by {tag}", dataset, selection, text_of)


def sort_tags(
    dataset: Dataset, written_for: CaptionProfile, vocabulary: Vocabulary, selection: Selection = ALL
) -> Bulk:
    """Bring tags into the base model's order by category, each category as it was; prose and the trigger stay."""
    places = {category: place for place, category in enumerate(written_for.order)}

    def place(part: str) -> tuple[int, int]:
        word = vocabulary.words[part.strip()]
        general = places.get("general", len(places))
        return (places.get(word.category, general), max(word.place, 0)) if word else (general, 0)

    def text_of(image: DatasetImage, caption: Caption) -> str:
        parts = [part.strip() for part in caption.text.split(",")]
        if is_prose(caption.text) or len(parts) < 2:  # noqa: PLR2004 - nothing to sort
            return caption.text
        trigger = canonical(dataset.trigger_of(image).word)
        head = parts[:1] if trigger and canonical(parts[0]) == trigger else []
        tail = parts[-1:] if trigger and not head and canonical(parts[-1]) == trigger else []
        middle = parts[len(head) : len(parts) - len(tail)]
        ordered = sorted(middle, key=place)
        return caption.text if ordered == middle else ", ".join([*head, *ordered, *tail])

    return _bulk(f"Sort tags for {written_for.base}", dataset, selection, text_of)


def together(label: str, edits: Iterable[Edit]) -> Edit:
    """Return edits of different captions as one; of two for the same caption the first counts."""
    changes: dict[ImageKey, Change] = {}
    for edit in edits:
        for change in edit.changes:
            changes.setdefault(change.image, change)
    return Edit(label, tuple(changes.values()))


def _named(tags: Sequence[str]) -> dict[str, str]:
    """Return tags by their canonical spelling, as they were written."""
    wanted = {canonical(tag): one_line(tag) for each in tags for tag in each.split(",")}
    wanted.pop("", None)
    if not wanted:
        raise CaptionError(f"{', '.join(tags)!r} is no tag: write one, or several with commas between them.")
    return wanted
