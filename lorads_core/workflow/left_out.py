"""What a query leaves out, by the filter that does it: how many images, which first, and the option that decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..images.files import printable_path
from ..library.filter import DatasetFilter
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
    _Criterion("required_tags", "--require", lambda f: f"without {_tags(f.required_tags, ' or ')}"),
    _Criterion("excluded_tags", "--exclude", lambda f: f"tagged {_tags(f.excluded_tags, ' or ')}"),
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


def _first(library: Library, scope: DatasetFilter, narrower: DatasetFilter) -> ImageRecord | None:
    """Return one image that is in the scope and does not pass, that of the lowest id."""
    lost = set(library.ids(scope)) - set(library.ids(narrower))
    found = library.find(replace(scope, ids=(min(lost),))) if lost else []
    return found[0] if found else None


def _described(record: ImageRecord, *, with_size: bool) -> str:
    name = printable_path(record.path.replace("\\", "/").rpartition("/")[2])
    return f"{name} ({record.width}×{record.height})" if with_size else name


def _tags(tags: tuple[str, ...], between: str) -> str:
    return between.join(repr(tag) for tag in tags)
