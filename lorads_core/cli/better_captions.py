"""Commands that give better captions than the trigger alone, as they can be typed after `lorads build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..system.command import command

if TYPE_CHECKING:
    import argparse

    from ..settings import Settings
    from ..workflow.captions import Captioned

_MOST = 3  # commands; more would not be read


def better_captions(captioned: Captioned, options: argparse.Namespace, settings: Settings) -> list[str]:
    """Return up to three commands with what each does; none where every image has a caption of its own."""
    if not any(problem.code == "trigger-alone" for problem in captioned.problems):
        return []
    again = list[str](options.given)
    same = ["--settings", str(options.settings)] if options.settings else []
    found: list[tuple[str, list[str]]] = []
    if captioned.better:
        most = max(captioned.better, key=lambda each: each.images)
        found.append((f"use the {most.source} of {most.images:,} of them", [*again, "--fallback", most.source]))
    if settings.taggers:
        tagger = settings.taggers[0].name
        folders = [word for folder in options.folders for word in ("--folder", str(folder))]
        found.append(("tag the images", ["tag", "--library", options.library, "--tagger", tagger, *folders, *same]))
        found.append(("build with those tags", [*again, "--fallback", "combined"]))
    found.append(("write captions in the panel, then build again", ["panel", *same]))
    if not settings.taggers:
        found.append(("see what a tagger needs", ["doctor", *same]))
    return ["Better captions:", *(f"  {command(*words)}    ({what})" for what, words in found[:_MOST])]
