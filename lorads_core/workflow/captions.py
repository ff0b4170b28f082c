"""A dataset's captions: built, linted, edited, undone, combined; `workflow.dataset` does the rest."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..captions import concepts
from ..captions import operations as edits
from ..captions.analysis import analyse
from ..captions.caption import caption_dataset
from ..captions.lint import LintRules, lint
from ..captions.operation_table import Target
from ..captions.sources import CaptionMaterial
from ..captions.tokens import counter
from ..captions.traits import offers
from ..errors import CaptionError, SettingsError
from ..library.filter import DatasetFilter
from ..model import Change, Dataset, DatasetImage, Edit, ImageKey, Problem, Progress, TrainingConfig, no_progress
from ..problems import counted
from ..store import captions as kept_captions
from ..store import datasets, traits
from ..store.rejected import rejected_images
from ..vision.taggers.all_tags import tags_of
from .dataset import Queried, open_library

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import psycopg

    from ..captions.analysis import Analysis
    from ..captions.caption import CaptionSettings, Coverage
    from ..captions.concepts import Share
    from ..captions.profiles import TokenizerName
    from ..captions.traits import Trait
    from ..model import Caption, Decision, ImageRecord, Tag
    from ..settings import Settings
    from ..store.connect import Store

_TRIES = 20  # an edit of 10,000 captions is worked out within a second, in which a person saves one at most


@dataclass(frozen=True, slots=True)
class Captioned:
    """A dataset with its captions, what speaks against them, and how many came from where.

    ``traits`` are those that most captions of a concept name and nobody has decided on. ``rejected`` is how many images
    a person rejected: they stay in the draft, and are not in the dataset any more. ``better`` are the sources that have
    something for images without a caption of their own.
    """

    dataset: Dataset
    problems: tuple[Problem, ...]
    counts: tuple[tuple[str, int], ...]
    traits: tuple[Trait, ...] = ()
    tokenizer: TokenizerName = "clip"
    rejected: int = 0
    better: tuple[Coverage, ...] = ()

    @property
    def analysis(self) -> Analysis:
        """What the captions are made of, their lengths in tokens of the base model's encoder."""
        return analyse(self.dataset, counter(self.tokenizer))

    @property
    def sentence(self) -> str:
        """How many captions came from which source."""
        images = len(self.dataset.training) + len(self.dataset.regularization)
        captions = ", ".join(f"{count} from {source}" for source, count in self.counts) or "none"
        rejected = (
            f"; {counted(self.rejected, 'rejected image is', 'rejected images are')} left out" if self.rejected else ""
        )
        return f"captions for {counted(images, 'image')}: {captions}{rejected}"

    @property
    def offer(self) -> str:
        """The traits to decide on, in a sentence; empty where there are none."""
        if not self.traits:
            return ""
        listed = ", ".join(f"{trait.tag} ({trait.count:,} of {trait.images:,})" for trait in self.traits)
        return f"Traits that most captions name: {listed}. Bind them to the trigger, or keep them flexible."


def caption(
    store: Store,
    settings: Settings,
    dataset: Dataset,
    captions: CaptionSettings,
    progress: Progress = no_progress,
    recipe: Mapping[str, Any] | None = None,
) -> Captioned:
    """Give every image its caption and keep the dataset as a draft; captions that people wrote stay as they are.

    Traits that a person decided to bind to the trigger are left out of training captions. Images that a person rejected
    stay in the draft and are left out of what is returned. ``recipe`` are the options of `lorads build`, which exports
    of the dataset then hold.

    Raises:
        CaptionError: the trigger cannot be used, or all training images are rejected.
    """
    left_behind = edits_left_behind(store, dataset)
    with store.connection() as connection:
        decided = _decisions(connection, dataset)
        rejected = rejected_images(connection, dataset.id)
    materials = caption_materials(store, settings, dataset)
    captions = dataclasses.replace(captions, bound=_bound(captions, decided))
    captioned, report = caption_dataset(dataset, materials, captions, progress)
    with store.connection() as connection:
        datasets.save_draft(connection, captioned, store.owner, recipe)
        datasets.save_base_model(connection, dataset.id, captions.profile.base)
    whole, captioned = captioned, without_rejected(captioned, rejected)
    left_out = len(whole.images) - len(captioned.images)
    counts = report.counts if not left_out else _counts(captioned)
    found = lint(captioned, _lint_rules(captions, decided))
    offered = tuple(
        trait
        for trait in offers(captioned, captions.rules.vocabulary)
        if trait.tag not in decided.get(trait.concept, {})
    )
    problems = (*left_behind, *_rejection(left_out), *report.problems, *found)
    return Captioned(captioned, problems, counts, offered, captions.profile.tokenizer, left_out, report.better)


