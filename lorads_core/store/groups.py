"""Albums and clusters of a library: named sets of its images.

A group has images or is not there. A cluster may be proposed by a program; as soon as a person names it, adds to it or
takes from it, it is theirs, and no later proposal replaces it.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from ..model import Group
from .images import bump_revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg


class GroupSummary(NamedTuple):
    """A group, how many images it has that are not missing, and whether it is only proposed."""

    group: Group
    images: int
    proposed: bool


def add(connection: psycopg.Connection, library: str, group: Group, ids: Sequence[int]) -> int:
    """Put images into a group, which is made where there is none; return how many were not in it yet.

    Ids that the library does not know are left out.
    """
    with connection.transaction():
        known = _known(connection, library, ids)
        if not known:
            return 0
        _claim(connection, library, group)
        added = _insert(connection, library, group, known)
        if added:
            bump_revision(connection, library)
    return added


def remove(connection: psycopg.Connection, library: str, group: Group, ids: Sequence[int]) -> int:
    """Take images out of a group, which goes with the last of them; return how many were in it."""
    with connection.transaction():
        removed = connection.execute(
            "DELETE FROM lorads.group_images WHERE library = %s AND kind = %s AND name = %s AND image_id = ANY(%s)",
            [library, group.kind, group.name, list(ids)],
        ).rowcount
        if removed:
            _claim(connection, library, group)
            connection.execute(
                "DELETE FROM lorads.groups AS known WHERE library = %s AND kind = %s AND name = %s AND NOT EXISTS"
                " (SELECT 1 FROM lorads.group_images AS held WHERE held.library = known.library"
                " AND held.kind = known.kind AND held.name = known.name)",
                [library, group.kind, group.name],
            )
            bump_revision(connection, library)
    return removed


def rename(connection: psycopg.Connection, library: str, group: Group, name: str) -> int:
    """Give a group another name, or its own, which accepts it as it was proposed; return how many images it has now.

    Where the new name is another group's, that one has the images of both. 0 where there is no such group.
    """
    with connection.transaction():
        members = _members(connection, library, group)
        if not members:
            return 0
        renamed = Group(group.kind, name)
        _claim(connection, library, renamed)
        _insert(connection, library, renamed, members)
        if renamed != group:
            _delete(connection, library, group)
        bump_revision(connection, library)
        return len(_members(connection, library, renamed))


def list_groups(connection: psycopg.Connection, library: str) -> list[GroupSummary]:
    """Return the groups of a library, each kind with the largest first."""
    rows = connection.execute(
        "SELECT kind, name, count(images.image_id), proposed FROM lorads.groups"
        " LEFT JOIN lorads.group_images USING (library, kind, name)"
        " LEFT JOIN lorads.images ON images.library = groups.library"
        " AND images.image_id = group_images.image_id AND missing_since IS NULL"
        " WHERE groups.library = %s GROUP BY kind, name, proposed ORDER BY kind, 3 DESC, name",
        [library],
    )
    return [GroupSummary(Group(kind, name), images, proposed) for kind, name, images, proposed in rows]


def propose(connection: psycopg.Connection, library: str, clusters: Mapping[str, Sequence[int]]) -> list[str]:
    """Put these clusters in place of all that were proposed before and are nobody's yet; return their names.

    A name that a person's cluster has gets a number behind it.
    """
    names: list[str] = []
    with connection.transaction():
        gone = connection.execute(
            "DELETE FROM lorads.groups WHERE library = %s AND kind = 'cluster' AND proposed", [library]
        ).rowcount
        rows = connection.execute(
            "SELECT name FROM lorads.groups WHERE library = %s AND kind = 'cluster'", [library]
        ).fetchall()
        taken = {name for (name,) in rows}
        for name, ids in clusters.items():
            known = _known(connection, library, ids)
            if not known:
                continue
            group = Group("cluster", _free(name, taken))
            taken.add(group.name)
            names.append(group.name)
            connection.execute(
                "INSERT INTO lorads.groups (library, kind, name, proposed) VALUES (%s, 'cluster', %s, true)",
                [library, group.name],
            )
            _insert(connection, library, group, known)
        if gone or names:
            bump_revision(connection, library)
    return names


def _free(name: str, taken: set[str]) -> str:
    others = (f"{name} ({n})" for n in count(2))
    return name if name not in taken else next(other for other in others if other not in taken)


def _known(connection: psycopg.Connection, library: str, ids: Iterable[int]) -> list[int]:
    # Locked until the transaction ends, so that none goes before its place in the group is written.
    rows = connection.execute(
        "SELECT image_id FROM lorads.images WHERE library = %s AND image_id = ANY(%s) FOR KEY SHARE",
        [library, list(ids)],
    )
    return [image_id for (image_id,) in rows]


def _members(connection: psycopg.Connection, library: str, group: Group) -> list[int]:
    rows = connection.execute(
        "SELECT image_id FROM lorads.group_images WHERE library = %s AND kind = %s AND name = %s",
        [library, group.kind, group.name],
    )
    return [image_id for (image_id,) in rows]


def _claim(connection: psycopg.Connection, library: str, group: Group) -> None:
    """Make the group where there is none, and let it be a person's from now on."""
    connection.execute(
        "INSERT INTO lorads.groups (library, kind, name) VALUES (%s, %s, %s)"
        " ON CONFLICT (library, kind, name) DO UPDATE SET proposed = false",
        [library, group.kind, group.name],
    )


def _insert(connection: psycopg.Connection, library: str, group: Group, ids: Sequence[int]) -> int:
    return connection.execute(
        "INSERT INTO lorads.group_images (library, kind, name, image_id) SELECT %s, %s, %s, unnest(%s::bigint[])"
        " ON CONFLICT DO NOTHING",
        [library, group.kind, group.name, list(ids)],
    ).rowcount


def _delete(connection: psycopg.Connection, library: str, group: Group) -> bool:
    # With its images, by the foreign key.
    return bool(
        connection.execute(
            "DELETE FROM lorads.groups WHERE library = %s AND kind = %s AND name = %s",
            [library, group.kind, group.name],
        ).rowcount
    )
