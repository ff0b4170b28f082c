"""The Regularization Finder on a real store: same look, other subject, exactly so many or why not."""

import dataclasses
import random
import re
import shutil
import uuid
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorads_core.errors import LibraryError, SettingsError
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.model import Dataset, DatasetImage
from lorads_core.regularization.find import find_regularization
from lorads_core.regularization.rules import FinderRules, NothingFoundError
from lorads_core.store.connect import Store
from lorads_core.store.vectors import Space, prepare_space, write_vectors
from lorads_core.vision.similarity.band import BandRequest
from lorads_core.vision.similarity.picking import DiversityRules, Picker

SPACE = Space("test", 64, "made up")
LIBRARY = "pictures"
SUBJECTS = 12
OF_EACH = 15
DIRECTIONS = np.linalg.qr(np.random.default_rng(0).standard_normal((64, 64)))[0].astype(np.float32)


def vector(style, subject, noise):
    """Cosines: 0.45 among strangers, 0.67 within a style, 0.87 within a subject."""
    mixed = 0.67 * DIRECTIONS[0] + 0.47 * DIRECTIONS[1 + style] + 0.45 * DIRECTIONS[8 + subject]
    mixed = mixed + 0.36 * noise / np.linalg.norm(noise)
    return mixed / np.linalg.norm(mixed)


@pytest.fixture(scope="module")
def shelf_folder(make_folder):
    """Return a folder with 180 pictures of 12 subjects in 2 styles; the even subjects are of style 0."""
    folder = make_folder()
    for n in range(SUBJECTS * OF_EACH):
        path = folder / f"{n:04d}.png"
        pixels = random.Random(n).randbytes(16 * 16 * 3)
        Image.frombytes("RGB", (16, 16), pixels).resize((128, 128), Image.Resampling.BICUBIC).save(path)
        tags = ["1girl" if n % 3 else "1boy", f"subject {n // OF_EACH}"]
        path.with_suffix(".txt").write_text(", ".join(tags))
        shutil.copy2(path, path.with_suffix(".kept"))
    return folder


@pytest.fixture(scope="module")
def filled_shelf(filled, shelf_folder):
    """Return the name of a database that has them in order of their ids, with vectors."""

    def fill(conninfo):
        with Store.open(conninfo) as store:
            fill_shelf(store, shelf_folder)

    return filled(fill)


def fill_shelf(store, folder):
    index_folder(store, LIBRARY, folder)
    records = IndexedLibrary(store, LIBRARY).find(DatasetFilter())
    noise = np.random.default_rng(1)
    vectors = [vector(of(record) % 2, of(record), noise.standard_normal(64)) for record in records]
    with store.connection() as connection:
        connection.execute("UPDATE lorads.images SET rating = image_id %% 11 WHERE library = %s", [LIBRARY])
        prepare_space(connection, LIBRARY, SPACE)
        write_vectors(connection, LIBRARY, SPACE, [record.id for record in records], vectors)


@pytest.fixture
def store_template(filled_shelf):
    return filled_shelf


@pytest.fixture
def shelf(store, shelf_folder):
    """Return the library; files that a test spoils are put back."""
    yield IndexedLibrary(store, LIBRARY)
    for n in range(SUBJECTS * OF_EACH):
        path = shelf_folder / f"{n:04d}.png"
        if not path.exists() or path.stat().st_size != path.with_suffix(".kept").stat().st_size:
            shutil.copy2(path.with_suffix(".kept"), path)


def number(record):
    return int(Path(record.path).stem)


def of(record):
    """Return a picture's subject."""
    return number(record) // OF_EACH


def dataset(shelf, wanted=lambda record: of(record) == 0):
    images = tuple(DatasetImage(record) for record in shelf.find(DatasetFilter()) if wanted(record))
    return Dataset(uuid.uuid4(), "anna", shelf.name, images)


@pytest.fixture
def find(store, shelf):
    def run(training=None, **rules):
        rules = FinderRules(**{"compare_pictures": False, "exclude_characters": False} | rules)
        return find_regularization(store, shelf, training or dataset(shelf), {shelf.name: shelf}, rules)

    return run


def picks(found):
    return [image.record for image in found.dataset.regularization]