def edits_left_behind(store: Store, dataset: Dataset) -> tuple[Problem, ...]:
    """Return what to say where images with captions that people wrote are in the draft, and no more in the dataset."""
    with store.connection() as connection:
        edited = datasets.edited_images(connection, dataset.id)
    count = len(edited - {image.key for image in dataset.images})
    if not count:
        return ()
    said = (
        "1 image with a hand-edited caption leaves"
        if count == 1
        else f"{count:,} images with hand-edited captions leave"
    )
    message = (
        f"{said} the dataset {dataset.name!r}: the captions are back when their images are selected again."
        " Give the new dataset another name to have both."
    )
    return (Problem("warning", "replaced", message),)


def _counts(dataset: Dataset) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(image.caption.source for image in dataset.images if image.caption).most_common())


def without_rejected(dataset: Dataset, rejected: Collection[ImageKey]) -> Dataset:
    """Return a dataset without its rejected images.

    Raises:
        CaptionError: no training image would be left.
    """
    training, regularization = (
        tuple(image for image in images if image.key not in rejected)
        for images in (dataset.training, dataset.regularization)
    )
    if dataset.training and not training:
        raise CaptionError(
            f"All {len(dataset.training):,} training images of {dataset.name!r} are rejected: take some back in the"
            " panel, or query others."
        )
    return dataclasses.replace(dataset, training=training, regularization=regularization)


def _rejection(count: int) -> tuple[Problem, ...]:
    if not count:
        return ()
    said = counted(count, "image was", "images were")
    return (Problem("info", "rejected", f"{said} rejected by a person: left out. The panel takes them back."),)


def caption_materials(store: Store, settings: Settings, dataset: Dataset) -> list[CaptionMaterial]:
    """Return what captions of a dataset's images are made of, in their order."""
    with store.connection() as connection:
        fixed = kept_captions.fixed_captions(connection, dataset.id)
    tags = _tags(store, settings, dataset.images)
    return [CaptionMaterial(image.record, tags.get(image.key, ()), fixed.get(image.key)) for image in dataset.images]


def rebuilt_captions(
    store: Store, settings: Settings, dataset: Dataset, captions: CaptionSettings
) -> dict[ImageKey, Caption | None]:
    """Return the captions that a dataset's images would have from a source, without edits; nothing is saved."""
    materials = [dataclasses.replace(each, fixed=None) for each in caption_materials(store, settings, dataset)]
    captioned, _ = caption_dataset(dataset, materials, captions)
    return {image.key: image.caption for image in captioned.images}


def draft(store: Store, settings: Settings, name: str, *, with_rejected: bool = False) -> Queried:
    """Return a dataset as it was captioned last, with what became of its images since.

    Images that a person rejected are left out, unless it is to be ``with_rejected``.

    Raises:
        CaptionError: there is no dataset of that name, or all of its training images are rejected.
        LibraryError: a library of its images cannot be read.
    """
    with store.connection() as connection:
        kept = datasets.load_draft(connection, name, store.owner)
        rejected = frozenset[ImageKey]() if with_rejected else rejected_images(connection, kept.id)
    records: dict[ImageKey, ImageRecord] = {}
    for library in {image.key[0] for image in kept.images}:
        ids = tuple(image.key[1] for image in kept.images if image.key[0] == library)
        found = open_library(store, settings, library).find(DatasetFilter(ids=ids, exclude_marked_bad=False))
        records |= {(library, record.id): record for record in found}
    images = [
        (DatasetImage(records[image.key], image.caption, image.reason, image.concept), image.is_regularization)
        for image in kept.images
        if image.key in records
    ]
    gone = tuple(
        Problem("warning", "gone", "It is not in its library any more: query again.", image.path, image.key)
        for image in kept.images
        if image.key not in records
    )
    dataset = Dataset(
        kept.id,
        kept.name,
        kept.library,
        tuple(image for image, is_regularization in images if not is_regularization),
        tuple(image for image, is_regularization in images if is_regularization),
        kept.trigger,
        kept.concepts,
    )
    flowing = without_rejected(dataset, rejected)
    return Queried(flowing, (*gone, *_rejection(len(dataset.images) - len(flowing.images))))


