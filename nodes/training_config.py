"""Training Config: how to train, apart from any trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from comfy_api.latest import io

from ..lorads_core.base_models import base_model_names, base_models, checkpoint_folders, model_parts
from ..lorads_core.model import MaskedLoss, RegularizationMethod, TrainingConfig
from ..lorads_core.networks import network_names
from ..lorads_core.trainers.checks import USUAL_OPTIMIZERS, USUAL_SCHEDULERS
from ..lorads_core.trainers.presets import ONLY, PRESETS, fitted, preset_values
from . import host
from .sockets import CATEGORY, ConfigSocket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEFAULT = TrainingConfig()
_PRECISIONS = ("bf16", "fp16", "no")
_OWN = "(own figures)"
_LATER = "(choose later)"
_NONE = "(none)"


class TrainingConfigNode(io.ComfyNode):
    """The figures that people set; what a trainer calls them is the trainer's module's business."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsTrainingConfig",
            display_name="Training Config",
            category=CATEGORY,
            description="How to train the LoRA: base model, network, resolution, steps and learning rate.",
            search_aliases=["lora", "locon", "loha", "dora", "train", "learning rate"],
            inputs=[
                *_usual(),
                *_network(),
                *_learning(),
                *_captions(),
                *_pictures(),
                *_regularization(),
                *_running(),
                *_model_files(),
            ],
            outputs=[ConfigSocket.Output("config", "config", tooltip="For Export Dataset.")],
        )

    @classmethod
    def execute(
        cls,
        preset: str,  # noqa: ARG003 - the browser fills in its figures, and they count
        base_model: str,
        checkpoint: str,
        network_dim: int,
        network_alpha: float,
        resolution: int,
        batch_size: int,
        epochs: int,
        repeats: int,
        learning_rate: float,
        seed: int,
        network: str,
        conv_dim: int,
        network_dropout: float,
        text_encoder_learning_rate: float,
        optimizer: str,
        scheduler: str,
        warmup: float,
        gradient_accumulation_steps: int,
        min_snr_gamma: float,
        noise_offset: float,
        v_prediction: bool,  # noqa: FBT001 - ComfyUI passes a widget's value by name
        shuffle_caption: bool,  # noqa: FBT001
        caption_dropout: float,
        flip_aug: bool,  # noqa: FBT001
        color_aug: bool,  # noqa: FBT001
        random_crop: bool,  # noqa: FBT001
        masked_loss: MaskedLoss,
        bucket_no_upscale: bool,  # noqa: FBT001
        regularization_method: RegularizationMethod,
        regularization_repeats: int,
        prior_loss_weight: float,
        cache_latents: bool,  # noqa: FBT001
        gradient_checkpointing: bool,  # noqa: FBT001
        mixed_precision: str,
        save_every_epochs: int,
        sample_prompts: str,
        **model_files: str,
    ) -> io.NodeOutput:
        """Put the figures together."""
        config = TrainingConfig(
            base_model=base_model,
            checkpoint="" if checkpoint == _LATER else host.model_path(checkpoint_folders(), checkpoint),
            model_files=_chosen_files(model_files),
            v_prediction=v_prediction,
            network=network,
            network_dim=network_dim,
            network_alpha=network_alpha,
            conv_dim=conv_dim,
            network_dropout=network_dropout,
            resolution=resolution,
            batch_size=batch_size,
            gradient_accumulation_steps=gradient_accumulation_steps,
            epochs=epochs,
            repeats=repeats,
            regularization_method=regularization_method,
            regularization_repeats=regularization_repeats,
            prior_loss_weight=prior_loss_weight,
            learning_rate=learning_rate,
            text_encoder_learning_rate=text_encoder_learning_rate,
            scheduler=scheduler,
            warmup=warmup,
            optimizer=optimizer,
            shuffle_caption=shuffle_caption,
            caption_dropout=caption_dropout,
            flip_aug=flip_aug,
            color_aug=color_aug,
            random_crop=random_crop,
            masked_loss=masked_loss,
            min_snr_gamma=min_snr_gamma,
            noise_offset=noise_offset,
            bucket_no_upscale=bucket_no_upscale,
            cache_latents=cache_latents,
            gradient_checkpointing=gradient_checkpointing,
            mixed_precision=mixed_precision,
            save_every_epochs=save_every_epochs,
            sample_prompts=tuple(line.strip() for line in sample_prompts.splitlines() if line.strip()),
            seed=seed,
        )
        return io.NodeOutput(fitted(config))


