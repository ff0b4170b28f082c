"""The training options, one row per field of `TrainingConfig`: type, range, default, unit, help, and when it counts.

The node's inputs, the command line's options, range checks, presets, docs/training-options.md and the contract tests of
trainers read this table. The order of rows is that of the node's inputs: ComfyUI stores a workflow's values by
position, so that a new row goes to the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from .base_models import FAMILIES, Family, base_model_names, checkpoint_folders, model_parts
from .model import MaskedLoss, RegularizationMethod, TrainingConfig
from .networks import network_names, networks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .base_models import ModelFile

Kind = Literal["whole", "number", "flag", "switch", "choice", "text", "lines", "file", "toml"]
"""The type of a value: ``switch`` is a flag that may be left to the trainer, ``lines`` several texts, one per line."""

OPTIMIZERS = (
    "AdamW8bit", "AdamW", "AdaFactor", "Prodigy", "Lion", "Lion8bit", "PagedAdamW8bit", "PagedAdamW", "PagedLion8bit",
    "DAdaptAdam", "DAdaptLion", "SGDNesterov", "SGDNesterov8bit",
)  # fmt: skip
SCHEDULERS = ("cosine", "constant", "constant_with_warmup", "linear", "cosine_with_restarts", "polynomial", "rex")
PRECISIONS = ("bf16", "fp16", "no")
"""Offered by name, as sd-scripts calls them; each trainer says itself which of them it lacks."""

LOSSES = ("mse", "l1", "huber", "smooth_l1")
TIMESTEPS = ("default", "uniform", "sigmoid", "shift")
"""How noisy the images of a step are drawn; each trainer has its own names for it."""

WEIGHT_PRECISIONS = (
    "usual", "16-bit", "fp8", "fp8-w8a8", "int8", "int8-w8a8", "int4", "nf4", "int3", "int2",
)  # fmt: skip
"""How weights are held that are not trained; with w8a8 what is multiplied by them has 8 bits too. Each trainer says
itself which of them it has for a base model; "usual" leaves it to ``fp8_base`` and the base model."""

ANY = "*"
"""In `When.values`: the other field must be set, to whatever value."""


@dataclass(frozen=True, slots=True)
class When:
    """When a field counts: for families of which ``fits`` is true, and with these values of other fields, as text."""

    fits: Callable[[Family], bool] = lambda _: True
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that the field counts for."""
        return tuple(each.name for each in FAMILIES if self.fits(each))

    @property
    def is_always(self) -> bool:
        """Whether the field counts for all families, whatever the other fields are."""
        return not self.values and len(self.families) == len(FAMILIES)


@dataclass(frozen=True, slots=True)
class TrainingField:
    """One training option. ``low`` and ``high`` are the range of a number, in ``unit``; ``step`` is a widget's step.

    ``unset`` says what is used where nothing is set, if that is not a fixed default; a widget, which always holds a
    value, shows ``blank`` for it. ``zero`` says what a 0 in the config stands for. ``folders`` are the ComfyUI folders
    that hold a file. ``own`` is a person's own, which no preset changes. ``option`` is the command line's option where
    it is not the field's name. ``is_part`` marks a file in ``model_files``, under the row's name. ``is_open`` means
    that there can be values beyond ``choices``, such as the base models of lorads.toml. ``added`` marks rows that came
    after the first release of the node: their inputs are optional, so that workflows and API prompts without them
    still run.
    """

    name: str
    kind: Kind
    group: str
    help: str
    low: float = 0
    high: float = 0
    step: float = 0
    unit: str = ""
    choices: Callable[[], tuple[str, ...]] = tuple
    is_open: bool = False
    folders: tuple[str, ...] = ()
    unset: str = ""
    blank: float = 0
    zero: str = ""
    when: When = When()
    advanced: bool = True
    own: bool = False
    label: str = ""
    option: str = ""
    is_part: bool = False
    added: bool = False

    @property
    def default(self) -> Any:  # noqa: ANN401 - of the field's own type
        """The value of a config in which nothing is set."""
        return "" if self.is_part else _DEFAULTS[self.name]

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.label or self.name.replace("_", " ")

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return f"--{self.option or self.name.replace('_', '-')}"

    @property
    def is_automatic(self) -> bool:
        """Whether LoRADS chooses the value where none is set; see `trainers.defaults`."""
        return bool(self.unset) and self.default is not None

    @property
    def lowest(self) -> float:
        """The lowest value of a widget, which needs one for "not set"."""
        if self.unset:
            return min(self.low, self.blank)
        return 0 if self.zero else self.low


