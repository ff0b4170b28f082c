"""The subject's name for the caption source `trigger`: trigger, class, or the name of the image's folder; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..tags import one_line, safe_text

if TYPE_CHECKING:
    from ..model import Dataset, ImageRecord, Trigger

_REPEATS = re.compile(r"\d+_(?=.)")  # sd-scripts' folders: 10_tomcat cat
_LONGEST = 100  # characters of a folder's name that may be a caption
# What folders are called that says nothing of the images in them.
_GENERIC = re.compile(
    r"\d+|class(es)?|data|datasets?|images?|imgs?|inputs?|my|new|folder|outputs?|out|photos?|pic(s|tures?)|raw"
    r"|regs?|regulari[sz]ation|source|src|temp|tmp|train|training|unsorted|untitled"
)


def training_subject(trigger: Trigger, class_name: str, record: ImageRecord, dataset: Dataset) -> str:
    """Return the name of what a training image shows; at last the dataset's, so that it is never empty."""
    return trigger.word or class_name or folder_words(record.path) or one_line(safe_text(dataset.name))


def regularization_subject(class_name: str, record: ImageRecord) -> str:
    """Return the name of what a regularization image shows, empty where nothing tells."""
    return class_name or folder_words(record.path)


def folder_words(path: str) -> str:
    """Return the name of an image's folder as words, empty where it says nothing: ``10_tom_cat`` is ``tom cat``."""
    parts = path.replace("\\", "/").rsplit("/", 2)
    name = parts[-2] if len(parts) > 1 else ""
    words = one_line(safe_text(_REPEATS.sub("", name, count=1).replace("_", " ").replace(",", " ")))
    said = words.casefold().split()
    return "" if len(words) > _LONGEST or all(map(_GENERIC.fullmatch, said)) else words
