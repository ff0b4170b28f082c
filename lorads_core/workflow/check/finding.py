"""A finding of an audit: what is wrong, with its count, its first files and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...problems import EXAMPLES, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...model import Severity
    from .read_set import TrainingSet


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that is wrong: ``message`` has the count, ``advice`` says what to do.

    ``paths`` are all files that it is about, ``subjects`` the first of them as they are shown.
    """

    severity: Severity
    code: str
    message: str
    advice: str
    paths: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding as one line."""
        more = ", …" if len(self.paths) > len(self.subjects) else ""
        examples = f" ({', '.join(self.subjects)}{more})" if self.subjects else ""
        return f"{self.message}{examples}. {self.advice}".strip()


def about_files(
    checked: TrainingSet, severity: Severity, code: str, paths: Iterable[str], what: tuple[str, str], advice: str
) -> Iterator[Finding]:
    """Yield a finding about files where there are any; ``what`` is said of one, and of several."""
    found = tuple(dict.fromkeys(paths))
    if found:
        subjects = tuple(checked.shown(path) for path in found[:EXAMPLES])
        yield Finding(severity, code, counted(len(found), *what), advice, found, subjects)
