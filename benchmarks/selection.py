"""The Regularization Finder and the search under it, by size of library, against brute force and vector libraries.

    python benchmarks/selection.py [number of vectors …] [--index] [--keep]

Synthetic vectors of 1,024 dimensions with subjects of all sizes in forty styles, so that cosines are about 0.45 between
strangers, 0.67 within a style and 0.87 within a subject. 500 training images of a subject, 200 picks. Beside ours, in
one run: numpy's float32 brute force over vectors in memory, faiss-cpu (Flat and HNSW) and usearch where they are
installed. `--index` builds our HNSW index too (minutes), `--keep` leaves the library in the store for the next run.

The last table is about what is picked: the naive way (mean of the training images, three times as many nearest as are
wanted, cut to the band) against ours, for subjects small and large, a loose one and a whole style.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.model import Dataset, DatasetImage
from lorads_core.regularization.find import find_regularization
from lorads_core.regularization.rules import FinderRules
from lorads_core.settings import load_settings
from lorads_core.store import search
from lorads_core.store.vectors import (
    Space,
    analyze,
    count_vectors,
    delete_vectors,
    find_table,
    partition,
    prepare_space,
    write_vectors,
)
from lorads_core.workflow.dataset import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from lorads_core.regularization.rules import FinderResult
    from lorads_core.store.connect import Store

DIMENSIONS = 1024
SPACE = Space("benchmark-1024", DIMENSIONS, "synthetic")
STYLES = 40
TRAINING = 500
PICKS = 200
LOWEST, HIGHEST = 0.5, 0.85
RUNS = 5
_BATCH = 5_000
# All images are this one file, each by a path of its own: dots and slashes that lead nowhere.
FILE = Path(tempfile.gettempdir()) / "lorads-benchmark" / "one"


@dataclass(frozen=True)
class World:
    """A library of vectors (n, d) as float16, with the subject and the style of each (n)."""

    vectors: np.ndarray
    subjects: np.ndarray
    styles: np.ndarray


def make(count: int, seed: int = 0) -> World:
    """Make a library: subjects with Zipf's sizes, each mostly in one style."""
    random = np.random.default_rng(seed)
    subject_count = max(20, count // 300)
    shares = 1 / np.arange(1, subject_count + 1) ** 0.6
    subjects = random.choice(subject_count, count, p=shares / shares.sum())
    home = random.integers(0, STYLES, subject_count)
    styles = np.where(random.random(count) < 0.85, home[subjects], random.integers(0, STYLES, count))
    directions = _unit(random.standard_normal((1 + STYLES + subject_count, DIMENSIONS)))
    looseness = random.uniform(0.7, 1.3, subject_count)
    vectors = np.empty((count, DIMENSIONS), np.float16)
    for at in range(0, count, _BATCH):
        rows = slice(at, min(at + _BATCH, count))
        size = rows.stop - at
        noise = _unit(random.standard_normal((size, DIMENSIONS), np.float32))
        weights = np.sqrt(np.abs(random.normal([0.45, 0.22, 0.2, 0.13], [0.03, 0.04, 0.04, 0.03], (size, 4))))
        weights[:, 3] *= looseness[subjects[rows]]
        mixed = weights[:, :1] * directions[0]
        mixed = mixed + weights[:, 1:2] * directions[1 + styles[rows]]
        mixed = mixed + weights[:, 2:3] * directions[1 + STYLES + subjects[rows]]
        vectors[rows] = _unit(mixed + weights[:, 3:] * noise)
    return World(vectors, subjects, styles)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fill(store: Store, library: str, world: World) -> float:
    """Write the library into the store; return vectors a second."""
    count = len(world.vectors)
    with store.connection() as connection:
        connection.execute("DELETE FROM lorads.images WHERE library = %s", [library])
        connection.execute(
            """
            INSERT INTO lorads.images (library, image_id, path, folder, file_size, mtime_ns, hash, format, width,
                height, rating)
            SELECT %s, n, %s || replace(replace(n::integer::bit(20)::text, '0', './'), '1', './/') || 'one', %s,
                1, 1, 'h' || n, 'png', 1024, 1024, (n * 7919) %% 11
            FROM generate_series(0, %s::bigint - 1) AS n
            """,
            [library, f"{FILE.parent}/", str(FILE.parent), count],
        )
        prepare_space(connection, library, SPACE)
        connection.execute(sql.SQL("TRUNCATE {}").format(partition(library, SPACE.name)))
    started = time.perf_counter()
    for at in range(0, count, _BATCH):
        ids = np.arange(at, min(at + _BATCH, count))
        with store.connection() as connection:
            write_vectors(connection, library, SPACE, ids, world.vectors[ids[0] : ids[-1] + 1])
    rate = count / (time.perf_counter() - started)
    with store.connection() as connection:
        table = find_table(connection, library, SPACE.name)
        if table:
            analyze(connection, table)
        connection.execute("ANALYZE lorads.images")
    return rate


def median_ms(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the median time of a few runs after a warm-up."""
    work()
    times: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def training_of(world: World, subject: int) -> np.ndarray:
    """Return up to 500 ids of a subject."""
    members = np.flatnonzero(world.subjects == subject)
    return np.random.default_rng(1).permutation(members)[:TRAINING]


def finder(
    store: Store, library: IndexedLibrary, ids: np.ndarray, way: search.Way = "auto"
) -> Callable[[], FinderResult]:
    """Find regularization images for training images, as the node and the command do."""
    records = library.find(DatasetFilter(ids=tuple(ids.tolist())))
    dataset = Dataset(uuid.uuid4(), "benchmark", library.name, tuple(DatasetImage(record) for record in records))
    return lambda: find_regularization(
        store,
        library,
        dataset,
        {library.name: library},
        FinderRules(count=PICKS, compare_pictures=False, way=way),
    )


def naive(world: World, ids: np.ndarray) -> np.ndarray:
    """Return the ids that the naive way picks: nearest to the mean, three times as many as wanted, cut to the band."""
    mean = _unit(world.vectors[ids].astype(np.float32).mean(axis=0, keepdims=True))[0]
    near = brute_force(world.vectors, mean[None])
    near[ids] = -1
    first = np.argsort(-near)[: 3 * PICKS]
    return first[(near[first] >= LOWEST) & (near[first] <= HIGHEST)][:PICKS]


def brute_force(vectors: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return each vector's cosine to the nearest anchor, in float32, block by block."""
    blocks = (vectors[at : at + 50_000].astype(np.float32) for at in range(0, len(vectors), 50_000))
    return np.concatenate([(block @ anchors.T).max(axis=1) for block in blocks])


def searches(store: Store, library: str, world: World, ids: np.ndarray, *, with_index: bool) -> None:
    """Time the search alone: the 4,000 nearest to one centre, which every way can be asked for."""
    centre = _unit(world.vectors[ids].astype(np.float32).mean(axis=0, keepdims=True))
    limit = 4_000
    wide = world.vectors.astype(np.float32)
    truth = set(np.argpartition(-(wide @ centre[0]), limit)[:limit].tolist())
    rows: list[tuple[str, float, float, str]] = []

    def note(name: str, work: Callable[[], np.ndarray], remark: str = "") -> None:
        elapsed = median_ms(work)
        rows.append((name, elapsed, len(truth & set(work().tolist())) / limit, remark))

    note("numpy float32 in memory", lambda: np.argpartition(-(wide @ centre[0]), limit)[:limit], "4 KB a vector here")
    with store.connection() as connection:
        table = find_table(connection, library, SPACE.name)
        assert table is not None
        total = count_vectors(connection, table)
        note("LoRADS, exact", lambda: search.nearest(connection, table, centre, limit, total, "exact").ids)
        if with_index:
            started = time.perf_counter()
            search.build_index(connection, table, 4096)
            built = time.perf_counter() - started
            found = search.nearest(connection, table, centre, limit, total, "index")
            note(
                "LoRADS, HNSW index",
                lambda: search.nearest(connection, table, centre, limit, total, "index").ids,
                f"built in {built:.0f} s; says recall {found.recall:.3f} of {found.checked}",
            )
    _others(wide, centre, limit, note)
    base = rows[0][1]
    for name, elapsed, recall, remark in rows:
        print(f"  {name:<26}{elapsed:8.1f} ms  {elapsed / base:6.2f} × numpy  recall {recall:.3f}  {remark}")


def _others(wide: np.ndarray, centre: np.ndarray, limit: int, note: Callable[..., None]) -> None:
    try:
        faiss = import_module("faiss")
    except ImportError:
        print("  faiss-cpu is not installed")
    else:
        flat = faiss.IndexFlatIP(DIMENSIONS)
        flat.add(wide)
        note("faiss Flat", lambda: flat.search(centre, limit)[1][0])
        if len(wide) <= 200_000:
            started = time.perf_counter()
            graph = faiss.IndexHNSWFlat(DIMENSIONS, 16, faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = 64
            graph.add(wide)
            graph.hnsw.efSearch = limit
            remark = f"built in {time.perf_counter() - started:.0f} s"
            note("faiss HNSW", lambda: graph.search(centre, limit)[1][0], remark)
    try:
        usearch = import_module("usearch.index")
    except ImportError:
        print("  usearch is not installed")
    else:
        if len(wide) <= 200_000:
            started = time.perf_counter()
            index = usearch.Index(ndim=DIMENSIONS, metric="cos", dtype="f16", expansion_search=limit)
            index.add(np.arange(len(wide)), wide)
            remark = f"built in {time.perf_counter() - started:.0f} s"
            note("usearch", lambda: np.asarray(index.search(centre[0], limit).keys), remark)


def cases(world: World) -> dict[str, np.ndarray]:
    """Return training sets by name: subjects of several sizes, the loosest, and a style across subjects."""
    sizes = np.bincount(world.subjects)
    by_size = np.argsort(-sizes)
    found = {f"subject of {sizes[subject]:,}": training_of(world, subject) for subject in by_size[[0, 1, 5, 20, 60]]}
    found[f"small subject of {sizes[by_size[-1]]:,}"] = training_of(world, by_size[-1])
    style = np.flatnonzero(world.styles == 3)
    found["a style, 500 of all its subjects"] = np.random.default_rng(2).permutation(style)[:TRAINING]
    two = np.flatnonzero(np.isin(world.subjects, by_size[[2, 7]]))
    found["two subjects of two styles"] = np.random.default_rng(3).permutation(two)[:TRAINING]
    return found


def judge(world: World, training: np.ndarray, picks: np.ndarray) -> str:
    """Say how many picks there are, how many show a training image's subject, and how many are near one."""
    if not len(picks):
        return "  0 picks"
    same = np.isin(world.subjects[picks], np.unique(world.subjects[training])).mean()
    near = brute_force(world.vectors[picks], world.vectors[training].astype(np.float32))
    return f"{len(picks):>3} picks, {same:4.0%} same subject, {(near >= HIGHEST).mean():4.0%} near a training image"


def run(store: Store, count: int, options: argparse.Namespace) -> None:
    """Print what there is to say of one size."""
    name = f"benchmark-{count}"
    world = make(count)
    library = IndexedLibrary(store, name)
    with store.connection() as connection:
        table = find_table(connection, name, SPACE.name)
        known = count_vectors(connection, table) if table else 0
    print(f"{count:,} vectors of {DIMENSIONS} dimensions")
    if abs(known - count) > count / 50:
        print(f"  loaded {fill(store, name, world):,.0f} vectors a second")
    subject = training_of(world, int(np.argsort(-np.bincount(world.subjects))[0]))
    searches(store, name, world, subject, with_index=options.index)
    elapsed = median_ms(finder(store, library, subject))
    found = finder(store, library, subject)()
    print(f"  the whole finder          {elapsed:8.1f} ms  {found.sentence}")
    for title, training in cases(world).items():
        picks = finder(store, library, training)().dataset.regularization
        ours = np.array([image.record.id for image in picks])
        print(f"  {title:<34} naive: {judge(world, training, naive(world, training))}")
        print(f"  {'':<34} ours:  {judge(world, training, ours)}")
    if not options.keep:
        with store.connection() as connection:
            delete_vectors(connection, name, SPACE.name, range(count))
            connection.execute("DELETE FROM lorads.images WHERE library = %s", [name])


def main() -> None:
    """Print a block for each size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="*", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    FILE.parent.mkdir(exist_ok=True)
    FILE.touch()
    with open_store(load_settings()) as store:
        for count in options.counts:
            run(store, count, options)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(this process, with the vectors in memory for the others: {most:,.0f} MB)")


if __name__ == "__main__":
    main()
