"""The commands by which people judge images of our own index: rate, mark, albums, clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import SettingsError
from ...library.filter import DatasetFilter
from ...model import Group
from ...problems import counted
from ...settings import load_settings
from ...workflow.curation import Judging, propose_clusters
from ...workflow.dataset import open_library, open_store
from .library import chosen

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..console import Screen


def _some(options: argparse.Namespace) -> DatasetFilter:
    """Return the filter that the words make; with none that restricts it would be the whole library."""
    wanted = chosen(options)
    if replace(wanted, order="path", seed=0, exclude_marked_bad=True) == DatasetFilter() and not options.all:
        raise SettingsError("This would be every image of the library: choose some, or say --all.")
    return wanted


def _rate(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        judging = Judging(store, open_library(store, settings, options.library))
        count = judging.rate(replace(_some(options), exclude_marked_bad=False), options.rating)
    screen.step("Rate", f"{counted(count, 'image')}")
    return 0


def _mark(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        judging = Judging(store, open_library(store, settings, options.library))
        count = judging.mark(replace(_some(options), exclude_marked_bad=False), bad=options.mark == "bad")
    screen.step("Mark", f"{counted(count, 'image')} as {options.mark}")
    return 0


def _unindex(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        judging = Judging(store, open_library(store, settings, options.library))
        wanted = chosen(options) if options.missing else replace(_some(options), exclude_marked_bad=False)
        ids, problems = judging.forgettable(wanted, missing=options.missing)
        screen.problems(problems)
        if ids and not screen.confirm(f"{counted(len(ids), 'image')} of {options.library} will be taken out."):
            raise SettingsError("Nothing was taken out.")
        count = judging.forget(ids)
    screen.step("Unindex", f"{counted(count, 'image')} taken out of {options.library}; the files stay")
    return 0


def _album(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        judging = Judging(store, open_library(store, settings, options.library))
        if not options.name:
            screen.summary(judging.listed("album"))
            return 0
        wanted = _some(options)
        if options.remove:
            wanted = replace(wanted, exclude_marked_bad=False)
        count = judging.gather(Group("album", options.name), wanted, remove=options.remove)
    screen.step("Album", f"{options.name}: {counted(count, 'image')} {'taken out' if options.remove else 'added'}")
    return 0


def _cluster(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    with open_store(settings) as store:
        library = open_library(store, settings, options.library)
        judging = Judging(store, library)
        if options.rename:
            judging.rename("cluster", *options.rename)
        elif not options.list:
            with screen.progress() as progress:
                report = propose_clusters(store, library, chosen(options), options.smallest, options.space, progress)
            screen.step("Cluster", report.sentence)
            screen.problems(report.problems)
        screen.summary(judging.listed("cluster"))
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {
    "rate": _rate,
    "mark": _mark,
    "album": _album,
    "cluster": _cluster,
    "unindex": _unindex,
}
