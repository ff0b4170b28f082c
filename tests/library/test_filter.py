"""The one filter: each part narrows, all orders are repeatable, nonsense is refused by name."""

import os
import random
import time
from datetime import date, datetime

import pytest

from lorads_core.errors import LibraryError, SettingsError
from lorads_core.library.days import read_day
from lorads_core.library.filter import ORDERS, DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds.index import IndexedLibrary


@pytest.fixture
def shelf(store, library, tmp_path, picture):
    """Six pictures; ratings 0, 2, … 10, the last marked bad, sizes growing, tags in turn."""
    for n in range(6):
        picture(f"{'even' if n % 2 == 0 else 'odd'}/{n}.png", (100 + 50 * n, 400))
        tags = "cat, tree" if n % 2 == 0 else "dog, tree"
        (tmp_path / ("even" if n % 2 == 0 else "odd") / f"{n}.txt").write_text(tags)
    index_folder(store, library, tmp_path)
    with store.connection() as connection:
        connection.execute(
            "UPDATE lorads.images SET rating = 2 * ((width - 100) / 50), marked_bad = (width = 350),"
            " mtime_ns = 1000 - width WHERE library = %s",
            [library],
        )
    return IndexedLibrary(store, library)


def names(images):
    return [os.path.basename(image.path)[0] for image in images]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "02413"),
        ({"exclude_marked_bad": False}, "024135"),
        ({"minimum_rating": 6}, "43"),
        ({"required_tags": ("cat",)}, "024"),
        ({"required_tags": ("cat", "dog")}, ""),
        ({"required_tags": ("Cat", "tree")}, "024"),
        ({"excluded_tags": ("cat", "bird")}, "13"),
        ({"minimum_side": 200}, "243"),
        ({"maximum_images": 2}, "02"),
        ({"order": "newest"}, "01234"),
        ({"order": "oldest"}, "43210"),
        ({"order": "rating"}, "43210"),
        ({"order": "largest", "maximum_images": 1}, "4"),
    ],
)
def test_each_part_narrows(shelf, wanted, expected):
    assert "".join(names(shelf.find(DatasetFilter(**wanted)))) == expected


def test_folders_count_with_those_below(shelf, tmp_path):
    assert names(shelf.find(DatasetFilter(folders=(str(tmp_path / "odd"),)))) == ["1", "3"]
    assert len(shelf.find(DatasetFilter(folders=(str(tmp_path),)))) == 5
    assert len(shelf.find(DatasetFilter(folders=(f"{tmp_path}/odd/", str(tmp_path / "even"))))) == 5
    assert shelf.find(DatasetFilter(folders=(str(tmp_path / "od"),))) == []


def test_ids(shelf):
    some = random.Random(1).sample(shelf.find(DatasetFilter()), 2)
    found = shelf.find(DatasetFilter(ids=tuple(image.id for image in some)))
    assert {image.id for image in found} == {image.id for image in some}


def test_random_is_repeatable_by_seed(shelf):
    runs = {tuple(names(shelf.find(DatasetFilter(order="random", seed=seed)))) for seed in range(20)}
    assert len(runs) > 5
    assert names(shelf.find(DatasetFilter(order="random", seed=7))) == names(
        shelf.find(DatasetFilter(order="random", seed=7))
    )


def test_count_does_not_care_for_the_maximum(shelf):
    assert shelf.count(DatasetFilter(maximum_images=1)) == 5
    assert shelf.count(DatasetFilter(required_tags=("dog",))) == 2


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
@pytest.mark.posix
def test_days_of_files_are_those_of_this_machine(shelf, store, library, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        moments = [datetime(2025, 3, 9, 23, 59, 59), datetime(2025, 3, 10)]  # noqa: DTZ001 - local, an hour after a change
        with store.connection() as connection:
            connection.execute("UPDATE lorads.images SET mtime_ns = 0 WHERE library = %s", [library])
            for image, moment in zip(shelf.find(DatasetFilter()), moments, strict=False):
                connection.execute(
                    "UPDATE lorads.images SET mtime_ns = %s WHERE library = %s AND image_id = %s",
                    [int(moment.timestamp()) * 10**9, library, image.id],
                )
        (before,) = shelf.find(DatasetFilter(created_since=date(2025, 3, 9), created_before=date(2025, 3, 10)))
        (after,) = shelf.find(DatasetFilter(created_since=date(2025, 3, 10)))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert before.mtime_ns < after.mtime_ns


@pytest.mark.parametrize(
    ("text", "day"), [("", None), ("  ", None), ("2025-01-31", date(2025, 1, 31)), (" 2024-02-29 ", date(2024, 2, 29))]
)
def test_days_are_iso_dates(text, day):
    assert read_day(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "31.1.2025",
        "2025-1-31",
        "2025-02-30",
        "20250131",
        "2025-W05-5",
        "2025-01-31T10:00",
        "\u0662025-01-01",
    ],
)
def test_what_is_no_day_is_refused(text):
    with pytest.raises(SettingsError, match="is no date: write year-month-day, such as 2025-01-31"):
        read_day(text)


def test_a_group_that_is_not_there_is_told_from_one_that_nothing_passes(shelf, store, library):
    first = shelf.find(DatasetFilter())[0]
    with store.connection() as connection:
        connection.execute("INSERT INTO lorads.groups VALUES (%s, 'cluster', 'anna')", [library])
        connection.execute("INSERT INTO lorads.group_images VALUES (%s, 'cluster', 'anna', %s)", [library, first.id])
    assert shelf.find(DatasetFilter(cluster="anna")) == [first]
    assert shelf.find(DatasetFilter(cluster="anna", minimum_side=5_000)) == []
    with pytest.raises(LibraryError, match="no cluster 'Anna'; of its 1 the nearest are: anna"):
        shelf.find(DatasetFilter(cluster="Anna"))
    with pytest.raises(LibraryError, match="no album 'anna'; of its 0"):
        shelf.find(DatasetFilter(album="anna"))


@pytest.mark.parametrize(
    "wanted",
    [
        {"minimum_rating": 11},
        {"minimum_rating": -1},
        {"minimum_side": -5},
        {"maximum_images": 0},
        {"maximum_images": -1},
        {"ids": (-1,)},
        {"ids": (2**63,)},
        {"seed": -1},
        {"order": "sideways"},
        {"models": ("",)},
        {"loras": ("x", " ")},
        {"created_since": date(1979, 12, 31)},
        {"created_before": date(3000, 1, 1)},
        {"created_since": date(2025, 2, 1), "created_before": date(2025, 2, 1)},
    ],
)
def test_nonsense_is_refused(wanted):
    with pytest.raises(SettingsError):
        DatasetFilter(**wanted)


@pytest.mark.parametrize("text", ["'; DROP TABLE lorads.images; --", "%s %(x)s", "{}", "\\", '"'])
def test_hostile_text_is_only_text(shelf, text):
    assert shelf.find(DatasetFilter(required_tags=(text,), folders=(text,))) == []
    assert len(shelf.find(DatasetFilter(excluded_tags=(text,)))) == 5


def test_every_order_runs(shelf):
    assert all(len(shelf.find(DatasetFilter(order=order))) == 5 for order in ORDERS)
