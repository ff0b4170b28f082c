"""The words of the `lorads` command: what each command takes and what its help says; it runs none of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..system.names import is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .console import Screen

    Words = argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    Run = Callable[[argparse.Namespace, Screen], int]
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

_EXIT_CODES = """\
exit codes:
  0 done   2 wrong arguments   3 settings   4 store   5 library   6 image
  7 captions   8 export   9 trainer   130 interrupted"""

_DATASET = "its name; another person's is OWNER/NAME"


def _text(word: str) -> str:
    """Refuse a word that is no text: it could be neither stored nor shown. The type of all options without another."""
    if not is_text(word):
        raise argparse.ArgumentTypeError("it is not valid UTF-8, or holds a NUL character")
    return word


def _path(word: str) -> Path:
    """Refuse an empty path, which would mean the current folder: most often a variable that is not set."""
    if not word:
        raise argparse.ArgumentTypeError("it is empty; write . for the current folder")
    try:
        return Path(_text(word)).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"there is no such user: {word}") from None


def parser(story: Run, doctor: Run) -> argparse.ArgumentParser:
    """Return the parser of all commands; the chosen one is in ``command``, its name in ``name_of_command``."""
    found = argparse.ArgumentParser(
        prog="lorads",
        description="From a picture library to a training-ready LoRA dataset.",
        epilog=f"example:\n  lorads demo\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--version", action="version", version=f"lorads {__version__}")
    commands = found.add_subparsers(required=True, metavar="command")
    _add_story(commands, story)
    _add_choosing(commands, story)
    _add_captions(commands, story)
    _add_exports(commands, story)
    _add_runs(commands, story)
    _add_panel(commands, story)
    _add_judging(commands, story)
    _add_store(commands, story)
    _add_doctor(commands, doctor)
    return found


def _add_doctor(commands: Commands, run: Run) -> None:
    summary = "say what is wrong with the set-up, and how to fix it"
    doctor = _command(commands, "doctor", run, summary, "lorads doctor\n  lorads doctor --fix")
    doctor.add_argument(
        "--fix",
        action="store_true",
        help="repair what killed programs left: a store that hangs, stale runs, exports that were cut off",
    )


def _command(commands: Commands, name: str, run: Run, summary: str, example: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.register("type", None, _text)
    command.set_defaults(command=run, name_of_command=name)
    command.add_argument("--settings", type=_path, metavar="FILE", help="settings instead of the usual lorads.toml")
    return command


def _add_story(commands: Commands, run: Run) -> None:
    index = _command(
        commands,
        "index",
        run,
        "read the pictures of folders into a library",
        "lorads index ~/Pictures --sidecar .txt=wd",
    )
    index.add_argument("folders", nargs="+", type=_path, metavar="FOLDER", help="folder; those below it count too")
    _library_word(index)
    _reading_words(index)
    build = _command(
        commands,
        "build",
        run,
        "folders of pictures to a dataset that a trainer takes",
        "lorads build ~/Pictures/tom --trigger tomcat --regularization ~/Pictures/cats",
    )
    build.add_argument("folders", nargs="*", type=_path, metavar="FOLDER", help="folder to index and to choose from")
    _build_words(build)
    demo = _command(
        commands,
        "demo",
        run,
        "the same with sample pictures, or with a folder of yours",
        "lorads demo\n  lorads demo ~/Pictures/tom --trigger tomcat",
    )
    demo.add_argument("folders", nargs="*", type=_path, metavar="FOLDER", help="folder instead of the sample pictures")
    _build_words(demo)


def _add_choosing(commands: Commands, run: Run) -> None:
    libraries = _command(
        commands,
        "libraries",
        run,
        "look into the libraries and say what they have and lack",
        "lorads libraries renders",
    )
    libraries.add_argument("name", nargs="?", default="", help="one library (default: all)")
    query = _command(
        commands,
        "query",
        run,
        "choose images of a library and show them",
        "lorads query --library renders --cluster anna --minimum-rating 7 --sheet anna.png",
    )
    _chosen_words(query)
    embed = _command(
        commands,
        "embed",
        run,
        "make the vectors by which images are compared",
        "lorads embed --library pictures --embedder clip-vit-h",
    )
    _choosing_words(embed)
    embed.add_argument("--embedder", default="", help="one of lorads.toml (default: only copy the library's)")
    embed.add_argument("--with-index", action="store_true", help="also index them: for millions; takes minutes")
    tag = _command(
        commands,
        "tag",
        run,
        "tag the images that a tagger has not seen yet",
        "lorads tag --library pictures --tagger wd",
    )
    _choosing_words(tag)
    tag.add_argument("--tagger", required=True, help="one of lorads.toml")
    tag.add_argument("--again", action="store_true", help="tag all of them again, whatever tags they have")
    _regularize_words(
        _command(
            commands,
            "regularize",
            run,
            "find regularization images that look like chosen ones and show another subject",
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
        "look at the captions of a dataset, edit them, take edits back",
        "lorads captions tomcat\n  lorads captions tomcat --remove-tag watermark --apply",
    )
    lint = _command(
        commands,
        "lint",
        run,
        "find problems in the captions of a dataset, and fix them",
        "lorads lint tomcat --base-model illustrious\n  lorads lint tomcat --fix duplicate-tags --apply",
    )
    bases = f"{', '.join(base_model_names())} (default: %(default)s)"
    for command in (captions, lint):
        command.add_argument("name", metavar="DATASET", help=_DATASET)
        command.add_argument("--base-model", default="sdxl", metavar="NAME", help=bases)
        command.add_argument("--show", type=int, default=12, metavar="N", help="so many (default: %(default)s)")
        _vocabulary_word(command)
    captions.add_argument("--plain", action="store_true", help="every path and caption, with a tab between")
    captions.add_argument("--sources", action="store_true", help="for how many images each source has something")
    captions.add_argument("--analysis", action="store_true", help="tags, what goes along with the trigger, lengths")
    captions.add_argument("--picture", type=_path, metavar="FILE.png", help="draw that")
    captions.add_argument("--bind", action="append", default=[], metavar="TAG", help="a trait, to the trigger")
    captions.add_argument("--keep", action="append", default=[], metavar="TAG", help="a trait, flexible")
    captions.add_argument("--of", default="", metavar="CONCEPT", help="whose traits (default: the only concept)")
    captions.add_argument("--history", action="store_true", help="the edits so far")
    captions.add_argument("--undo", action="store_true", help="take the newest edit back")
    captions.add_argument("--redo", action="store_true", help="do again what was taken back")
    add_edit_options(captions)
    lint.add_argument("--flip-aug", action="store_true", help="pictures will be flipped")
    lint.add_argument("--shuffle-caption", action="store_true", help="tags will be shuffled")
    add_operation(lint, OPERATIONS["fix"])
    lint.add_argument("--apply", action="store_true", help="do it; lorads captions --undo takes it back")


def _add_exports(commands: Commands, run: Run) -> None:
    combine = _command(
        commands,
        "combine",
        run,
        "make one dataset of several, which teaches all their concepts",
        "lorads combine both tomcat jerrymouse",
    )
    combine.add_argument("name", metavar="NEW")
    combine.add_argument("datasets", nargs="+", metavar="DATASET")
    combine.add_argument("--repeats", type=int, default=10, help="of the largest concept (default: %(default)s)")
    combine.add_argument("--no-balance", action="store_true", help="as many repeats for all")
    export = _command(
        commands, "export", run, "write a dataset that was built before, for a trainer", "lorads export both"
    )
    export.add_argument("name", metavar="DATASET", help=_DATASET)
    _export_words(export)
    diff = _command(
        commands,
        "diff",
        run,
        "list the versions of an export, or say how two of them differ",
        "lorads diff tomcat\n  lorads diff tomcat 3f2a\n  lorads diff tomcat 3f2a 91bc",
    )
    diff.add_argument("name", metavar="EXPORT")
    diff.add_argument("versions", nargs="*", metavar="VERSION", help="the second one: as it lies there")
    _out_word(diff)
    verify = _command(
        commands,
        "verify",
        run,
        "check the files of an export by their hashes: missing, changed and additional ones",
        "lorads verify tomcat\n  lorads verify /mnt/backup/tomcat",
    )
    verify.add_argument("name", metavar="EXPORT", help="its name, or its folder")
    _out_word(verify)


def _add_panel(commands: Commands, run: Run) -> None:
    panel = _command(
        commands, "panel", run, "open the caption panel in the browser, served on this machine alone", "lorads panel"
    )
    panel.add_argument("--port", type=int, default=0, help="its port (default: one that is free)")
    panel.add_argument("--no-browser", action="store_true", help="say the address, and open nothing")
    _out_word(panel)


def _add_store(commands: Commands, run: Run) -> None:
    backup = _command(
        commands, "backup", run, "write the embedded store to one file", "lorads backup lorads-2026-11-29.backup"
    )
    backup.add_argument("file", type=_path, metavar="FILE", help="a new file")
    restore = _command(
        commands,
        "restore",
        run,
        "fill a new, empty embedded store from a backup, also one of an older PostgreSQL",
        "lorads restore lorads-2026-11-29.backup",
    )
    restore.add_argument("file", type=_path, metavar="FILE", help="what lorads backup wrote")


def _add_runs(commands: Commands, run: Run) -> None:
    train = _command(
        commands, "train", run, "train an export and watch it; Ctrl-C stops the training", "lorads train tomcat"
    )
    train.add_argument("name", metavar="EXPORT", help="its name in the folder of all exports, or its path")
    train.add_argument(
        "--profile",
        default="",
        metavar="NAME",
        help="[trainers.NAME] of lorads.toml, where there are several",
    )
    _out_word(train)
    train.add_argument("--background", action="store_true", help="come back at once; it trains on by itself")
    train.add_argument(
        "--again", action="store_true", help="train again what was trained; the former output is moved aside"
    )
    train.add_argument("--plot", type=_path, metavar="FILE", help="picture of the loss, redrawn as it trains")
    runs = _command(
        commands, "runs", run, "list trainings, or show one with its log", "lorads runs\n  lorads runs tomcat"
    )
    runs.add_argument("name", nargs="?", default="", metavar="RUN", help="its name, or the id's beginning")
    runs.add_argument("--lines", type=int, default=20, help="last lines of the log (default: %(default)s)")
    runs.add_argument("--plot", type=_path, metavar="FILE", help="picture of the loss")
    stop = _command(commands, "stop", run, "stop a training, with all that it has started", "lorads stop tomcat")
    stop.add_argument("name", metavar="RUN", help="its name, or the id's beginning")
    offer = _command(
        commands,
        "offer",
        run,
        "put a trained LoRA into a folder of LoRAs, with its trigger and version in its metadata",
        "lorads offer tomcat ~/ComfyUI/models/loras",
    )
    offer.add_argument("name", metavar="RUN", help="its name, or the id's beginning")
    offer.add_argument("folder", type=_path)
    offer.add_argument("--called", default="", metavar="NAME", help="new name (default: the export's)")
    offer.add_argument("--epoch", default="", metavar="WORD", help="a part of the file's name, e.g. 000004")
    offer.add_argument("--link", action="store_true", help="link it as it is, without more metadata")
    offer.add_argument("--without-paths", action="store_true", help="leave out where things lie on this machine")


def _add_judging(commands: Commands, run: Run) -> None:
    rate = _command(commands, "rate", run, "rate images of our own index", "lorads rate 8 --folder ~/Pictures/best")
    rate.add_argument("rating", type=_rating, metavar="0-10|none")
    mark = _command(commands, "mark", run, "mark images of our own index", "lorads mark bad --id 12 --id 57")
    mark.add_argument("mark", choices=["bad", "good"])
    album = _command(
        commands, "album", run, "gather images in albums, or list them", "lorads album best --minimum-rating 9"
    )
    album.add_argument("name", nargs="?", default="")
    album.add_argument("--remove", action="store_true", help="take the chosen images out of it")
    cluster = _command(
        commands,
        "cluster",
        run,
        "propose clusters of images that are alike, to be named",
        'lorads cluster\n  lorads cluster --rename "group 1" anna',
    )
    for command in (rate, mark, album, cluster):
        _choosing_words(command)
    for command in (rate, mark, album):
        command.add_argument("--all", action="store_true", help="really every image of the library")
    cluster.add_argument("--smallest", type=int, default=5, metavar="N", help="images of the smallest cluster")
    cluster.add_argument("--space", default="", help="vectors to compare by")
    cluster.add_argument("--list", action="store_true", help="only list them")
    cluster.add_argument("--rename", nargs=2, metavar=("OLD", "NEW"), help="name one")


def _rating(word: str) -> int | None:
    if word == "none":
        return None
    if not word.isdecimal() or int(word) > 10:  # noqa: PLR2004 - the scale of every library
        raise argparse.ArgumentTypeError("give a whole number from 0 to 10, or none")
    return int(word)


def _library_word(command: argparse.ArgumentParser) -> None:
    command.add_argument("--library", default="pictures", help="library's name (default: %(default)s)")


def _reading_words(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--sidecar",
        action="append",
        default=[],
        metavar=".SUFFIX=SOURCE",
        help="what text files beside pictures hold: .txt=wd, .txt=joytag, .caption=joycaption …"
        " (default: .txt=sidecar .caption=joycaption)",
    )
    command.add_argument(
        "--follow-links", action="store_true", help="follow symbolic links and junctions (default: leave them out)"
    )
    command.add_argument(
        "--download",
        action="store_true",
        help="read files that are online only (OneDrive, iCloud), which downloads them (default: leave them out)",
    )


def _choosing_words(command: argparse.ArgumentParser) -> None:
    _library_word(command)
    choosing = command.add_argument_group("choosing")
    choosing.add_argument("--folder", action="append", default=[], type=_path, help="only images in it or below")
    choosing.add_argument("--cluster", default="", help="only this cluster (person, group)")
    choosing.add_argument("--album", default="", help="only this album")
    choosing.add_argument("--require", action="append", default=[], metavar="TAG", help="only images with this tag")
    choosing.add_argument("--exclude", action="append", default=[], metavar="TAG", help="no images with this tag")
    choosing.add_argument("--minimum-rating", type=int, metavar="0-10")
    choosing.add_argument("--with-marked-bad", action="store_true", help="take those marked as bad too")
    choosing.add_argument("--minimum-side", type=int, default=0, metavar="PIXELS", help="of the shorter side")
    choosing.add_argument(
        "--maximum-images",
        type=int,
        metavar="N",
        help="usable ones: missing files are replaced by the next",
    )
    choosing.add_argument("--id", action="append", default=[], type=int, metavar="ID", help="only images with this id")
    choosing.add_argument("--order", default="path", help="path, newest, oldest, rating, largest or random")
    choosing.add_argument("--seed", type=int, default=0, help="of the order random")


def _chosen_words(command: argparse.ArgumentParser) -> None:
    """Words of commands that choose images and show some."""
    _choosing_words(command)
    command.add_argument("--name", default="query", help="the dataset's name (default: %(default)s)")
    command.add_argument(
        "--duplicates",
        choices=["keep", "report", "drop"],
        default="keep",
        help="of near-duplicates keep all or the best",
    )
    command.add_argument("--paths", action="store_true", help="print the paths of the images, a line each")
    command.add_argument("--sheet", type=_path, metavar="FILE.png", help="draw a contact sheet of the images")


def _regularize_words(command: argparse.ArgumentParser) -> None:
    _chosen_words(command)
    command.add_argument("--histogram", type=_path, metavar="FILE.png", help="draw the library's similarities")
    finding = command.add_argument_group("finding")
    finding.add_argument("--among", default="", metavar="LIBRARY", help="library to find in (default: same)")
    finding.add_argument("--count", type=int, metavar="N", help="how many (default: as many as training images)")
    finding.add_argument(
        "--class", dest="regularization_class", action="append", default=[], metavar="TAG",
        help="tag that all of them must have, e.g. 1girl",
    )  # fmt: skip
    finding.add_argument("--without", action="append", default=[], metavar="TAG", help="tag that none of them may have")
    _band_words(finding)
    finding.add_argument("--mode", default="centres", help="compare with centres of the chosen images, or nearest")
    finding.add_argument("--minimum-quality", type=int, metavar="0-10", help="lowest rating")
    finding.add_argument("--quality", type=float, default=0.3, help="weight of rating against likeness, 0-1")
    finding.add_argument("--diversity", type=float, default=0.3, help="how unlike each other, 0-1")
    finding.add_argument("--twin", type=float, default=0.9, help="similarity at which two picks are one too many")
    finding.add_argument("--per-cluster", type=int, default=0, metavar="N", help="most of one cluster (default: any)")
    finding.add_argument("--allow-same-cluster", action="store_true", help="those of the chosen images' clusters too")
    finding.add_argument("--allow-subject-tags", action="store_true", help="those with the subject's own tags too")
    finding.add_argument("--vectors-only", action="store_true", help="do not look at the pictures for duplicates")
    finding.add_argument("--repeats", type=int, default=10, help="of training images; more are never shown")
    finding.add_argument("--space", default="", help="vectors to compare by")
    finding.add_argument("--search", default="auto", help="auto, exact or index")


def _band_words(group: Words) -> None:
    group.add_argument("--band", default="", metavar="0.5-0.85", help="how like the chosen images they are to be")
    group.add_argument("--percentiles", default="", metavar="60-95", help="the band in percentiles of the library")


def _out_word(command: argparse.ArgumentParser | Words, default: str = "") -> None:
    """Add the folder of all exports; other tools call such an option --output."""
    help_text = f"folder of all exports{default}"
    command.add_argument("--out", "--output", dest="out", type=_path, metavar="FOLDER", help=help_text)


def _vocabulary_word(command: argparse.ArgumentParser | Words) -> None:
    command.add_argument("--vocabulary", default="", metavar="NAME", help="of lorads.toml (default: ours)")


def _build_words(command: argparse.ArgumentParser) -> None:

    command.add_argument("--name", help="the dataset's name (default: the trigger)")
    command.add_argument("--trigger", default="", help="the word that shall call the concept")
    command.add_argument("--trigger-position", choices=["prepend", "append", "none"], default="prepend")
    command.add_argument("--regularization", type=_path, metavar="FOLDER", help="folder with regularization pictures")
    finding = command.add_argument_group("finding regularization images (more words: lorads regularize)")
    finding.add_argument("--find-regularization", type=int, metavar="N", help="so many of the library, by likeness")
    finding.add_argument(
        "--class", dest="regularization_class", action="append", default=[], metavar="TAG",
        help="tag that all of those must have, e.g. 1girl",
    )  # fmt: skip
    _band_words(finding)
    _choosing_words(command)
    _reading_words(command)
    captions = command.add_argument_group("captions")
    captions.add_argument(
        "--caption", "--captions", default="sidecar", metavar="SOURCE", help="source (default: %(default)s)"
    )
    captions.add_argument("--fallback", action="append", default=[], metavar="SOURCE", help="where the source has none")
    captions.add_argument("--leave-out", action="append", default=[], metavar="TAG", help="no caption gets it")
    captions.add_argument(
        "--bind", action="append", default=[], metavar="TAG", help="trait that the trigger stands for"
    )
    _vocabulary_word(captions)
    _export_words(command)


def _export_words(command: argparse.ArgumentParser) -> None:
    from ..trainers import trainers  # noqa: PLC0415 - as above
    from .training_options import add_training_options  # noqa: PLC0415

    add_training_options(command.add_argument_group("training"))
    writing = command.add_argument_group("writing")
    writing.add_argument(
        "--trainer", choices=list(trainers()), default="sd-scripts", help="what will train (default: %(default)s)"
    )
    _out_word(writing, " (default: ./lorads-exports)")
    writing.add_argument(
        "--images",
        default="original",
        metavar="POLICY",
        help="original (sound files as they are), normalised, max_side=N, max_area=N or bucket (default: %(default)s)",
    )
    writing.add_argument(
        "--format",
        default="png",
        metavar="FORMAT",
        help="png, jpeg or webp of images that are re-encoded (default: png)",
    )
    writing.add_argument(
        "--quality", type=int, default=95, metavar="1-100", help="of jpeg and webp, 100 is lossless webp (default: 95)"
    )
    writing.add_argument(
        "--background", default="white", metavar="COLOUR", help="what transparency is laid on, e.g. #808080"
    )
    writing.add_argument("--keep-alpha", action="store_true", help="keep transparency (png, webp)")
    writing.add_argument("--strip", action="store_true", help="leave workflows and other metadata out of copies")
    writing.add_argument("--link", action="store_true", help="hard links instead of copies, on the same drive")
    writing.add_argument("--plot", type=_path, metavar="FILE", help="picture of the buckets")
