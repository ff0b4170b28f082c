"""DiffusionToolkit's tables in PostgreSQL as our relations, and what each lack costs; composed SQL.

After LSDJesus/DiffusionToolkit of January 2026 (PostgreSQLMigrations_V1_Schema.sql) and the generations before it:
what a database lacks gives nothing. Not used are ``image.custom_tags`` (free text of a person, without a rule for what
separates tags) and ``image.generated_tags`` (the whole text file beside an image, be it tags or not): the tags of its
taggers and importers are in ``image_tags``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from .filter import Relations
from .model_names import LORAS_OF_PROMPT
from .pathmap import PathMap, folder_of, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import LiteralString

    from .catalog import Catalog

IMAGE = "image"
_FACES = "face_group", "face_group_member", "face_detection", "face_cluster"
TABLES = (
    *("image_tags", "image_captions", "album", "album_image"),
    *_FACES,
)
# What each column of `image` that not every generation has would have given.
COSTS = {
    "rating": "ratings",
    "for_deletion": "marks of bad images",
    "unavailable": "what tells files that are gone",
    "has_error": "what tells files that cannot be read",
    "width": "sizes",
    "height": "sizes",
    "prompt": "prompts",
    "aesthetic_score": "aesthetic scores",
    "metadata_hash": "metadata hashes, which tell images of the same settings",
    "base_image_id": "base images, which tell what was made from what",
    "favorite": "favorites",
    "nsfw": "NSFW marks",
    "model": "checkpoints",
    "model_hash": "hashes of checkpoints",
    "loras": "lists of LoRAs (prompts may name them)",
    "created_date": "dates",
}
# What a filter by columns of `image` is by, and the columns of which one is enough.
_FILTERED = {
    "minimum_rating": ("ratings", ("rating",)),
    "favorite": ("favorites", ("favorite",)),
    "nsfw": ("NSFW marks", ("nsfw",)),
    "models": ("checkpoints", ("model", "model_hash")),
    "loras": ("LoRAs", ("loras", "prompt")),
    "created_since": ("dates", ("created_date",)),
    "created_before": ("dates", ("created_date",)),
}
# Those that the program scans (Settings.cs, FileExtensions), and their like; no column tells them.
_VIDEO = sql.SQL(
    """(lower(right(image.path, 4) COLLATE "C") IN ('.avi', '.m4v', '.mkv', '.mov', '.mp4')"""
    """ OR lower(right(image.path, 5) COLLATE "C") = '.webm')"""
)
_FORMATS = {"jpg": "jpeg", "jpe": "jpeg", "jfif": "jpeg", "tif": "tiff", "heic": "heif", "j2k": "jp2"}
# By the C locale: in a Turkish one the small letter of I is another.
_SUFFIX = sql.SQL(r"""lower(substring(image.path FROM '\.([^.\\/]*)$') COLLATE "C")""")


def has_tags(catalog: Catalog) -> bool:
    """Tell whether there are tags."""
    return catalog.has("image_tags", "image_id", "tag", "source", "confidence")


def has_captions(catalog: Catalog) -> bool:
    """Tell whether there are captions."""
    return catalog.has("image_captions", "image_id", "caption", "source")


def has_albums(catalog: Catalog) -> bool:
    """Tell whether there are albums."""
    return catalog.has("album", "id", "name") and catalog.has("album_image", "album_id", "image_id")


def has_clusters(catalog: Catalog) -> bool:
    """Tell whether there are clusters of faces, or names of characters, of any generation."""
    return next(_clusters(catalog), None) is not None


def relations(catalog: Catalog, paths: PathMap, spellings: Mapping[str, str]) -> Relations:
    """Return the relations of a schema, whose tables are looked up by the connection's search path.

    ``spellings`` are the tags there whose canonical spelling is another one, with that one (empty: no tag at all).
    """
    groups = [*_albums(catalog), *_clusters(catalog)]
    return Relations(
        images=_images(catalog, paths),
        tags=_tags(spellings) if has_tags(catalog) else _NO_TAGS,
        captions=_captions(catalog) if has_captions(catalog) else _NO_CAPTIONS,
        groups=sql.SQL(" UNION ALL ").join(groups) if groups else None,
        no_groups="its database has no tables of faces or albums; leave it empty, or choose by folder, rating and tags",
        lacking=dict(_lacking(catalog)),
    )


def _lacking(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the filters that the database cannot answer, and what it has not for them."""
    for name, (what, columns) in _FILTERED.items():
        if not any(catalog.has(IMAGE, column) for column in columns):
            yield name, f"{what} (no column {' or '.join(f'{IMAGE}.{column}' for column in columns)})"
    if not has_tags(catalog):
        yield from dict.fromkeys(("required_tags", "excluded_tags"), "tags (no table image_tags)").items()
    if not has_albums(catalog):
        yield "album", "albums"
    if not has_clusters(catalog):
        yield "cluster", "clusters of faces"