def _form() -> dict[str, Any]:
    """Return what the browser needs to fill in a preset, and to show only what counts (web/training_config.js)."""
    only = {name: {"families": each.families, "values": {**each.values}} for name, each in ONLY.items()}
    presets = [
        {"name": each.name, "families": each.families, "values": preset_values(each), "source": each.source}
        for each in PRESETS
    ]
    return {"families": {base.name: base.family.name for base in base_models()}, "only": only, "presets": presets}


def _usual() -> Sequence[io.Input]:
    return [
        io.Combo.Input(
            "preset",
            options=[_OWN, *dict.fromkeys(each.name for each in PRESETS)],
            default=_OWN,
            tooltip="Fills in the figures for the base model; change any of them afterwards.",
        ),
        io.Combo.Input(
            "base_model",
            options=list(base_model_names()),
            tooltip="Kind of base model: decides the trainer's script and how captions are written.",
            extra_dict={"lorads": _form()},
        ),
        io.Combo.Input(
            "checkpoint",
            options=[_LATER, *host.model_names(checkpoint_folders())],
            tooltip="The base model's file, from ComfyUI's checkpoints and diffusion models.",
        ),
        io.Int.Input("network_dim", default=_DEFAULT.network_dim, min=1, max=1024, tooltip="Rank of the LoRA."),
        io.Float.Input(
            "network_alpha",
            default=_DEFAULT.network_alpha,
            min=0.5,
            max=1024,
            step=0.5,
            tooltip="Alpha: the LoRA counts alpha / dim; half the dim is usual.",
        ),
        io.Int.Input(
            "resolution",
            default=_DEFAULT.resolution,
            min=0,
            max=4096,
            step=64,
            tooltip="Side in pixels; 0 for the base model's own.",
        ),
        io.Int.Input("batch_size", default=_DEFAULT.batch_size, min=1, max=256, tooltip="Images per step."),
        io.Int.Input("epochs", default=_DEFAULT.epochs, min=1, max=10_000, tooltip="Passes over the dataset."),
        io.Int.Input(
            "repeats", default=_DEFAULT.repeats, min=1, max=10_000, tooltip="Times an epoch shows each image."
        ),
        _rate("learning_rate", _DEFAULT.learning_rate, 1e-7, "Learning rate of the U-Net."),
        io.Int.Input(
            "seed",
            default=_DEFAULT.seed,
            min=0,
            max=2**32 - 1,
            control_after_generate=False,
            tooltip="Seed of the training.",
        ),
    ]


def _network() -> Sequence[io.Input]:
    return [
        io.Combo.Input(
            "network",
            options=list(network_names()),
            default=_DEFAULT.network,
            tooltip="Kind of network: LoRA for most; LoCon and LoHa change convolutions too; DoRA learns finer.",
        ),
        io.Int.Input(
            "conv_dim",
            default=_DEFAULT.conv_dim,
            min=0,
            max=1024,
            tooltip="Rank in the convolutions of LoCon and LoHa; 0 for that of the network.",
            advanced=True,
        ),
        _share("network_dropout", _DEFAULT.network_dropout, 0.9, "Share of the network that a step leaves out."),
    ]


def _learning() -> Sequence[io.Input]:
    return [
        _rate(
            "text_encoder_learning_rate",
            _DEFAULT.text_encoder_learning_rate,
            0,
            "Learning rate of the text encoders; 0 leaves them alone.",
            advanced=True,
        ),
        io.Combo.Input(
            "optimizer",
            options=list(USUAL_OPTIMIZERS),
            default=_DEFAULT.optimizer,
            tooltip="What moves the weights; Prodigy finds the learning rate itself and wants 1.",
            advanced=True,
        ),
        io.Combo.Input(
            "scheduler",
            options=list(USUAL_SCHEDULERS),
            default=_DEFAULT.scheduler,
            tooltip="How the learning rate goes down; constant goes without a warm-up.",
            advanced=True,
        ),
        _share("warmup", _DEFAULT.warmup, 0.99, "Share of all steps in which the learning rate rises."),
        io.Int.Input(
            "gradient_accumulation_steps",
            default=_DEFAULT.gradient_accumulation_steps,
            min=1,
            max=256,
            tooltip="Batches that make one step together: a larger batch for less memory.",
            advanced=True,
        ),
        io.Float.Input(
            "min_snr_gamma",
            default=_DEFAULT.min_snr_gamma,
            min=0,
            max=20,
            step=0.5,
            tooltip="Weakens what is learnt from little noise; 5 is usual, 0 is off.",
            advanced=True,
        ),
        _share(
            "noise_offset", _DEFAULT.noise_offset, 1.0, "Noise of all pixels alike, for darker and brighter images."
        ),
        io.Boolean.Input(
            "v_prediction",
            default=_DEFAULT.v_prediction,
            tooltip="For base models that predict velocity, such as NoobAI v-pred; with zero terminal SNR.",
            advanced=True,
        ),
    ]


