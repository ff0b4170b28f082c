"""What our nodes need of ComfyUI: its folders, its progress bar, its interruption; and our one open store."""

from __future__ import annotations

import atexit
import logging
import time
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_api.latest import ui
from comfy_execution.utils import get_executing_context

from ..lorads_core import base_models
from ..lorads_core.cli.demo import SAMPLES
from ..lorads_core.errors import LoradsError, SettingsError
from ..lorads_core.settings import Settings, load_settings
from ..lorads_core.system import notices
from ..lorads_core.system.files import read_bytes
from ..lorads_core.system.paths import contained
from . import core

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import torch
    from PIL import Image

    from ..lorads_core.model import Progress, Run
    from ..lorads_core.store.connect import Store
    from ..lorads_core.trainers.installed import Installed

EXPORTS = "lorads"
MANIFEST = "manifest.json"
_NOT_IN_NAMES = frozenset("/\\\0")
_written: dict[Path, int] = {}
_spoilt: list[Path] = []
_launched: dict[UUID, None] = {}


@cache
def settings() -> Settings:
    """Return the server's ``lorads.toml``, read once; ComfyUI is restarted to read it again."""
    return load_settings()


def base_model_names() -> tuple[str, ...]:
    """Return the base models that combos offer, with those of ``lorads.toml``; a faulty one is refused by the nodes."""
    with suppress(LoradsError):
        settings()
    return base_models.base_model_names()


@cache
def store() -> Store:
    """Return our store, opened by the first node that needs it and closed with ComfyUI."""
    with notices.show_notices(_notice):
        opened = core.dataset.open_store(settings())
    atexit.register(opened.close)
    return opened


def _notice(text: str) -> None:
    """Show a notice of the core on the node that runs; outside of a graph it is in ComfyUI's log alone."""
    context = get_executing_context()
    if context:
        _say(text, context.node_id)


def library_names() -> list[str]:
    """Return the libraries to choose from; with a broken ``lorads.toml`` the default, so that a node can say so."""
    return [profile.name for profile in _choices().libraries]


def own_library_names() -> list[str]:
    """Return the libraries that images can be indexed into; those of other programs are only read."""
    return core.dataset.own_libraries(_choices())


def tagger_names() -> list[str]:
    """Return the taggers to choose from; none with a broken ``lorads.toml``."""
    return [profile.name for profile in _choices().taggers]


def trainer_names() -> list[str]:
    """Return the installed trainers to choose from; none with a broken ``lorads.toml``."""
    return [profile.name for profile in _choices().trainers]


def installed_trainer(kind: str) -> Installed | None:
    """Return the installed trainer of a kind, None where ``lorads.toml`` names none here, or several."""
    return core.training.installed_trainer(settings(), kind)


def vocabulary_names() -> list[str]:
    """Return the vocabularies to choose from; none with a broken ``lorads.toml``."""
    return [profile.name for profile in _choices().vocabularies]


def _choices() -> Settings:
    try:
        return settings()
    except SettingsError as error:
        logging.getLogger(__name__).warning("LoRADS: %s", error)
        return Settings()


def revisions(libraries: Sequence[str]) -> str:
    """Return a text that changes when an answer of one of these libraries may have; one that fails says why."""
    return " ".join(_revision(name) for name in libraries)


def _revision(library: str) -> str:
    try:
        return core.dataset.revision(store(), settings(), library)
    except LoradsError as error:
        return f"{library}: {error}"


def image(picture: Image.Image) -> torch.Tensor:
    """Return an image as ComfyUI's IMAGE: a batch of one, (1, height, width, 3), 0-1."""
    import numpy as np  # noqa: PLC0415 - with us, ComfyUI starts no slower than without
    import torch  # noqa: PLC0415

    return torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32)[None] / 255)


def progress() -> Progress:
    """Return a progress that moves the node's bar and raises ComfyUI's own exception when it is interrupted."""
    bar = comfy.utils.ProgressBar(1)

    def show(_step: str, done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, max(total, 1))

    return show


