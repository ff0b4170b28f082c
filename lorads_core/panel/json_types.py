"""JSON types of the panel's API: what its routes answer, and what the page's events hold.

``web/panel/types.d.ts`` is rendered from this module by ``python -m tests.panel_types``; tests compare the two, and
every answer with its type in `api_spec.TABLE`. Times are ISO 8601 with a zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from ..captions.operation_table import FieldKind
from ..model import Position, RunState, Severity  # noqa: TC001 - the types are resolved at run time
from ..training_fields import Kind as OptionKind  # noqa: TC001

JobState = Literal["waiting", "running", "done", "failed"]
ImageSet = Literal["training", "regularization"]
Certainty = Literal["certain", "possible", "generated", "excluded"]
Where = Literal["comfyui", "page"]

if TYPE_CHECKING:
    OperationName = str
else:
    from ..captions.operation_table import OPERATIONS

    # The page's types name each operation, so that its type checker finds a misspelled one.
    OperationName = Literal[tuple(OPERATIONS)]


class Named(TypedDict):
    """A choice: its value, and how it is shown."""

    name: str
    label: str


class OperationField(TypedDict):
    """An argument of a bulk operation. Without a default (null) it must be filled in."""

    name: str
    label: str
    kind: FieldKind
    hint: str
    default: str | bool | None
    choices: list[Named]


class Operation(TypedDict):
    """A bulk operation, as the dialog offers it."""

    name: OperationName
    label: str
    fields: list[OperationField]


class Profile(Named):
    """A profile of an installed trainer that the panel may launch."""

    trainer: str


class Session(TypedDict):
    """The session: token, permissions, and the choices of the page."""

    token: str
    version: str
    where: Where
    command: str
    can_export: bool
    can_launch: bool
    base_models: list[Named]
    networks: list[Named]
    trainers: list[Named]
    trainer_profiles: list[Profile]
    sources: list[Named]
    libraries: list[str]
    operations: list[Operation]


class DatasetSummary(TypedDict):
    """A dataset in the list of datasets; the name of another person's is ``owner/name``."""

    id: str
    name: str
    library: str
    training: int
    regularization: int
    rejected: int
    edited: int
    updated_at: str


class Trigger(TypedDict):
    """A trigger word, and where it stands in a caption."""

    word: str
    position: Position


class Concept(TypedDict):
    """One of several concepts of a dataset, with a trigger of its own."""

    name: str
    trigger: Trigger
    repeats: int


class DatasetFacts(TypedDict):
    """A dataset. ``config`` changes with an export with another training config; ``problems`` are missing images.

    ``token_limit`` is the number of tokens after which lint warns and a training cuts a caption.
    """

    id: str
    name: str
    library: str
    trigger: Trigger
    concepts: list[Concept]
    base_model: str
    token_limit: int
    training: int
    regularization: int
    rejected: int
    revision: str
    config: str
    can_undo: str | None
    can_redo: str | None
    problems: list[str]


class RowProblem(TypedDict):
    """A problem of one caption."""

    code: str
    severity: Severity


class Row(TypedDict):
    """An image of a dataset; ``file`` is its name without the folder. Rows are immutable: a new one replaces it."""

    key: str
    set: ImageSet
    concept: str
    file: str
    width: int
    height: int
    rating: int | None
    bad: bool
    reason: str
    text: str | None
    source: str
    edited: bool
    fixed: bool
    tokens: int
    rejected: bool
    problems: list[RowProblem]


class RowPage(TypedDict):
    """A page of a dataset's rows."""

    total: int
    revision: str
    rows: list[Row]


class SourceTag(TypedDict):
    """A tag of an image, and what it comes from."""

    text: str
    source: str
    confidence: float | None


class OfferedCaption(TypedDict):
    """The caption that a source has for an image."""

    source: str
    text: str


class Size(TypedDict):
    """A size in pixels."""

    width: int
    height: int


class PastEdit(TypedDict):
    """An edit of an image's caption in its history; ``by`` and ``undone_by`` are empty where that is not known."""

    label: str
    at: str
    by: str
    undone: bool
    undone_by: str
    before: str | None
    after: str | None


class PromptPart(TypedDict):
    """A stretch of a prompt without markup, and how sure it is that the image shows it."""

    text: str
    certainty: Certainty


class RowDetails(Row):
    """An image with all that is known of it; ``history`` has the newest edit first.

    ``prompt_parts`` are in the order of the prompt, those that a graph may have used besides at the end.
    """

    prompt: str
    prompt_parts: list[PromptPart]
    tags: list[SourceTag]
    offered: list[OfferedCaption]
    bucket: Size | None
    history: list[PastEdit]


class Fix(TypedDict):
    """The fix of a problem in one caption: its text afterwards."""

    label: str
    text: str


class Problem(TypedDict):
    """A problem of a dataset, or of the image with this key."""

    severity: Severity
    code: str
    message: str
    key: str | None
    fix: Fix | None


class TagCount(TypedDict):
    """How many captions have a tag."""

    tag: str
    training: int
    regularization: int


class Completion(TypedDict):
    """A tag that completes what was typed; ``count`` is the number of captions of the open datasets that have it."""

    tag: str
    alias: str
    count: int


class BucketCount(Size):
    """A bucket and its images, with repeats."""

    count: int


class Summary(TypedDict):
    """What an export would be; the steps are null if the trainer refuses the config."""

    training: int
    regularization: int
    rejected: int
    buckets: list[BucketCount]
    dropped: int
    upscaled: int
    steps_per_epoch: int | None
    total_steps: int | None
    seconds: float | None
    problems: list[Problem]
    checkpoints: list[str]


