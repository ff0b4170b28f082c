"""Bulk edits: runs an operation of `captions.operation_table` on many captions, or previews it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..captions.operation_table import OPERATIONS
from ..captions.operations import Bulk, Selection
from ..errors import CaptionError
from ..workflow.captions import edit_target
from .editing import check_images, write_edit
from .operations import request_arguments
from .params import format_key
from .responses import bad_request

if TYPE_CHECKING:
    from uuid import UUID

    from . import json_types
    from .editing import WriteResult
    from .params import Body
    from .state import PanelState

_EXAMPLES = 50  # changes shown in a preview


def bulk(state: PanelState, dataset: UUID, body: Body) -> WriteResult | json_types.Preview:
    """Run an operation on many captions, or preview it.

    Raises:
        RefusedError: 400 an argument is invalid; 404 an image is not in the dataset; 409 it has changed meanwhile.
        LoradsError: the operation refuses its arguments.
    """
    body.allow_only("operation", "arguments", "keys", "unedited_only", "preview")
    name = body.text("operation")
    if name not in OPERATIONS:
        raise bad_request(f"There is no operation {name!r:.40}; known operations: {', '.join(OPERATIONS)}.")
    keys = body.keys("keys") if body.values.get("keys") is not None else None
    by_hand, preview = not body.flag("unedited_only", default=True), body.flag("preview", default=False)
    with state.locked(dataset):
        view = state.view(dataset)
        check_images(view, keys or ())
        selection = Selection(frozenset(keys) if keys is not None else None, by_hand=by_hand)
        arguments = request_arguments(OPERATIONS[name], body.object("arguments"))
        target = edit_target(state.store, state.settings, view.dataset, view.captions, selection, view.config)
        found = OPERATIONS[name].edit(target, arguments)
        if preview:
            return _preview(found)
        if not found.edit.changes:
            raise CaptionError(f"{found.edit.label}: no caption would change.")
        return write_edit(state, view, found.edit)


def _preview(found: Bulk) -> json_types.Preview:
    examples: list[json_types.Change] = [
        {
            "key": format_key(change.image),
            "before": change.before.text if change.before else None,
            "after": change.after.text if change.after else None,
        }
        for change in found.edit.changes[:_EXAMPLES]
    ]
    return {
        "count": len(found.edit.changes),
        "label": found.edit.label,
        "emptied": len(found.emptied),
        "examples": examples,
    }