def codes(found):
    return {problem.code for problem in found.problems}


def test_same_look_other_subject_and_exactly_so_many(find):
    found = find(count=40)
    assert (found.picked, found.wanted, len(picks(found))) == (40, 40, 40)
    assert {of(record) % 2 for record in picks(found)} == {0}
    assert 0 not in {of(record) for record in picks(found)}
    assert len({record.id for record in picks(found)}) == 40
    assert found.similarity.picks.max() < found.similarity.band.highest == 0.85
    assert found.similarity.picks.min() >= 0.5
    assert "exactly" in found.sentence
    assert len(found.dataset.training) == OF_EACH


def test_a_band_that_would_let_the_subject_in_is_lowered(find):
    found = find(count=40, band=BandRequest(0.5, 0.99))
    assert found.similarity.band.lowered
    assert found.similarity.band.highest < found.similarity.training.min()
    assert 0 not in {of(record) for record in picks(found)}


def test_a_tag_that_no_image_has_is_named(find):
    with pytest.raises(LibraryError, match=r"has the tag 'unicorn': check its spelling. \(--class\)"):
        find(wanted=DatasetFilter(required_tags=("unicorn",)))
    with pytest.raises(LibraryError, match=r"has the tag '1girls': did you mean '1girl'\? \(--class\)"):
        find(wanted=DatasetFilter(required_tags=("1girls",)))


def test_a_failure_names_the_options_that_would_lift_its_reasons(find):
    with pytest.raises(LibraryError, match=r"do not pass the filter.*Ask less of the filter \(--class, --without"):
        find(wanted=DatasetFilter(minimum_side=100_000))
    with pytest.raises(LibraryError, match=r"than the band.*Lower the minimum of the band \(--band\)"):
        find(band=BandRequest(-1, -0.99))


def test_a_failure_shows_the_nearest_images_with_the_reason_why_each_was_passed_over(find, shelf):
    with pytest.raises(NothingFoundError) as found:
        find(band=BandRequest(-1, -0.99))
    shown = [(of(image.record), image.reason) for image in found.value.passed_over]
    assert len(shown) == 24
    assert {subject % 2 for subject, _ in shown} == {0}  # nearest by look
    assert all(re.fullmatch(r"similarity 0\.\d\d, outside the band", said) for _, said in shown)
    own = {image.record.id for image in dataset(shelf).training}
    assert not own & {image.record.id for image in found.value.passed_over}


def test_a_failure_counts_the_images_that_have_the_subjects_own_tags(find, shelf):
    training = dataset(shelf, lambda record: number(record) < 12)
    left = tuple(record.id for record in shelf.find(DatasetFilter()) if 12 <= number(record) < 15)
    with pytest.raises(NothingFoundError, match=r"images tagged subject 0 \(15\), as the subject is") as found:
        find(training, count=3, exclude_characters=True, wanted=DatasetFilter(ids=left))
    reasons = {number(image.record): image.reason for image in found.value.passed_over}
    assert {12, 13, 14} <= reasons.keys()


def test_a_lowered_bound_is_explained(find):
    with pytest.raises(LibraryError, match=r"\(its upper bound lowered from 0\.99 to keep the subject out\)"):
        find(count=80, band=BandRequest(0.8, 0.99))


def test_each_pick_says_why(find):
    found = find(count=3)
    for image, near in zip(found.dataset.regularization, found.similarity.picks, strict=True):
        assert image.reason.startswith(f"similarity {near:.2f} (0.50–{found.similarity.band.highest:.2f})")
        assert f"rating {image.record.rating}" in image.reason


def test_it_picks_the_same_again(find):
    assert picks(find(count=30)) == picks(find(count=30))


def test_without_a_count_there_are_as_many_as_training_images(find):
    assert find().picked == OF_EACH


def test_more_than_a_trainer_shows_are_not_picked(find):
    found = find(count=60, repeats=2)
    assert found.picked == 30
    assert "regularization-capped" in codes(found)


def test_too_few_are_told_with_the_reasons(find):
    found = find(count=150)
    assert 0 < found.picked < 150
    (problem,) = [problem for problem in found.problems if problem.code == "few-regularization"]
    assert f"{found.picked} of 150" in problem.message
    assert "Passed over" in problem.message
    assert sum(found.passed_over.values()) + found.picked == SUBJECTS * OF_EACH