def keep_edit(store: Store, dataset: Dataset, edit: Edit) -> Dataset:
    """Do an edit for good, with its place in the history; return the dataset as it is then.

    Raises:
        CaptionError: a caption is not what the edit says that it was; nothing was changed.
    """
    done = edits.applied(dataset, edit)
    with store.connection() as connection:
        kept_captions.save_edit(connection, dataset.id, edit, store.person)
    return done


def keep_bulk(
    store: Store,
    dataset: Dataset,
    bulk: edits.Bulk,
    again: Callable[[], tuple[Dataset, edits.Bulk]],
    tries: int = _TRIES,
) -> edits.Bulk:
    """Do a bulk edit for good, and return what was done.

    Where captions were changed meanwhile, ``again`` reads the dataset as it is now and works the edit out for it: what
    a person has just written is edited as it is.

    Raises:
        CaptionError: captions were changed each time that it was worked out; nothing was changed here.
    """
    try:
        keep_edit(store, dataset, bulk.edit)
    except kept_captions.ChangedMeanwhileError:
        if tries <= 1:
            raise
    else:
        return bulk
    return keep_bulk(store, *again(), again, tries - 1)


def undo_edit(store: Store, dataset: Dataset) -> Edit | None:
    """Take the newest edit of a dataset back; return what was done, None where there is none."""
    with store.connection() as connection:
        return kept_captions.undo(connection, dataset.id, store.person)


def redo_edit(store: Store, dataset: Dataset) -> Edit | None:
    """Do the edit again that was taken back last; return it, None where there is none."""
    with store.connection() as connection:
        return kept_captions.redo(connection, dataset.id, store.person)


def edit_history(store: Store, dataset: Dataset) -> list[kept_captions.EditRecord]:
    """Return the newest edits of a dataset, the newest first."""
    with store.connection() as connection:
        return kept_captions.history(connection, dataset.id)


def fixes(
    store: Store,
    dataset: Dataset,
    captions: CaptionSettings,
    codes: Sequence[str],
    selection: edits.Selection = edits.ALL,
    config: TrainingConfig | None = None,
) -> Edit:
    """Return the fixes of some kinds of problems as one edit, each done on what those before have left.

    Raises:
        CaptionError: no selected caption has a fixable problem of one kind; the message names the kinds that some have.
    """
    done = dataset
    allowed = {image.key for image, _ in selection.captions(dataset)}
    for code in codes:
        problems = lint_dataset(store, done, captions, config)
        found = [each for each in problems if each.fix and each.image in allowed]
        wanted = [each.fix for each in found if each.fix and each.code == code]
        if not wanted:
            known = ", ".join(sorted({problem.code for problem in found})) or "none"
            raise CaptionError(f"No selected caption has a fixable problem {code!r}; problems to fix there: {known}.")
        done = edits.applied(done, edits.together(code, wanted))
    pairs = zip(dataset.images, done.images, strict=True)
    changes = tuple(Change(a.key, a.caption, b.caption) for a, b in pairs if a.caption != b.caption)
    return Edit(f"Fix {', '.join(codes)}", changes)


def edit_target(
    store: Store,
    settings: Settings,
    dataset: Dataset,
    captions: CaptionSettings,
    selection: edits.Selection = edits.ALL,
    config: TrainingConfig | None = None,
) -> Target:
    """Return a dataset's selected captions as what a bulk operation works on; the store is read when it needs that."""
    return Target(
        dataset,
        selection,
        captions,
        rebuild=lambda settings_: rebuilt_captions(store, settings, dataset, settings_),
        fix=lambda codes: fixes(store, dataset, captions, codes, selection, config),
        bound=lambda: _bound(captions, trait_decisions(store, dataset)),
    )


def decide_traits(store: Store, dataset: Dataset, decided: Mapping[str, Decision | None], concept: str = "") -> None:
    """Keep what was decided on traits; see `store.traits.decide`."""
    with store.connection() as connection:
        traits.decide(connection, dataset.id, decided, concept)


def trait_decisions(store: Store, dataset: Dataset) -> dict[str, dict[str, Decision]]:
    """Return what was decided on the traits of each concept, by concept and tag."""
    with store.connection() as connection:
        return _decisions(connection, dataset)


def lint_dataset(
    store: Store, dataset: Dataset, captions: CaptionSettings, config: TrainingConfig | None = None
) -> tuple[Problem, ...]:
    """Return what is wrong with the captions of a dataset; with a config, what it makes of them too."""
    with store.connection() as connection:
        rules = _lint_rules(captions, _decisions(connection, dataset))
    if config:
        rules = dataclasses.replace(
            rules, flip_aug=config.flip_aug, shuffle=config.shuffle_caption, token_limit=config.max_token_length
        )
    return lint(dataset, rules)


