"""Commands that make datasets and exports of them, list and change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..export_options import add_dry_run_option, add_export_options
from ..shared_options import (
    add_build_options,
    add_json_option,
    add_library_option,
    add_out_option,
    add_reading_options,
    path,
)
from .command import DATASET, add_command

if TYPE_CHECKING:
    from .command import Commands, Run

_SET = (
    "folder of images, such as kohya's (img/10_tom, reg/1_cat), or a config: dataset_config.toml, concepts.json,"
    " ai-toolkit's YAML, multidatabackend.json, musubi's or diffusion-pipe's TOML, metadata.jsonl"
)
_OF_A_CHECK = ("base_model", "resolution", "batch_size", "epochs", "gradient_accumulation_steps", "bucket_no_upscale")
"""The training options that change what is made of a set."""


def add_story(commands: Commands, run: Run) -> None:
    """Add index, build and demo."""
    index = add_command(
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
    build = add_command(
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
    demo = add_command(
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


def add_existing_sets(commands: Commands, run: Run) -> None:
    """Add check and import."""
    from ...trainers import trainers  # noqa: PLC0415 - the tables are read when they are shown
    from ..training_options import add_some_training_options  # noqa: PLC0415

    check = add_command(
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
    taken = add_command(
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


def add_datasets(commands: Commands, run: Run) -> None:
    """Add what lists, renames and removes datasets."""
    listed = add_command(commands, "datasets", run, "list the datasets, with what each contains", "lorads datasets")
    add_json_option(listed)
    summary = "rename a dataset; captions and their history stay with it"
    rename = add_command(commands, "rename", run, summary, "lorads rename tomcat tomcat_v1")
    rename.add_argument("name", metavar="DATASET", help=DATASET)
    rename.add_argument("new", metavar="NEW", help="its new name")
    summary = "remove a dataset with its captions; images and exports on disk stay"
    remove = add_command(commands, "remove", run, summary, "lorads remove tomcat_v1")
    remove.add_argument("name", metavar="DATASET", help=DATASET)
    remove.add_argument("--yes", action="store_true", help="do not ask, even if people edited its captions")


def add_exports(commands: Commands, run: Run) -> None:
    """Add export and what is done with exports."""
    combine = add_command(
        commands,
        "combine",
        run,
        "combine several datasets into one that teaches all their concepts",
        "lorads combine both tomcat jerrymouse",
    )
    combine.add_argument("name", metavar="NEW", help="name of the combined dataset")
    combine.add_argument("datasets", nargs="+", metavar="DATASET", help=DATASET)
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
    export = add_command(
        commands, "export", run, "write a dataset that was built earlier to disk, for a trainer", "lorads export both"
    )
    export.add_argument("name", metavar="DATASET", help=DATASET)
    add_export_options(export)
    add_dry_run_option(export)
    export.add_argument(
        "--fresh", action="store_true", help="start from the defaults, not from the settings of the last export"
    )
    diff = add_command(
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
    verify = add_command(
        commands,
        "verify",
        run,
        "check an export's files by hash: which are missing, changed or additional",
        "lorads verify tomcat\n  lorads verify /mnt/backup/tomcat",
    )
    verify.add_argument("name", metavar="EXPORT", help="name of the export, or its folder")
    add_out_option(verify)