_NO_TAGS = sql.SQL("SELECT 0 AS image_id, '' AS tag, '' AS source, 0::real AS confidence WHERE false")
_NO_CAPTIONS = sql.SQL(
    "SELECT 0 AS image_id, '' AS caption, '' AS source, false AS edited, NULL::timestamptz AS updated_at WHERE false"
)


def _of(catalog: Catalog, table: str, column: str, there: LiteralString, lacking: LiteralString) -> sql.SQL:
    return sql.SQL(there if catalog.has(table, column) else lacking)


def is_video(catalog: Catalog) -> sql.Composable:
    """Return whether a row of `image` is a video; NULL does not occur."""
    named = _of(catalog, IMAGE, "image_type", "coalesce(lower(image.image_type) = 'video', false)", "false")
    return sql.SQL("({} OR {})").format(_VIDEO, named)


def is_gone(catalog: Catalog) -> sql.Composable:
    """Return whether the program has missed the file of a row of `image`."""
    return _of(catalog, IMAGE, "unavailable", "coalesce(image.unavailable, false)", "false")


def is_broken(catalog: Catalog) -> sql.Composable:
    """Return whether the program could not read the file of a row of `image`."""
    return _of(catalog, IMAGE, "has_error", "coalesce(image.has_error, false)", "false")


def is_left_out(catalog: Catalog) -> sql.Composable:
    """Return whether a row of `image` is none of our images."""
    return sql.SQL("({} OR {} OR {})").format(is_gone(catalog), is_broken(catalog), is_video(catalog))


def _images(catalog: Catalog, paths: PathMap) -> sql.Composable:
    """Ids stay the integers that they are, so that their indexes serve.

    The hash is the SHA-256 of the file's bytes when it was scanned (Metadata.cs, CopyAndHash), where it is there.
    """
    here = sql.SQL("here.path")
    # OFFSET 0: a path is mapped once for each row, and not for each place that asks for it or its folder.
    known = catalog.has(IMAGE, "width", "height")
    size = "CASE WHEN image.width > 0 AND image.height > 0 THEN image.{} ELSE 0 END"
    return sql.SQL(
        'SELECT image.id, here.path COLLATE "C" AS path, ({folder}) COLLATE "C" AS folder, {width} AS width,'
        " {height} AS height, {file_size} AS file_size, 0::bigint AS mtime_ns, {hash} AS hash, {format} AS format,"
        " {rating} AS rating, {marked_bad} AS marked_bad, NULL::boolean AS ready, {prompt} AS prompt,"
        " '' AS prompt_source, '' AS prompt_uncertain,"
        " {aesthetic} AS aesthetic, {metadata_hash} AS metadata_hash, {base_id} AS base_id, 1 AS frames, '' AS mask,"
        " {favorite} AS favorite, {nsfw} AS nsfw, {model} AS model, {model_hash} AS model_hash,"
        " {loras} AS loras, {created} AS created"
        " FROM image CROSS JOIN LATERAL (SELECT {path} AS path OFFSET 0) AS here WHERE NOT {left_out}"
    ).format(
        folder=folder_of(here),
        path=paths.expression(sql.SQL("image.path")),
        left_out=is_left_out(catalog),
        width=sql.SQL(size.format("width") if known else "0"),
        height=sql.SQL(size.format("height") if known else "0"),
        format=_format(),
        loras=_loras(catalog),
        **_plain(catalog),
    )


