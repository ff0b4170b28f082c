"""The commands for datasets of the store: list, rename, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import CaptionError
from ...problems import counted
from ...settings import load_settings
from ...system.command import command
from ...workflow.dataset import open_store
from ...workflow.saved_datasets import edited_captions, list_datasets, remove_dataset, rename_dataset

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ...store.datasets import DatasetSummary
    from ..console import Screen


def _datasets(options: argparse.Namespace, screen: Screen) -> int:
    with open_store(load_settings(options.settings)) as store:
        found = list_datasets(store)
        rows = [(each.seen_by(store.owner), each) for each in found]
    if options.json:
        screen.json([_facts(name, each) for name, each in rows])
        return 0
    for name, each in rows:
        screen.step(name, _sentence(each))
    if not rows:
        screen.line(f"No dataset yet: {command('build', 'FOLDER', '--trigger', 'WORD')} makes one.")
    return 0


def _sentence(each: DatasetSummary) -> str:
    parts = [counted(each.training, "training image")]
    parts += [counted(each.regularization, "regularization image")] if each.regularization else []
    parts += [f"{each.rejected:,} rejected"] if each.rejected else []
    parts += [f"{counted(each.edited, 'caption')} edited by hand"] if each.edited else []
    return f"{', '.join(parts)}; library {each.library}; {each.updated_at.astimezone():%Y-%m-%d %H:%M}"


def _facts(name: str, each: DatasetSummary) -> dict[str, Any]:
    return {
        "name": name,
        "library": each.library,
        "training_images": each.training,
        "regularization_images": each.regularization,
        "rejected_images": each.rejected,
        "captions_edited_by_hand": each.edited,
        "updated_at": each.updated_at,
    }


def _rename(options: argparse.Namespace, screen: Screen) -> int:
    with open_store(load_settings(options.settings)) as store:
        rename_dataset(store, options.name, options.new)
    screen.step("Renamed", f"{options.name} is {options.new} now; exports on disk keep their folders")
    return 0


def _remove(options: argparse.Namespace, screen: Screen) -> int:
    with open_store(load_settings(options.settings)) as store:
        edited = edited_captions(store, options.name)
        if edited and not options.yes and not _confirmed(options.name, edited, screen):
            raise CaptionError(
                f"{options.name} has {counted(edited, 'caption')} that people edited, so that it was not removed: add"
                " --yes to remove them too."
            )
        remove_dataset(store, options.name)
    screen.step("Removed", f"{options.name}; its images, exports and runs stay")
    return 0


def _confirmed(name: str, edited: int, screen: Screen) -> bool:
    message = f"{counted(edited, 'caption')} of {name} that people edited will be removed with it."
    return screen.can_ask and screen.confirm(message)


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "datasets": _datasets,
    "rename": _rename,
    "remove": _remove,
}
