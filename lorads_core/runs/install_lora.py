"""A trained LoRA where ComfyUI finds it: linked as it is, or copied with what we know of it in its metadata."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from .. import __version__
from ..errors import TrainerError
from ..system.files import file_error_reason
from ..system.paths import slug
from .lora_file import read_lora, write_copy
from .lora_loading import lora_loading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..model import Run
    from .lora_files import Conversion, Loading

Handling = Literal["whole", "partly", "unchanged"]
"""What of a LoRA must load, and whether it is converted for that."""
_RUN = "lorads.run"
_FILE = "lorads.file"
SUFFIX = ".safetensors"
CONVERTED = "lorads.converted"
_ANYWAY = (
    "That is by the keys of ComfyUI 0.26; if yours is newer and takes more, or to have the file all the same, add"
    " --as-it-is to lorads offer, or copy it by hand."
)
_COPIED = "It was copied: no link can be made between these two drives"
# https://learn.microsoft.com/windows/security/threat-protection/security-policy-settings/create-symbolic-links
_DEVELOPER_MODE = ", unless Windows' Developer Mode is on (Settings, System, For developers)"


class InstalledLora(NamedTuple):
    """A LoRA where ComfyUI finds it.

    ``message`` says what was done in another way than requested, mostly nothing; ``loading`` what ComfyUI loads of the
    trainer's file, None where that is not known.
    """

    file: Path
    message: str = ""
    loading: Loading | None = None


def find_lora(run: Run, epoch: str = "") -> Path:
    """Return a LoRA file of a run: the final one, or the one of which a part of the name is given.

    Raises:
        TrainerError: there is none, or none of that name.
    """
    if not run.loras:
        raise TrainerError(f"The training of {run.name} has saved no LoRA yet. {run.sentence}")
    if not epoch:
        return run.output / run.loras[-1]
    named = [name for name in run.loras if epoch in name]
    if not named:
        raise TrainerError(f"No LoRA of {run.name} has {epoch!r} in its name; there are: {', '.join(run.loras)}.")
    return run.output / named[-1]


def install_lora(
    run: Run,
    file: Path,
    folder: Path,
    *,
    name: str = "",
    trigger: str = "",
    link: bool = False,
    without_paths: bool = False,
    family: str = "",
    handling: Handling = "whole",
) -> InstalledLora:
    """Put a LoRA of a run into a folder of LoRAs, and return where; what lies there under its name stays.

    One that ComfyUI would load in part is converted, so that it loads whole: the new file has other names for the same
    numbers, the trainer's own stays.

    Args:
        run: the training.
        file: one of its LoRA files.
        folder: ComfyUI's folder of LoRAs, or one in it.
        name: the new name without suffix, by default the export's; made plain ASCII.
        trigger: the word that calls it, for its metadata.
        link: link the file instead of copying it: it costs no space, and gets no metadata. Where no link can be made it
            is copied after all.
        without_paths: leave out of the metadata where things lie on this machine.
        family: that of the base model, by name; empty for the one that its tensors tell.
        handling: refuse one that does not load as a ``whole`` once it is converted, take one that loads ``partly``, or
            take every one ``unchanged``.

    Raises:
        TrainerError: the file is not a whole LoRA, the folder cannot be written, both a link and other metadata are
            wanted, or ComfyUI would not load what ``handling`` wants of it.
    """
    if link and without_paths:
        raise TrainerError("A linked LoRA keeps its metadata, local paths too: copy it, or keep the paths.")
    lora = read_lora(file)
    found = lora_loading(lora, family)
    conversion = found.conversion if found and found.converted and handling != "unchanged" else None
    if found and handling != "unchanged":
        _check_loading(file, found, handling)
    added = {**_about(run, file, trigger), **conversion_metadata(conversion)}
    stem = slug(name or run.name, "lora")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if link and not conversion and (linked := _linked(file, _target(folder, stem, file, None))):
            return InstalledLora(linked, "", found)
        target = _target(folder, stem, file, added)
        write_copy(lora, target, added, without_paths=without_paths, conversion=conversion)
    except OSError as error:
        raise TrainerError(f"The LoRA cannot be written to {folder}: {file_error_reason(error)}.") from error
    return InstalledLora(target, _message(conversion) if link else "", found)


def _message(conversion: Conversion | None) -> str:
    """Say why a LoRA was copied though a link was requested."""
    if conversion:
        return "It was copied: ComfyUI would load the trainer's own file in part."
    return f"{_COPIED}{_DEVELOPER_MODE if sys.platform == 'win32' else ''}."


def _check_loading(file: Path, found: Loading, handling: Handling) -> None:
    if not found.best.loaded:
        raise TrainerError(f"ComfyUI would load nothing of {file}. {found.reason} {_ANYWAY}")
    if found.reason and handling == "whole":
        raise TrainerError(f"ComfyUI would load {file} in part. {found.reason} {_ANYWAY}")


def conversion_metadata(conversion: Conversion | None) -> dict[str, str]:
    """Return what the metadata of a converted LoRA says of that."""
    return {CONVERTED: f"for ComfyUI by LoRADS {__version__}: {conversion.text}"} if conversion else {}


def _about(run: Run, file: Path, trigger: str) -> dict[str, str]:
    """Return what a LoRA's metadata shall say; of ``modelspec`` see https://github.com/Stability-AI/ModelSpec."""
    words = {"lorads.trigger": trigger, "modelspec.trigger_phrase": trigger} if trigger else {}
    return {
        **words,
        "lorads.version": __version__,
        "lorads.dataset": run.name,
        "lorads.dataset_version": run.manifest_hash,
        _RUN: str(run.id),
        _FILE: file.name,
    }


def _target(folder: Path, stem: str, file: Path, added: Mapping[str, str] | None) -> Path:
    """Return a name that is free, or has the same LoRA of the same run already."""
    number = 1
    while True:
        target = folder / (f"{stem}{SUFFIX}" if number == 1 else f"{stem}-{number}{SUFFIX}")
        if not os.path.lexists(target) or _is_same(target, file, added):
            return target
        number += 1


def _is_same(target: Path, file: Path, added: Mapping[str, str] | None) -> bool:
    if added is None:
        return target.exists() and target.samefile(file)
    try:
        metadata = read_lora(target).metadata
    except TrainerError:
        return False
    return not target.is_symlink() and all(metadata.get(key) == added[key] for key in (_RUN, _FILE))


def _linked(file: Path, target: Path) -> Path | None:
    """Make a hard link, or where that cannot be (another drive) a symbolic one; None where neither can be."""
    if os.path.lexists(target):
        return target
    for link in (target.hardlink_to, target.symlink_to):
        with suppress(OSError):
            link(file)
            return target
    return None
