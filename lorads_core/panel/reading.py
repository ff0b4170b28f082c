"""What the page reads: the session, datasets, rows, an image, problems, tags; everything comes from views."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..base_models import base_models
from ..captions.analysis import analyse
from ..captions.profiles import profile
from ..captions.sources import BY_HAND, sources
from ..captions.tables import ALIASES
from ..errors import LoradsError, SettingsError
from ..model import Dataset
from ..networks import networks
from ..runs.profile import read_profile
from ..store import captions as kept
from ..store import datasets
from ..system.command import command
from ..tags import canonical
from ..trainers import trainers
from ..workflow.captions import caption_materials, lint_dataset, rebuilt_captions
from ..workflow.parse import caption_settings
from .params import key_word
from .planning import USUAL_TRAINER, image_buckets, kept_images
from .responses import RefusedError, dumps, unknown
from .view import dataset_facts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from ..model import ImageKey, Problem
    from ..runs.profile import Profile
    from ..store.datasets import Listed
    from .state import Desk
    from .view import Row, View

MOST_ROWS = 5000


def session(desk: Desk, version: str) -> dict[str, Any]:
    """Return what the page needs to begin; the store is not asked."""
    settings, panel = desk.settings, desk.settings.panel
    return {
        "token": desk.token,
        "version": version,
        "where": desk.around.where,
        "command": command(),
        "can_export": panel.export,
        "can_launch": bool(launchable(desk)),
        "base_models": [
            {"name": base.name, "label": base.label, "token_limit": profile(base.name).limits[0]}
            for base in base_models()
        ],
        "networks": [{"name": each.name, "label": each.label} for each in networks()],
        "trainers": [{"name": name, "label": trainers()[name].label} for name in _usual_first(trainers())],
        "trainer_profiles": [
            {"name": each.name, "label": f"{each.name} ({trainers()[each.kind].label})"} for each in launchable(desk)
        ],
        "sources": [{"name": name, "label": each.label} for name, each in sources().items() if name not in BY_HAND],
        "libraries": [each.name for each in settings.libraries],
    }


def _usual_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != USUAL_TRAINER, name))


def launchable(desk: Desk) -> list[Profile]:
    """Return the installed trainers that may be started from here; one with a wrong value is for `lorads doctor`."""
    found: list[Profile] = []
    for named in desk.settings.trainers:
        try:
            each = read_profile(named)
        except SettingsError:
            continue
        if each.from_comfyui if desk.around.where == "comfyui" else desk.settings.panel.train:
            found.append(each)
    return found


def dataset_list(desk: Desk) -> list[dict[str, Any]]:
    """Return the datasets, the one that changed last first."""
    return [
        {
            "id": str(each.id),
            "name": each.name,
            "library": each.library,
            "training": each.training,
            "regularization": each.regularization,
            "rejected": each.rejected,
            "edited": each.edited,
            "updated_at": each.updated_at.isoformat(),
        }
        for each in _listed(desk)
    ]


def _listed(desk: Desk) -> list[Listed]:
    with desk.store.connection() as connection:
        return datasets.draft_list(connection)


def look_ahead(desk: Desk) -> None:
    """Read the dataset that a page opens first, while its browser still starts."""
    with suppress(LoradsError, RefusedError):  # the page asks again, and is told
        for newest in _listed(desk)[:1]:
            desk.view(newest.id)


def facts(desk: Desk, dataset: UUID) -> dict[str, Any]:
    """Return what there is to say of a dataset."""
    view = desk.view(dataset)
    with desk.store.connection() as connection:
        steps = kept.next_steps(connection, dataset)
    return dataset_facts(view, (steps.undo, steps.redo))


def rows(desk: Desk, dataset: UUID, first: int, count: int) -> str:
    """Return some rows of a dataset as JSON."""
    view = desk.view(dataset)
    listed = desk.made(view, "rows", lambda: [row.text for row in view.rows.values()])
    head = dumps({"total": len(listed), "revision": view.revision})
    return f'{head[:-1]},"rows":[{",".join(listed[first : first + count])}]}}'


def row_of(view: View, key: ImageKey) -> Row:
    """Return the row of an image.

    Raises:
        RefusedError: 404, it is not in the dataset.
    """
    if key not in view.rows:
        raise unknown(f"Image {key_word(key)} is not in the dataset {view.dataset.name!r}: load it anew.")
    return view.rows[key]


def row(desk: Desk, dataset: UUID, key: ImageKey) -> dict[str, Any]:
    """Return all that is known of one image."""
    view = desk.view(dataset)
    found = row_of(view, key)
    alone = _alone(view, found)
    material = caption_materials(desk.store, desk.settings, alone)[0]
    with desk.store.connection() as connection:
        past = kept.image_history(connection, dataset, key)
    return {
        **found.values,
        "prompt": found.image.record.prompt or "",
        "tags": [{"text": tag.text, "source": tag.source, "confidence": tag.confidence} for tag in material.tags],
        "offered": _offered(desk, view, alone, key),
        "bucket": _bucket(desk, view, key),
        "history": [
            {
                "label": each.label,
                "at": each.made_at.isoformat(),
                "undone": each.undone,
                "before": each.before.text if each.before else None,
                "after": each.after.text if each.after else None,
            }
            for each in past
        ],
    }


def _bucket(desk: Desk, view: View, key: ImageKey) -> dict[str, int] | None:
    """Return the bucket that an image is trained in; None for one that is not, or where the config is refused."""
    width, height = image_buckets(desk, view).get(key, (0, 0))
    return {"width": width, "height": height} if width else None


def buckets(desk: Desk, dataset: UUID) -> dict[str, str]:
    """Return the bucket that each image of a dataset is trained in, as words by keys."""
    found = image_buckets(desk, desk.view(dataset))
    return {key_word(key): f"{width}×{height}" for key, (width, height) in found.items()}


def _alone(view: View, found: Row) -> Dataset:
    dataset = view.dataset
    training, others = ((found.image,), ()) if found.is_training else ((), (found.image,))
    return Dataset(dataset.id, dataset.name, dataset.library, training, others, dataset.trigger, dataset.concepts)


def _offered(desk: Desk, view: View, alone: Dataset, key: ImageKey) -> list[dict[str, str]]:
    """Return what each source would write for an image, those that have nothing left out."""
    trigger = view.dataset.trigger
    offered: list[dict[str, str]] = []
    for name in sources():
        if name in BY_HAND:
            continue
        captions = caption_settings(name, (), trigger.word, trigger.position, view.config.base_model)
        text = rebuilt_captions(desk.store, desk.settings, alone, captions)[key]
        if text:
            offered.append({"source": name, "text": text.text})
    return offered


def problems(desk: Desk, dataset: UUID) -> list[dict[str, Any]]:
    """Return what is wrong with the captions of a dataset; rejected images have nothing to answer for."""
    view = desk.view(dataset)
    return desk.made(view, "problems", lambda: as_problems(caption_problems(desk, view)))


def caption_problems(desk: Desk, view: View) -> Iterable[Problem]:
    """Return the problems of captions, those of rejected images left out."""
    return lint_dataset(desk.store, kept_images(view), view.captions, view.config)


def as_problems(found: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return problems as the page gets them."""
    return [
        {
            "severity": each.severity,
            "code": each.code,
            "message": each.message,
            "key": key_word(each.image) if each.image else None,
            "fix": _fix(each),
        }
        for each in found
    ]