def image_folder(folder: str) -> Path:
    """Return the real path of a folder with images: under ComfyUI's input or output, or under [roots] pictures.

    Our own sample images are ``samples/subject`` and ``samples/other``, where those folders hold none of that name.

    Raises:
        SettingsError: it is empty, is not there, or lies outside; the message does not say which of the two.
    """
    if not folder.strip():
        raise SettingsError("No folder is given: name one under ComfyUI's input folder, e.g. my_pictures.")
    roots = [Path(folder_paths.get_input_directory()), Path(folder_paths.get_output_directory())]
    found = [path for root in (*roots, *settings().image_roots) if (path := under(root, folder))]
    samples = under(SAMPLES.parent, folder)
    ours = under(SAMPLES.parent, SAMPLES.name)
    if samples and ours and samples.is_relative_to(ours):
        found.append(samples)
    for path in found:
        if _is_folder(path):
            return path
    raise SettingsError(
        f"There is no folder {folder!r:.80} that LoRADS may read: put it into ComfyUI's input folder (a link that leads"
        " elsewhere does not count), or name a folder above it under [roots] pictures in lorads.toml."
    )


def graph_images_folder(folder: str) -> Path:
    """Return the folder for a graph's own images, under ``lorads`` in ComfyUI's input folder; it need not be there.

    Raises:
        SettingsError: no name is given, or it leads elsewhere.
    """
    root = Path(folder_paths.get_input_directory()) / EXPORTS
    root.mkdir(parents=True, exist_ok=True)
    place = under(root, folder) if folder.strip() else None
    if place is None or place == under(root, ""):
        raise SettingsError(
            f"{folder!r:.80} is no folder for the images that are wired in: write a name, e.g. my_pictures. They are"
            " saved under input/lorads."
        )
    return place


def under(root: Path, folder: str) -> Path | None:
    """Return the real path of a folder or file below a root, None where it leads out of it."""
    try:
        return contained(root, folder, "The folder")
    except SettingsError:
        return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long for the file system; pathlib lets that one through
        return False


def export_name(folder: str) -> str:
    """Return the name of an export's folder, empty for the dataset's own.

    Raises:
        SettingsError: it is a path, not a name.
    """
    name = folder.strip()
    if name in {".", ".."} or _NOT_IN_NAMES & set(name):
        raise SettingsError(f"{folder!r} is no name for an export's folder: give one without slashes, e.g. my_lora.")
    return name


def export_root() -> Path:
    """Return the folder of all exports: ``[roots] exports``, else ``lorads`` in ComfyUI's output folder."""
    return settings().export_root or Path(folder_paths.get_output_directory()) / EXPORTS


def keep_export(folder: Path) -> None:
    """Remember an export, so that `exports_spoilt` can tell when it is gone."""
    _written[folder] = _manifest_time(folder)


def exports_spoilt() -> int:
    """Return how often in this session an export was found removed, or replaced from elsewhere.

    A count: it stays what it is while the export is written again, and changes when that one is removed too.
    """
    gone = [folder for folder, time in _written.items() if _manifest_time(folder) != time]
    for folder in gone:
        del _written[folder]
    _spoilt.extend(gone)
    return len(_spoilt)


def _manifest_time(folder: Path) -> int:
    try:
        return (folder / MANIFEST).stat().st_mtime_ns
    except OSError:
        return 0


def keep_run(run: Run) -> None:
    """Remember a run, so that `run_marks` can tell how it stands."""
    _launched[run.id] = None


def run_marks() -> list[str]:
    """Return a text for each run of this session that changes while it goes on, and when its LoRA is gone."""
    return [_run_mark(run_id) for run_id in _launched]


def _run_mark(run_id: UUID) -> str:
    try:
        run = core.training.run_by_id(store(), run_id)
    except LoradsError as error:
        return f"{run_id}: {error}"
    is_there = bool(run.loras) and (run.output / run.loras[-1]).is_file()
    return f"{run_id} {run.state} {is_there} {'' if run.is_over else time.time()}"