def test_nothing_at_all_is_an_error_that_says_where_the_library_lies(find):
    with pytest.raises(LibraryError, match=r"0\.0% of the library lies in the band 0\.99 to 1\.00.*go from 0\.[34]"):
        find(count=5, band=BandRequest(0.99, 1.0))


def test_percentiles_find_where_cosines_would_not(find):
    found = find(count=20, band=BandRequest(50, 90, "percentile"))
    assert found.picked == 20
    assert found.similarity.picks.min() >= np.percentile(found.similarity.library, 50) - 1e-3


def test_the_class_is_required(find):
    found = find(count=20, wanted=DatasetFilter(required_tags=("1boy",)))
    assert all(number(record) % 3 == 0 for record in picks(found))


def test_better_rated_ones_are_preferred(find):
    plain, good = find(count=20, quality=0.0), find(count=20, quality=0.9)
    mean = [np.mean([record.rating for record in picks(found)]) for found in (plain, good)]
    assert mean[1] > mean[0] + 1.5


def test_marked_bad_are_never_picked(find, store):
    bad = {record.id for record in picks(find(count=20))}
    with store.connection() as connection:
        connection.execute("UPDATE lorads.images SET marked_bad = true WHERE image_id = ANY(%s)", [list(bad)])
    assert not bad & {record.id for record in picks(find(count=20))}


def test_nearest_compares_with_training_images_themselves(find):
    found = find(count=20, mode="nearest")
    assert found.picked == 20
    assert 0 not in {of(record) for record in picks(found)}


@pytest.mark.slow
def test_a_set_of_two_subjects_leaves_both_out(find, shelf):
    found = find(dataset(shelf, lambda record: of(record) in (0, 3)), count=40)
    assert found.picked == 40
    assert not {0, 3} & {of(record) for record in picks(found)}


def test_the_subjects_own_tags_are_left_out(find, shelf, store, library):
    """Here the vectors know nothing of subjects: only the tag does."""
    noise = np.random.default_rng(7)
    records = shelf.find(DatasetFilter())
    with store.connection() as connection:
        vectors = [vector(0, 40, noise.standard_normal(64)) for _ in records]
        write_vectors(connection, library, SPACE, [record.id for record in records], vectors)
    training = dataset(shelf, lambda record: number(record) < 12)
    loose = find(
        training, count=150, repeats=20, diversity=DiversityRules(max_similarity=1.0), band=BandRequest(0.9, 0.99)
    )
    assert 0 in {of(record) for record in picks(loose)}
    found = find(
        training,
        count=150,
        repeats=20,
        diversity=DiversityRules(max_similarity=1.0),
        band=BandRequest(0.9, 0.99),
        exclude_characters=True,
    )
    assert 0 not in {of(record) for record in picks(found)}
    assert any("tag subject 0" in problem.message for problem in found.problems)
    assert 1 in {number(record) % 3 for record in picks(found)}  # 1girl is no name


def test_the_same_cluster_is_left_out(find, shelf, store, library):
    others = [record.id for record in picks(find(count=20))]
    members = [*others, shelf.find(DatasetFilter())[0].id]
    with store.connection() as connection:
        connection.execute("INSERT INTO lorads.groups VALUES (%s, 'cluster', 'anna')", [library])
        connection.execute(
            "INSERT INTO lorads.group_images SELECT %s, 'cluster', 'anna', unnest(%s::bigint[])", [library, members]
        )
    found = find(count=20)
    assert not set(others) & {record.id for record in picks(found)}
    assert found.passed_over["in a cluster of a training image"] >= 20
    assert set(others) & {record.id for record in picks(find(count=20, exclude_clusters=False))}


def test_a_cluster_gives_no_more_than_it_may(find, store, shelf, library):
    with store.connection() as connection:
        for subject in range(1, SUBJECTS):
            ids = [record.id for record in shelf.find(DatasetFilter()) if of(record) == subject]
            connection.execute("INSERT INTO lorads.groups VALUES (%s, 'cluster', %s)", [library, f"s{subject}"])
            connection.execute(
                "INSERT INTO lorads.group_images SELECT %s, 'cluster', %s, unnest(%s::bigint[])",
                [library, f"s{subject}", ids],
            )
    found = find(count=10, diversity=DiversityRules(per_group=2))
    subjects = [of(record) for record in picks(found)]
    assert max(subjects.count(subject) for subject in set(subjects)) == 2


