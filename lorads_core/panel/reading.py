"""Read requests of the panel: session, datasets, rows, image details, problems, tags."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ..base_models import base_models
from ..captions.analysis import analyse
from ..captions.operation_table import OPERATIONS
from ..captions.sources import BY_HAND, sources
from ..captions.tables import ALIASES
from ..errors import LoradsError, SettingsError
from ..images.prompts import parts_of_lines, prompt_parts
from ..model import Dataset
from ..networks import networks
from ..runs.profile import read_profile
from ..store import datasets
from ..store.captions import image_history, undo_state
from ..system.command import command
from ..tags import canonical
from ..trainers import trainers
from ..workflow.captions import caption_materials, lint_dataset, rebuilt_captions
from ..workflow.parse import caption_settings
from .operations import operation_json
from .params import format_key
from .planning import DEFAULT_TRAINER, accepted_images, image_buckets
from .responses import RefusedError, dumps, not_found
from .view import dataset_facts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from ..model import ImageKey, ImageRecord, Problem
    from ..runs.profile import Profile
    from ..store.datasets import DatasetSummary
    from . import json_types
    from .state import PanelState
    from .view import Row, View

MAX_ROWS = 5000


def session(state: PanelState, version: str) -> json_types.Session:
    """Return the session: token, permissions and the choices of the page; no store access."""
    settings, panel = state.settings, state.settings.panel
    return {
        "token": state.token,
        "version": version,
        "where": state.context.where,
        "command": command(),
        "can_export": panel.export,
        "can_launch": bool(launchable(state)),
        "base_models": [{"name": base.name, "label": base.label} for base in base_models()],
        "networks": [{"name": each.name, "label": each.label} for each in networks()],
        "trainers": [{"name": name, "label": trainers()[name].label} for name in _default_first(trainers())],
        "trainer_profiles": [
            {"name": each.name, "label": f"{each.name} ({trainers()[each.kind].label})", "trainer": each.kind}
            for each in launchable(state)
        ],
        "sources": [{"name": name, "label": each.label} for name, each in sources().items() if name not in BY_HAND],
        "libraries": [each.name for each in settings.libraries],
        "operations": [operation_json(each) for each in OPERATIONS.values()],
    }


def _default_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != DEFAULT_TRAINER, name))


def launchable(state: PanelState) -> list[Profile]:
    """Return the trainer profiles that the panel may launch; invalid ones are reported by `lorads doctor`."""
    found: list[Profile] = []
    for named in state.settings.trainers:
        try:
            each = read_profile(named)
        except SettingsError:
            continue
        if each.from_comfyui if state.context.where == "comfyui" else state.settings.panel.train:
            found.append(each)
    return found


def dataset_list(state: PanelState) -> list[json_types.DatasetSummary]:
    """Return the datasets, the latest change first."""
    return [
        {
            "id": str(each.id),
            "name": each.seen_by(state.store.owner),
            "library": each.library,
            "training": each.training,
            "regularization": each.regularization,
            "rejected": each.rejected,
            "edited": each.edited,
            "updated_at": each.updated_at.isoformat(),
        }
        for each in _listed(state)
    ]


def _listed(state: PanelState) -> list[DatasetSummary]:
    with state.store.connection() as connection:
        return datasets.list_datasets(connection)


def look_ahead(state: PanelState) -> None:
    """Load the view of the newest dataset while the browser starts."""
    with suppress(LoradsError, RefusedError):  # the page's own request reports it
        for newest in _listed(state)[:1]:
            state.view(newest.id)


def facts(state: PanelState, dataset: UUID) -> json_types.DatasetFacts:
    """Return the facts of a dataset."""
    view = state.view(dataset)
    with state.store.connection() as connection:
        steps = undo_state(connection, dataset)
    return dataset_facts(view, (steps.undo, steps.redo))


def rows(state: PanelState, dataset: UUID, first: int, count: int) -> str:
    """Return a page of a dataset's rows as JSON."""
    view = state.view(dataset)
    listed = state.cached(view, "rows", lambda: [row.text for row in view.rows.values()])
    head = dumps({"total": len(listed), "revision": view.revision})
    return f'{head[:-1]},"rows":[{",".join(listed[first : first + count])}]}}'


def row_of(view: View, key: ImageKey) -> Row:
    """Return the row of an image.

    Raises:
        RefusedError: 404, it is not in the dataset.
    """
    if key not in view.rows:
        raise not_found(f"Image {format_key(key)} is not in the dataset {view.dataset.name!r}: reload the page.")
    return view.rows[key]