def _captions() -> Sequence[io.Input]:
    return [
        io.Boolean.Input(
            "shuffle_caption",
            default=_DEFAULT.shuffle_caption,
            tooltip="Shuffle the tags of a caption each time; trigger, counts and characters stay in front.",
            advanced=True,
        ),
        _share("caption_dropout", _DEFAULT.caption_dropout, 0.99, "Share of images that are shown without a caption."),
    ]


def _pictures() -> Sequence[io.Input]:
    return [
        io.Boolean.Input(
            "flip_aug",
            default=_DEFAULT.flip_aug,
            tooltip="Mirror half of the images; not for faces and letters.",
            advanced=True,
        ),
        io.Boolean.Input(
            "color_aug",
            default=_DEFAULT.color_aug,
            tooltip="Change colours a little each time; turn cache_latents off for it.",
            advanced=True,
        ),
        io.Boolean.Input(
            "random_crop",
            default=_DEFAULT.random_crop,
            tooltip="Crop at random instead of around the centre; turn cache_latents off for it.",
            advanced=True,
        ),
        io.Combo.Input(
            "masked_loss",
            options=list(get_args(MaskedLoss)),
            default=_DEFAULT.masked_loss,
            tooltip="Learn only what a mask shows: the alpha channel, or a file NAME-masklabel.png beside the image.",
            advanced=True,
        ),
        io.Boolean.Input(
            "bucket_no_upscale",
            default=_DEFAULT.bucket_no_upscale,
            tooltip="Never enlarge a small image; it gets a bucket of its own size.",
            advanced=True,
        ),
    ]


def _regularization() -> Sequence[io.Input]:
    return [
        io.Combo.Input(
            "regularization_method",
            options=list(get_args(RegularizationMethod)),
            default=_DEFAULT.regularization_method,
            tooltip="Learn the regularization images too (prior), or keep what the base model makes of their captions.",
            advanced=True,
        ),
        io.Int.Input(
            "regularization_repeats",
            default=_DEFAULT.regularization_repeats,
            min=1,
            max=10_000,
            tooltip="Times an epoch shows each regularization image.",
            advanced=True,
        ),
        io.Float.Input(
            "prior_loss_weight",
            default=_DEFAULT.prior_loss_weight,
            min=0,
            max=10,
            step=0.05,
            tooltip="How much regularization images count beside training images.",
            advanced=True,
        ),
    ]


def _running() -> Sequence[io.Input]:
    return [
        io.Boolean.Input(
            "cache_latents",
            default=_DEFAULT.cache_latents,
            tooltip="Encode each image once, before training: faster, for some disk space.",
            advanced=True,
        ),
        io.Boolean.Input(
            "gradient_checkpointing",
            default=_DEFAULT.gradient_checkpointing,
            tooltip="Much less graphics memory for slower steps.",
            advanced=True,
        ),
        io.Combo.Input(
            "mixed_precision",
            options=list(_PRECISIONS),
            default=_DEFAULT.mixed_precision,
            tooltip="Numbers to count with: bf16, fp16 for older graphics cards, no for 32 bits.",
            advanced=True,
        ),
        io.Int.Input(
            "save_every_epochs",
            default=_DEFAULT.save_every_epochs,
            min=1,
            max=10_000,
            tooltip="Keep a LoRA after every so many epochs, to compare them.",
            advanced=True,
        ),
        io.String.Input(
            "sample_prompts",
            default="",
            multiline=True,
            placeholder="a prompt a line",
            tooltip="Prompts that are drawn after each epoch, a line each.",
            advanced=True,
        ),
    ]


def _model_files() -> Sequence[io.Input]:
    return [
        io.Combo.Input(
            file.part, options=[_NONE, *host.model_names(file.folders)], tooltip=f"{file.label}.", advanced=True
        )
        for file in model_parts()
    ]


def _chosen_files(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the path of each model file that a widget names."""
    folders = {file.part: file.folders for file in model_parts()}
    return {part: host.model_path(folders[part], name) for part, name in chosen.items() if name not in ("", _NONE)}


def _rate(name: str, default: float, lowest: float, tooltip: str, *, advanced: bool = False) -> io.Input:
    return io.Float.Input(
        name, default=default, min=lowest, max=10, step=1e-5, round=False, tooltip=tooltip, advanced=advanced
    )


def _share(name: str, default: float, highest: float, tooltip: str) -> io.Input:
    return io.Float.Input(name, default=default, min=0, max=highest, step=0.01, tooltip=tooltip, advanced=True)
