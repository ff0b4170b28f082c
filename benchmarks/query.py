"""Querying with captions as objects, by size of library, against fetching the same rows as plain tuples.

    python benchmarks/query.py [largest number of rows]

Synthetic rows: ratings, sizes, ten tags of 2,000 and one caption each. The question: 5 % of 100,000 rows by rating, and
a fixed 1,000 rows by two tags and a rating.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

from lorads_core.build import open_store
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from lorads_core.store.connect import Store

LARGEST = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
RUNS = 7


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
            "INSERT INTO lorads.captions (library, image_id, source, caption)"
            " SELECT %s, n, 'joycaption', repeat('A photograph of a person in a field. ', 8)"
            " FROM generate_series(1, %s::bigint) AS n",
            [library, rows],
        )
    with store.connection() as connection:
        connection.autocommit = True
        connection.execute("ANALYZE lorads.images, lorads.tags, lorads.captions")
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
    settings = Settings().with_library("benchmark")
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= LARGEST]
    with open_store(settings) as store:
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
            tagged = DatasetFilter(required_tags=("tag 3", "tag 7"), minimum_rating=3, maximum_images=1_000)
            by_rating, count = median_ms(lambda wanted=best: len(library.find(wanted)))
            by_hand, _ = median_ms(lambda: plain(5_000))
            print(
                f"{size:>9,} rows: {count:>5,} by rating {by_rating:7.1f} ms"
                f"  ({by_rating / by_hand:.2f} × one join as tuples)",
                end="",
            )
            by_tags, count = median_ms(lambda wanted=tagged: len(library.find(wanted)))
            print(f";  {count:>5,} by two tags and rating {by_tags:7.1f} ms")
        with store.connection() as connection:
            connection.execute("DELETE FROM lorads.images WHERE library = 'benchmark'")


if __name__ == "__main__":
    main()