def row(state: PanelState, dataset: UUID, key: ImageKey) -> json_types.RowDetails:
    """Return the details of one image."""
    view = state.view(dataset)
    found = row_of(view, key)
    alone = _single_image_dataset(view, found)
    material = caption_materials(state.store, state.settings, alone)[0]
    with state.store.connection() as connection:
        past = image_history(connection, dataset, key)
    return {
        **found.values,
        "prompt": found.image.record.prompt or "",
        "prompt_parts": _prompt_parts(found.image.record),
        "tags": [{"text": tag.text, "source": tag.source, "confidence": tag.confidence} for tag in material.tags],
        "offered": _offered(state, view, alone, key),
        "bucket": _bucket(state, view, key),
        "history": [
            {
                "label": each.label,
                "at": each.made_at.isoformat(),
                "by": each.made_by,
                "undone": each.undone,
                "undone_by": each.undone_by,
                "before": each.before.text if each.before else None,
                "after": each.after.text if each.after else None,
            }
            for each in past
        ],
    }


def _prompt_parts(record: ImageRecord) -> list[json_types.PromptPart]:
    parts = (*prompt_parts(record.prompt, record.prompt_source), *parts_of_lines(record.prompt_uncertain))
    stripped = (replace(part, text=part.text.strip(" ,\n")) for part in parts)
    return [{"text": part.text, "certainty": part.certainty} for part in stripped if part.text]


def _bucket(state: PanelState, view: View, key: ImageKey) -> json_types.Size | None:
    """Return the bucket that an image is trained in; None for one that is not, or where the config is refused."""
    width, height = image_buckets(state, view).get(key, (0, 0))
    return {"width": width, "height": height} if width else None


def buckets(state: PanelState, dataset: UUID) -> dict[str, str]:
    """Return the bucket that each image of a dataset is trained in, formatted, by key."""
    found = image_buckets(state, state.view(dataset))
    return {format_key(key): f"{width}×{height}" for key, (width, height) in found.items()}


def _single_image_dataset(view: View, found: Row) -> Dataset:
    dataset = view.dataset
    training, others = ((found.image,), ()) if found.is_training else ((), (found.image,))
    return Dataset(dataset.id, dataset.name, dataset.library, training, others, dataset.trigger, dataset.concepts)


def _offered(state: PanelState, view: View, alone: Dataset, key: ImageKey) -> list[json_types.OfferedCaption]:
    """Return the caption that each source offers for an image; sources without one are left out."""
    trigger = view.dataset.trigger
    offered: list[json_types.OfferedCaption] = []
    for name in sources():
        if name in BY_HAND:
            continue
        captions = caption_settings(name, (), trigger.word, trigger.position, view.config.base_model)
        text = rebuilt_captions(state.store, state.settings, alone, captions)[key]
        if text:
            offered.append({"source": name, "text": text.text})
    return offered


def problems(state: PanelState, dataset: UUID) -> list[json_types.Problem]:
    """Return the caption problems of a dataset, without those of rejected images."""
    view = state.view(dataset)
    return state.cached(view, "problems", lambda: as_problems(caption_problems(state, view)))


def caption_problems(state: PanelState, view: View) -> Iterable[Problem]:
    """Return the problems of captions, without those of rejected images."""
    return lint_dataset(state.store, accepted_images(view), view.captions, view.config)


def as_problems(found: Iterable[Problem]) -> list[json_types.Problem]:
    """Return problems as JSON values."""
    return [
        {
            "severity": each.severity,
            "code": each.code,
            "message": each.message,
            "key": format_key(each.image) if each.image else None,
            "fix": _fix(each),
        }
        for each in found
    ]


def _fix(problem: Problem) -> json_types.Fix | None:
    """Return the fix of a problem in one caption."""
    changes = problem.fix.changes if problem.fix else ()
    if problem.fix is None or len(changes) != 1 or changes[0].after is None:
        return None
    return {"label": problem.fix.label, "text": changes[0].after.text}


def tag_counts(state: PanelState, dataset: UUID) -> list[json_types.TagCount]:
    """Return the tag counts of a dataset, most frequent first."""
    view = state.view(dataset)
    return state.cached(view, "tags", lambda: _tag_counts(view))


def _tag_counts(view: View) -> list[json_types.TagCount]:
    found = sorted(
        analyse(accepted_images(view)).tags, key=lambda each: (-each.training - each.regularization, each.tag)
    )
    return [{"tag": each.tag, "training": each.training, "regularization": each.regularization} for each in found]


def completions(state: PanelState, begins: str, limit: int) -> list[json_types.Completion]:
    """Return completions: tags of the open datasets and aliases with a prefix, most frequent first."""
    beginning = canonical(begins)
    if not beginning:
        return []
    counts: Counter[str] = Counter()
    for view in state.open_views():
        for each in state.cached(view, "tags", lambda view=view: _tag_counts(view)):
            counts[each["tag"]] += each["training"] + each["regularization"]
    found = [(-count, tag, "") for tag, count in counts.items() if tag.startswith(beginning)]
    found += [
        (-counts[tag], tag, alias)
        for alias, tag in ALIASES.items()
        if alias.startswith(beginning) and alias not in counts
    ]
    return [{"tag": tag, "alias": alias, "count": -count} for count, tag, alias in sorted(found)[:limit]]
