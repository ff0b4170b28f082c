"""Querying with captions as objects, by size of library, against fetching the same rows as plain tuples.

    python benchmarks/query.py [largest number of rows]

Synthetic rows: ratings, sizes, ten tags of 2,000 (two of them on every second and every third image) and one caption
each. The questions: 5 % of 100,000 rows by rating against a join by hand; and 1,000 rows by each kind of filter.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.settings import load_settings
from lorads_core.workflow.dataset import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from lorads_core.store.connect import Store

LARGEST = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
RUNS = 7
QUESTIONS = {
    "in order of their path": DatasetFilter(maximum_images=1_000),
    "newest first": DatasetFilter(order="newest", maximum_images=1_000),
    "best first": DatasetFilter(order="rating", maximum_images=1_000),
    "largest first": DatasetFilter(order="largest", maximum_images=1_000),
    "at random": DatasetFilter(order="random", maximum_images=1_000),
    "of two folders": DatasetFilter(folders=("/pictures/7", "/pictures/0"), maximum_images=1_000),
    "by a frequent tag": DatasetFilter(required_tags=("1girl",), maximum_images=1_000),
    "by two frequent tags": DatasetFilter(required_tags=("1girl", "smile"), maximum_images=1_000),
    "by two rarer tags and a rating": DatasetFilter(
        required_tags=("tag 3", "tag 7"), minimum_rating=3, maximum_images=1_000
    ),
    "by three tags": DatasetFilter(required_tags=("1girl", "smile", "tag 3"), maximum_images=1_000),
    "without two tags, by rating": DatasetFilter(
        excluded_tags=("1girl", "tag 3"), minimum_rating=8, maximum_images=1_000
    ),
}


def fill(store: Store, library: str, rows: int) -> None:
    """Write rows straight into the tables."""
    with store.connection() as connection:
        connection.execute("DELETE FROM lorads.images WHERE library = %s", [library])
        connection.execute(
            """
            INSERT INTO lorads.images (library, image_id, path, folder, file_size, mtime_ns, hash, format, width,
                height, rating, prompt)
            SELECT %s, n, '/pictures/' || n / 1000 || '/' || n || '.png', '/pictures/' || n / 1000, 1000000 + n, n,
                md5(n::text) || md5(n::text), 'png', 512 + n %% 1024, 512 + n %% 768, (n * 7919) %% 20 / 2,
                'masterpiece, 1girl, standing in a field, ' || md5(n::text)
            FROM generate_series(1, %s::bigint) AS n
            """,
            [library, rows],
        )
        connection.execute(
            "INSERT INTO lorads.tags (library, image_id, source, tag, confidence)"
            " SELECT %s, n, 'wd', 'tag ' || (hashint8(n * 31 + k) & 2147483647) %% (20 * power(10, k / 4.0)::integer),"
            " 0.9 FROM generate_series(1, %s::bigint) AS n, generate_series(1, 8) AS k ON CONFLICT DO NOTHING",
            [library, rows],
        )
        connection.execute(
            "INSERT INTO lorads.tags (library, image_id, source, tag, confidence)"
            " SELECT %s, n, 'wd', tag, 0.9 FROM generate_series(1, %s::bigint) AS n,"
            " (VALUES ('1girl', 2), ('smile', 3)) AS common (tag, every) WHERE hashint8(n * every) %% every = 0",
            [library, rows],
        )
        connection.execute(
            "INSERT INTO lorads.tag_sets SELECT library, image_id, array_agg(DISTINCT tag) FROM lorads.tags"
            " WHERE library = %s GROUP BY 1, 2",
            [library],
        )
        connection.execute(
            "INSERT INTO lorads.captions (library, image_id, source, caption)"
            " SELECT %s, n, 'joycaption', repeat('A photograph of a person in a field. ', 8)"
            " FROM generate_series(1, %s::bigint) AS n",
            [library, rows],
        )
    with store.connection() as connection:
        connection.autocommit = True
        # What the server does by itself after a while.
        connection.execute("VACUUM ANALYZE lorads.images, lorads.tags, lorads.tag_sets, lorads.captions")
        connection.autocommit = False


def median_ms(work: Callable[[], int]) -> tuple[float, int]:
    """Return the median time of a few runs after a warm-up, and what the work counted."""
    count = work()
    times: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), count


def main() -> None:
    """Print a line per size and question."""
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= LARGEST]
    with open_store(load_settings()) as store:
        library = IndexedLibrary(store, "benchmark")

        def plain(wanted: int) -> int:
            with store.connection() as connection:
                rows = connection.execute(
                    "SELECT i.*, c.caption, c.source FROM lorads.images i JOIN lorads.captions c"
                    " USING (library, image_id) WHERE library = 'benchmark' AND rating >= 9 LIMIT %s",
                    [wanted],
                ).fetchall()
            return len(rows)

        for size in sizes:
            fill(store, "benchmark", size)
            best = DatasetFilter(minimum_rating=9, maximum_images=5_000)
            by_rating, count = median_ms(lambda wanted=best: len(library.find(wanted)))
            by_hand, _ = median_ms(lambda: plain(5_000))
            ratio = by_rating / by_hand
            print(f"{size:>9,} rows: {count:>5,} by rating {by_rating:7.1f} ms ({ratio:.2f} × one join as tuples)")
            for title, wanted in QUESTIONS.items():
                elapsed, count = median_ms(lambda wanted=wanted: len(library.find(wanted)))
                print(f"{'':>14}{count:>7,} {title:<34} {elapsed:7.1f} ms")
        with store.connection() as connection:
            connection.execute("DELETE FROM lorads.images WHERE library = 'benchmark'")


if __name__ == "__main__":
    main()
