"""What `lorads init` adds to ``lorads.toml``: tables for what was found and is not in it yet; pure."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import tomli_w

from ...base_models import BASE_MODELS
from ...errors import LoradsError, SettingsError
from ...runs.profile import read_profile
from ...settings import Settings, Table, TrainerProfile, parse_settings
from ...system.paths import slug

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from .checkpoints import Checkpoint

Values = dict[str, Any]
_NUMBERS = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Addition:
    """A table to add, such as ``trainers`` with the name ``sd-scripts``; ``doubt`` says what is still to be done."""

    section: str
    name: str
    values: Values
    about: str
    doubt: str = ""


@dataclass(slots=True)
class Names:
    """Names that are taken in a section, so that each addition gets one of its own."""

    taken: set[str] = field(default_factory=set[str])

    def new(self, wanted: str) -> str:
        """Return the name, with a number behind it where it is taken, and take it."""
        number, name = 1, wanted
        while name in self.taken:
            number += 1
            name = f"{wanted}-{number}"
        self.taken.add(name)
        return name


def trainer_additions(found: Iterable[tuple[str, Path]], settings: Settings) -> list[Addition]:
    """Return a profile for each trainer whose folder no profile names yet."""
    known = {each.options.path("folder") for each in settings.trainers}
    names = Names({each.name for each in settings.trainers})
    return [_trainer(kind, folder, names) for kind, folder in found if _resolved(folder) not in known]


def _trainer(kind: str, folder: Path, names: Names) -> Addition:
    name = names.new(kind)
    values: Values = {"kind": kind, "folder": str(folder)}
    doubt = _doubt(name, values)
    if doubt:  # kohya_ss: its sd-scripts use the venv of the folder above
        for venv in (folder.parent / "venv", folder.parent / ".venv"):
            if not _doubt(name, above := {**values, "venv": str(venv)}):
                values, doubt = above, ""
    return Addition("trainers", name, values, f"{kind} in {folder}", doubt)


def _doubt(name: str, values: Values) -> str:
    """Return what `lorads doctor` would say of a trainer's profile, empty if nothing."""
    try:
        read_profile(TrainerProfile(name, Table(values, f"trainers.{name}."))).check()
    except LoradsError as error:
        return str(error)
    return ""


def tagger_additions(found: Iterable[Path], settings: Settings) -> list[Addition]:
    """Return a profile for each tagger whose folder no profile names yet."""
    known = {each.options.path("folder") for each in settings.taggers}
    names = Names({each.name for each in settings.taggers})
    return [
        Addition("taggers", names.new(_tagger_name(folder)), {"folder": str(folder)}, str(folder))
        for folder in found
        if _resolved(folder) not in known
    ]


def _tagger_name(folder: Path) -> str:
    """Return a name for a tagger: its folder's, in Hugging Face's cache that of its repository."""
    if folder.parent.name == "snapshots":
        return slug(folder.parents[1].name.rpartition("--")[2], "tagger")
    return slug(folder.name, "tagger")


def base_model_additions(found: Iterable[Checkpoint], settings: Settings) -> list[Addition]:
    """Return a base model for each checkpoint that none names yet."""
    known = {each.checkpoint for each in settings.base_models}
    names = Names({each.name for each in (*BASE_MODELS, *settings.base_models)})
    return [_base_model(each, names) for each in found if str(_resolved(each.file)) not in known]


def _base_model(checkpoint: Checkpoint, names: Names) -> Addition:
    values: Values = {"like": checkpoint.like.name, "checkpoint": str(checkpoint.file)}
    if checkpoint.v_prediction:
        values["v_prediction"] = True
    name = names.new(slug(checkpoint.file.stem, "model"))
    return Addition("base_models", name, values, f"{checkpoint.file.name}, like {checkpoint.like.label}")


def _resolved(path: Path) -> Path | None:
    return Table({"path": str(path)}).path("path")


def without_doubt(additions: Sequence[Addition]) -> str:
    """Return the answer to `chosen` that takes those which work as they are."""
    whole = [str(number) for number, each in enumerate(additions, 1) if not each.doubt]
    return "all" if len(whole) == len(additions) else " ".join(whole) or "none"


def with_flag(additions: Iterable[Addition], key: str) -> list[Addition]:
    """Return additions with a key set to true."""
    return [replace(each, values={**each.values, key: True}) for each in additions]


def rendered(additions: Iterable[Addition], roots: Values) -> str:
    """Return additions as TOML, a table each."""
    tables = [{each.section: {each.name: each.values}} for each in additions]
    return "\n".join(tomli_w.dumps(table) for table in (*tables, *([{"roots": roots}] if roots else ())))


def added_to(text: str, addition: str, source: Path) -> str:
    """Return the settings file with what is added behind its end, checked: all that was in it is still there.

    Raises:
        SettingsError: tables cannot be added to it, as one is written in a single line; the message says what to do.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    before = text.rstrip("\r\n")
    new = f"{before}{end * 2 if before else ''}{addition.replace(chr(10), end)}"
    try:
        tables = tomllib.loads(new)
    except ValueError as error:
        raise SettingsError(
            f"Nothing can be added to {source} without rewriting it ({error}): add by hand what is shown above."
        ) from error
    if not _holds(tables, tomllib.loads(text)):
        raise SettingsError(f"{source} would change by what is added: add by hand what is shown above.")
    parse_settings(new, source)
    return new


def _holds(new: object, old: object) -> bool:
    """Say whether tables hold all of other tables, each value as it was."""
    if not isinstance(old, dict):
        return bool(new == old)
    if not isinstance(new, dict):
        return False
    after = cast("dict[str, object]", new)
    return all(key in after and _holds(after[key], value) for key, value in cast("dict[str, object]", old).items())


def chosen(answer: str, number: int) -> Collection[int] | None:
    """Return which of ``number`` things an answer chooses: ``all``, ``none``, ``1 3-5``; None if it is no answer."""
    words = answer.lower().replace(",", " ").split()
    if words in ([], ["none"]):
        return ()
    if words == ["all"]:
        return range(number)
    picked: set[int] = set()
    for word in words:
        match = _NUMBERS.fullmatch(word)
        if not match:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= number:
            return None
        picked |= set(range(first - 1, last))
    return picked
