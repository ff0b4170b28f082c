"""The nouns of LoRADS as frozen values; nothing here reads a file or a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    import os
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

Severity = Literal["error", "warning", "info"]
Position = Literal["prepend", "append", "none"]
Order = Literal["path", "newest", "oldest", "rating", "largest", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
MARKS: dict[str, bool | None] = {"any": None, "only": True, "leave-out": False}
"""How a filter by a mark, such as NSFW, is chosen on the command line and in nodes."""
GroupKind = Literal["cluster", "album"]
Decision = Literal["bind", "keep"]
"""On an inborn trait: bind it to the trigger, or keep it flexible."""
MaskedLoss = Literal["none", "alpha", "sidecar"]
"""Where a training image's mask is: nowhere, in its alpha channel, or in a file of its own."""
RegularizationMethod = Literal["prior", "preservation"]
"""What regularization images are for: to be learned beside the training images, or (differential output preservation)
to be drawn by the LoRA as the base model alone draws them."""

RunState = Literal["starting", "running", "completed", "failed", "cancelled", "lost"]
"""``lost`` is a training of which nobody saw the end."""

ImageKey = tuple[str, int]
"""Library and image id."""

Progress = Callable[[str, int, int], None]
"""``progress(step, done, total)``, called from the thread that called us. Whatever it raises cancels the work:
the work stops, cleans up, and the exception passes on to the caller."""


