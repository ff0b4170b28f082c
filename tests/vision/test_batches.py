"""Feeding a model with a library's pictures: what another program does meanwhile is not done twice."""

from lorads_core.model import ImageRecord
from lorads_core.vision import batches
from lorads_core.vision.batches import BatchFeed, current_version


class Pictures:
    """A library of files, by id."""

    def __init__(self, paths):
        self.paths = dict(enumerate(paths, 1))

    def find(self, wanted):
        return [
            ImageRecord("pictures", each, str(path), 8, 8, file_size=0, mtime_ns=0, hash="", format="PNG")
            for each, path in self.paths.items()
            if each in wanted.ids
        ]


class Model:
    batch_size = 1

    def fit(self, picture):
        return picture


def fed(library, monkeypatch, others=lambda _seen: {}):
    """Return the ids in the order in which the model sees them; ``others`` are done when it has seen so many."""
    monkeypatch.setattr(batches, "_BLOCK", 2)
    monkeypatch.setattr(batches, "_AHEAD", 0)
    seen = []

    def write(batch):
        seen.extend(each.image_id for each in batch)
        return []

    def look(ids):
        done = others(ids)
        return {each: current_version(str(library.paths[each])) for each in done if each in ids}

    feed = BatchFeed(library, Model(), "embed", lambda *_: None, {}, write, look=look)
    feed.run([*library.paths])
    return seen, feed.kept


def test_alone_it_goes_from_the_first_to_the_last(picture, monkeypatch):
    library = Pictures([picture(f"{n}.png") for n in range(8)])
    assert fed(library, monkeypatch) == ([1, 2, 3, 4, 5, 6, 7, 8], 0)


def test_what_another_program_has_done_meanwhile_is_passed_over_and_the_rest_begun_at_its_end(picture, monkeypatch):
    library = Pictures([picture(f"{n}.png") for n in range(8)])
    seen, kept = fed(library, monkeypatch, lambda _ids: [3, 4])
    assert (seen, kept) == ([1, 2, 8, 7, 6, 5], 2)
