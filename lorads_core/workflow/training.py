"""A dataset's training: launched, watched, stopped, its LoRA offered; `workflow.dataset` does the rest."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from ..base_models import base_model, recognised_lora
from ..errors import TrainerError
from ..export.layout import read_manifest
from ..export.plan import ExportOptions, sized_config
from ..images.decode import decode
from ..images.encode import ImagePolicy, fit
from ..model import no_progress
from ..runs import launch as launching
from ..runs import profile as profiles
from ..runs import run_folder as files
from ..runs import state
from ..runs.install_lora import CONVERTED, InstalledLora, conversion_metadata, find_lora, install_lora
from ..runs.log import tail
from ..runs.lora_file import read_header, read_lora, write_copy
from ..runs.lora_files.modules import modules_of
from ..runs.lora_loading import SavedLoading, loadings_text, lora_loading, save_loading, saved_loadings
from ..runs.read_export import read_export
from ..runs.resume import resume_obstacle
from ..store import runs as kept
from ..system.files import file_error_reason
from ..trainers import Subset, trainer

if TYPE_CHECKING:
    from uuid import UUID

    from PIL import Image

    from ..base_models import Family
    from ..model import Dataset, Progress, Run, TrainingConfig
    from ..runs.install_lora import Handling
    from ..runs.lora_file import LoraFile
    from ..runs.lora_files import Coverage, Loading
    from ..runs.profile import Profile
    from ..settings import Settings
    from ..store.connect import Store

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_SAMPLE_FOLDERS = ("sample", "samples", "validation_images")
_ONE_MOMENT = 60.0  # seconds within which the samples of one step are drawn
_FEW = 64
_CONVERTED = "-comfyui"


def profile_of(settings: Settings, name: str) -> Profile:
    """Return the installed trainer that a profile names; without a name, the only one.

    Raises:
        SettingsError: there is no such profile, or a value of it is wrong.
    """
    return profiles.read_profile(settings.trainer(name))


def train(store: Store, profile: Profile, export: Path, *, again: bool = False, resume: bool = False) -> Run:
    """Return the run of the export in a folder; it is launched where it neither goes on nor has ended well.

    With ``resume`` a stopped or failed training goes on from its last saved state.

    Raises:
        TrainerError: it cannot be trained or resumed; the message says why.
    """
    return launching.launch(store, profile, read_export(export), again=again, resume=resume)


def why_not_resumed(store: Store, export: Path) -> str:
    """Return why no training of an export can be resumed, as a clause; empty where one can be.

    Raises:
        TrainerError: it is no whole export.
    """
    looked_at = read_export(export)
    with store.connection() as connection:
        return resume_obstacle(connection, looked_at)


class AsImages(NamedTuple):
    """A dataset as ComfyUI's own trainer takes it, and how many steps its config makes of it."""

    images: list[Image.Image]
    captions: list[str]
    steps: int


def as_images(dataset: Dataset, config: TrainingConfig, most: int, progress: Progress = no_progress) -> AsImages:
    """Return the training images, each shrunk and cropped to its bucket, with their captions.

    Raises:
        TrainerError: no image has a caption, or ComfyUI's own trainer would refuse the config.
        ImageError: an image cannot be read.
    """
    images = [image for image in dataset.training if image.caption][:most]
    if not images:
        raise TrainerError(f"No image of {dataset.name!r} has a caption: wire Caption Builder before.")
    chosen = trainer("comfyui")
    used = replace(dataset, training=tuple(images), regularization=())
    config = sized_config(used, config, ExportOptions("comfyui"))
    sizes = tuple((image.record.width, image.record.height) for image in images)
    # Images are handed on once each: repeats are more epochs, not more images to a bucket.
    config = replace(config, epochs=config.epochs * config.repeats)
    subset = Subset("images", 1, is_regularization=False, sizes=sizes)
    pictures: list[Image.Image] = []
    progress("images", 0, len(images))
    for image, placement in zip(images, chosen.placements(config, [subset]), strict=True):
        policy = ImagePolicy("bucket", bucket=placement.bucket)
        pictures.append(fit(decode(image.record.path, shrink_to=policy.size_of), policy))
        progress("images", len(pictures), len(images))
    captions = [image.caption.text for image in images if image.caption]
    return AsImages(pictures, captions, chosen.schedule(config, [subset]).total_steps)