def _plain(catalog: Catalog) -> dict[str, sql.SQL]:
    """Return what comes from one column each."""
    columns: dict[str, tuple[str, LiteralString, LiteralString]] = {
        "file_size": ("file_size", "coalesce(image.file_size, 0)::bigint", "0::bigint"),
        "hash": ("hash", "CASE WHEN image.hash ~ '^[0-9a-f]{64}$' THEN image.hash ELSE '' END", "''"),
        "rating": ("rating", "CASE WHEN image.rating BETWEEN 1 AND 10 THEN image.rating END", "NULL::integer"),
        "marked_bad": ("for_deletion", "coalesce(image.for_deletion, false)", "false"),
        "prompt": ("prompt", "coalesce(image.prompt, '')", "''"),
        "aesthetic": ("aesthetic_score", "image.aesthetic_score::float8", "NULL::float8"),
        "metadata_hash": ("metadata_hash", "coalesce(image.metadata_hash, '')", "''"),
        "base_id": ("base_image_id", "image.base_image_id", "NULL::integer"),
        # Where nobody has set a mark it may be NULL, which the program's own search takes for no (HideNSFW).
        "favorite": ("favorite", "coalesce(image.favorite, false)", "false"),
        "nsfw": ("nsfw", "coalesce(image.nsfw, false)", "false"),
        "model": ("model", "coalesce(image.model, '')", "''"),
        "model_hash": ("model_hash", "coalesce(image.model_hash, '')", "''"),
        "created": ("created_date", "image.created_date", "NULL::timestamp"),
    }
    return {name: _of(catalog, IMAGE, *rest) for name, rest in columns.items()}


def _loras(catalog: Catalog) -> sql.Composable:
    """Names of LoRAs: of its own list (FileParameters.cs, LoraInfo), which not every scan fills, and of the prompt."""
    listed = (
        "CASE WHEN jsonb_typeof(image.loras::jsonb) = 'array' THEN ARRAY(SELECT coalesce(each ->> 'Name',"
        " each ->> 'name', each #>> '{{}}') FROM jsonb_array_elements(image.loras::jsonb) AS each)"
        " ELSE ARRAY[]::text[] END"
    )
    found = [sql.SQL(listed).format()] if catalog.has(IMAGE, "loras") else []
    found += [LORAS_OF_PROMPT.format(sql.SQL("image.prompt"))] if catalog.has(IMAGE, "prompt") else []
    return sql.SQL(" || ").join(found) if found else sql.SQL("ARRAY[]::text[]")


def _format() -> sql.Composable:
    """Return the format that a file's name promises, in the words of `images.formats`."""
    cases = [sql.SQL("WHEN {} THEN {}").format(*map(sql.Literal, pair)) for pair in _FORMATS.items()]
    return sql.SQL("CASE {0} {1} ELSE coalesce({0}, '') END").format(_SUFFIX, sql.SQL(" ").join(cases))


def _tags(spellings: Mapping[str, str]) -> sql.Composable:
    """Tags that are canonical stand bare, so that the index on them serves; the others are looked up one by one."""
    plain = sql.SQL("SELECT image_id, tag, source, confidence FROM image_tags")
    if not spellings:
        return plain
    odd = sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(literal, spellings)))
    canonical = sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(literal, spellings.values())))
    return sql.SQL(
        "{plain} WHERE tag <> ALL ({odd}) UNION ALL SELECT image_id, spelled.tag, source, confidence"
        " FROM unnest({odd}, {canonical}) AS spelled(raw, tag) JOIN image_tags ON image_tags.tag = spelled.raw"
        " WHERE spelled.tag <> ''"
    ).format(plain=plain, odd=odd, canonical=canonical)