@pytest.mark.parametrize(("column", "value"), [("metadata_hash", "same"), ("base_id", 1), ("hash", "00")])
def test_the_same_settings_base_or_file_are_left_out(find, store, shelf, library, column, value):
    others = [record.id for record in picks(find(count=10))]
    with store.connection() as connection:
        connection.execute(
            f"UPDATE lorads.images SET {column} = %s WHERE library = %s AND image_id = ANY(%s)",
            [value, library, [*others, dataset(shelf).training[0].record.id]],
        )
    assert not set(others) & {record.id for record in picks(find(count=10))}


def test_a_copy_of_a_training_picture_does_not_slip_in_by_another_vector(find, shelf):
    first = picks(find(count=1))[0]
    training = dataset(shelf)
    with Image.open(training.training[0].record.path) as picture:
        picture.convert("RGB").save(first.path, "PNG", compress_level=1)
    assert first.id in {record.id for record in picks(find(training, count=5))}
    found = find(training, count=5, compare_pictures=True)
    assert first.id not in {record.id for record in picks(found)}
    assert found.picked == 5
    assert found.passed_over["the same image as a training image or another pick"] == 1


def test_files_that_are_gone_are_not_picked(find):
    gone = picks(find(count=3))
    for record in gone:
        Path(record.path).unlink()
    found = find(count=10, compare_pictures=True)
    assert not {record.id for record in gone} & {record.id for record in picks(found)}
    assert found.passed_over["whose files are not on this machine"] == 3


def test_albums_are_no_clusters(find, store, shelf, library):
    everything = [record.id for record in shelf.find(DatasetFilter())]
    with store.connection() as connection:
        connection.execute("INSERT INTO lorads.groups VALUES (%s, 'album', 'all')", [library])
        connection.execute(
            "INSERT INTO lorads.group_images SELECT %s, 'album', 'all', unnest(%s::bigint[])", [library, everything]
        )
    assert find(count=20).picked == 20


def test_missing_files_are_passed_over_also_without_a_look_at_the_pictures(find):
    gone = picks(find(count=3))
    for record in gone:
        Path(record.path).unlink()
    found = find(count=10)
    assert found.picked == 10
    assert not {record.id for record in gone} & {record.id for record in picks(found)}


@pytest.fixture
def takes(monkeypatch):
    """Return a list that grows with every pick that is tried."""
    made = []
    real = Picker.take
    monkeypatch.setattr(Picker, "take", lambda self, place: made.append(place) or real(self, place))
    return made


def spoil(find, deed, but):
    """Do a deed to the files of all candidates but a few, the most likely picks first; return how many there are."""
    candidates = picks(find(count=75, diversity=DiversityRules(0, 1, 0)))
    for record in candidates[:-but]:
        deed(Path(record.path))
    return len(candidates) - but


def test_missing_files_cost_no_second_round_of_picks(find, takes):
    missing = spoil(find, Path.unlink, but=8)
    del takes[:]
    found = find(count=5)
    assert (found.picked, found.passed_over["whose files are not on this machine"]) == (5, missing)
    assert len(takes) == 5


def test_files_that_cannot_be_read_cost_few_rounds_of_picks(find, takes):
    def cut(path):
        path.write_bytes(path.read_bytes()[:200])

    spoilt = spoil(find, cut, but=8)
    assert spoilt > 50
    del takes[:]
    found = find(count=2, compare_pictures=True)
    assert found.picked == 2
    assert all(Path(record.path).stat().st_size > 200 for record in picks(found))
    assert len(takes) < 2 * 10  # one after another it would be more than fifty


def test_where_no_file_is_here_the_message_names_the_path_map_and_no_band(find, shelf):
    for record in shelf.find(DatasetFilter()):
        if of(record):
            Path(record.path).unlink()
    with pytest.raises(LibraryError, match=r"files are not on this machine, e\.g\. ") as refusal:
        find(count=5)
    assert f"[libraries.{shelf.name}.paths]" in str(refusal.value)
    assert "minimum" not in str(refusal.value)


