"""Commands that query, embed, tag, rate and sort images."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..shared_options import add_json_option, add_query_options, add_regularization_options, add_selection_options
from .command import add_command

if TYPE_CHECKING:
    from .command import Commands, Run


def add_choosing(commands: Commands, run: Run) -> None:
    """Add what looks at libraries and selects images."""
    libraries = add_command(
        commands,
        "libraries",
        run,
        "list the libraries, with what each contains and lacks",
        "lorads libraries renders",
    )
    libraries.add_argument("name", nargs="?", default="", help="only this library (default: all)")
    add_json_option(libraries)
    query = add_command(
        commands,
        "query",
        run,
        "select images from a library and show them",
        "lorads query --library renders --cluster anna --minimum-rating 7 --sheet anna.png",
    )
    add_query_options(query)
    embed = add_command(
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
    tag = add_command(
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
        add_command(
            commands,
            "regularize",
            run,
            "find regularization images that look like the selected ones but show another subject",
            "lorads regularize --cluster anna --class 1girl --count 200 --sheet picks.png --histogram band.png",
        )
    )


def add_judging(commands: Commands, run: Run) -> None:
    """Add what changes an index: ratings, marks, albums, clusters."""
    rate = add_command(
        commands, "rate", run, "rate images in LoRADS' own index", "lorads rate 8 --folder ~/Pictures/best"
    )
    rate.add_argument("rating", type=_rating, metavar="0-10|none", help="rating to set; none removes it")
    mark = add_command(
        commands, "mark", run, "mark images in LoRADS' own index as bad or good", "lorads mark bad --id 12 --id 57"
    )
    mark.add_argument("mark", choices=["bad", "good"], help="bad images are left out of queries by default")
    album = add_command(
        commands, "album", run, "add images to an album, or list the albums", "lorads album best --minimum-rating 9"
    )
    album.add_argument("name", nargs="?", default="", metavar="ALBUM", help="album (default: list all)")
    album.add_argument("--remove", action="store_true", help="remove the selected images from it")
    cluster = add_command(
        commands,
        "cluster",
        run,
        "propose clusters of similar images, for you to name",
        'lorads cluster\n  lorads cluster --rename "group 1" anna',
    )
    unindex = add_command(
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