def _fix(problem: Problem) -> dict[str, str] | None:
    """Return what would mend a problem of one caption."""
    changes = problem.fix.changes if problem.fix else ()
    if problem.fix is None or len(changes) != 1 or changes[0].after is None:
        return None
    return {"label": problem.fix.label, "text": changes[0].after.text}


def tag_counts(desk: Desk, dataset: UUID) -> list[dict[str, Any]]:
    """Return the tags of a dataset, the most frequent first."""
    view = desk.view(dataset)
    return desk.made(view, "tags", lambda: _tag_counts(view))


def _tag_counts(view: View) -> list[dict[str, Any]]:
    found = sorted(analyse(kept_images(view)).tags, key=lambda each: (-each.training - each.regularization, each.tag))
    return [{"tag": each.tag, "training": each.training, "regularization": each.regularization} for each in found]


def completions(desk: Desk, begins: str, limit: int) -> list[dict[str, Any]]:
    """Return tags of the datasets that are open, and aliases, that begin so; the most frequent first."""
    beginning = canonical(begins)
    if not beginning:
        return []
    counts: Counter[str] = Counter()
    for view in desk.open_views():
        for each in desk.made(view, "tags", lambda view=view: _tag_counts(view)):
            counts[each["tag"]] += each["training"] + each["regularization"]
    found = [(-count, tag, "") for tag, count in counts.items() if tag.startswith(beginning)]
    found += [
        (-counts[tag], tag, alias)
        for alias, tag in ALIASES.items()
        if alias.startswith(beginning) and alias not in counts
    ]
    return [{"tag": tag, "alias": alias, "count": -count} for count, tag, alias in sorted(found)[:limit]]