def test_a_second_run_picks_others_that_are_unlike_the_first(find, shelf):
    training = dataset(shelf)
    first = find(training, count=10)
    second = find(first.dataset, count=10)
    before, after = ({record.id for record in picks(found)} for found in (first, second))
    assert len(after) == 20
    assert before < after


def test_what_a_full_cluster_loses_is_counted(find, store, shelf, library):
    ids = [record.id for record in shelf.find(DatasetFilter()) if of(record) != 0]
    with store.connection() as connection:
        connection.execute("INSERT INTO lorads.groups VALUES (%s, 'cluster', 'rest')", [library])
        connection.execute(
            "INSERT INTO lorads.group_images SELECT %s, 'cluster', 'rest', unnest(%s::bigint[])", [library, ids]
        )
    found = find(count=50, diversity=DiversityRules(per_group=2))
    assert found.picked == 2
    assert found.passed_over["in a cluster that has given as many as it may"] > 10
    assert sum(found.passed_over.values()) + found.picked == SUBJECTS * OF_EACH


def test_training_images_that_are_unlike_each_other_are_told_to_set_no_bound(find, shelf):
    mixed = dataset(shelf, lambda record: number(record) % OF_EACH == 0)
    found = find(mixed, count=5, band=BandRequest(0.8, 0.99))
    assert "unguarded" in codes(found)


def test_a_library_with_nothing_else_says_so(find, shelf):
    with pytest.raises(LibraryError, match=r"no vectors .* but those of the dataset itself"):
        find(dataset(shelf, lambda _: True), count=5)


def test_a_space_that_only_the_other_library_has_is_passed_by(store, find, library):
    """The pool has a space before ours, in the order of names, that no training image is in."""
    with store.connection() as connection:
        prepare_space(connection, library, Space("another", 8))
        write_vectors(connection, library, Space("another", 8), [99_999], np.ones((1, 8)))
    found = find(count=10)
    assert found.space == "test"
    assert "by test;" in found.sentence


def test_training_images_without_vectors_are_told(find, store, shelf, library):
    some = [image.record.id for image in dataset(shelf).training[:5]]
    with store.connection() as connection:
        connection.execute("DELETE FROM lorads.vectors WHERE library = %s AND image_id = ANY(%s)", [library, some])
    found = find(count=10)
    assert found.picked == 10
    assert any("5 of 15 training images have no vector" in problem.message for problem in found.problems)
    assert not set(some) & {record.id for record in picks(found)}


def test_without_any_vector_it_says_what_to_do(find, store, shelf, library):
    training = dataset(shelf)
    with store.connection() as connection:
        ids = [image.record.id for image in training.training]
        connection.execute("DELETE FROM lorads.vectors WHERE library = %s AND image_id = ANY(%s)", [library, ids])
    with pytest.raises(LibraryError, match="None of the training images has a vector in test"):
        find(training)
    with store.connection() as connection:
        connection.execute("DELETE FROM lorads.vectors WHERE library = %s", [library])
    with pytest.raises(LibraryError, match=r"lorads(\.py)?\S* embed"):
        find(training)
    with pytest.raises(LibraryError, match="no vectors of the space 'clip'"):
        find(training, space="clip")


def test_an_empty_dataset_is_refused(find, shelf):
    with pytest.raises(LibraryError, match="no training images"):
        find(dataclasses.replace(dataset(shelf), training=()))


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"count": 0}, "ask for 1 or more"),
        ({"count": -3}, "ask for 1 or more"),
        ({"repeats": 0}, "repeats are 0"),
        ({"mode": "mean"}, "centres, nearest"),
        ({"way": "fast"}, "auto, exact, index"),
        ({"quality": 1.5}, "quality is 1.5"),
        ({"diversity": DiversityRules(diversity=-0.1)}, "diversity is -0.1"),
        ({"diversity": DiversityRules(max_similarity=2)}, "twin is 2"),
        ({"diversity": DiversityRules(per_group=-1)}, "most per cluster is -1"),
    ],
)
def test_nonsense_is_refused(rules, says):
    with pytest.raises(SettingsError, match=says):
        FinderRules(**rules)