def _decisions(connection: psycopg.Connection, dataset: Dataset) -> dict[str, dict[str, Decision]]:
    """Return what people decided on the traits of each concept, by concept and tag."""
    names = [concept.name for concept in dataset.concepts] or [""]
    return {name: traits.decisions(connection, dataset.id, name) for name in names}


def _bound(captions: CaptionSettings, decided: Mapping[str, Mapping[str, Decision]]) -> dict[str, frozenset[str]]:
    """Return the traits bound to the trigger of each concept: as the settings say, and as was decided."""
    bound = dict(captions.bound)
    for name, tags in decided.items():
        bound[name] = bound.get(name, frozenset()) | {tag for tag, each in tags.items() if each == "bind"}
    return bound


def _lint_rules(captions: CaptionSettings, decided: Mapping[str, Mapping[str, Decision]]) -> LintRules:
    kept = {name: frozenset(tag for tag, each in tags.items() if each == "keep") for name, tags in decided.items()}
    return LintRules(captions.profile, captions.rules.vocabulary, flexible=kept)


@dataclass(frozen=True, slots=True)
class Combination:
    """A dataset of several concepts, what speaks against it, and what an epoch shows of each."""

    dataset: Dataset
    problems: tuple[Problem, ...]
    shares: tuple[Share, ...]

    @property
    def sentences(self) -> list[str]:
        """What an epoch shows of each concept, a line each."""
        return [
            f"{each.concept}: {counted(each.images, 'image')} × {counted(each.repeats, 'repeat')},"
            f" {each.share:.0%} of training"
            for each in self.shares
        ]


def combine(
    store: Store, datasets_: Sequence[Dataset], name: str, repeats: int, *, balanced: bool = True
) -> Combination:
    """Teach what several captioned datasets teach in one, and save it as a draft; see `concepts.combine`.

    ``repeats`` are those of the concept with the most images where it is ``balanced``, else of all.

    Raises:
        CaptionError: they cannot be distinguished.
        SettingsError: the name is empty, or one of the datasets has it.
    """
    if not name.strip() or name in {each.name for each in datasets_}:
        raise SettingsError(f"The combined dataset cannot be called {name!r}: give it a name of its own.")
    combined = concepts.combine(datasets_, uuid4(), name)  # before there is a dataset: it may not work out
    with store.connection() as connection:
        dataset_id = datasets.ensure_dataset(connection, name, datasets_[0].library if datasets_ else "", store.owner)
        fixed = kept_captions.fixed_captions(connection, dataset_id)
        rejected = rejected_images(connection, dataset_id)
    dataset = _with_edits(dataclasses.replace(combined.dataset, id=dataset_id), fixed)
    left_behind = edits_left_behind(store, dataset)
    if balanced:
        dataset = concepts.balance(dataset, repeats)
    with store.connection() as connection:
        datasets.save_draft(connection, dataset, store.owner)
    flowing = without_rejected(dataset, rejected)
    problems = (*left_behind, *_rejection(len(dataset.images) - len(flowing.images)), *combined.problems)
    return Combination(flowing, problems, concepts.shares(flowing, repeats))


def _with_edits(dataset: Dataset, fixed: Mapping[ImageKey, Caption]) -> Dataset:
    """Return a dataset with the captions that people wrote for it."""
    training, others = (
        tuple(dataclasses.replace(image, caption=fixed.get(image.key, image.caption)) for image in images)
        for images in (dataset.training, dataset.regularization)
    )
    return dataclasses.replace(dataset, training=training, regularization=others)


def _tags(store: Store, settings: Settings, images: Sequence[DatasetImage]) -> dict[tuple[str, int], Sequence[Tag]]:
    """Return the tags of images of any libraries, by library and image id."""
    found: dict[tuple[str, int], Sequence[Tag]] = {}
    for name in {image.record.library for image in images}:
        library = open_library(store, settings, name)
        of_library = [image.record for image in images if image.record.library == name]
        found |= {(name, image_id): tags for image_id, tags in tags_of(store, library, of_library).items()}
    return found


def edits_mark(store: Store) -> str:
    """Return a text that changes whenever a caption was edited in any dataset."""
    with store.connection() as connection:
        return str(kept_captions.count_edits(connection))
