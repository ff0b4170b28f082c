"""Write requests of the panel: edits, undo, redo, rejection; each is committed before it is answered."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..model import Caption, Change, Edit
from ..store import captions, datasets
from ..store.rejected import reject_images
from ..tags import one_line, safe_text
from .params import format_key
from .responses import RefusedError, bad_request, dumps, not_found
from .view import with_captions, with_rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from uuid import UUID

    import psycopg

    from ..model import ImageKey
    from . import json_types
    from .params import Body
    from .state import PanelState
    from .view import View

BY_HAND = "custom"
_MAX_LABEL = 200


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of a write: the view after it, the revision before it (``was``), and what can be undone and redone.

    A page that shows a revision other than ``was`` has missed another client's edits.
    """

    view: View
    label: str
    keys: Sequence[ImageKey]
    was: str
    steps: captions.UndoState

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


def write_edits(state: PanelState, dataset: UUID, body: Body) -> WriteResult:
    """Store captions edited by the user.

    Raises:
        RefusedError: 400 a text is empty; 404 an image is not in the dataset; 409 a caption has changed meanwhile;
            nothing was written.
    """
    body.allow_only("label", "changes")
    label = safe_text(body.text("label", "Edit a caption"))[:_MAX_LABEL] or "Edit a caption"
    wanted = dict(_requested_change(each) for each in body.objects("changes"))
    with state.locked(dataset):
        view = state.view(dataset)
        with _transaction(state, view) as writing:
            now = captions.captions_of(writing.connection, dataset, list(wanted))
            missing = next((key for key in wanted if key not in now or key not in view.rows), None)
            if missing:
                raise not_found(
                    f"Image {format_key(missing)} is not in the dataset {view.dataset.name!r}: reload the page."
                )
            _check_unchanged(wanted, now)
            edit = Edit(label, tuple(Change(key, now[key], after) for key, (_, after) in wanted.items()))
            captions.save_edit(writing.connection, dataset, edit, state.store.person)
        return _written(state, view, edit, writing)


def _requested_change(change: Body) -> tuple[ImageKey, tuple[str | None, Caption | None]]:
    change.allow_only("key", "before", "after")
    key, before, after = change.key("key"), change.text_or_none("before"), change.text_or_none("after")
    if after is None:
        return key, (before, None)
    text = safe_text(after)
    if not one_line(text):
        raise bad_request(
            f"The caption of {format_key(key)} is empty, at which trainers stop: write one, or reject the image."
        )
    return key, (before, Caption(text, BY_HAND, edited=True, fixed=True))


def _check_unchanged(
    wanted: Mapping[ImageKey, tuple[str | None, Caption | None]], now: Mapping[ImageKey, Caption | None]
) -> None:
    conflicts: list[json_types.Conflict] = [
        {"key": format_key(key), "theirs": theirs.text if theirs else None, "source": theirs.source if theirs else ""}
        for key, (before, _) in wanted.items()
        if (theirs.text if (theirs := now[key]) else None) != before
    ]
    if conflicts:
        count = "1 caption was" if len(conflicts) == 1 else f"{len(conflicts):,} captions were"
        message = f"{count} changed meanwhile, in another tab or by the graph. Nothing was saved; compare them."
        raise RefusedError(409, "conflict", message, {"conflicts": conflicts})


class _Transaction:
    """A transaction that changes a dataset; after it, ``revision`` and ``steps`` hold the result.

    ``was`` is the revision at its start, under the dataset's lock; ``is_known`` is true if the view shows that one.
    """

    def __init__(self, connection: psycopg.Connection, view: View) -> None:
        self.connection = connection
        self._dataset = view.dataset.id
        captions.lock(connection, self._dataset)
        self.was = self.revision = self._revision()
        self.is_known = self.was == view.revision
        self.steps = captions.UndoState(None, None)

    def end(self) -> None:
        """Read the revision and the undo steps after the change."""
        self.revision = self._revision()
        self.steps = captions.undo_state(self.connection, self._dataset)

    def _revision(self) -> str:
        standing = datasets.dataset_state(self.connection, self._dataset)
        return standing.revision if standing else ""


@contextmanager
def _transaction(state: PanelState, view: View) -> Generator[_Transaction]:
    """Open a transaction that holds the dataset's lock; a caption that has changed meanwhile rolls it back.

    Raises:
        RefusedError: 409.
    """
    try:
        with state.store.connection() as connection, connection.transaction():
            writing = _Transaction(connection, view)
            yield writing
            writing.end()
    except CaptionError as error:
        raise RefusedError(409, "conflict", str(error)) from error


def _publish(state: PanelState, view: View, now: Callable[[], View], writing: _Transaction) -> View:
    """Store the view after a write, and notify the open pages."""
    dataset = view.dataset.id
    shown = state.remember(now()) if writing.is_known else state.view(dataset)
    state.events.publish(dataset, {"kind": "edited", "revision": writing.revision, "config": None})
    return shown


def _written(state: PanelState, view: View, edit: Edit, writing: _Transaction) -> WriteResult:
    after = {change.image: change.after for change in edit.changes if change.image in view.rows}
    shown = _publish(state, view, lambda: with_captions(view, writing.revision, after), writing)
    return WriteResult(shown, edit.label, list(after), writing.was, writing.steps)


def write_edit(state: PanelState, view: View, edit: Edit) -> WriteResult:
    """Store an edit computed from a view; the caller holds `PanelState.locked`.

    Raises:
        RefusedError: 409, the dataset was changed meanwhile by another program.
    """
    with _transaction(state, view) as writing:
        captions.save_edit(writing.connection, view.dataset.id, edit, state.store.person)
    return _written(state, view, edit, writing)


def undo_or_redo(state: PanelState, dataset: UUID, *, back: bool) -> WriteResult:
    """Undo the newest edit, or redo the edit undone last.

    Raises:
        RefusedError: 409, there is nothing to undo or redo, or a caption has changed since other than by an edit.
    """
    with state.locked(dataset):
        view = state.view(dataset)
        with _transaction(state, view) as writing:
            step = captions.undo if back else captions.redo
            edit = step(writing.connection, dataset, state.store.person)
        if edit is None:
            what = "undo" if back else "redo"
            raise RefusedError(409, "nothing", f"There is nothing to {what} in {view.dataset.name!r}.")
        return _written(state, view, edit, writing)


def reject(state: PanelState, dataset: UUID, body: Body) -> WriteResult:
    """Reject images, or restore rejected ones.

    Raises:
        RefusedError: 404, one is not in the dataset.
    """
    body.allow_only("keys", "rejected")
    keys, rejected = body.keys("keys"), body.flag("rejected")
    with state.locked(dataset):
        view = state.view(dataset)
        check_images(view, keys)
        with _transaction(state, view) as writing:
            reject_images(writing.connection, dataset, keys, rejected=rejected)
        now = _publish(state, view, lambda: with_rejection(view, writing.revision, keys, rejected=rejected), writing)
        what = "image" if len(keys) == 1 else "images"
        label = f"{'Reject' if rejected else 'Restore'} {len(keys):,} {what}"
        return WriteResult(now, label, keys, writing.was, writing.steps)


def check_images(view: View, keys: Iterable[ImageKey]) -> None:
    """Refuse images that are not in a dataset.

    Raises:
        RefusedError: 404.
    """
    strange = next((key for key in keys if key not in view.rows), None)
    if strange:
        raise not_found(f"Image {format_key(strange)} is not in the dataset {view.dataset.name!r}: reload the page.")
