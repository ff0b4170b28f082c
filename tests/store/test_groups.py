"""Albums and clusters: what people put together stays, what programs propose gives way, odd ids do not count."""

import threading

import pytest

from lorads_core.model import Group
from lorads_core.store import groups, images

BEST = Group("album", "best")
ANNA = Group("cluster", "anna")


@pytest.fixture
def ids(store, library):
    """Five images, the last of them missing; a sixth in another library."""
    with store.connection() as connection:
        rows = connection.execute(
            "INSERT INTO lorads.images (library, path, folder, file_size, mtime_ns, hash, format, width, height,"
            " missing_since) SELECT library, '/x/' || n, '/x', 1, 1, '', 'png', 8, 8, CASE n WHEN 5 THEN now() END"
            " FROM generate_series(1, 6) AS n, LATERAL (SELECT CASE n WHEN 6 THEN 'other' ELSE %s END) AS l (library)"
            " ORDER BY n RETURNING image_id",
            [library],
        ).fetchall()
    return [image_id for (image_id,) in rows]


@pytest.fixture
def call(store, library):
    def run(change, *arguments):
        with store.connection() as connection:
            return change(connection, library, *arguments)

    return run


@pytest.fixture
def members(store, library):
    def read(group):
        with store.connection() as connection:
            rows = connection.execute(
                "SELECT image_id FROM lorads.group_images WHERE library = %s AND kind = %s AND name = %s ORDER BY 1",
                [library, group.kind, group.name],
            )
            return [image_id for (image_id,) in rows]

    return read


def test_adding_counts_what_is_new(call, ids, members):
    assert call(groups.add, BEST, ids[:2]) == 2
    assert call(groups.add, BEST, ids[1:3]) == 1
    assert members(BEST) == ids[:3]
    assert call(groups.list_groups) == [(BEST, 3, False)]


def test_ids_from_nowhere_do_not_count_and_make_no_group(call, ids, members):
    assert call(groups.add, BEST, [ids[5], 10**12]) == 0
    assert call(groups.list_groups) == []
    assert call(groups.add, BEST, [ids[0], ids[5]]) == 1
    assert members(BEST) == ids[:1]


def test_the_same_name_twice_is_two_groups_of_two_kinds(call, ids, members):
    call(groups.add, Group("album", "anna"), ids[:1])
    call(groups.add, ANNA, ids[1:3])
    assert call(groups.list_groups) == [(Group("album", "anna"), 1, False), (ANNA, 2, False)]
    assert members(ANNA) == ids[1:3]


def test_missing_images_are_not_counted_and_stay_in(call, ids, members):
    call(groups.add, BEST, ids[3:5])
    assert call(groups.list_groups) == [(BEST, 1, False)]
    assert members(BEST) == ids[3:5]


def test_removing_the_last_ends_the_group(call, ids):
    call(groups.add, BEST, ids[:2])
    assert call(groups.remove, BEST, [ids[0], ids[4]]) == 1
    assert call(groups.list_groups) == [(BEST, 1, False)]
    assert call(groups.remove, BEST, ids) == 1
    assert call(groups.list_groups) == []


def test_renaming(call, ids, members):
    call(groups.add, ANNA, ids[:2])
    assert call(groups.rename, ANNA, "Anna K.") == 2
    assert members(Group("cluster", "Anna K.")) == ids[:2]
    assert members(ANNA) == []
    assert call(groups.rename, ANNA, "nobody") == 0


def test_renaming_into_another_group_keeps_both(call, ids, members):
    call(groups.add, ANNA, ids[:2])
    call(groups.add, Group("cluster", "bert"), ids[1:3])
    assert call(groups.rename, Group("cluster", "bert"), "anna") == 3
    assert members(ANNA) == ids[:3]
    assert [found.group for found in call(groups.list_groups)] == [ANNA]


def test_an_image_that_goes_leaves_its_groups(call, ids, members, store):
    call(groups.add, BEST, ids[:2])
    with store.connection() as connection:
        connection.execute("DELETE FROM lorads.images WHERE image_id = %s", [ids[0]])
    assert members(BEST) == ids[1:2]


def test_proposals_replace_proposals_and_nothing_else(call, ids):
    call(groups.add, ANNA, ids[:1])
    call(groups.add, Group("album", "group 1"), ids[:1])
    assert call(groups.propose, {"group 1": ids[:2], "group 2": ids[2:4]}) == ["group 1", "group 2"]
    assert call(groups.rename, Group("cluster", "group 2"), "dora") == 2
    assert call(groups.propose, {"group 1": ids[3:4]}) == ["group 1"]
    assert call(groups.list_groups) == [
        (Group("album", "group 1"), 1, False),
        (Group("cluster", "dora"), 2, False),
        (ANNA, 1, False),
        (Group("cluster", "group 1"), 1, True),
    ]
    assert call(groups.propose, {}) == []
    assert Group("cluster", "group 1") not in [found.group for found in call(groups.list_groups)]


@pytest.mark.parametrize(
    "claim",
    [
        lambda _: (groups.rename, "group 1"),
        lambda ids: (groups.add, ids[3:4]),
        lambda ids: (groups.remove, ids[:1]),
    ],
    ids=["named as it was", "added to", "taken from"],
)
def test_what_a_person_touched_is_theirs(call, ids, members, claim):
    proposed = Group("cluster", "group 1")
    call(groups.propose, {"group 1": ids[:3]})
    change, *arguments = claim(ids)
    call(change, proposed, *arguments)
    before = members(proposed)
    assert call(groups.propose, {"group 1": ids[2:4]}) == ["group 1 (2)"]
    assert members(proposed) == before
    assert members(Group("cluster", "group 1 (2)")) == ids[2:4]


def test_proposed_ids_from_nowhere(call, ids):
    assert call(groups.propose, {"group 1": [10**12], "group 2": ids[:1]}) == ["group 2"]


def test_each_change_counts_and_nothing_else_does(call, ids):
    def moves(change, *arguments):
        before = call(images.revision)
        call(change, *arguments)
        return call(images.revision) - before

    assert moves(groups.add, BEST, ids[:2]) == 1
    assert moves(groups.add, BEST, ids[:2]) == 0
    assert moves(groups.remove, BEST, ids[4:5]) == 0
    assert moves(groups.remove, BEST, ids[:1]) == 1
    assert moves(groups.rename, BEST, "good") == 1
    assert moves(groups.rename, BEST, "good") == 0
    assert moves(groups.propose, {}) == 0
    assert moves(groups.propose, {"group 1": ids[:2]}) == 1
    assert moves(groups.propose, {}) == 1


def test_two_at_once_lose_nothing(call, ids, members):
    threads = [threading.Thread(target=call, args=(groups.add, BEST, [each])) for each in ids[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert members(BEST) == ids[:4]
