"""Commands that train and list, stop and offer what was trained, and look at LoRAs and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..shared_options import add_json_option, add_out_option, path
from .command import add_command

if TYPE_CHECKING:
    from .command import Commands, Run


def add_runs(commands: Commands, run: Run) -> None:
    """Add train, runs, stop, offer, lora, checkpoints and trainers."""
    train = add_command(
        commands, "train", run, "train an export and watch it; Ctrl-C stops the training", "lorads train tomcat"
    )
    train.add_argument(
        "name",
        metavar="EXPORT",
        help="name of the export in the folder of all exports, or its path",
    )
    train.add_argument(
        "--profile",
        default="",
        metavar="NAME",
        help="[trainers.NAME] in lorads.toml; needed only if there are several",
    )
    add_out_option(train)
    train.add_argument(
        "--background", action="store_true", help="return at once and let the training continue by itself"
    )
    once_more = train.add_mutually_exclusive_group()
    once_more.add_argument(
        "--again", action="store_true", help="train again even if already trained, into a folder of its own"
    )
    once_more.add_argument(
        "--resume", action="store_true", help="continue a stopped or failed training from its last saved state"
    )
    train.add_argument("--plot", type=path, metavar="FILE", help="save a plot of the loss, updated during training")
    runs = add_command(
        commands, "runs", run, "list trainings, or show one with its log", "lorads runs\n  lorads runs tomcat"
    )
    runs.add_argument("name", nargs="?", default="", metavar="RUN", help="name of the run, or the beginning of its id")
    runs.add_argument(
        "--lines", type=int, default=20, metavar="N", help="number of log lines to show (default: %(default)s)"
    )
    runs.add_argument("--plot", type=path, metavar="FILE", help="save a plot of the loss")
    add_json_option(runs)
    stop = add_command(commands, "stop", run, "stop a training and all processes that it started", "lorads stop tomcat")
    stop.add_argument("name", metavar="RUN", help="name of the run, or the beginning of its id")
    offer = add_command(
        commands,
        "offer",
        run,
        "copy a trained LoRA into a folder of LoRAs, with trigger and version in its metadata",
        "lorads offer tomcat ~/ComfyUI/models/loras",
    )
    offer.add_argument("name", metavar="RUN", help="name of the run, or the beginning of its id")
    offer.add_argument("folder", type=path, metavar="FOLDER", help="folder of LoRAs, e.g. ComfyUI's models/loras")
    offer.add_argument("--make", action="store_true", help="create the folder if it does not exist")
    offer.add_argument("--called", default="", metavar="NAME", help="file name to give it (default: the export's)")
    offer.add_argument(
        "--epoch",
        default="",
        metavar="WORD",
        help="which file, by a part of its name, e.g. 000004 (default: the last)",
    )
    offer.add_argument("--link", action="store_true", help="link the file as it is instead, without added metadata")
    offer.add_argument("--without-paths", action="store_true", help="leave paths of this machine out of the metadata")
    offer.add_argument(
        "--as-it-is",
        action="store_true",
        help="take the trainer's file unchanged, also if ComfyUI loads it only in part (by default it is converted so"
        " that all of it loads, or refused with the reason)",
    )
    _add_lora(commands, run)
    _add_checkpoints(commands, run)
    _add_trainers(commands, run)


def _add_lora(commands: Commands, run: Run) -> None:
    lora = add_command(
        commands,
        "lora",
        run,
        "say how much of LoRA files ComfyUI will load, and convert those that it would load in part",
        "lorads lora tomcat.safetensors --convert",
    )
    lora.add_argument("files", nargs="+", type=path, metavar="FILE", help="LoRA (safetensors) of any trainer")
    lora.add_argument(
        "--base-model",
        default="",
        metavar="NAME",
        help="base model that it is for (default: as the names of its tensors tell)",
    )
    lora.add_argument(
        "--convert",
        action="store_true",
        help="write a converted copy beside it, with -comfyui in its name, where ComfyUI would load it in part",
    )
    add_json_option(lora)


def _add_checkpoints(commands: Commands, run: Run) -> None:
    found = add_command(
        commands,
        "checkpoints",
        run,
        "say what model files are: base model, v-prediction, distilled or not, precision, parts",
        "lorads checkpoints ~/ComfyUI/models/diffusion_models",
    )
    found.add_argument(
        "paths",
        nargs="*",
        type=path,
        metavar="FILE",
        help="model file, Diffusers folder, or folder of models (default: those of the ComfyUI that LoRADS is in, or"
        " that COMFYUI_PATH names)",
    )
    add_json_option(found)


CHECK = "check"


def _add_trainers(commands: Commands, run: Run) -> None:
    trainers = add_command(
        commands,
        "trainers",
        run,
        "list installed trainers, or check one: its own parser and data loader read what LoRADS writes",
        "lorads trainers\n  lorads trainers check kohya\n  lorads trainers check kohya --export tomcat",
    )
    trainers.add_argument("action", nargs="?", default="", metavar=CHECK, help="check a trainer instead of listing all")
    trainers.add_argument(
        "name",
        nargs="?",
        default="",
        metavar="NAME",
        help="[trainers.NAME] in lorads.toml; needed only if there are several",
    )
    trainers.add_argument(
        "--export",
        action="append",
        default=[],
        dest="exports",
        metavar="EXPORT",
        help="check with this export (repeatable) instead of a made one for each base model and network",
    )
    add_out_option(trainers)
    add_json_option(trainers)