def _captions(catalog: Catalog) -> sql.Composable:
    """Its dates know no time zone and are those of the server's, as are ours where we ask."""
    return sql.SQL(
        "SELECT image_id, caption, source, {edited} AS edited, {updated}::timestamptz AS updated_at FROM image_captions"
    ).format(
        edited=_of(catalog, "image_captions", "is_user_edited", "coalesce(is_user_edited, false)", "false"),
        updated=_of(catalog, "image_captions", "updated_at", "updated_at", "NULL"),
    )


def _albums(catalog: Catalog) -> Iterator[sql.Composable]:
    if has_albums(catalog) and catalog.unreadable.isdisjoint(("album", "album_image")):
        yield sql.SQL(
            "SELECT album_image.image_id, 'album' AS kind, album.name FROM album"
            " JOIN album_image ON album_image.album_id = album.id"
        )


def _clusters(catalog: Catalog) -> Iterator[sql.Composable]:
    readable = catalog.unreadable.isdisjoint(_FACES)
    if readable and catalog.has("face_group", "id", "name") and catalog.has("face_detection", "id", "image_id"):
        yield from _face_groups(catalog)
    if readable and catalog.has("face_detection", "image_id", "face_cluster_id", "character_label", "manual_label"):
        yield _face_clusters(catalog)
    # What its first face detection wrote on the image itself.
    if catalog.has(IMAGE, "primary_character"):
        yield sql.SQL(
            "SELECT id AS image_id, 'cluster' AS kind, btrim(primary_character) AS name FROM image"
            " WHERE btrim(primary_character) <> ''"
        )
    if catalog.has(IMAGE, "characters_detected"):
        yield sql.SQL(
            "SELECT image.id AS image_id, 'cluster' AS kind, btrim(seen) AS name"
            " FROM image CROSS JOIN LATERAL unnest(characters_detected) AS seen WHERE btrim(seen) <> ''"
        )


def _face_groups(catalog: Catalog) -> Iterator[sql.Composable]:
    name = sql.SQL(
        "SELECT face_detection.image_id, 'cluster' AS kind,"
        " coalesce(nullif(btrim(face_group.name), ''), 'group ' || face_group.id) AS name FROM face_group "
    )
    if catalog.has("face_group_member", "face_group_id", "face_detection_id"):
        yield name + sql.SQL(
            "JOIN face_group_member ON face_group_member.face_group_id = face_group.id"
            " JOIN face_detection ON face_detection.id = face_group_member.face_detection_id"
        )
    elif catalog.has("face_detection", "face_group_id"):
        yield name + sql.SQL("JOIN face_detection ON face_detection.face_group_id = face_group.id")


def _face_clusters(catalog: Catalog) -> sql.Composable:
    """What a person has written on a face counts before its cluster's label (UpdateFaceClusterLabel)."""
    labelled = catalog.has("face_cluster", "id", "label")
    return sql.SQL(
        "SELECT image_id, 'cluster' AS kind, name FROM (SELECT face_detection.image_id, coalesce("
        "CASE WHEN face_detection.manual_label THEN nullif(btrim(face_detection.character_label), '') END, {label}"
        " nullif(btrim(face_detection.character_label), ''), 'cluster ' || face_detection.face_cluster_id) AS name"
        " FROM face_detection {join}) AS faces WHERE image_id IS NOT NULL AND name IS NOT NULL"
    ).format(
        label=sql.SQL("nullif(btrim(face_cluster.label), '')," if labelled else ""),
        join=sql.SQL("LEFT JOIN face_cluster ON face_cluster.id = face_detection.face_cluster_id" if labelled else ""),
    )