def known_run(store: Store, export: Path) -> Run | None:
    """Return the run of an export that goes on or has ended well, None where there is none.

    Raises:
        TrainerError: it is no whole export.
    """
    with store.connection() as connection:
        return launching.existing_run(connection, read_export(export))


def exported(root: Path, name: str) -> Path:
    """Return the folder of an export by its name in the folder of all exports, or by its path.

    Raises:
        TrainerError: it is neither.
    """
    folders = [root / name]
    if PurePath(name).name != name:
        folders.append(Path(name))
    for folder in folders:
        if read_manifest(folder):
            return folder.resolve()
    raise TrainerError(f"There is no export {name!r} in {root}: export the dataset first, or give --out.")


def runs(store: Store, dataset: UUID | None = None) -> list[Run]:
    """Return the newest runs as they stand now, the newest first."""
    with store.connection() as connection:
        return [state.refresh_run(connection, run) for run in kept.newest_runs(connection, dataset)]


def run_called(store: Store, word: str) -> Run:
    """Return a run as it stands now, by its name or the beginning of its id.

    Raises:
        TrainerError: there is none.
    """
    with store.connection() as connection:
        return state.refresh_run(connection, kept.find_run(connection, word))


def run_to_offer(store: Store, word: str) -> Run:
    """Return the run whose LoRA is meant, by its name or the beginning of its id, as it stands now.

    By a name it is the newest that has ended well; without one, the newest that has saved a LoRA at all. So a stopped
    or failed repetition hides no earlier LoRA, just as `train` shows the earlier run then.

    Raises:
        TrainerError: there is none.
    """
    with store.connection() as connection:
        found = state.refresh_run(connection, kept.find_run(connection, word))
        if found.name != word:
            return found
        named = [state.refresh_run(connection, run) for run in kept.runs_called(connection, word)]
    with_lora = [run for run in named if run.loras]
    return next((run for run in with_lora if run.state == "completed"), (*with_lora, found)[0])


def run_by_id(store: Store, run_id: UUID) -> Run:
    """Return a run as it stands now.

    Raises:
        TrainerError: there is none.
    """
    with store.connection() as connection:
        run = kept.get_run(connection, run_id)
        if run is None:
            raise TrainerError(f"There is no run {run_id}: it is another store's.")
        return state.refresh_run(connection, run)


installed_trainer = profiles.find_installed
wait = state.wait
stop = state.stop
history = files.read_history


def log_tail(run: Run, lines: int = 40) -> list[str]:
    """Return the last lines that the trainer printed."""
    return tail(run.folder, lines)


def samples(run: Run) -> list[Path]:
    """Return the images that the trainer drew last to show how it goes, in the order of their names; often none."""
    found: list[tuple[float, Path]] = []
    for name in _SAMPLE_FOLDERS:
        for folder in (run.output / name, *run.output.glob(f"*/{name}")):
            pictures = (file for file in folder.rglob("*") if file.suffix.lower() in _PICTURES)
            found += [(file.stat().st_mtime, file) for file in pictures]
    newest = max((at for at, _ in found), default=0.0)
    return sorted(file for at, file in found if at > newest - _ONE_MOMENT)[-_FEW:]


def lora(run: Run, epoch: str = "") -> Path:
    """Return a LoRA file of a run, looked at: the final one, or the one with these words in its name.

    Raises:
        TrainerError: there is none yet, or it is not whole.
    """
    return read_lora(find_lora(run, epoch)).path


