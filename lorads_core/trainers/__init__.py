"""What a trainer is to LoRADS: one module each, found by a scan of this folder; none is started from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import TrainerError
from ..plugins import plugins

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from ..buckets import Placement, Size
    from ..model import Problem, TrainingConfig

Rest = Literal["empty", "repeated", "dropped"]
StageName = Literal["cache latents", "cache text encoder outputs", "train"]
CACHE = "cache"
"""The folder of an export for what a trainer caches of it; the export's next version begins without it."""
LOGS = "logs"
"""The folder of a training's output for TensorBoard logs."""


@dataclass(frozen=True, slots=True)
class Subset:
    """One folder of an export: ``sizes`` are the images' sizes in pixels, in the order of their file names.

    ``trigger`` is the word of the concept that it teaches, empty for regularization images and where there is none.
    """

    folder: str
    repeats: int
    is_regularization: bool
    sizes: tuple[Size, ...]
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the trainer will do with the subsets: its buckets with their images (repeats counted), and its steps.

    ``regularization_used`` is how many of the regularization images are trained on at all, ``dropped`` how many
    samples (images with their repeats) of an epoch are not, as they fill no batch. ``unused`` are the places of the
    images that are never trained on, in the order of subsets and files. A ``full_batch`` is the number of samples of
    one bucket; ``rest`` says what becomes of those that fill none: a batch with ``empty`` places, one filled up with
    images already shown (``repeated``), or they are ``dropped``. Where subsets are batched ``apart``, a bucket of one
    shares no batch with that of another.
    """

    buckets: tuple[tuple[Size, int], ...]
    epochs: int
    steps_per_epoch: int
    total_steps: int
    regularization_used: int
    dropped: int = 0
    unused: tuple[int, ...] = ()
    full_batch: int = 1
    rest: Rest = "empty"
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """What a line of a trainer's output says of the training; None where it does not say.

    ``step`` counts steps of the whole training from 1, ``epoch`` epochs from 1; ``rate`` is in steps a second. A
    trainer that counts the batches of each epoch from 1 says ``batch`` of ``batches`` instead of ``step``.
    """

    step: int | None = None
    total_steps: int | None = None
    epoch: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    rate: float | None = None
    batch: int | None = None
    batches: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the programs of a training, which run one after the other; the last one is the training itself.

    ``arguments`` of the trainer's Python start it, in the trainer's own folder. One that caches leaves a file for each
    image below `CACHE`, in a folder for each subset; the names of these files end in ``suffix``, and it makes only
    those that are not there yet.
    """

    name: StageName
    arguments: tuple[str, ...]
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a stopped training resumes from: the state ``path`` after ``steps`` and ``epochs`` that are done.

    To resume, ``arguments`` are appended to the command, and ``keys`` are set in the config file ``file``. A trainer
    that counts steps or epochs from 0 again then has them in ``uncounted_steps`` and ``uncounted_epochs``.
    ``unfinished`` are half-written states, to be removed before, which the trainer itself would take for newer ones.
    ``checkpoints`` are all LoRA files of the resumed training, as of `Trainer.checkpoints`, where those that are still
    to be saved get names of their own; empty where it saves as if it had never been stopped.
    """

    path: Path
    steps: int
    epochs: int
    arguments: tuple[str, ...] = ()
    file: str = ""
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    uncounted_steps: int = 0
    uncounted_epochs: int = 0
    unfinished: tuple[Path, ...] = ()
    checkpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InitialLora:
    """Which LoRAs a training can start from: those of whose denoiser keys one begins with one of ``keys``.

    Others a trainer would pass over in silence, and begin from nothing. ``drops_text`` says whether it leaves out what
    a LoRA does to text encoders, where these are not trained.
    """

    keys: tuple[str, ...]
    drops_text: bool = False


class Trainer(Protocol):
    """A program that trains a LoRA from what `export` writes."""

    @property
    def name(self) -> str:
        """What widgets, settings and the command line call it."""
        ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    @property
    def families(self) -> Collection[str]:
        """The names of the model families that it trains; all others are refused."""
        ...

    @property
    def adapters(self) -> Collection[str]:
        """The families of which it trains distilled models too, with an adapter (`BaseModel.adapter`)."""
        ...

    @property
    def edits(self) -> Collection[str]:
        """The families of which it trains edit models too, on single images (`BaseModel.edits`)."""
        ...

    @property
    def downloads(self) -> bool:
        """Whether it trains `BaseModel.usual_checkpoint` where no checkpoint is chosen."""
        ...

    @property
    def networks(self) -> Collection[str]:
        """The names of the networks that it trains; all others are refused."""
        ...

    @property
    def same(self) -> Mapping[str, str]:
        """Networks that it trains just as another one, name to name."""
        ...

    @property
    def install_files(self) -> tuple[str, ...]:
        """Files by which its folder is recognised, relative to it; none where it is not started from here."""
        ...

    def problems(self, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None) -> list[Problem]:
        """Return all that the trainer would refuse, ignore or do badly; an error means: do not write this.

        ``home`` is the folder where the trainer is installed, None where that is not known: then the newest version
        that we know is assumed.
        """
        ...

    def lacks(self, config: TrainingConfig) -> Mapping[str, str]:
        """Return the options that the trainer has not, each with what is done instead; empty for a refused config."""
        ...

    def schedule(self, config: TrainingConfig, subsets: Sequence[Subset]) -> Schedule:
        """Return the buckets and steps that the trainer will make of it."""
        ...

    def placements(self, config: TrainingConfig, subsets: Sequence[Subset]) -> list[Placement]:
        """Return where the trainer puts each image, in the order of subsets and file names."""
        ...

    def files(
        self,
        config: TrainingConfig,
        subsets: Sequence[Subset],
        folder: Path,
        output: Path,
        name: str,
        home: Path | None = None,
    ) -> Mapping[str, str]:
        """Return the trainer's config files, name to text, for a dataset that will lie in ``folder``.

        Trained files shall go to ``output`` under ``name``; ``home`` as for `problems`.
        """
        ...

    def caption(self, text: str, head: int, config: TrainingConfig) -> str:
        """Return a line of an image's caption file; there are several only where they are variants.

        The first ``head`` parts between commas (trigger, counts of people, characters) are to stay in front where the
        trainer shuffles tags.
        """
        ...

    def mask(self, folder: str, stem: str) -> str:
        """Return the mask's file of the image ``stem`` in a subset's ``folder``, relative to the export.

        White is trained on; empty where the trainer reads no masks from files.
        """
        ...

    def stages(self, config: TrainingConfig, folder: Path, accelerate: Sequence[str] = ()) -> tuple[Stage, ...]:
        """Return the programs of the training, for config files in ``folder``; most trainers have just one.

        None at all mean that it is not started from here; ``config`` is one that the trainer does not refuse.
        ``accelerate`` are more options for ``accelerate launch``, such as those of several machines.

        Raises:
            TrainerError: the trainer is not started by accelerate, and there are options for it.
        """
        ...

    def reports(self, output: Path) -> Path | None:
        """Return the file of its own into which the trainer writes lines for `tick`, None where it only prints them."""
        ...

    def tick(self, line: str) -> Tick | None:
        r"""Return what a line of the trainer's output says of its progress, None where it says nothing of it.

        Lines end in ``\n`` or ``\r``, as progress bars write them; colours are taken out before.
        """
        ...

    def checkpoints(self, config: TrainingConfig, schedule: Schedule, name: str) -> tuple[str, ...]:
        """Return the LoRA files that the training writes into its output folder, in that order, the final one last.

        A ``*`` in a name is what only the training knows, such as the time.
        """
        ...

    def saved_state(self, config: TrainingConfig, output: Path, name: str, steps_per_epoch: int) -> SavedState | None:
        """Return the newest whole state that a training saved in its ``output``, None where there is none.

        ``config`` and ``name`` are those of the export, as for `files`.

        Raises:
            OSError: the folder cannot be read.
        """
        ...

    def initial_lora(self, config: TrainingConfig) -> InitialLora:
        """Return which LoRAs a training of this config can start from (`TrainingConfig.initial_lora`)."""
        ...


@cache
def trainers() -> dict[str, Trainer]:
    """Return every trainer by name."""
    found: list[Trainer] = plugins(__name__, __path__, "TRAINER")
    return {trainer.name: trainer for trainer in found}


def trainer(name: str) -> Trainer:
    """Return the trainer called ``name``.

    Raises:
        TrainerError: there is none; the message names those there are.
    """
    known = trainers()
    if name not in known:
        raise TrainerError(f"There is no trainer {name!r}; known are: {', '.join(known)}.")
    return known[name]
