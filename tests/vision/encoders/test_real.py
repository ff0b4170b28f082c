"""A real encoder on real photographs: like pictures lie near each other, which no made-up vector can show."""

from pathlib import Path

import numpy as np
import pytest

from lorads_core.cli.demo import SAMPLES
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.store.connect import Store
from lorads_core.store.vectors import find_table, read_vectors
from lorads_core.vision.encoders import open_embedder
from lorads_core.vision.encoders.run import embed_library

from .models import profile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vectors(filled, real_encoder):
    """Return the sample photographs' vectors by the picture's folder and name."""
    found = {}

    def fill(conninfo):
        with Store.open(conninfo) as store:
            found.update(embedded_samples(store, real_encoder))

    filled(fill)
    return found


def embedded_samples(store, real_encoder):
    index_folder(store, "samples", SAMPLES)
    library = IndexedLibrary(store, "samples")
    report = embed_library(store, library, open_embedder(profile("resnet", **real_encoder)), DatasetFilter())
    assert (report.embedded, report.problems) == (34, ())
    records = library.find(DatasetFilter())
    with store.connection() as connection:
        table = find_table(connection, "samples", report.spaces[0])
        found, packed = read_vectors(connection, table, [record.id for record in records])
    assert found.tolist() == [record.id for record in records]
    paths = [Path(record.path) for record in records]
    names = [f"{path.parent.name}/{path.stem}" for path in paths]
    return dict(zip(names, packed, strict=True))


def test_the_subject_lies_apart_from_all_else(vectors):
    subject = np.array([vector for name, vector in vectors.items() if name.startswith("subject/")])
    others = np.array([vector for name, vector in vectors.items() if name.startswith("other/")])
    centre = subject.mean(axis=0)
    assert (subject @ centre).min() > (others @ centre).max(), "every building is nearer to buildings than all else"


@pytest.mark.parametrize(
    ("one", "its_like", "another"),
    [
        ("subject/chambord-castle", "subject/neuschwanstein", "other/astronaut"),
        ("subject/great-wall", "subject/machu-picchu", "other/coffee-cup"),
        ("other/coffee-cup", "other/wine-corner", "subject/qutub-minar"),
    ],
)
def test_like_is_near_like(vectors, one, its_like, another):
    assert vectors[one] @ vectors[its_like] > vectors[one] @ vectors[another] + 0.1