def free_memory() -> None:
    """Take ComfyUI's models off the graphics card: a trainer needs all of it."""
    comfy.model_management.unload_all_models()
    comfy.model_management.soft_empty_cache()


def watched(run: Run, node: str) -> Run:
    """Return a run when it is over, showing on the node how it goes on; an interruption stops the training."""
    bar = comfy.utils.ProgressBar(max(run.total_steps, 1))

    def look(now: Run) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        done, total = (now.cached, now.to_cache) if now.stage else (now.step, now.total_steps)
        bar.update_absolute(done, max(total, 1))
        _say("\n".join(filter(None, [training_text(now), now.message])), node)

    try:
        return core.training.wait(store(), run, look)
    except comfy.model_management.InterruptProcessingException:
        _say(f"{run.name}: stopping", node)
        core.training.stop(store(), run)
        raise


def training_text(run: Run) -> str:
    """Say how a run stands, in a line."""
    parts = [f"{run.name}: {run.state}, {run.progress}"]
    if run.loss is not None:
        parts.append(f"loss {run.loss:.4g}")
    if run.seconds_left is not None:
        parts.append(f"{core.dataset.duration(run.seconds_left)} left")
    return ", ".join(parts)


def no_lora_yet(run: Run) -> str:
    """Say why nothing can follow on a training yet."""
    return f"{training_text(run)}: there is no LoRA yet. Queue again later."


def _say(text: str, node: str) -> None:
    from server import PromptServer  # noqa: PLC0415 - it is there when nodes run

    PromptServer.instance.send_progress_text(text, node)


def lora_folder() -> Path:
    """Return the first of ComfyUI's folders of LoRAs."""
    return Path(folder_paths.get_folder_paths("loras")[0])


def shown(text: str, picture: Image.Image | None) -> dict[str, object]:
    """Return what a node shows: a text, and an image in ComfyUI's temporary folder."""
    pictures = ui.PreviewImage(image(picture)).as_dict() if picture else {}
    return {**pictures, **ui.PreviewText(text).as_dict()}


def image_list(files: Sequence[Path]) -> list[Any]:
    """Return images as a list of IMAGEs; where there is none, what silently keeps later nodes from running."""
    from comfy_execution.graph_utils import ExecutionBlocker  # noqa: PLC0415 - as above

    images = [image(picture) for file in files if (picture := _as_image(file))]
    return images or [ExecutionBlocker(None)]


def _as_image(file: Path) -> Image.Image | None:
    """Return an image; None for one that is being written just now."""
    from PIL import Image  # noqa: PLC0415 - as above

    try:
        return Image.open(BytesIO(read_bytes(file))).convert("RGB")
    except OSError:
        return None


def model_names(folders: Sequence[str]) -> list[str]:
    """Return the names of the models in ComfyUI's folders of these kinds, each once."""
    return list(dict.fromkeys(name for folder in folders for name in folder_paths.get_filename_list(folder)))


def models(folders: Sequence[str]) -> dict[str, Path]:
    """Return the model files in ComfyUI's folders of these kinds by their names."""
    return {name: Path(path) for name in model_names(folders) if (path := _path_or_none(folders, name))}


def _path_or_none(folders: Sequence[str], name: str) -> str | None:
    """Return the file of a model; None for one that has gone since ComfyUI listed it."""
    try:
        return model_path(folders, name)
    except FileNotFoundError:
        return None


def model_path(folders: Sequence[str], name: str) -> str:
    """Return the file of a model that is in one of ComfyUI's folders of these kinds.

    Raises:
        FileNotFoundError: it is in none of them, or has gone (ComfyUI's own).
    """
    folder = next((each for each in folders if name in folder_paths.get_filename_list(each)), folders[0])
    return folder_paths.get_full_path_or_raise(folder, name)
