"""What to take from a library: one filter, and the one query builder over the relation `images` that answers it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from psycopg import sql

from ..errors import LibraryError, SettingsError
from ..model import ORDERS, ImageRecord, Order
from ..system.names import spellings
from ..tags import canonical
from .days import check_days, local_midnight
from .model_names import hash_condition, hashes, name_condition, patterns
from .pathmap import is_windows_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

_Condition = tuple[sql.Composable, dict[str, object]]


@dataclass(frozen=True, slots=True)
class DatasetFilter:
    """Which images to take; what is left empty does not restrict.

    ``minimum_rating`` is 0–10, ``minimum_side`` the shorter side in pixels, ``folders`` are absolute paths whose
    subfolders count too. ``order`` decides which images a ``maximum_images`` keeps; ``random`` is repeatable by
    ``seed``. ``favorite`` and ``nsfw`` take only images with that mark (True) or none with it (False). ``models`` are
    checkpoints by file name or hash and ``loras`` names of LoRAs, any of which will do; see `model_names`. Images made
    on the day ``created_since`` count, those of ``created_before`` do not.

    Raises:
        SettingsError: a number or date is out of its range, an id is no id, or the order is unknown.
    """

    cluster: str = ""
    album: str = ""
    folders: tuple[str, ...] = ()
    minimum_rating: int | None = None
    exclude_marked_bad: bool = True
    required_tags: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()
    minimum_side: int = 0
    maximum_images: int | None = None
    ids: tuple[int, ...] = ()
    order: Order = "path"
    seed: int = 0
    favorite: bool | None = None
    nsfw: bool | None = None
    models: tuple[str, ...] = ()
    loras: tuple[str, ...] = ()
    created_since: date | None = None
    created_before: date | None = None

    def __post_init__(self) -> None:
        _within("minimum rating", self.minimum_rating, 0, 10)
        _within("minimum side", self.minimum_side, 0, 1_000_000)
        _within("maximum images", self.maximum_images, 1, 100_000_000)
        _within("seed", self.seed, 0, 2**63 - 1)
        for image_id in self.ids:
            _within("image id", image_id, 0, 2**63 - 1)
        if not all(name.strip() for name in (*self.models, *self.loras)):
            raise SettingsError("The name of a checkpoint or LoRA to filter by is empty: write it, or leave it out.")
        if self.order not in ORDERS:
            raise SettingsError(f"There is no order {self.order!r}; known are: {', '.join(ORDERS)}.")
        check_days(self.created_since, self.created_before)


def _within(what: str, value: int | None, lowest: int, highest: int) -> None:
    if value is not None and not lowest <= value <= highest:
        raise SettingsError(f"The {what} is {value}; give a whole number from {lowest} to {highest}.")


@dataclass(frozen=True, slots=True)
class Relations:
    """One kind of library as relations with our column names and types; each is a SELECT without parameters in it.

    ``images``: id, path, folder, width, height, file_size, mtime_ns, hash, format, rating, marked_bad, ready, prompt,
    prompt_source, prompt_uncertain, aesthetic, metadata_hash, base_id, frames, mask: see `ImageRecord`. Paths are those
    of this machine. Images that are known to be gone are not in it. Further, for filters alone: favorite, nsfw, model,
    model_hash (both empty where unknown), loras (an array of names), created (timestamptz, or timestamp where a program
    does not name its time zone; NULL where unknown). ``lacking`` names, by field of `DatasetFilter`, what the library
    does not know at all and can therefore not be filtered by. ``tag_sets``: image_id, tags (all of an image, an array),
    where there is such a relation: it answers faster than ``tags``. ``tags``: image_id, tag (in canonical spelling),
    source, confidence. ``captions``: image_id, caption, source, edited, updated_at. ``groups``: image_id, kind
    ('cluster' or 'album'), name; None where the library has no groups, which ``no_groups`` then explains.
    """

    images: sql.Composable
    tags: sql.Composable
    captions: sql.Composable
    groups: sql.Composable | None = None
    tag_sets: sql.Composable | None = None
    no_groups: str = "leave it empty, or choose by folder, rating and tags"
    lacking: Mapping[str, str] = field(default_factory=dict[str, str])


# The fields of a record in their order: those that a relation ``images`` does not have come from elsewhere.
_COLUMNS = sql.SQL(", ").join(
    sql.Identifier(each.name) for each in fields(ImageRecord) if each.name not in {"library", "captions"}
)
# id breaks every tie, so that the same filter gives the same images in the same order.
_ORDERS: dict[Order, sql.SQL] = {
    "path": sql.SQL("path, id"),
    "newest": sql.SQL("mtime_ns DESC, id DESC"),
    "oldest": sql.SQL("mtime_ns, id"),
    "rating": sql.SQL("rating DESC NULLS LAST, id"),
    "largest": sql.SQL("width::bigint * height DESC, id"),
    "random": sql.SQL("hashint8extended(id, %(seed)s), id"),
}


def select_images(relations: Relations, wanted: DatasetFilter) -> tuple[sql.Composed, dict[str, object]]:
    """Return the query for the wanted images, in order, and its parameters.

    Raises:
        LibraryError: the filter asks for a group of a library that has none.
    """
    where, parameters = _conditions(relations, wanted)
    query = sql.SQL("SELECT {} FROM ({}) AS images WHERE {} ORDER BY {}").format(
        _COLUMNS, relations.images, where, _ORDERS[wanted.order]
    )
    return _limited(query, wanted), parameters | {"seed": wanted.seed, "maximum": wanted.maximum_images}


def select_ids(relations: Relations, wanted: DatasetFilter) -> tuple[sql.Composed, dict[str, object]]:
    """Return the query for the ids of the wanted images and its parameters; in order where there is a maximum."""
    where, parameters = _conditions(relations, wanted)
    query = sql.SQL("SELECT id FROM ({}) AS images WHERE {}").format(relations.images, where)
    if wanted.maximum_images is not None:
        query += sql.SQL(" ORDER BY {}").format(_ORDERS[wanted.order])
    return _limited(query, wanted), parameters | {"seed": wanted.seed, "maximum": wanted.maximum_images}


def _limited(query: sql.Composed, wanted: DatasetFilter) -> sql.Composed:
    return query if wanted.maximum_images is None else query + sql.SQL(" LIMIT %(maximum)s")


def count_images(relations: Relations, wanted: DatasetFilter) -> tuple[sql.Composed, dict[str, object]]:
    """Return the query for the number of images that pass the filter, whatever its maximum, and its parameters."""
    where, parameters = _conditions(relations, wanted)
    return sql.SQL("SELECT count(*) FROM ({}) AS images WHERE {}").format(relations.images, where), parameters


def _conditions(relations: Relations, wanted: DatasetFilter) -> tuple[sql.Composed, dict[str, object]]:
    asked = [
        *_plain_conditions(wanted),
        *_origin_conditions(wanted),
        *_tag_conditions(relations, wanted),
        *_group_conditions(relations, wanted),
    ]
    conditions = [sql.SQL("TRUE"), *(condition for condition, _ in asked)]
    parameters: dict[str, object] = {}
    for _, values in asked:
        parameters |= values
    return sql.SQL(" AND ").join(conditions), parameters


def _separators(folder: str) -> tuple[str, ...]:
    """Return a folder as it is, a Windows path also with either separator: people and programs write both."""
    if not is_windows_path(folder):
        return (folder,)
    return tuple(dict.fromkeys((folder, folder.replace("/", "\\"), folder.replace("\\", "/"))))


def _folder_condition(folders: Sequence[str]) -> _Condition:
    """A folder and all below it, as ranges of text: unlike a pattern, an index finds them. Unicode forms are alike."""
    parts: list[sql.Composable] = []
    parameters: dict[str, object] = {}
    separated = (either for folder in folders for either in _separators(folder))
    for n, spelled in enumerate(spelled for folder in separated for spelled in spellings(folder)):
        plain = spelled.rstrip("/\\") or spelled
        parts.append(sql.SQL("folder = {}").format(sql.Placeholder(f"folder{n}")))
        parameters[f"folder{n}"] = plain
        for mark, after in (("/", "0"), ("\\", "]")):  # the separator, and the character that follows it
            names = f"below{n}{after}", f"behind{n}{after}"
            parts.append(
                sql.SQL('(folder COLLATE "C" >= {} AND folder COLLATE "C" < {})').format(*map(sql.Placeholder, names))
            )
            beginning = plain.rstrip(mark)
            parameters |= zip(names, (beginning + mark, beginning + after), strict=True)
    return sql.SQL("({})").format(sql.SQL(" OR ").join(parts)), parameters


def _plain_conditions(wanted: DatasetFilter) -> Iterator[_Condition]:
    if wanted.folders:
        yield _folder_condition(wanted.folders)
    if wanted.minimum_rating is not None:
        yield sql.SQL("rating >= %(rating)s"), {"rating": wanted.minimum_rating}
    if wanted.exclude_marked_bad:
        yield sql.SQL("NOT marked_bad"), {}
    if wanted.minimum_side:
        # Where a library does not know the size (0), the file itself is asked later.
        yield sql.SQL("(width = 0 OR least(width, height) >= %(side)s)"), {"side": wanted.minimum_side}
    if wanted.ids:
        yield sql.SQL("id = ANY(%(ids)s)"), {"ids": list(wanted.ids)}


def _origin_conditions(wanted: DatasetFilter) -> Iterator[_Condition]:
    """Conditions by what the program that made the images wrote down: its marks, models and dates."""
    for mark in ("favorite", "nsfw"):
        if (with_it := getattr(wanted, mark)) is not None:
            yield sql.SQL("{} {}").format(sql.SQL("" if with_it else "NOT"), sql.Identifier(mark)), {}
    if wanted.models:
        condition = sql.SQL("({} OR {})").format(
            name_condition(sql.SQL("model"), "models"), hash_condition(sql.SQL("model_hash"), "hashes")
        )
        yield condition, {"models": patterns(wanted.models), "hashes": hashes(wanted.models)}
    if wanted.loras:
        named = name_condition(sql.SQL("name"), "loras")
        yield (
            sql.SQL("EXISTS (SELECT 1 FROM unnest(loras) AS name WHERE {})").format(named),
            {"loras": patterns(wanted.loras)},
        )
    if wanted.created_since:
        yield sql.SQL("created >= %(created_since)s"), {"created_since": local_midnight(wanted.created_since)}
    if wanted.created_before:
        yield sql.SQL("created < %(created_before)s"), {"created_before": local_midnight(wanted.created_before)}


def _tag_conditions(relations: Relations, wanted: DatasetFilter) -> Iterator[_Condition]:
    """One condition per required tag (each narrows), one for all excluded tags together; sets answer at once."""
    required, excluded = ([canonical(tag) for tag in tags] for tags in (wanted.required_tags, wanted.excluded_tags))
    if relations.tag_sets is not None:
        found = "EXISTS (SELECT 1 FROM ({}) AS sets WHERE sets.image_id = images.id AND sets.tags {} {})"
        if required:
            condition = sql.SQL(found).format(relations.tag_sets, sql.SQL("@>"), sql.Placeholder("required"))
            yield condition, {"required": required}
        if excluded:
            condition = sql.SQL(found).format(relations.tag_sets, sql.SQL("&&"), sql.Placeholder("excluded"))
            yield sql.SQL("NOT ") + condition, {"excluded": excluded}
        return
    has_tag = sql.SQL("EXISTS (SELECT 1 FROM ({}) AS tags WHERE tags.image_id = images.id AND tags.tag = {})")
    for n, tag in enumerate(required):
        yield has_tag.format(relations.tags, sql.Placeholder(f"required{n}")), {f"required{n}": tag}
    if excluded:
        has_any = "NOT EXISTS (SELECT 1 FROM ({}) AS tags WHERE tags.image_id = images.id AND tags.tag = ANY({}))"
        yield sql.SQL(has_any).format(relations.tags, sql.Placeholder("excluded")), {"excluded": excluded}


def _group_conditions(relations: Relations, wanted: DatasetFilter) -> Iterator[_Condition]:
    for kind, name in (("cluster", wanted.cluster), ("album", wanted.album)):
        if name and relations.groups is None:
            raise LibraryError(f"This library has no {kind}s to choose {name!r} from: {relations.no_groups}.")
        if name and relations.groups is not None:
            yield (
                sql.SQL("id IN (SELECT image_id FROM ({}) AS groups WHERE kind = {} AND name = {})").format(
                    relations.groups, sql.Literal(kind), sql.Placeholder(kind)
                ),
                {kind: name},
            )
