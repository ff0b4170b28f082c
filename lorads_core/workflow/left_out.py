"""What a query leaves out, by the filter that does it: how many images, which first, and the option that decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..images.files import printable_path
from ..library.filter import DatasetFilter
from ..library.tag_names import unknown_tag
from ..model import Problem
from ..problems import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..library import Library
    from ..model import ImageRecord, Severity

_MOST_COMPARED = 20_000  # ids that are compared to name the first image; larger libraries get the numbers alone


@dataclass(frozen=True, slots=True)
class _Criterion:
    """A field of `DatasetFilter` that leaves images out, with the option of the command line that sets it."""

    field: str
    option: str
    reason: Callable[[DatasetFilter], str]
    severity: Severity = "info"


_CRITERIA = (
    _Criterion(
        "minimum_side", "--minimum-side", lambda f: f"below {f.minimum_side:,} pixels on its shorter side", "warning"
    ),
    _Criterion("minimum_rating", "--minimum-rating", lambda f: f"rated below {f.minimum_rating}, or not rated"),
    _Criterion("exclude_marked_bad", "--with-marked-bad", lambda _: "marked as bad"),
    _Criterion("favorite", "--favorite", lambda f: "no favorites" if f.favorite else "favorites"),
    _Criterion("nsfw", "--nsfw", lambda f: "not marked NSFW" if f.nsfw else "marked NSFW"),
    _Criterion("models", "--made-with-checkpoint", lambda f: f"not made with checkpoint {_quoted(f.models, ' or ')}"),
    _Criterion("loras", "--made-with-lora", lambda f: f"not made with LoRA {_quoted(f.loras, ' or ')}"),
    _Criterion("created_since", "--created-since", lambda f: f"created before {f.created_since}, or not known when"),
    _Criterion("created_before", "--created-before", lambda f: f"created since {f.created_before}, or not known when"),
    _Criterion("required_tags", "--require", lambda f: f"without {_quoted(f.required_tags, ' or ')}"),
    _Criterion("excluded_tags", "--exclude", lambda f: f"tagged {_quoted(f.excluded_tags, ' or ')}"),
)
_NOTHING = DatasetFilter(exclude_marked_bad=False)


def left_out(library: Library, wanted: DatasetFilter) -> tuple[Problem, ...]:
    """Return one problem for each filter that leaves images out of the chosen folders, groups and ids.

    An image that fails two filters counts for both.
    """
    scope = replace(wanted, maximum_images=None, **{each.field: getattr(_NOTHING, each.field) for each in _CRITERIA})
    active = [each for each in _CRITERIA if getattr(wanted, each.field) != getattr(_NOTHING, each.field)]
    if not active and wanted.maximum_images is None:
        return ()
    total = library.count(scope)
    problems = [each for one in active for each in _by(library, scope, wanted, one, total)]
    problems += _unknown_names(library, wanted)
    problems += _unknown_tags(library, wanted)
    passed = library.count(wanted)
    if wanted.maximum_images is not None and passed > wanted.maximum_images:
        count = counted(passed - wanted.maximum_images, "image is", "images are")
        message = (
            f"{count} beyond the maximum of {wanted.maximum_images:,} in the order {wanted.order}: left out"
            " (--maximum-images; --order)."
        )
        problems.append(Problem("info", "maximum", message))
    return tuple(problems)


def _by(
    library: Library, scope: DatasetFilter, wanted: DatasetFilter, criterion: _Criterion, total: int
) -> Iterator[Problem]:
    narrower = replace(scope, **{criterion.field: getattr(wanted, criterion.field)})
    count = total - library.count(narrower)
    if count <= 0:
        return
    first = _first(library, scope, narrower) if total <= _MOST_COMPARED else None
    example = f", first {_described(first, with_size=criterion.field == 'minimum_side')}" if first else ""
    images = counted(count, "image is", "images are")
    message = (
        f"{images} left out of {total:,}: {criterion.reason(wanted)}{example}. {criterion.option} decides"
        f" ({criterion.field} of Query Images)."
    )
    subject = printable_path(first.path) if first else ""
    yield Problem(criterion.severity, f"left-out-by-{criterion.field.replace('_', '-')}", message, subject)


def _unknown_names(library: Library, wanted: DatasetFilter) -> Iterator[Problem]:
    """Of several checkpoints or LoRAs, name those that no image was made with: a typing error would show nowhere."""
    for name, what in (("models", "checkpoint"), ("loras", "LoRA")):
        several = getattr(wanted, name)
        for each in several if len(several) > 1 else ():
            if not library.count(replace(_NOTHING, **{name: (each,)})):
                message = f"No image of library {library.name} was made with {what} {each!r}: check how it is written."
                yield Problem("warning", f"unknown-{what.lower()}", message, each)


def _unknown_tags(library: Library, wanted: DatasetFilter) -> Iterator[Problem]:
    named: tuple[tuple[tuple[str, ...], Severity], ...] = (
        (wanted.required_tags, "warning"),
        (wanted.excluded_tags, "info"),  # it may be a list for all libraries
    )
    for tags, severity in named:
        for tag in tags:
            if message := unknown_tag(library, tag):
                yield Problem(severity, "unknown-tag", message, tag)


def _first(library: Library, scope: DatasetFilter, narrower: DatasetFilter) -> ImageRecord | None:
    """Return one image that is in the scope and does not pass, that of the lowest id."""
    lost = set(library.ids(scope)) - set(library.ids(narrower))
    found = library.find(replace(scope, ids=(min(lost),))) if lost else []
    return found[0] if found else None


def _described(record: ImageRecord, *, with_size: bool) -> str:
    name = printable_path(record.path.replace("\\", "/").rpartition("/")[2])
    return f"{name} ({record.width}×{record.height})" if with_size else name


def _quoted(names: tuple[str, ...], between: str) -> str:
    return between.join(map(repr, names))