_DEFAULTS: Mapping[str, Any] = {each.name: getattr(TrainingConfig(), each.name) for each in fields(TrainingConfig)}


def _names(*names: str) -> Callable[[], tuple[str, ...]]:
    return lambda: names


def _has(part: str) -> Callable[[Family], bool]:
    return lambda family: part in family.parts


def _part(file: ModelFile, *, added: bool = False) -> TrainingField:
    when = When(_has(file.part))
    return TrainingField(
        file.part, "file", "base model", f"{file.label}.", folders=file.folders, when=when, own=True, is_part=True,
        added=added,
    )  # fmt: skip


def _per_network(values: Mapping[str, str]) -> str:
    """Return the default of each network by its name: LoRA's, then those that differ, as in "16; 8 for dora"."""
    usual = values["lora"]
    others = {value: [name for name in values if values[name] == value] for value in values.values() if value != usual}
    return "; ".join((usual, *(f"{value} for {' and '.join(names)}" for value, names in others.items())))


def _dims() -> str:
    return _per_network({each.name: f"{each.dim}" for each in networks()})


def _rates() -> str:
    return _per_network({each.name: f"{each.learning_rate:.0e}".replace("e-0", "e-") for each in networks()})


def _alphas() -> str:
    whole = [each.label for each in FAMILIES if each.alpha_share == 1]
    return f"half of network_dim; for {' and '.join(whole)}, all of it"


# No signal-to-noise ratios, noise offsets or predicted velocities in flow matching (sd-scripts 0.10.1,
# ``flux_train_network.py``).
_NOISE = When(lambda family: family.is_diffusion)
_SHIFTED = When(values={"timestep_sampling": ("shift",)})
_BENT = When(values={"loss_type": ("huber", "smooth_l1")})
_SAMPLED = When(values={"sample_prompts": (ANY,)})
_CLIP = When(lambda family: family.skips_clip or family.takes_second_last)
_CONVOLUTIONS = When(values={"network": tuple(each.name for each in networks() if each.convolutions)})
_KRONECKER = When(values={"network": tuple(each.name for each in networks() if each.kronecker)})
# sd-scripts stops at a warm-up with the scheduler constant.
_WARMED_UP = When(values={"scheduler": tuple(name for name in SCHEDULERS if name != "constant")})
_FIRST_PARTS = ("clip_l", "t5xxl", "ae")  # their inputs stand before those that were added later
_MOST = 100_000
"""Epochs, repeats: beyond any training, below what overflows a trainer's counters."""

_BY_SIZE = "by the number of images, about 2,000 samples of each concept"

