"""Argument parser of the `lorads` command: the arguments and help of every command; it runs none of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .. import __version__
from .export_options import add_dry_run_option, add_export_options
from .shared_options import (
    add_build_options,
    add_json_option,
    add_library_option,
    add_out_option,
    add_query_options,
    add_reading_options,
    add_regularization_options,
    add_selection_options,
    add_vocabulary_option,
    path,
    text,
)
from .usual_options import CommandParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from .console import Screen

    Run = Callable[[argparse.Namespace, Screen], int]
    Commands = argparse._SubParsersAction[CommandParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

_EXIT_CODES = """\
exit codes:
  0 done   1 problems found   2 wrong arguments   3 settings   4 store   5 library
  6 image   7 captions   8 export   9 trainer   130 interrupted"""

_SET = (
    "folder of images, such as kohya's (img/10_tom, reg/1_cat), or a config: dataset_config.toml, concepts.json,"
    " ai-toolkit's YAML, multidatabackend.json, musubi's or diffusion-pipe's TOML, metadata.jsonl"
)
_OF_A_CHECK = ("base_model", "resolution", "batch_size", "epochs", "gradient_accumulation_steps", "bucket_no_upscale")
"""The training options that change what is made of a set."""
_DATASET = "name of the dataset; OWNER/NAME for another user's"


def parser(story: Run, doctor: Run) -> argparse.ArgumentParser:
    """Return the parser of all commands; the chosen one is in ``command``, its name in ``name_of_command``."""
    found = argparse.ArgumentParser(
        prog="lorads",
        description="From an image library to a trained LoRA: select, caption, export, train.",
        epilog=f"example:\n  lorads demo\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--version", action="version", version=f"lorads {__version__}")
    commands = found.add_subparsers(required=True, metavar="command", parser_class=CommandParser)
    _add_story(commands, story)
    _add_existing_sets(commands, story)
    _add_choosing(commands, story)
    _add_captions(commands, story)
    _add_datasets(commands, story)
    _add_exports(commands, story)
    _add_runs(commands, story)
    _add_panel(commands, story)
    _add_judging(commands, story)
    _add_store(commands, story)
    _add_init(commands, story)
    _add_doctor(commands, doctor)
    _add_completion(commands, story)
    return found


def _add_init(commands: Commands, run: Run) -> None:
    summary = "find trainers, taggers, ComfyUI and its checkpoints, and write lorads.toml"
    init = _command(commands, "init", run, summary, "lorads init\n  lorads init ~/ai /mnt/models --yes")
    init.add_argument(
        "folders",
        nargs="*",
        type=path,
        metavar="FOLDER",
        help="folder to search, with three levels below it (default: home, other disks, usual folders of programs)",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing: take the default of every question")
    init.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")


def _add_completion(commands: Commands, run: Run) -> None:
    from .completion import LIST_NAMES  # noqa: PLC0415 - the tables are read when they are shown
    from .completion.shells import SCRIPTS  # noqa: PLC0415

    summary = "print a script with which a shell completes commands, options and names"
    example = "lorads completion bash > ~/.local/share/bash-completion/completions/lorads"
    what = _command(commands, "completion", run, summary, example).add_mutually_exclusive_group(required=True)
    what.add_argument("shell", nargs="?", choices=list(SCRIPTS), help="shell to print the script for")
    what.add_argument("--list", choices=LIST_NAMES, help="print names instead, as the script does")


def _add_doctor(commands: Commands, run: Run) -> None:
    summary = "check the setup: say what is wrong and how to fix it"
    doctor = _command(commands, "doctor", run, summary, "lorads doctor\n  lorads doctor --fix")
    doctor.add_argument(
        "--fix",
        action="store_true",
        help="clean up after killed programs: a store that hangs, stale runs, unfinished exports",
    )
    add_json_option(doctor)


def _command(commands: Commands, name: str, run: Run, summary: str, example: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.register("type", None, text)
    command.set_defaults(command=run, name_of_command=name)
    command.add_argument("--settings", type=path, metavar="FILE", help="settings file to use instead of lorads.toml")
    command.add_argument("--verbose", action="store_true", help="list all problems, not two examples of each kind")
    return command


def _add_story(commands: Commands, run: Run) -> None:
    index = _command(
        commands,
        "index",
        run,
        "read the images of folders into a library",
        "lorads index ~/Pictures --sidecar .txt=wd",
    )
    index.add_argument(
        "folders", nargs="+", type=path, metavar="FOLDER", help="folder of images; its subfolders are included"
    )
    add_library_option(index)
    add_reading_options(index)
    build = _command(
        commands,
        "build",
        run,
        "turn folders of images into a dataset that a trainer can read",
        "lorads build ~/Pictures/tom --trigger tomcat --regularization ~/Pictures/cats\n"
        "  lorads build lorads-exports/tomcat/dataset.toml --epochs 8",
    )
    build.add_argument(
        "folders",
        nargs="*",
        type=path,
        metavar="FOLDER|RECIPE",
        help="folder to index and select images from; or dataset.toml of an export, which makes that dataset again",
    )
    add_build_options(build)
    add_export_options(build)
    add_dry_run_option(build)
    demo = _command(
        commands,
        "demo",
        run,
        "try lorads build with sample images, or with your own folder",
        "lorads demo\n  lorads demo ~/Pictures/tom --trigger tomcat",
    )
    demo.add_argument(
        "folders", nargs="*", type=path, metavar="FOLDER", help="folder to use instead of the sample images"
    )
    add_build_options(demo)
    add_export_options(demo)
    demo.set_defaults(dry_run=False)


def _add_existing_sets(commands: Commands, run: Run) -> None:
    from ..trainers import trainers  # noqa: PLC0415 - the tables are read when they are shown
    from .training_options import add_some_training_options  # noqa: PLC0415

    check = _command(
        commands,
        "check",
        run,
        "audit a training set that you have: what its trainer would really train; nothing is changed",
        "lorads check ~/kohya/tom\n  lorads check dataset_config.toml --epochs 10 --plot audit.png",
    )
    check.add_argument("path", type=path, metavar="FOLDER|FILE", help=_SET)
    check.add_argument(
        "--trainer",
        choices=list(trainers()),
        default="",
        help="trainer to judge it for (default: the one that it is of)",
    )
    check.add_argument("--trigger", default="", help="word that no regularization caption may have")
    add_some_training_options(check.add_argument_group("training"), _OF_A_CHECK)
    check.add_argument(
        "--compare-all", action="store_true", help="compare all images for near-duplicates, however long it takes"
    )
    check.add_argument("--json", action="store_true", help="print the audit as JSON, with all files of each finding")
    check.add_argument(
        "--plot", type=path, metavar="FILE", help="save a plot of the buckets with images of each finding"
    )
    taken = _command(
        commands,
        "import",
        run,
        "make a dataset of a training set that you have: repeats, regularization images and captions included",
        "lorads import ~/kohya/tom --name tomcat\n  lorads export tomcat",
    )
    taken.add_argument("path", type=path, metavar="FOLDER|FILE", help=_SET)
    taken.add_argument("--name", required=True, help="name of the dataset")
    taken.add_argument(
        "--trigger", default="", help="word that activates the concept (default: the first of the class tokens)"
    )
    add_library_option(taken)


def _add_choosing(commands: Commands, run: Run) -> None:
    libraries = _command(
        commands,
        "libraries",
        run,
        "list the libraries, with what each contains and lacks",
        "lorads libraries renders",
    )
    libraries.add_argument("name", nargs="?", default="", help="only this library (default: all)")
    add_json_option(libraries)
    query = _command(
        commands,
        "query",
        run,
        "select images from a library and show them",
        "lorads query --library renders --cluster anna --minimum-rating 7 --sheet anna.png",
    )
    add_query_options(query)
    embed = _command(
        commands,
        "embed",
        run,
        "compute the vectors that images are compared by",
        "lorads embed --library pictures --embedder clip-vit-h",
    )
    add_selection_options(embed)
    embed.add_argument(
        "--embedder",
        default="",
        metavar="NAME",
        help="[embedders.NAME] in lorads.toml (default: only copy vectors that the library has)",
    )
    embed.add_argument(
        "--with-index", action="store_true", help="also build a search index for millions of vectors; takes minutes"
    )
    tag = _command(
        commands,
        "tag",
        run,
        "tag the images that have no tags from this tagger yet",
        "lorads tag --library pictures --tagger wd",
    )
    add_selection_options(tag)
    tag.add_argument("--tagger", required=True, metavar="NAME", help="[taggers.NAME] in lorads.toml")
    tag.add_argument("--again", action="store_true", help="tag every image, even if this tagger has tagged it before")
    add_regularization_options(
        _command(
            commands,
            "regularize",
            run,
            "find regularization images that look like the selected ones but show another subject",
            "lorads regularize --cluster anna --class 1girl --count 200 --sheet picks.png --histogram band.png",
        )
    )


def _add_captions(commands: Commands, run: Run) -> None:
    from ..base_models import base_model_names  # noqa: PLC0415 - the tables are read when they are shown
    from ..captions.operation_table import OPERATIONS  # noqa: PLC0415
    from .caption_options import add_edit_options, add_operation  # noqa: PLC0415

    captions = _command(
        commands,
        "captions",
        run,
        "show, edit and undo edits of a dataset's captions",
        "lorads captions tomcat\n  lorads captions tomcat --remove-tag watermark --apply",
    )
    lint = _command(
        commands,
        "lint",
        run,
        "find problems in the captions of a dataset, and fix them",
        "lorads lint tomcat --base-model illustrious\n  lorads lint tomcat --fix duplicate-tags --apply",
    )
    bases = f"base model that captions are for: {', '.join(base_model_names())} (default: %(default)s)"
    for command in (captions, lint):
        command.add_argument("name", metavar="DATASET", help=_DATASET)
        command.add_argument("--base-model", default="sdxl", metavar="NAME", help=bases)
        command.add_argument(
            "--show", type=int, default=12, metavar="N", help="number of lines to show (default: %(default)s)"
        )
        add_vocabulary_option(command)
        add_json_option(command)
    captions.add_argument("--plain", action="store_true", help="print every path and caption, separated by a tab")
    captions.add_argument("--sources", action="store_true", help="count the images that each caption source covers")
    captions.add_argument(
        "--analysis", action="store_true", help="show frequent tags, tags that co-occur with the trigger, and lengths"
    )
    captions.add_argument("--plot", type=path, metavar="FILE.png", help="save the analysis as a plot")
    captions.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="TAG",
        help="bind this trait to the trigger: captions built from now on leave it out",
    )
    captions.add_argument(
        "--keep", action="append", default=[], metavar="TAG", help="leave this trait promptable: captions keep it"
    )
    captions.add_argument(
        "--of", default="", metavar="CONCEPT", help="concept whose traits these are (default: the only one)"
    )
    captions.add_argument("--history", action="store_true", help="list the edits so far")
    captions.add_argument("--undo", action="store_true", help="undo the latest edit")
    captions.add_argument("--redo", action="store_true", help="redo what was undone")
    add_edit_options(captions)
    lint.add_argument("--flip-aug", action="store_true", help="check for training with flipped images")
    lint.add_argument("--shuffle-caption", action="store_true", help="check for training with shuffled tags")
    add_operation(lint, OPERATIONS["fix"])
    lint.add_argument(
        "--apply",
        action="store_true",
        help="write the fixes (default: preview them); lorads captions --undo undoes them",
    )


def _add_datasets(commands: Commands, run: Run) -> None:
    listed = _command(commands, "datasets", run, "list the datasets, with what each contains", "lorads datasets")
    add_json_option(listed)
    summary = "rename a dataset; captions and their history stay with it"
    rename = _command(commands, "rename", run, summary, "lorads rename tomcat tomcat_v1")
    rename.add_argument("name", metavar="DATASET", help=_DATASET)
    rename.add_argument("new", metavar="NEW", help="its new name")
    summary = "remove a dataset with its captions; images and exports on disk stay"
    remove = _command(commands, "remove", run, summary, "lorads remove tomcat_v1")
    remove.add_argument("name", metavar="DATASET", help=_DATASET)
    remove.add_argument("--yes", action="store_true", help="do not ask, even if people edited its captions")


def _add_exports(commands: Commands, run: Run) -> None:
    combine = _command(
        commands,
        "combine",
        run,
        "combine several datasets into one that teaches all their concepts",
        "lorads combine both tomcat jerrymouse",
    )
    combine.add_argument("name", metavar="NEW", help="name of the combined dataset")
    combine.add_argument("datasets", nargs="+", metavar="DATASET", help=_DATASET)
    combine.add_argument(
        "--repeats",
        type=int,
        default=10,
        help="repeats of the largest concept, or of each with --no-balance (default: %(default)s)",
    )
    combine.add_argument(
        "--no-balance",
        action="store_true",
        help="use the same repeats for all concepts (default: more for smaller ones)",
    )
    export = _command(
        commands, "export", run, "write a dataset that was built earlier to disk, for a trainer", "lorads export both"
    )
    export.add_argument("name", metavar="DATASET", help=_DATASET)
    add_export_options(export)
    add_dry_run_option(export)
    export.add_argument(
        "--fresh", action="store_true", help="start from the defaults, not from the settings of the last export"
    )
    diff = _command(
        commands,
        "diff",
        run,
        "list the versions of an export, or compare two of them",
        "lorads diff tomcat\n  lorads diff tomcat 3f2a\n  lorads diff tomcat 3f2a 91bc",
    )
    diff.add_argument("name", metavar="EXPORT", help="name of the export")
    diff.add_argument(
        "versions",
        nargs="*",
        metavar="VERSION",
        help="version to compare (default of the second: what is in the folder now)",
    )
    add_out_option(diff)
    add_json_option(diff)
    verify = _command(
        commands,
        "verify",
        run,
        "check an export's files by hash: which are missing, changed or additional",
        "lorads verify tomcat\n  lorads verify /mnt/backup/tomcat",
    )
    verify.add_argument("name", metavar="EXPORT", help="name of the export, or its folder")
    add_out_option(verify)


def _add_panel(commands: Commands, run: Run) -> None:
    panel = _command(
        commands, "panel", run, "open the caption panel in the browser, served on this machine only", "lorads panel"
    )
    panel.add_argument("--port", type=int, default=0, metavar="PORT", help="port to serve on (default: any free one)")
    panel.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    add_out_option(panel)


def _add_store(commands: Commands, run: Run) -> None:
    backup = _command(
        commands, "backup", run, "write the embedded store to one file", "lorads backup lorads-2026-11-29.backup"
    )
    backup.add_argument("file", type=path, metavar="FILE", help="file to create")
    restore = _command(
        commands,
        "restore",
        run,
        "restore a backup, also of an older PostgreSQL, into a new, empty embedded store",
        "lorads restore lorads-2026-11-29.backup",
    )
    restore.add_argument("file", type=path, metavar="FILE", help="backup written by lorads backup")


def _add_runs(commands: Commands, run: Run) -> None:
    train = _command(
        commands, "train", run, "train an export and watch it; Ctrl-C stops the training", "lorads train tomcat"
    )
    train.add_argument(
        "name",
        metavar="EXPORT",
        help="name of the export in the folder that holds all exports, or its path",
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
    runs = _command(
        commands, "runs", run, "list trainings, or show one with its log", "lorads runs\n  lorads runs tomcat"
    )
    runs.add_argument("name", nargs="?", default="", metavar="RUN", help="name of the run, or the beginning of its id")
    runs.add_argument(
        "--lines", type=int, default=20, metavar="N", help="number of log lines to show (default: %(default)s)"
    )
    runs.add_argument("--plot", type=path, metavar="FILE", help="save a plot of the loss")
    add_json_option(runs)
    stop = _command(commands, "stop", run, "stop a training and all processes that it started", "lorads stop tomcat")
    stop.add_argument("name", metavar="RUN", help="name of the run, or the beginning of its id")
    offer = _command(
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


def _add_judging(commands: Commands, run: Run) -> None:
    rate = _command(commands, "rate", run, "rate images in LoRADS' own index", "lorads rate 8 --folder ~/Pictures/best")
    rate.add_argument("rating", type=_rating, metavar="0-10|none", help="rating to set; none removes it")
    mark = _command(
        commands, "mark", run, "mark images in LoRADS' own index as bad or good", "lorads mark bad --id 12 --id 57"
    )
    mark.add_argument("mark", choices=["bad", "good"], help="bad images are left out of queries by default")
    album = _command(
        commands, "album", run, "add images to an album, or list the albums", "lorads album best --minimum-rating 9"
    )
    album.add_argument("name", nargs="?", default="", metavar="ALBUM", help="album (default: list all)")
    album.add_argument("--remove", action="store_true", help="remove the selected images from it")
    cluster = _command(
        commands,
        "cluster",
        run,
        "propose clusters of similar images, for you to name",
        'lorads cluster\n  lorads cluster --rename "group 1" anna',
    )
    unindex = _command(
        commands,
        "unindex",
        run,
        "take images out of LoRADS' own index: their tags, ratings, albums and vectors are deleted, the files stay",
        "lorads unindex --folder ~/Pictures/old\n  lorads unindex --missing",
    )
    unindex.add_argument("--missing", action="store_true", help="those whose files are gone (of --folder, if given)")
    for command in (rate, mark, album, cluster, unindex):
        add_selection_options(command)
    for command in (rate, mark, album, unindex):
        command.add_argument("--all", action="store_true", help="apply to every image of the library")
    cluster.add_argument(
        "--smallest",
        type=int,
        default=5,
        metavar="N",
        help="images that a cluster needs at least (default: %(default)s)",
    )
    cluster.add_argument(
        "--space", default="", metavar="NAME", help="kind of vectors to compare by (default: the library's)"
    )
    cluster.add_argument("--list", action="store_true", help="only list the clusters")
    cluster.add_argument("--rename", nargs=2, metavar=("OLD", "NEW"), help="rename a cluster")


def _rating(word: str) -> int | None:
    if word == "none":
        return None
    if not word.isdecimal() or int(word) > 10:  # noqa: PLR2004 - the scale of every library
        raise argparse.ArgumentTypeError("give a whole number from 0 to 10, or none")
    return int(word)
