"""Captions written by the page: edits, undo, redo, rejection; each is in the store before it is answered."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..model import Caption, Change, Edit
from ..store import captions as kept
from ..store import datasets
from ..store.rejected import reject_images
from ..tags import one_line, safe_text
from .params import key_word
from .responses import RefusedError, dumps, unknown, wrong
from .view import changed, with_rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from uuid import UUID

    import psycopg

    from ..model import ImageKey
    from .params import Body
    from .state import Desk
    from .view import View

BY_HAND = "custom"
_LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the view as it is then, the revision ``was`` before, and what can be undone and redone.

    A page that shows another revision than that has missed what others wrote.
    """

    view: View
    label: str
    keys: Sequence[ImageKey]
    was: str
    steps: kept.UndoState

    @property
    def answer(self) -> str:
        """The answer as JSON."""
        facts = dumps(
            {
                "revision": self.view.revision,
                "was": self.was,
                "label": self.label,
                "can_undo": self.steps.undo,
                "can_redo": self.steps.redo,
            }
        )
        return f'{facts[:-1]},"rows":[{",".join(self.view.rows_of(self.keys))}]}}'


def write_edits(desk: Desk, dataset: UUID, body: Body) -> Written:
    """Keep captions that a person wrote.

    Raises:
        RefusedError: 400 a text is empty; 404 an image is not in the dataset; 409 a caption is another by now, with all
            that are; nothing was written.
    """
    body.only("label", "changes")
    label = safe_text(body.text("label", "Edit a caption"))[:_LONGEST_LABEL] or "Edit a caption"
    wanted = dict(_wanted(each) for each in body.tables("changes"))
    with desk.alone(dataset):
        view = desk.view(dataset)
        with _writing(desk, view) as writing:
            now = kept.captions_of(writing.connection, dataset, list(wanted))
            missing = next((key for key in wanted if key not in now or key not in view.rows), None)
            if missing:
                raise unknown(f"Image {key_word(missing)} is not in the dataset {view.dataset.name!r}: load it anew.")
            _check_unchanged(wanted, now)
            edit = Edit(label, tuple(Change(key, now[key], after) for key, (_, after) in wanted.items()))
            kept.save_edit(writing.connection, dataset, edit)
        return _written(desk, view, edit, writing)


def _wanted(change: Body) -> tuple[ImageKey, tuple[str | None, Caption | None]]:
    change.only("key", "before", "after")
    key, before, after = change.key("key"), change.text_or_nothing("before"), change.text_or_nothing("after")
    if after is None:
        return key, (before, None)
    text = safe_text(after)
    if not one_line(text):
        raise wrong(f"The caption of {key_word(key)} is empty, at which trainers stop: write one, or reject the image.")
    return key, (before, Caption(text, BY_HAND, edited=True, fixed=True))


def _check_unchanged(
    wanted: Mapping[ImageKey, tuple[str | None, Caption | None]], now: Mapping[ImageKey, Caption | None]
) -> None:
    conflicts = [
        {"key": key_word(key), "theirs": theirs.text if theirs else None, "source": theirs.source if theirs else ""}
        for key, (before, _) in wanted.items()
        if (theirs.text if (theirs := now[key]) else None) != before
    ]
    if conflicts:
        count = "1 caption was" if len(conflicts) == 1 else f"{len(conflicts):,} captions were"
        message = f"{count} changed meanwhile, in another tab or by the graph: nothing was written; look at both texts."
        raise RefusedError(409, "conflict", message, {"conflicts": conflicts})


class _Writing:
    """A transaction that changes a dataset; when it has ended, ``revision`` and ``steps`` are what it has led to.

    ``was`` is the revision that it found, when nobody else could write any more; ``is_known`` says whether the view was
    of that one.
    """

    def __init__(self, connection: psycopg.Connection, view: View) -> None:
        self.connection = connection
        self._dataset = view.dataset.id
        kept.lock(connection, self._dataset)
        self.was = self.revision = self._revision()
        self.is_known = self.was == view.revision
        self.steps = kept.UndoState(None, None)

    def end(self) -> None:
        """Look what has come of it."""
        self.revision = self._revision()
        self.steps = kept.undo_state(self.connection, self._dataset)

    def _revision(self) -> str:
        standing = datasets.dataset_state(self.connection, self._dataset)
        return standing.revision if standing else ""


@contextmanager
def _writing(desk: Desk, view: View) -> Generator[_Writing]:
    """Give a transaction in which nobody else changes the view's dataset; a text that is another by now ends it.

    Raises:
        RefusedError: 409.
    """
    try:
        with desk.store.connection() as connection, connection.transaction():
            writing = _Writing(connection, view)
            yield writing
            writing.end()
    except CaptionError as error:
        raise RefusedError(409, "conflict", str(error)) from error


def _shown(desk: Desk, view: View, now: Callable[[], View], writing: _Writing) -> View:
    """Keep the view as it is after a write, and tell the pages that are open."""
    dataset = view.dataset.id
    shown = desk.keep(now()) if writing.is_known else desk.view(dataset)
    desk.events.tell(dataset, {"kind": "edited", "revision": writing.revision})
    return shown


def _written(desk: Desk, view: View, edit: Edit, writing: _Writing) -> Written:
    after = {change.image: change.after for change in edit.changes if change.image in view.rows}
    shown = _shown(desk, view, lambda: changed(view, writing.revision, after), writing)
    return Written(shown, edit.label, list(after), writing.was, writing.steps)


def write_edit(desk: Desk, view: View, edit: Edit) -> Written:
    """Keep an edit that was worked out from a view; call it `Desk.alone`.

    Raises:
        RefusedError: 409, the dataset was changed meanwhile by another program.
    """
    with _writing(desk, view) as writing:
        kept.save_edit(writing.connection, view.dataset.id, edit)
    return _written(desk, view, edit, writing)


def step(desk: Desk, dataset: UUID, *, back: bool) -> Written:
    """Take the newest edit back, or do again what was taken back last.

    Raises:
        RefusedError: 409, there is nothing, or a caption was changed since by something else than an edit.
    """
    with desk.alone(dataset):
        view = desk.view(dataset)
        with _writing(desk, view) as writing:
            edit = (kept.undo if back else kept.redo)(writing.connection, dataset)
        if edit is None:
            what = "take back" if back else "do again"
            raise RefusedError(409, "nothing", f"There is nothing to {what} in {view.dataset.name!r}.")
        return _written(desk, view, edit, writing)


def reject(desk: Desk, dataset: UUID, body: Body) -> Written:
    """Reject images, or take them back.

    Raises:
        RefusedError: 404, one is not in the dataset.
    """
    body.only("keys", "rejected")
    keys, rejected = body.keys("keys"), body.flag("rejected")
    with desk.alone(dataset):
        view = desk.view(dataset)
        known(view, keys)
        with _writing(desk, view) as writing:
            reject_images(writing.connection, dataset, keys, rejected=rejected)
        now = _shown(desk, view, lambda: with_rejection(view, writing.revision, keys, rejected=rejected), writing)
        what = "image" if len(keys) == 1 else "images"
        label = f"{'Reject' if rejected else 'Take back'} {len(keys):,} {what}"
        return Written(now, label, keys, writing.was, writing.steps)


def known(view: View, keys: Iterable[ImageKey]) -> None:
    """Refuse images that are not in a dataset.

    Raises:
        RefusedError: 404.
    """
    strange = next((key for key in keys if key not in view.rows), None)
    if strange:
        raise unknown(f"Image {key_word(strange)} is not in the dataset {view.dataset.name!r}: load it anew.")