def offer_lora(
    run: Run,
    folder: Path,
    *,
    name: str = "",
    epoch: str = "",
    link: bool = False,
    without_paths: bool = False,
    handling: Handling = "whole",
) -> InstalledLora:
    """Put a LoRA of a run into a folder of LoRAs, with its trigger and where it is from; see `install_lora`."""
    file = find_lora(run, epoch)
    order = files.read_order(run.folder)
    return install_lora(
        run,
        file,
        folder,
        name=name,
        trigger=order.trigger,
        link=link,
        without_paths=without_paths,
        family=order.family,
        handling=handling,
    )


def lora_loads(run: Run) -> dict[str, SavedLoading]:
    """Return what ComfyUI loads of a run's LoRAs, by name, as it was saved with the run."""
    return saved_loadings(run.folder)


def save_lora_load(run: Run, file: Path, coverage: Coverage, text: str, source: str) -> None:
    """Keep with a run what of its LoRA in a file loads; another's file is left alone."""
    with suppress(ValueError):
        name = file.relative_to(run.output).as_posix()
        if name in run.loras:
            save_loading(run.folder, name, SavedLoading(coverage, text, source))


def lora_loads_text(run: Run, source: str = "") -> str:
    """Return that in a line; with ``source``, what it alone said; empty where nothing is known."""
    return loadings_text(saved_loadings(run.folder), source)


class CheckedLora(NamedTuple):
    """A LoRA file of anybody: the family that it was looked at as, and what ComfyUI loads of it.

    ``written`` is the converted file, None where that was not wanted or nothing is to be converted.
    """

    family: Family
    loading: Loading
    written: Path | None = None


def check_lora(file: Path, base: str = "", *, write: bool = False) -> CheckedLora:
    """Return what ComfyUI loads of a LoRA file, by the table of keys; with ``write``, a converted one is put beside it.

    Args:
        file: a LoRA (safetensors) of any trainer.
        base: its base model by name; empty for the family that the names of its tensors tell.
        write: write what loads whole, or more of it, beside the file; nobody's own file is replaced.

    Raises:
        TrainerError: it is no whole LoRA, its family does not show, or the converted file cannot be written.
        SettingsError: there is no such base model.
    """
    lora = read_header(file)
    told = recognised_lora(lora.tensors)
    found = base_model(base).family if base else told
    if not modules_of(lora.header.tensors)[0]:
        raise TrainerError(
            f"{file} holds no LoRA: none of its {len(lora.tensors):,} tensors is one's."
            if lora.tensors
            else f"{file} holds no LoRA: it has no tensors at all."
        )
    if found is None:
        raise TrainerError(f"The names in {file} tell no family of models: name its base model with --base-model.")
    looked_at = lora_loading(lora, found.name)
    if looked_at is None:
        raise TrainerError(f"It is not known which keys ComfyUI takes of a LoRA for {found.label}.")
    if told and told.name not in (found.name, found.lora_as) and not looked_at.best.loaded:
        raise TrainerError(f"{file} is a LoRA for {told.label}, not for {found.label}: leave --base-model out.")
    written = _written(lora, looked_at) if write and looked_at.converted else None
    return CheckedLora(found, looked_at, written)


def _is_converted(file: Path) -> bool:
    """Tell a copy that was converted here, which is written again, from anybody's own file."""
    try:
        return CONVERTED in read_header(file).metadata
    except TrainerError:
        return False


def _written(lora: LoraFile, found: Loading) -> Path:
    target = lora.path.with_name(f"{lora.path.stem}{_CONVERTED}{lora.path.suffix}")
    if target.exists() and not _is_converted(target):
        raise TrainerError(f"{target} is there already, and LoRADS has not made it: rename or remove it.")
    try:
        write_copy(
            lora, target, conversion_metadata(found.conversion), without_paths=False, conversion=found.conversion
        )
    except OSError as error:
        raise TrainerError(f"{target} cannot be written: {file_error_reason(error)}.") from error
    return target