def no_progress(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a user should know about: ``code`` is stable, ``message`` says what to do, ``subject`` names a file.

    ``image`` is the image that it is about, and ``fix`` how to fix it, where one is known.
    """

    severity: Severity
    code: str
    message: str
    subject: str = ""
    image: ImageKey | None = None
    fix: Edit | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as its source gave it; ``confidence`` is 0–1, or None where the source knows none."""

    text: str
    source: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and where it came from; ``edited`` means a person wrote it and nothing may overwrite it unasked.

    ``fixed`` means that an edit, of one caption or of many, has set it: it is not rebuilt from its source.
    """

    text: str
    source: str
    edited: bool = False
    updated_at: datetime | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit does to one caption; None is an image without one."""

    image: ImageKey
    before: Caption | None
    after: Caption | None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of captions as a value: ``label`` says what it does; it can be previewed, applied, stored and undone."""

    label: str
    changes: tuple[Change, ...]

    @property
    def inverse(self) -> Edit:
        """The edit that takes this one back."""
        return Edit(self.label, tuple(Change(each.image, each.after, each.before) for each in self.changes))


_FARTHEST_NS = 2**63 - 1  # nanoseconds in a bigint: 292 years around 1970; file systems hold later dates


class FileStamp(NamedTuple):
    """Size in bytes and time of the last change of a file: another pair means that the file has changed since."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileStamp:
        """Return the stamp of a file by its ``stat``; a date beyond what the store holds becomes the nearest one."""
        return cls(found.st_size, max(-_FARTHEST_NS, min(found.st_mtime_ns, _FARTHEST_NS)))

    def __str__(self) -> str:
        """Return both numbers, for marks of several files."""
        return f"{self.size} {self.mtime_ns}"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image as a library knows it; ``width`` and ``height`` are pixels of the upright image.

    ``rating`` is 0–10 or None. ``hash`` is the SHA-256 of the file in hex, empty where the library knows none.
    ``ready`` says whether trainers read the file right as it stands (None: not looked at yet). A ``width`` and
    ``height`` of 0 and a ``mtime_ns`` of 0 mean that the library does not know the file itself, only of it.
    ``aesthetic`` is a model's score, on a scale of its own; images with the same ``metadata_hash`` were generated with
    the same settings; ``base_id`` is the image that this one was made from. ``frames`` over 1: animated,
    or pages (1 where unknown). ``mask`` is the path of its mask, empty where that lies beside it or there is none.
    ``prompt`` is written in the dialect ``prompt_source`` (empty: unknown);
    ``prompt_uncertain`` are lines of what a graph may have used besides.
    """

    library: str
    id: int
    path: str
    width: int
    height: int
    file_size: int
    mtime_ns: int
    hash: str
    format: str
    rating: int | None = None
    marked_bad: bool = False
    ready: bool | None = None
    prompt: str = ""
    prompt_source: str = ""
    prompt_uncertain: str = ""
    aesthetic: float | None = None
    metadata_hash: str = ""
    base_id: int | None = None
    frames: int = 1
    mask: str = ""
    captions: tuple[Caption, ...] = ()

    @property
    def stamp(self) -> FileStamp:
        """The stamp of the file that it was made of."""
        return FileStamp(self.file_size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of images of a library, such as a person's cluster or an album."""

    kind: GroupKind
    name: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """The word that calls the concept, and where it stands in a training caption."""

    word: str = ""
    position: Position = "prepend"


@dataclass(frozen=True, slots=True)
class Concept:
    """One of several things that a dataset teaches, with a trigger of its own.

    ``repeats`` is how often an epoch shows each of its images; 0 means: as often as the training config says.
    """

    name: str
    trigger: Trigger = field(default_factory=Trigger)
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class DatasetImage:
    """An image in a dataset, with its final caption (None until captioned), and why it was picked, where it was.

    ``concept`` is the name of the concept that it teaches, empty in a dataset of one.
    """

    record: ImageRecord
    caption: Caption | None = None
    reason: str = ""
    concept: str = ""

    @property
    def key(self) -> ImageKey:
        """What tells it from all other images."""
        return self.record.library, self.record.id


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is to be trained: images in order, regularization images, the trigger. Nodes return new ones.

    A dataset of several concepts has them in ``concepts``, each with a trigger; its own ``trigger`` is empty then.
    """

    id: UUID
    name: str
    library: str
    training: tuple[DatasetImage, ...] = ()
    regularization: tuple[DatasetImage, ...] = ()
    trigger: Trigger = field(default_factory=Trigger)
    concepts: tuple[Concept, ...] = ()

    @property
    def images(self) -> tuple[DatasetImage, ...]:
        """All images: those to train on, then the regularization images."""
        return *self.training, *self.regularization

    def trigger_of(self, image: DatasetImage) -> Trigger:
        """Return the trigger of a training image's concept."""
        return next((concept.trigger for concept in self.concepts if concept.name == image.concept), self.trigger)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train, in the field's words and apart from any trainer.

    ``checkpoint`` is the base model's file as the trainer's machine sees it, empty while it is not chosen;
    ``model_files`` are those that its family needs besides, by part (`base_models.Family.files`), without empty ones.
    A 0 stands for the default, see `trainers.checks`:
    ``resolution`` (the base model's own), ``max_bucket_side`` (twice that), ``conv_dim`` and ``conv_alpha`` (as the
    network's), ``max_token_length`` (the longest), ``lokr_factor`` (chosen
    for each layer). None leaves it to the trainer or the base model: ``weight_decay``,
    ``fp8_base`` (the base model's weights in 8 bits), ``cache_text_encoder_outputs`` (wherever it is allowed).
    ``blocks_to_swap`` of the base model's blocks wait in RAM until they are needed; ``layer_offload`` and
    ``text_encoder_offload`` say the same as shares of the layers, 0–1, and ``activation_offload`` of what gradient
    checkpointing keeps of a step. ``base_precision`` and ``text_encoder_precision`` are how weights are held, of
    `training_fields.WEIGHT_PRECISIONS`. None leaves to the trainer: ``cache_to_disk`` (where caches lie) and
    ``loader_workers`` (the processes that load images).

    ``warmup`` is a share of all steps. A ``text_encoder_learning_rate`` of 0 leaves the text encoders alone.
    ``steps`` are the steps that epochs and repeats are to make where they are automatic, 0 for their usual number.
    ``timestep_shift`` moves timesteps to more noise where ``timestep_sampling`` is shift. ``loss_type`` mse is the
    squared error; ``huber_delta`` is where huber and smooth_l1 become linear. ``ema_decay`` is that of the average of
    the weights that is saved in their place; it, ``debiased_estimation``, ``lora_plus_ratio`` and the three dropouts of
    the network are off at 0. ``layer_filter`` are parts of layers' names as the trainer has them, separated by commas;
    of others nothing is trained. ``optimizer_args`` are arguments of the optimizer by name (`trainers.optimizer_args`).
    ``tag_dropout`` is the share of a caption's tags that is left out each time. ``clip_skip`` 1 takes the text
    encoder's last layer, 2 the one before. Samples have the trainer's usual steps and guidance where these are 0.
    ``repeats`` counts for training images, ``regularization_repeats`` for the others. ``min_snr_gamma`` and
    ``noise_offset`` are off at 0; the dropouts are shares, 0–1. ``caption_variants`` takes one line of a caption at
    random each time, where it has several. ``processes`` is the number of those that train together, one per GPU.

    ``initial_lora`` is the file of a LoRA that the training starts from, empty for a new one.
    ``extra`` are the trainer's own options, passed through unchecked (`trainers.extra`).
    ``automatic`` names the fields that nobody set: their values follow others, see `trainers.defaults`.
    """

    base_model: str = "sdxl"
    checkpoint: str = ""
    model_files: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    v_prediction: bool = False
    network: str = "lora"
    network_dim: int = 16
    network_alpha: float = 8.0
    conv_dim: int = 0
    conv_alpha: float = 0.0
    network_dropout: float = 0.0
    lokr_factor: int = 0
    lokr_full_rank: bool = False
    resolution: int = 0
    batch_size: int = 2
    gradient_accumulation_steps: int = 1
    processes: int = 1
    epochs: int = 10
    repeats: int = 10
    regularization_repeats: int = 1
    regularization_method: RegularizationMethod = "prior"
    prior_loss_weight: float = 1.0
    learning_rate: float = 1e-4
    text_encoder_learning_rate: float = 0.0
    scheduler: str = "cosine"
    warmup: float = 0.05
    optimizer: str = "AdamW8bit"
    weight_decay: float | None = None
    mixed_precision: str = "bf16"
    fp8_base: bool | None = None
    blocks_to_swap: int = 0
    layer_offload: float = 0.0
    text_encoder_offload: float = 0.0
    activation_offload: bool = False
    base_precision: str = "usual"
    text_encoder_precision: str = "usual"
    fused_backward: bool = False
    compile: bool = False
    cache_to_disk: bool | None = None
    loader_workers: int | None = None
    gradient_checkpointing: bool = True
    cache_latents: bool = True
    cache_text_encoder_outputs: bool | None = None
    max_token_length: int = 0
    shuffle_caption: bool = False
    keep_tokens: int = 1
    caption_dropout: float = 0.0
    caption_variants: bool = False
    flip_aug: bool = False
    color_aug: bool = False
    random_crop: bool = False
    masked_loss: MaskedLoss = "none"
    min_snr_gamma: float = 0.0
    noise_offset: float = 0.0
    max_bucket_side: int = 0
    bucket_step: int = 64
    bucket_no_upscale: bool = False
    sample_prompts: tuple[str, ...] = ()
    sample_every_epochs: int = 1
    save_every_epochs: int = 1
    save_state: bool = True
    initial_lora: str = ""
    seed: int = 42
    steps: int = 0
    loss_type: str = "mse"
    huber_delta: float = 0.1
    ema_decay: float = 0.0
    timestep_sampling: str = "default"
    timestep_shift: float = 3.0
    debiased_estimation: bool = False
    rank_dropout: float = 0.0
    module_dropout: float = 0.0
    lora_plus_ratio: float = 0.0
    layer_filter: str = ""
    optimizer_args: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    tag_dropout: float = 0.0
    clip_skip: int = 1
    sample_steps: int = 0
    sample_guidance: float = 0.0
    tensorboard: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    automatic: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Return a config that was stored as JSON by this version or an older one; unknown keys are passed over.

        Until 2026-11 the model files were fields of their own, as three keys beside the others.
        """
        found = {each.name: values[each.name] for each in fields(cls) if each.name in values}
        found["sample_prompts"] = tuple(values.get("sample_prompts", ()))
        found["automatic"] = tuple(values.get("automatic", ()))
        once = {part: values[part] for part in _ONCE_FIELDS if values.get(part)}
        found["model_files"] = {**once, **values.get("model_files", {})}
        return cls(**found)


_ONCE_FIELDS = ("clip_l", "t5xxl", "ae")


@dataclass(frozen=True, slots=True)
class Export:
    """A dataset on disk, whole: ``manifest_hash`` is the SHA-256 of its manifest and names this version."""

    dataset_id: UUID
    name: str
    folder: Path
    manifest_hash: str
    training_images: int
    regularization_images: int
    problems: tuple[Problem, ...] = ()


_MIB_PER_GB = 1024  # as cards are sold


def memory_text(mebibytes: int, *, of_card: bool) -> str:
    """Return graphics memory as people say it; ``of_card`` is all that the card held."""
    return f"{mebibytes / _MIB_PER_GB:.1f} GB{' (with what the card held for other programs)' if of_card else ''}"


@dataclass(frozen=True, slots=True)
class Run:
    """One training of one export. ``folder`` holds its log and history; trained files lie in ``output``.

    ``loras`` are the LoRA files that are there, by name in ``output``, in order, the final one last. ``message`` says
    why it failed, or what else is to be known. ``host`` is the machine that it was started on. ``stage`` is the one
    before the training that runs or was the last to run, empty where it trains; of it, ``cached`` images of
    ``to_cache`` are done. ``peak_memory`` is the most graphics memory that it held, in MiB, 0 where that is not known;
    with ``peak_of_card`` it is what the card held for all programs together.
    """

    id: UUID
    name: str
    trainer: str
    profile: str
    manifest_hash: str
    dataset_id: UUID | None
    folder: Path
    output: Path
    state: RunState
    message: str = ""
    loras: tuple[str, ...] = ()
    step: int = 0
    total_steps: int = 0
    epoch: int = 0
    loss: float | None = None
    seconds_a_step: float | None = None
    exit_code: int | None = None
    host: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stage: str = ""
    cached: int = 0
    to_cache: int = 0
    peak_memory: int = 0
    peak_of_card: bool = False

    @property
    def progress(self) -> str:
        """How far it is: in steps, or before the training in images that are cached."""
        if self.stage:
            return f"{self.stage}: {self.cached:,} of {self.to_cache:,} images"
        return f"step {self.step:,} of {self.total_steps:,}"

    @property
    def graphics_memory(self) -> str:
        """How much graphics memory it held at most; empty where that is not known."""
        return memory_text(self.peak_memory, of_card=self.peak_of_card) if self.peak_memory else ""

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in {"starting", "running"}

    @property
    def state_clause(self) -> str:
        """How it stands or ended, to follow its name in a sentence: ``was cancelled``."""
        return {"failed": "has failed", "cancelled": "was cancelled"}.get(self.state, f"is {self.state}")

    @property
    def sentence(self) -> str:
        """How it stands or ended, and its message, in whole sentences."""
        message = self.message.strip()
        end = "." if message and message[-1] not in ".!?" else ""
        return f"The training of {self.name} {self.state_clause}. {message}{end}".strip()

    @property
    def seconds_left(self) -> float | None:
        """How long it will go on, by its own speed; None where that is not known yet."""
        if self.is_over or not self.seconds_a_step or not self.total_steps:
            return None
        return self.seconds_a_step * (self.total_steps - self.step)