OptionValue = str | float | bool | list[str] | None
"""The value of a training option; null is one that is not set. Extra options are lines, ``key = value`` in TOML."""


class TrainingOption(TypedDict):
    """A training option. It counts for its ``families`` while other options have one of ``values``, as text.

    ``own`` is a user's own, which no preset changes; a file is named as the dataset's options offer it.
    """

    name: str
    label: str
    kind: OptionKind
    group: str
    help: str
    unit: str
    choices: list[Named]
    families: list[str]
    values: dict[str, list[str]]
    own: bool


class TrainingPreset(TypedDict):
    """A preset: values of all options that are not a user's own, and where they come from."""

    name: str
    families: list[str]
    source: str
    values: dict[str, OptionValue]


class TrainingTable(TypedDict):
    """The table of training options in the order of its groups; ``families`` are those of the base models."""

    options: list[TrainingOption]
    families: dict[str, str]
    presets: list[TrainingPreset]


class Writing(TypedDict):
    """How an export is written; ``images`` is ``copy``, ``link`` or a policy."""

    images: str
    first_frame: bool
    keep_alpha: bool
    strip: bool


class DatasetOptions(TypedDict):
    """The training options that a dataset was last exported with, and how; ``config`` is that of its facts.

    ``files`` are the names that each option that is a file offers.
    """

    config: str
    values: dict[str, OptionValue]
    writing: Writing
    files: dict[str, list[str]]


class CheckpointProblem(TypedDict):
    """What speaks against training a checkpoint as one of the base model."""

    severity: Severity
    message: str


class CheckpointFacts(TypedDict):
    """The base model that is taken for a checkpoint: null where its file does not tell, a guess if others fit, too."""

    base_model: str | None
    is_guess: bool
    message: str
    problems: list[CheckpointProblem]


class OptionFault(TypedDict):
    """Why an option is refused; ``name`` is "" where several of them together are."""

    name: str
    message: str


class OptionsCheck(TypedDict):
    """What a trainer makes of training options.

    ``used`` is what is used where an option is not set, ``lacks`` what is done instead of one that the trainer has not.
    """

    used: dict[str, str]
    lacks: dict[str, str]
    faults: list[OptionFault]


class Change(TypedDict):
    """A change of one caption; null is an image without one."""

    key: str
    before: str | None
    after: str | None


class WriteResult(TypedDict):
    """The result of a write, with the rows that changed; ``was`` is the revision before it."""

    revision: str
    was: str
    label: str
    can_undo: str | None
    can_redo: str | None
    rows: list[Row]


class Preview(TypedDict):
    """What a bulk operation would do: its first changes, and how many captions stay because they would be empty."""

    count: int
    label: str
    emptied: int
    examples: list[Change]


class Run(TypedDict):
    """A training run; ``eta`` is in seconds. Before it trains, ``stage`` has done ``cached`` images of ``to_cache``."""

    id: str
    name: str
    dataset: str | None
    trainer: str
    profile: str
    state: RunState
    step: int
    total_steps: int
    stage: str
    cached: int
    to_cache: int
    epoch: int
    loss: float | None
    seconds_a_step: float | None
    eta: float | None
    message: str
    started_at: str | None
    ended_at: str | None
    manifest_hash: str


class RunDetails(Run):
    """A run with its files; ``history`` has step, loss and learning rate."""

    history: list[tuple[int, float, float | None]]
    log: str
    samples: list[str]
    loras: list[str]


class ExportOutcome(TypedDict):
    """The result of an export; ``summary`` has names and values."""

    folder: str
    manifest_hash: str
    summary: list[tuple[str, str]]
    problems: list[Problem]


class TrainingOutcome(TypedDict):
    """The result of starting a training."""

    run: str
    manifest_hash: str


class DuplicateImage(TypedDict):
    """A near-duplicate of the best image of its group; ``identical`` where both are the same file, byte for byte."""

    key: str
    identical: bool


class DuplicateGroup(TypedDict):
    """Images that are nearly the same, the best of them, and the others from the next best on."""

    best: str
    duplicates: list[DuplicateImage]


class DuplicatesOutcome(TypedDict):
    """The near-duplicates of a dataset; ``problems`` are images that could not be compared."""

    groups: list[DuplicateGroup]
    problems: list[Problem]


class JobStarted(TypedDict):
    """The id of a job that was started."""

    job: str


class JobStatus(TypedDict):
    """How far a job has come."""

    state: JobState
    step: str
    done: int
    total: int
    message: str


JobResult = ExportOutcome | TrainingOutcome | DuplicatesOutcome | Run | None


class Job(JobStatus):
    """A job, with its result when it is done."""

    result: JobResult


class EditedEvent(TypedDict):
    """A dataset was edited. ``config`` is there at first, and where it was changed other than by this server."""

    kind: Literal["edited"]
    revision: str
    config: str | None


class DatasetsEvent(TypedDict):
    """The names of the datasets in the list."""

    kind: Literal["datasets"]
    names: list[str]


class RunEvent(TypedDict):
    """A run has changed."""

    kind: Literal["run"]
    run: Run


class JobEvent(JobStatus):
    """A job has changed."""

    kind: Literal["job"]
    job: str


PanelEvent = EditedEvent | DatasetsEvent | RunEvent | JobEvent


class ErrorDetails(TypedDict):
    """A stable code, and a message for the user."""

    code: str
    message: str


class ErrorResponse(TypedDict):
    """Any answer with a status of 400 or more."""

    error: ErrorDetails


class Conflict(TypedDict):
    """A caption that is not what the edit says it was: the present text, and its source."""

    key: str
    theirs: str | None
    source: str


class ConflictResponse(ErrorResponse):
    """The answer to an edit of captions that have changed meanwhile (409)."""

    conflicts: list[Conflict]
