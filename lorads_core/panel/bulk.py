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
from .editing import known, write_edit
from .params import Body, key_word
from .responses import wrong

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from .editing import Written
    from .state import Desk
    from .view import View

_EXAMPLES = 50


def _find_replace(_desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    given.only("find", "replace", "regex", "case")
    do = edits.regex_replace if given.flag("regex", default=False) else edits.find_and_replace
    case = given.flag("case", default=False)
    return do(view.dataset, given.text("find"), given.text("replace", ""), selection, match_case=case)


def _add_tags(_desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    given.only("tags", "place")
    place: Any = given.values.get("place", "front")
    place = "end" if place == "back" else place
    is_number = isinstance(place, int) and not isinstance(place, bool)
    if not is_number and place not in {"front", "end"}:
        raise wrong(f"place is {place!r:.40}: give front, back, or the number of a part.")
    return edits.add_tags(view.dataset, given.texts("tags"), place, selection)


def _remove_tags(_desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    return edits.remove_tags(view.dataset, given.only("tags").texts("tags"), selection)


def _replace_tag(_desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    given.only("old", "new")
    old, new = given.text("old"), given.text("new")
    for tag in (old, new):
        if "," in tag or not canonical(one_line(tag)):
            raise wrong(f"{tag!r:.80} is not one tag: write one without commas.")
    return edits.replace_tag(view.dataset, old, new, selection)


def _sort(_desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    given.only()
    return edits.sort_tags(view.dataset, view.captions.profile, view.captions.rules.vocabulary, selection)


def _apply_source(desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    chosen = source(given.only("source", "trigger", "position").text("source"))
    trigger = view.dataset.trigger
    word, position = given.text("trigger", trigger.word), given.text("position", trigger.position)
    captions = caption_settings(chosen.name, (), word, position, view.config.base_model)
    rebuilt = rebuilt_captions(desk.store, desk.settings, view.dataset, captions)
    return edits.apply_source(view.dataset, rebuilt, chosen.label, selection)


def _prune(_desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    tags = {canonical(tag) for tag in given.only("tags").texts("tags")} - {""}
    if not tags:
        raise wrong("tags holds no tag: write the traits that the trigger is to stand for.")
    dataset = view.dataset
    allowed = [image.key for image, _ in selection.captions(dataset)]
    edit = prune(dataset, tags, view.captions.rules.vocabulary, edited=allowed)
    chosen = frozenset(allowed)
    return Bulk(Edit(edit.label, tuple(change for change in edit.changes if change.image in chosen)))


def _fix(desk: Desk, view: View, given: Body, selection: Selection) -> Bulk:
    codes = list(dict.fromkeys(given.only("codes").texts("codes")))
    return Bulk(fixes(desk.store, view.dataset, view.captions, codes, selection, view.config))


OPERATIONS: dict[str, Callable[[Desk, View, Body, Selection], Bulk]] = {
    "find_replace": _find_replace,
    "add_tags": _add_tags,
    "remove_tags": _remove_tags,
    "replace_tag": _replace_tag,
    "sort": _sort,
    "apply_source": _apply_source,
    "prune": _prune,
    "fix": _fix,
}


def bulk(desk: Desk, dataset: UUID, body: Body) -> Written | dict[str, Any]:
    """Do an operation for many captions, or say what it would do.

    Raises:
        RefusedError: 400 an argument is wrong; 404 an image is not in the dataset; 409 it was changed meanwhile.
        LoradsError: the operation refuses its arguments.
    """
    body.only("operation", "arguments", "keys", "unedited_only", "preview")
    name = body.text("operation")
    if name not in OPERATIONS:
        raise wrong(f"There is no operation {name!r:.40}; known are: {', '.join(OPERATIONS)}.")
    keys = body.keys("keys") if body.values.get("keys") is not None else None
    by_hand, preview = not body.flag("unedited_only", default=True), body.flag("preview", default=False)
    with desk.alone(dataset):
        view = desk.view(dataset)
        known(view, keys or ())
        selection = Selection(frozenset(keys) if keys is not None else None, by_hand=by_hand)
        found = OPERATIONS[name](desk, view, body.table("arguments"), selection)
        if preview:
            return _preview(found)
        if not found.edit.changes:
            raise CaptionError(f"{found.edit.label}: no caption would change.")
        return write_edit(desk, view, found.edit)


def _preview(found: Bulk) -> dict[str, Any]:
    examples = [
        {
            "key": key_word(change.image),
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
