"""The command ``init``: finds what is installed, asks, and writes the first settings file or adds to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SettingsError
from ...problems import counted
from ...settings import parse_settings, settings_path
from ...system.command import command
from ..init import additions as adding
from ..init.checkpoints import checkpoints
from ..init.search import hugging_face_cache, search, usual_folders
from ..init.write import read_settings_text, write_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ...settings import Settings
    from ..console import Screen
    from ..init.additions import Addition
    from ..init.checkpoints import Checkpoints
    from ..init.search import Found

_MOST_BASE_MODELS = 20
"""Checkpoints that are added by default: more of them would only fill every list of base models."""


def _init(options: argparse.Namespace, screen: Screen) -> int:
    asks = not (options.yes or options.dry_run)
    if asks and not screen.can_ask:
        raise SettingsError(
            f"{command('init')} asks questions and this is no terminal: add --yes to take all defaults, or --dry-run to"
            " see what would be written."
        )
    target: Path = options.settings or settings_path()
    before = read_settings_text(target)
    settings = parse_settings(before, target)
    screen.notice("Looking for trainers, taggers and ComfyUI; Ctrl-C ends it, and nothing is written.")
    folders = [folder.absolute() for folder in options.folders]
    found = search(folders or usual_folders(), None if folders else hugging_face_cache())
    models = checkpoints(found.comfyui)
    _report(found, models, screen)
    try:
        tables, roots = _choose(found, models, settings, _Questions(screen, asks=asks))
        text = adding.rendered(tables, roots)
        return _offer(target, before, text, screen, options)
    except EOFError:
        raise SettingsError("The input ended before the last question: nothing was written.") from None


def _report(found: Found, models: Checkpoints, screen: Screen) -> None:
    screen.step("Searched", counted(found.folders, "folder"))
    if not found.is_whole:
        screen.line(f"  That is the most it looks at; name folders to search others: {command('init', 'FOLDER')}")
    for home in found.comfyui:
        screen.step("ComfyUI", f"{home}; its LoRAs are in {home / 'models' / 'loras'}")
    if not found.comfyui:
        screen.step("ComfyUI", "none found")
    screen.step("Trainers", ", ".join(f"{kind} in {folder}" for kind, folder in found.trainers) or "none found")
    screen.step("Taggers", ", ".join(map(str, found.taggers)) or "none found")
    known = f"{counted(len(models.known), 'checkpoint')} of a known family"
    unknown = f", {counted(len(models.unknown), 'file')} of none, e.g. {models.unknown[0]}" if models.unknown else ""
    screen.step("Models", known + unknown)
    for note in models.notes:
        screen.line(f"  {note}")


class _Questions:
    """Questions with a default each, which is the answer where no terminal is there to ask at."""

    def __init__(self, screen: Screen, *, asks: bool) -> None:
        self._screen = screen
        self._asks = asks

    def yes(self, question: str, *, default: bool) -> bool:
        """Ask for yes or no."""
        answer = self._line(question, "yes" if default else "no").lower()
        return default if answer[:1] not in {"y", "n"} else answer[0] == "y"

    def which(self, what: str, offered: Sequence[Addition], default: str = "all") -> list[Addition]:
        """Ask which of several things are to be added."""
        if not offered:
            return []
        for number, each in enumerate(offered, 1):
            self._screen.line(f"  {number:>3}  {each.about}")
            if each.doubt:
                self._screen.line(f"       {each.doubt}")
        picked = None
        while picked is None:
            answer = self._line(f"Which {what} to add? all, none, or numbers such as 1 3-5", default)
            picked = adding.chosen(answer, len(offered))
        return [each for number, each in enumerate(offered) if number in picked]

    def folders(self, question: str) -> list[str]:
        """Ask for folders that exist, none by default."""
        while True:
            answer = self._line(question, "none")
            given = [Path(each.strip()).expanduser() for each in answer.split(";") if each.strip()]
            missing = [each for each in given if not each.is_dir()]
            if answer == "none" or not missing:
                return [] if answer == "none" else [str(each.absolute()) for each in given]
            self._screen.line(f"  There is no folder {missing[0]}.")

    def _line(self, question: str, default: str) -> str:
        return self._screen.ask(question, default) if self._asks else default


def _choose(
    found: Found, models: Checkpoints, settings: Settings, questions: _Questions
) -> tuple[list[Addition], dict[str, Any]]:
    installed = adding.trainer_additions(found.trainers, settings)
    trainers = questions.which("trainers", installed, adding.without_doubt(installed))
    if trainers and questions.yes("May ComfyUI's node Launch Trainer start them?", default=False):
        trainers = adding.with_flag(trainers, "from_comfyui")
    taggers = questions.which("taggers", adding.tagger_additions(found.taggers, settings))
    offered = adding.base_model_additions(models.known, settings)
    default = "all" if len(offered) <= _MOST_BASE_MODELS else "none"
    base_models = questions.which("checkpoints", offered, default)
    return [*trainers, *taggers, *base_models], _roots(settings, questions)


def _roots(settings: Settings, questions: _Questions) -> dict[str, Any]:
    """Ask for folders of images and exports where the file names neither."""
    if settings.image_roots or settings.export_root:
        return {}
    roots: dict[str, Any] = {}
    question = "Folders of images that ComfyUI's nodes may read besides its own, separated by ;"
    if pictures := questions.folders(question):
        roots["pictures"] = pictures
    if exports := questions.folders("Folder for exports, instead of ComfyUI's output or the current folder"):
        roots["exports"] = exports[0]
    return roots


def _offer(target: Path, before: str, text: str, screen: Screen, options: argparse.Namespace) -> int:
    """Show what is to be written, and write it if that is wanted."""
    if not text:
        screen.line(f"There is nothing to add to {target}.")
        return 0
    screen.line(f"\n{'To be added to' if before else 'To be written to'} {target}:\n\n{text}")
    after = adding.added_to(before, text, target)
    if options.dry_run or not _Questions(screen, asks=not options.yes).yes("Write it?", default=True):
        screen.line("Nothing was written.")
        return 0
    write_settings(target, after)
    screen.step("Settings", f"{target}; check them with: {command('doctor')}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"init": _init}
