r"""What a library's paths are on this machine: ``D:\Images`` there is ``/mnt/images`` here; it touches no disk.

In Python and as an SQL expression, which agree on every path of a file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from psycopg import sql

from ..errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..settings import Table

# A drive (`D:`, `D:\…`) or a share (`\\server\…`), with slashes of either kind.
_WINDOWS = re.compile(r"[A-Za-z]:(?:[\\/]|$)|\\\\|//")
_DRIVE = re.compile(r"[A-Za-z]:")
_EXAMPLE = r"""'D:\Images' = "/mnt/images\""""


def literal(text: str) -> sql.Composable:
    """Return text as an SQL literal that may stand in queries with and without parameters.

    psycopg reads a per cent sign as a placeholder where a query has parameters, and as itself where it has none.
    """
    return sql.SQL(" || chr(37) || ").join(map(sql.Literal, text.split("%")))


def is_windows_path(path: str) -> bool:
    """Return whether a path begins as Windows' absolute paths do: with a drive or as UNC."""
    return _WINDOWS.match(path) is not None


@dataclass(frozen=True, slots=True)
class PathRule:
    """One folder of the library's, and what it is here; both without a separator at their end.

    Paths there count as Windows reads them (both slashes, either case) where the folder is a Windows path.
    """

    there: str
    here: str

    @property
    def of_windows(self) -> bool:
        """Whether the folder there is a Windows path."""
        return is_windows_path(self.there)

    @property
    def beginning(self) -> str:
        """How each path in the folder begins, once it is `folded`."""
        return self.there.translate(str.maketrans(*self.folded)) + ("\\" if self.of_windows else "/")

    @property
    def folded(self) -> tuple[str, str]:
        """Characters, and what to read them as: folded by us, since a server's locale may know only ASCII."""
        if not self.of_windows:
            return "", ""
        upper = {other for letter in self.there for other in (letter.upper(), letter) if _folds(other)}
        return "/" + "".join(sorted(upper)), "\\" + "".join(letter.lower() for letter in sorted(upper))

    @property
    def turned(self) -> tuple[str, str]:
        """The separator to replace in the rest of a path, and the one that this machine wants."""
        here = "\\" if _WINDOWS.match(self.here) else "/"
        if self.of_windows:
            return ("\\", "/") if here == "/" else ("/", "\\")
        return "/", here

    def local(self, path: str) -> str | None:
        """Return what a file's path is here, None where the file is not in the folder."""
        beginning = self.beginning
        if path[: len(beginning)].translate(str.maketrans(*self.folded)) != beginning:
            return None
        before, after = self.turned
        return self.here + after + path[len(beginning) :].replace(before, after)

    def condition(self, path: sql.Composable) -> sql.Composable:
        """Return whether a file is in the folder, as SQL."""
        return sql.SQL("translate(left({}, {}), {}, {}) = {}").format(
            path, sql.Literal(len(self.beginning)), *map(literal, (*self.folded, self.beginning))
        )

    def result(self, path: sql.Composable) -> sql.Composable:
        """Return what the path of a file in the folder is here, as SQL."""
        before, after = self.turned
        rest = sql.SQL("replace(substr({}, {}), {}, {})").format(
            path, sql.Literal(len(self.beginning) + 1), literal(before), literal(after)
        )
        return sql.SQL("{} || {}").format(literal(self.here + after), rest)


def _folds(letter: str) -> bool:
    """Whether it is a capital of one small letter."""
    return letter != letter.lower() and len(letter) == len(letter.lower()) == 1


@dataclass(frozen=True, slots=True)
class PathMap:
    """Folders there and here; of several that hold a file, the longest counts. Files of no such folder stay."""

    rules: tuple[PathRule, ...] = ()

    @property
    def key(self) -> str:
        """A text that tells this map from any other."""
        return "\n".join(f"{rule.there}\0{rule.here}" for rule in self.rules)

    @property
    def digest(self) -> str:
        """A short text that tells this map from any other."""
        return hashlib.blake2b(self.key.encode(), digest_size=8).hexdigest()

    @property
    def inverse(self) -> PathMap:
        """The map that leads back: what is here to what it is there."""
        return PathMap(_longest_first(PathRule(rule.here, rule.there) for rule in self.rules))

    def local(self, path: str) -> str:
        """Return what a file's path is on this machine."""
        found = (rule.local(path) for rule in self.rules)
        return next((here for here in found if here is not None), path)

    def expression(self, path: sql.Composable) -> sql.Composable:
        """Return `local` as SQL of an expression, such as a column of paths."""
        if not self.rules:
            return path
        cases = [sql.SQL("WHEN {} THEN {}").format(rule.condition(path), rule.result(path)) for rule in self.rules]
        return sql.SQL("CASE {} ELSE {} END").format(sql.SQL(" ").join(cases), path)


def folder_of(path: sql.Composable) -> sql.Composable:
    r"""Return the folder of a file on this machine as SQL, without a separator at its end (but for ``/`` itself).

    Backslashes separate only in Windows paths: elsewhere a name may hold them.
    """
    # Without regular expressions, which take ten times as long on a hundred thousand paths.
    return sql.SQL(
        r"CASE WHEN (substr({0}, 2, 2) IN (':\', ':/') AND left({0}, 1) <> '/') OR left({0}, 2) IN ('\\', '//')"
        r" THEN rtrim(left({0}, -strpos(reverse(translate({0}, '\', '/')), '/')), '\/')"
        " ELSE coalesce(nullif(rtrim(left({0}, -strpos(reverse({0}), '/')), '/'), ''), '/') END"
    ).format(path)


def read_path_map(table: Table) -> PathMap:
    r"""Return the map of a settings table, ``[libraries.NAME.paths]``: folders there = folders here.

    What is relative here counts from the settings file.

    Raises:
        SettingsError: a folder there is not absolute or named twice, or what stands for it here is empty.
    """
    rules: dict[str, PathRule] = {}
    for there in table.values:
        rule = PathRule(_stripped(there), _here(table, there))
        if not (_WINDOWS.match(there) or there.startswith("/")):
            raise SettingsError(
                f"{table.source}: [{table.where.rstrip('.')}] has {there!r}, which is not an absolute path: write the"
                f" folder as the library writes it, e.g. {_EXAMPLE}, Windows paths in 'single quotes'."
            )
        if rule.beginning in rules:
            raise SettingsError(f"{table.source}: [{table.where.rstrip('.')}] has {there!r} twice: keep one of them.")
        rules[rule.beginning] = rule
    return PathMap(_longest_first(rules.values()))


def _longest_first(rules: Iterable[PathRule]) -> tuple[PathRule, ...]:
    return tuple(sorted(rules, key=lambda rule: (-len(rule.there), rule.there)))


def _here(table: Table, there: str) -> str:
    here = table.text(there)
    if not here.strip():
        raise SettingsError(
            f"{table.source}: [{table.where.rstrip('.')}] does not say where {there!r} is on this machine: write the"
            f" folder behind it, e.g. {_EXAMPLE}."
        )
    # `D:` alone is the whole drive, as it is on the other side of the rule.
    absolute = bool(_DRIVE.fullmatch(here)) or PureWindowsPath(here).is_absolute() or PurePosixPath(here).is_absolute()
    return _stripped(here if absolute else str(table.resolve(here)))


def _stripped(folder: str) -> str:
    return folder.rstrip("\\/" if _WINDOWS.match(folder) else "/")
