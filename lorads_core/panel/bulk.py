"""The bulk operations as a table: each makes an edit of its arguments; what edits do is the matter of `captions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..captions import operations as edits
from ..captions.operations import Bulk, Selection
from ..captions.sources import source
from ..captions.traits import prune
from ..errors import CaptionError
from ..model import Edit
from ..tags import canonical, one_line
from ..workflow.captions import fixes, rebuilt_captions
from ..workflow.parse import caption_settings
from .editing import check_images, write_edit
from .params import Body, format_key
from .responses import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from .editing import WriteResult
    from .state import PanelState
    from .view import View

_EXAMPLES = 50


def _find_replace(_state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    given.allow_only("find", "replace", "regex", "case")
    do = edits.regex_replace if given.flag("regex", default=False) else edits.find_and_replace
    case = given.flag("case", default=False)
    return do(view.dataset, given.text("find"), given.text("replace", ""), selection, match_case=case)


def _add_tags(_state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    given.allow_only("tags", "place")
    place: Any = given.values.get("place", "front")
    place = "end" if place == "back" else place
    is_number = isinstance(place, int) and not isinstance(place, bool)
    if not is_number and place not in {"front", "end"}:
        raise bad_request(f"place is {place!r:.40}: give front, back, or the number of a part.")
    return edits.add_tags(view.dataset, given.texts("tags"), place, selection)


def _remove_tags(_state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    return edits.remove_tags(view.dataset, given.allow_only("tags").texts("tags"), selection)


def _replace_tag(_state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    given.allow_only("old", "new")
    old, new = given.text("old"), given.text("new")
    for tag in (old, new):
        if "," in tag or not canonical(one_line(tag)):
            raise bad_request(f"{tag!r:.80} is not one tag: write one without commas.")
    return edits.replace_tag(view.dataset, old, new, selection)


def _sort(_state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    given.allow_only()
    return edits.sort_tags(view.dataset, view.captions.profile, view.captions.rules.vocabulary, selection)


def _apply_source(state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    chosen = source(given.allow_only("source", "trigger", "position").text("source"))
    trigger = view.dataset.trigger
    word, position = given.text("trigger", trigger.word), given.text("position", trigger.position)
    captions = caption_settings(chosen.name, (), word, position, view.config.base_model)
    rebuilt = rebuilt_captions(state.store, state.settings, view.dataset, captions)
    return edits.apply_source(view.dataset, rebuilt, chosen.label, selection)


def _prune(_state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    tags = {canonical(tag) for tag in given.allow_only("tags").texts("tags")} - {""}
    if not tags:
        raise bad_request("tags holds no tag: write the traits that the trigger is to stand for.")
    dataset = view.dataset
    allowed = [image.key for image, _ in selection.captions(dataset)]
    edit = prune(dataset, tags, view.captions.rules.vocabulary, edited=allowed)
    chosen = frozenset(allowed)
    return Bulk(Edit(edit.label, tuple(change for change in edit.changes if change.image in chosen)))


def _fix(state: PanelState, view: View, given: Body, selection: Selection) -> Bulk:
    codes = list(dict.fromkeys(given.allow_only("codes").texts("codes")))
    return Bulk(fixes(state.store, view.dataset, view.captions, codes, selection, view.config))


OPERATIONS: dict[str, Callable[[PanelState, View, Body, Selection], Bulk]] = {
    "find_replace": _find_replace,
    "add_tags": _add_tags,
    "remove_tags": _remove_tags,
    "replace_tag": _replace_tag,
    "sort": _sort,
    "apply_source": _apply_source,
    "prune": _prune,
    "fix": _fix,
}


def bulk(state: PanelState, dataset: UUID, body: Body) -> WriteResult | dict[str, Any]:
    """Do an operation for many captions, or say what it would do.

    Raises:
        RefusedError: 400 an argument is wrong; 404 an image is not in the dataset; 409 it was changed meanwhile.
        LoradsError: the operation refuses its arguments.
    """
    body.allow_only("operation", "arguments", "keys", "unedited_only", "preview")
    name = body.text("operation")
    if name not in OPERATIONS:
        raise bad_request(f"There is no operation {name!r:.40}; known are: {', '.join(OPERATIONS)}.")
    keys = body.keys("keys") if body.values.get("keys") is not None else None
    by_hand, preview = not body.flag("unedited_only", default=True), body.flag("preview", default=False)
    with state.locked(dataset):
        view = state.view(dataset)
        check_images(view, keys or ())
        selection = Selection(frozenset(keys) if keys is not None else None, by_hand=by_hand)
        found = OPERATIONS[name](state, view, body.object("arguments"), selection)
        if preview:
            return _preview(found)
        if not found.edit.changes:
            raise CaptionError(f"{found.edit.label}: no caption would change.")
        return write_edit(state, view, found.edit)


def _preview(found: Bulk) -> dict[str, Any]:
    examples = [
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