TRAINING_FIELDS: tuple[TrainingField, ...] = (
    TrainingField(
        "base_model", "choice", "base model", "Kind of base model: decides the trainer's script and how captions are"
        " written.", choices=base_model_names, is_open=True, advanced=False, own=True,
    ),
    TrainingField(
        "checkpoint", "file", "base model", "The base model's file.", folders=checkpoint_folders(),
        advanced=False, own=True,
    ),
    TrainingField(
        "network_dim", "whole", "network", "Rank of the network: a higher rank holds more and makes a larger file.",
        1, 1024, 1, label="network dim", unset=_dims(), advanced=False,
    ),
    TrainingField(
        "network_alpha", "number", "network", "Alpha: the network is scaled by alpha / dim.",
        1e-6, 4096, 0.5, unset=_alphas(), advanced=False,
    ),
    TrainingField(
        "resolution", "whole", "steps", "Side of a square image; other shapes get buckets of the same area.",
        64, 8192, 64, "pixels", zero="the base model's own", advanced=False,
    ),
    TrainingField(
        "batch_size", "whole", "steps", "Images per batch (per process).", 1, 4096, 1, "images", advanced=False
    ),
    TrainingField(
        "epochs", "whole", "steps", "Passes over the dataset.", 1, _MOST, 1, label="number of epochs",
        unset=_BY_SIZE, advanced=False,
    ),
    TrainingField(
        "repeats", "whole", "steps", "How often an epoch shows each training image.", 1, _MOST, 1,
        label="number of repeats", unset=_BY_SIZE, advanced=False,
    ),
    TrainingField(
        "learning_rate", "number", "learning", "Learning rate of the network.", 1e-12, 100, 1e-5,
        unset=f"{_rates()}, a third of that with Lion, 1 with Prodigy and D-Adaptation", advanced=False,
    ),
    TrainingField(
        "seed", "whole", "running", "Random seed of the training.", 0, 2**32 - 1, 1, advanced=False, own=True,
        option="training-seed",  # --seed is that of the order random
    ),
    TrainingField(
        "network", "choice", "network", "Type of network: lora for most; locon, loha and lokr train convolutions too;"
        " dora separates magnitude and direction.", choices=network_names, advanced=False,
    ),
    TrainingField(
        "conv_dim", "whole", "network", "Rank in the convolution layers.", 0, 1024, 1, label="convolution dim",
        zero="as network_dim", when=_CONVOLUTIONS,
    ),
    TrainingField(
        "network_dropout", "number", "network", "Share of the network that each step drops, against overfitting.",
        0, 0.9, 0.01,
    ),
    TrainingField(
        "text_encoder_learning_rate", "number", "learning", "Learning rate of the text encoders; 0 does not train"
        " them.", 0, 100, 1e-5,
    ),
    TrainingField(
        "optimizer", "choice", "learning", "Optimizer. Prodigy and D-Adaptation find the learning rate themselves and"
        " need 1.", choices=_names(*OPTIMIZERS),
    ),
    TrainingField("scheduler", "choice", "learning", "Schedule of the learning rate.", choices=_names(*SCHEDULERS)),
    TrainingField(
        "warmup", "number", "learning", "Share of all steps in which the learning rate rises.", 0, 0.99, 0.01,
        label="warm-up", unset="0.05; 0 for the scheduler constant, Prodigy and D-Adaptation", blank=-1,
        when=_WARMED_UP,
    ),
    TrainingField(
        "gradient_accumulation_steps", "whole", "steps", "Batches per step: the effect of a larger batch without its"
        " memory.", 1, 4096, 1, "batches", label="gradient accumulation",
    ),
    TrainingField(
        "min_snr_gamma", "number", "learning", "Min-SNR weighting: gives timesteps of little noise less weight; 5 is"
        " usual, 0 is off.", 0, 100, 0.5, label="min SNR gamma", when=_NOISE,
    ),
    TrainingField(
        "noise_offset", "number", "learning", "Noise that all pixels share, for darker and brighter images; about"
        " 0.05, 0 is off.", 0, 1, 0.01, when=_NOISE,
    ),
    TrainingField(
        "v_prediction", "flag", "base model", "For base models that predict velocity, such as NoobAI v-pred; with zero"
        " terminal SNR.", label="v-prediction", when=_NOISE,
    ),
    TrainingField(
        "shuffle_caption", "flag", "captions", "Shuffle the tags of a caption each time; trigger, counts and"
        " characters stay in front.",
    ),
    TrainingField(
        "caption_dropout", "number", "captions", "Share of images that are shown without a caption.", 0, 0.99, 0.01
    ),
    TrainingField("flip_aug", "flag", "images", "Mirror half of the images; not for faces and letters."),
    TrainingField(
        "color_aug", "flag", "images", "Change colours a little each time; turn cache_latents off for it."
    ),
    TrainingField(
        "random_crop", "flag", "images", "Crop at random instead of around the centre; turn cache_latents off for it."
    ),
    TrainingField(
        "masked_loss", "choice", "images", "Train only what a mask shows: the alpha channel, or a file"
        " NAME-masklabel.png beside the image (sidecar).", choices=_names(*get_args(MaskedLoss)),
    ),
    TrainingField(
        "bucket_no_upscale", "flag", "images", "Never enlarge a small image; it gets a bucket of its own size."
    ),
    TrainingField(
        "regularization_method", "choice", "regularization", "Train on the regularization images too (prior), or"
        " preserve what the base model makes of their captions (preservation).",
        choices=_names(*get_args(RegularizationMethod)),
    ),
    TrainingField(
        "regularization_repeats", "whole", "regularization", "How often an epoch shows each regularization image.",
        1, _MOST, 1, label="number of regularization repeats",
    ),
    TrainingField(
        "prior_loss_weight", "number", "regularization", "Weight of regularization images in the loss; training"
        " images have weight 1.", 0, 100, 0.05,
    ),
    TrainingField(
        "cache_latents", "flag", "running", "Encode each image once, before training: faster, but takes disk space."
    ),
    TrainingField(
        "gradient_checkpointing", "flag", "running", "Save graphics memory at the cost of slower steps."
    ),
    TrainingField(
        "mixed_precision", "choice", "running", "Numeric precision: bf16, fp16 for older graphics cards, no for full"
        " 32 bits.", choices=_names(*PRECISIONS),
    ),
    TrainingField(
        "save_every_epochs", "whole", "running", "Save a LoRA every N epochs, to compare them.",
        1, _MOST, 1, "epochs", label="number of epochs between saved files",
    ),
    TrainingField(
        "sample_prompts", "lines", "running", "Prompts that the trainer draws as samples during training, one per"
        " line.", own=True, option="sample-prompt",
    ),
    *(_part(file) for file in model_parts() if file.part in _FIRST_PARTS),
    TrainingField(
        "keep_tokens", "whole", "captions", "Minimum number of leading tags that are not shuffled.", 0, 225, 1, "tags",
        when=When(values={"shuffle_caption": ("true",)}), added=True,
    ),
    TrainingField(
        "caption_variants", "flag", "captions", "Lines of a caption are variants: one of them is taken at random each"
        " time.", added=True,
    ),
    TrainingField(
        "max_token_length", "whole", "captions", "Longest caption; longer ones are cut.", 1, 4096, 1, "tokens",
        zero="the longest that the base model takes", added=True,
    ),
    TrainingField(
        "weight_decay", "number", "learning", "Weight decay of the optimizer.", 0, 100, 0.01,
        unset="the optimizer's own", blank=-1, added=True,
    ),
    TrainingField(
        "conv_alpha", "number", "network", "Alpha in the convolution layers.", 0, 4096, 0.5, label="convolution alpha",
        zero="as network_alpha", when=_CONVOLUTIONS, added=True,
    ),
    TrainingField(
        "processes", "whole", "running", "Processes that train together, one per graphics card.", 1, 1024, 1,
        label="number of processes", added=True,
    ),
    TrainingField(
        "max_bucket_side", "whole", "images", "Longest side of a bucket.", 64, 16384, 64, "pixels",
        label="longest bucket side", zero="twice the resolution", added=True,
    ),
    TrainingField(
        "bucket_step", "whole", "images", "Sides of buckets are multiples of this.", 1, 1024, 1, "pixels", added=True
    ),
    TrainingField(
        "sample_every_epochs", "whole", "running", "Draw samples every N epochs.", 1, _MOST, 1, "epochs",
        label="number of epochs between samples", when=_SAMPLED, added=True,
    ),
    TrainingField(
        "fp8_base", "switch", "running", "Load the base model's weights in 8 bits: half the memory for them.",
        unset="on for Flux, Chroma, HunyuanImage and newer models, except with dora or 32 bits; in OneTrainer that of"
        " its presets, in musubi-tuner for the largest; never in ComfyUI", added=True,
    ),
    TrainingField(
        "cache_text_encoder_outputs", "switch", "running", "Encode each caption once, before training: faster, and"
        " frees the text encoders' memory.", unset="on wherever captions stay the same", added=True,
    ),
    TrainingField(
        "lokr_factor", "whole", "network", "Factor of LoKr's smaller matrix: a larger one makes a smaller file.",
        0, 1024, 1, label="LoKr factor", zero="chosen for each layer", when=_KRONECKER, added=True,
    ),
    TrainingField(
        "lokr_full_rank", "flag", "network", "Train LoKr's larger matrix at full rank; dim and alpha are ignored then.",
        label="LoKr full rank", when=_KRONECKER, added=True,
    ),
    TrainingField(
        "extra", "toml", "running", "Options of the trainer itself, as TOML, one per line. They are passed on"
        " unchecked; none may name files, code or accounts.", label="extra options", own=True, added=True,
    ),
    TrainingField(
        "save_state", "flag", "running", "Save the training's state with each saved LoRA, so that a stopped training"
        " can be resumed. Earlier states are deleted; the newest takes three to six times the size of a LoRA.",
        added=True,
    ),
    TrainingField(
        "initial_lora", "file", "network", "LoRA to start from instead of a new one: for the same kind of base model,"
        " with network, dim and alpha as set here.", label="initial LoRA", folders=("loras",), own=True, added=True,
    ),
    TrainingField(
        "steps", "whole", "steps", "Steps of the whole training: repeats and epochs that are not set are chosen to make"
        " about as many.", 0, 10_000_000, 100, "steps", label="number of steps", zero="as repeats and epochs make",
        added=True,
    ),
    *(_part(file, added=True) for file in model_parts() if file.part not in _FIRST_PARTS),
    TrainingField(
        "blocks_to_swap", "whole", "running", "Number of the base model's blocks that wait in the computer's memory,"
        " and are loaded when they are needed: less graphics memory, slower steps.", 0, 100, 1, "blocks", zero="none",
        label="number of blocks to swap", added=True,
    ),
    TrainingField(
        "layer_offload", "number", "running", "Share of the base model's layers that wait in the computer's memory, for"
        " trainers that count no blocks; 0 is none, 1 all.", 0, 1, 0.05, added=True,
    ),
    TrainingField(
        "text_encoder_offload", "number", "running", "Share of the text encoders' layers that wait in the computer's"
        " memory; 0 is none, 1 all.", 0, 1, 0.05, added=True,
    ),
    TrainingField(
        "activation_offload", "flag", "running", "Keep what gradient checkpointing keeps of a step in the computer's"
        " memory.", when=When(values={"gradient_checkpointing": ("true",)}), added=True,
    ),
    TrainingField(
        "base_precision", "choice", "running", "How the base model's weights are held while the LoRA is trained: fewer"
        " bits take less graphics memory. w8a8 computes in 8 bits too, which is faster.",
        choices=_names(*WEIGHT_PRECISIONS), added=True,
    ),
    TrainingField(
        "text_encoder_precision", "choice", "running", "How the weights of the large text encoder are held.",
        choices=_names(*WEIGHT_PRECISIONS), added=True,
    ),
    TrainingField(
        "fused_backward", "flag", "running", "Apply each gradient as soon as it is there, so that not all of them are"
        " held at once.", added=True,
    ),
    TrainingField(
        "compile", "flag", "running", "Compile the base model before the training (torch.compile): slower to start,"
        " faster steps. Needs Triton.", added=True,
    ),
    TrainingField(
        "cache_to_disk", "switch", "running", "Keep cached latents and text encoder outputs on the disk instead of in"
        " memory.", unset="in memory in sd-scripts, on the disk elsewhere", added=True,
    ),
    TrainingField(
        "loader_workers", "whole", "running", "Processes that load images ahead of the training: two are enough for a"
        " small set.", 0, 64, 1, "processes", unset="the trainer's own: 8 in sd-scripts, 2 elsewhere", blank=-1,
        label="number of loader workers", added=True,
    ),
    TrainingField(
        "loss_type", "choice", "learning", "Loss: mse is the squared error; huber, smooth_l1 and l1 mind faulty images"
        " less.", choices=_names(*LOSSES), label="loss", added=True,
    ),
    TrainingField(
        "huber_delta", "number", "learning", "Error from which on huber and smooth_l1 are linear.", 1e-4, 10, 0.01,
        label="Huber delta", when=_BENT, added=True,
    ),
    TrainingField(
        "ema_decay", "number", "learning", "Decay of the average of the weights (EMA) that is saved in their place: it"
        " evens out single steps. 0.99 for some hundred steps, 0.999 for thousands; 0 is off.", 0, 0.99999, 0.001,
        label="EMA decay", added=True,
    ),
    TrainingField(
        "timestep_sampling", "choice", "learning", "How noisy the images of a step are: all grades alike (uniform), the"
        " middle more often (sigmoid), or that with more noise (shift); default is the trainer's for the base model.",
        choices=_names(*TIMESTEPS), added=True,
    ),
    TrainingField(
        "timestep_shift", "number", "learning", "How far shift moves to more noise: above 1 for shapes and composition,"
        " below for details.", 0.01, 100, 0.1, when=_SHIFTED, added=True,
    ),
    TrainingField(
        "debiased_estimation", "flag", "learning", "Debiased estimation: gives timesteps of much noise more weight;"
        " instead of min-SNR.", when=_NOISE, added=True,
    ),
    TrainingField(
        "rank_dropout", "number", "network", "Share of the network's ranks that each step leaves out, against"
        " overfitting.", 0, 0.9, 0.01, added=True,
    ),
    TrainingField(
        "module_dropout", "number", "network", "Share of the layers that each step trains nothing of, against"
        " overfitting.", 0, 0.9, 0.01, added=True,
    ),
    TrainingField(
        "lora_plus_ratio", "number", "learning", "LoRA+: how many times higher the learning rate of LoRA's second"
        " matrix is; 16 is usual with a lower learning rate, 0 is off.", 0, 1000, 1, label="LoRA+ ratio", added=True,
    ),
    TrainingField(
        "layer_filter", "text", "network", "Train only layers of which the name, as the trainer has it, contains one of"
        " these, such as attn, or attention for Z-Image. Empty: the usual layers.", label="layer filter", added=True,
    ),
    TrainingField(
        "optimizer_args", "toml", "learning", "Arguments of the optimizer, as TOML, one per line: d_coef = 2.0,"
        " betas = [0.9, 0.99].", label="optimizer arguments", option="optimizer-arg", added=True,
    ),
    TrainingField(
        "tag_dropout", "number", "captions", "Share of a caption's tags that is left out each time; those in front"
        " stay.", 0, 0.99, 0.01, added=True,
    ),
    TrainingField(
        "clip_skip", "whole", "captions", "Layer of the text encoder, from its end, that is taken: 2 for many anime"
        " models of SD 1.5. SDXL, Illustrious and Pony always take the second-last, or a deeper one in OneTrainer.",
        1, 12, 1, label="CLIP skip", when=_CLIP, added=True,
    ),
    TrainingField(
        "sample_steps", "whole", "running", "Steps of each sample.", 0, 1000, 1, "steps",
        label="number of steps of a sample", zero="the trainer's own", when=_SAMPLED, added=True,
    ),
    TrainingField(
        "sample_guidance", "number", "running", "Guidance of samples (CFG; Flux's own guidance).", 0, 100, 0.5,
        zero="the trainer's own", when=_SAMPLED, added=True,
    ),
    TrainingField(
        "tensorboard", "flag", "running", "Write TensorBoard logs into the output folder.", label="TensorBoard",
        added=True,
    ),
)  # fmt: skip
"""Every option of a training, in the order of the node's inputs."""


def training_field(name: str) -> TrainingField:
    """Return the row of a field of `TrainingConfig`, or of a part of its ``model_files``."""
    return _BY_NAME[name]


_BY_NAME: Mapping[str, TrainingField] = {each.name: each for each in TRAINING_FIELDS}
