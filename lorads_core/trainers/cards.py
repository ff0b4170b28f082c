"""What fits on which graphics card, by the trainers' own tables, guides and presets; each row with its source.

A row says what its trainer trains a base model with on a card of that memory. Nothing is measured here, and nothing is
interpolated: between two rows the smaller one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..base_models import base_model
from ..errors import SettingsError
from ..training_fields import training_field
from . import trainer
from .checks import is_trained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..base_models import BaseModel
    from ..model import TrainingConfig


@dataclass(frozen=True, slots=True)
class Card:
    """A card of ``vram`` GB or more: fields of a training config that fit it, and where they are from.

    ``models`` are families, or single kinds of base models (`BaseModel.kind`).
    """

    trainer: str
    models: tuple[str, ...]
    vram: int
    values: Mapping[str, Any]
    source: str

    def is_for(self, base: BaseModel) -> bool:
        """Say whether the row is for a base model."""
        return base.kind in self.models or base.family.name in self.models


class CardError(SettingsError):
    """No row fits: ``reason`` says why without a full stop, the message also what to do."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}{advice}.")
        self.reason = reason


def _kohya(
    name: str, model: str, vram: int, source: str, swapped: int, *, batch: int = 1, in_8_bits: bool = True
) -> Card:
    """Return a row of sd-scripts or musubi-tuner: ``swapped`` blocks in RAM."""
    values = {"batch_size": batch, "fp8_base": in_8_bits, "blocks_to_swap": swapped, "optimizer": "AdamW8bit"}
    return Card(name, (model,), vram, values, source)


_FLUX = "sd-scripts 0.10.1, docs/flux_train_network.md, recommended settings by GPU memory"
_FLUX_16 = f"{_FLUX}; it says to swap blocks without a number: that is the one for 12 GB"
_HUNYUAN = "sd-scripts 0.10.1, docs/hunyuan_image_train_network.md, recommended settings by GPU memory"
_QWEN = "musubi-tuner 0.3.4, docs/qwen_image.md: 1024 × 1024, batches of one image, 64 GB of RAM for swapping"
_KOHYA = (
    _kohya("sd-scripts", "flux", 24, _FLUX, 0, batch=2),
    _kohya("sd-scripts", "flux", 16, _FLUX_16, 16),
    _kohya("sd-scripts", "flux", 12, _FLUX, 16),
    _kohya("sd-scripts", "flux", 10, _FLUX, 22),
    _kohya("sd-scripts", "flux", 8, _FLUX, 28),
    _kohya("sd-scripts", "hunyuan_image", 40, _HUNYUAN, 0, in_8_bits=False),
    _kohya("sd-scripts", "hunyuan_image", 24, _HUNYUAN, 9),
    _kohya("sd-scripts", "hunyuan_image", 12, _HUNYUAN, 32),
    _kohya("sd-scripts", "hunyuan_image", 8, _HUNYUAN, 37),
    _kohya("musubi-tuner", "qwen_image", 42, _QWEN, 0, in_8_bits=False),
    _kohya("musubi-tuner", "qwen_image", 30, _QWEN, 0),
    _kohya("musubi-tuner", "qwen_image", 24, _QWEN, 16),
    _kohya("musubi-tuner", "qwen_image", 12, _QWEN, 45),
)


def _onetrainer(
    models: tuple[str, ...], preset: str, vram: int, precision: str, *, encoder: str = "fp8", offload: float = 0.0,
    encoder_offload: float = 0.0, compiled: bool = False,
) -> Card:  # fmt: skip
    """Return a LoRA preset of OneTrainer that is called by its GB: batches of two images at 512 pixels."""
    values = {
        "resolution": 512,
        "batch_size": 2,
        "base_precision": precision,
        "text_encoder_precision": encoder,
        "layer_offload": offload,
        "text_encoder_offload": encoder_offload,
        "compile": compiled,
    }
    source = f"OneTrainer 23df383, training_presets/{preset} LoRA {vram}GB: 512 × 512, batches of two images"
    return Card("onetrainer", models, vram, values, source)


_KLEIN = ("flux2:klein_9b", "flux2:klein_4b")  # the preset is for 9B, which is the larger one
_QWEN_IMAGES = ("qwen_image",)
_Z_IMAGES = ("zimage",)
_DETURBO = ("zimage:deturbo",)
_ONETRAINER = (
    _onetrainer(("chroma",), "Chroma/#chroma", 24, "16-bit", encoder="16-bit"),
    _onetrainer(("chroma",), "Chroma/#chroma", 16, "fp8", encoder="16-bit"),
    _onetrainer(("chroma",), "Chroma/#chroma", 8, "fp8", offload=0.6),
    _onetrainer(_KLEIN, "Flux 2/#flux2", 16, "int8-w8a8", compiled=True),
    _onetrainer(_KLEIN, "Flux 2/#flux2", 8, "int8-w8a8", offload=0.7, encoder_offload=0.7, compiled=True),
    _onetrainer(("ernie_image",), "Ernie Image/#ernie", 16, "int8-w8a8", compiled=True),
    _onetrainer(("ernie_image",), "Ernie Image/#ernie", 8, "int8-w8a8", offload=0.7, compiled=True),
    _onetrainer(("ideogram4",), "Ideogram 4/#ideogram", 24, "int8-w8a8", encoder="nf4", compiled=True),
    _onetrainer(("ideogram4",), "Ideogram 4/#ideogram", 16, "int8-w8a8", encoder="nf4", offload=0.1, compiled=True),
    _onetrainer(("krea2",), "Krea 2/#krea2", 24, "int8-w8a8", compiled=True),
    _onetrainer(("krea2",), "Krea 2/#krea2", 16, "int8-w8a8", offload=0.3, compiled=True),
    _onetrainer(_QWEN_IMAGES, "QwenImage/#qwen", 24, "fp8", offload=0.1),
    _onetrainer(_QWEN_IMAGES, "QwenImage/#qwen", 16, "fp8", offload=0.5),
    _onetrainer(_DETURBO, "Z-Image/#z-image DeTurbo", 16, "int8-w8a8", compiled=True),
    _onetrainer(_DETURBO, "Z-Image/#z-image DeTurbo", 8, "int8-w8a8", offload=0.6, compiled=True),
    _onetrainer(_Z_IMAGES, "Z-Image/#z-image", 16, "fp8", compiled=True),
    _onetrainer(_Z_IMAGES, "Z-Image/#z-image", 8, "fp8", offload=0.6, compiled=True),
)


def _ai_toolkit(models: tuple[str, ...], example: str, **values: object) -> Card:
    """Return an example of ai-toolkit that is called by its GB: 8 bits, batches of one image."""
    usual: dict[str, object] = {"batch_size": 1, "base_precision": "fp8", "optimizer": "AdamW8bit"}
    source = f"ai-toolkit 0.12.26, config/examples/train_lora_{example}_24gb.yaml"
    return Card("ai-toolkit", models, 24, {**usual, **values}, source)


_AI_TOOLKIT = (
    _ai_toolkit(("flux:schnell",), "flux_schnell"),
    _ai_toolkit(("flux:kontext",), "flux_kontext"),
    _ai_toolkit(("flux",), "flux"),
    _ai_toolkit(("chroma",), "chroma"),
    _ai_toolkit(("sd35",), "sd35_large"),
    _ai_toolkit(
        ("qwen_image",), "qwen_image", base_precision="int3", text_encoder_precision="fp8",
        cache_text_encoder_outputs=True,
    ),
)  # fmt: skip


def _simpletuner(models: tuple[str, ...], vram: int, precision: str, guide: str, said: str, **values: object) -> Card:
    """Return a row of what a guide of SimpleTuner says that a precision takes; batches of one image.

    What it says is the usage itself, which fits no card of just that size: ``vram`` is the next usual size above it, or
    the card that the guide recommends. Where it names a range, the card is its upper end.
    """
    usual: dict[str, object] = {"batch_size": 1, "base_precision": precision}
    source = f"SimpleTuner 4.8, documentation/quickstart/{guide}: {said}"
    return Card("simpletuner", models, vram, {**usual, **values}, source)


_ENCODER = {"text_encoder_precision": "int8"}
_SMALL = {"resolution": 512, "network_dim": 8, "network_alpha": 8.0}
_SIMPLETUNER = (
    _simpletuner(("flux",), 32, "16-bit", "FLUX.md", "a bit more than 30 GB"),
    _simpletuner(("flux",), 20, "int8", "FLUX.md", "a bit more than 18 GB"),
    _simpletuner(("flux",), 16, "int4", "FLUX.md", "a bit more than 13 GB"),
    _simpletuner(("flux",), 12, "nf4", "FLUX.md", "a bit more than 9 GB, 1024 pixels 12 or more"),
    _simpletuner(("flux",), 10, "nf4", "FLUX.md", "a bit more than 9 GB, at 512 pixels", resolution=512),
    _simpletuner(("chroma",), 32, "16-bit", "CHROMA.md", "about 28 GB"),
    _simpletuner(("chroma",), 20, "int8", "CHROMA.md", "about 16 GB"),
    _simpletuner(("chroma",), 12, "int4", "CHROMA.md", "about 11 GB"),
    _simpletuner(("chroma",), 10, "nf4", "CHROMA.md", "about 8 GB"),
    _simpletuner(("zimage",), 40, "16-bit", "ZIMAGE.md", "32 to 40 GB"),
    _simpletuner(("zimage",), 24, "int8", "ZIMAGE.md", "16 to 24 GB"),
    _simpletuner(("zimage",), 12, "nf4", "ZIMAGE.md", "10 to 12 GB, at 512 pixels", resolution=512),
    _simpletuner(
        ("flux2:klein_4b",),
        16,
        "16-bit",
        "FLUX2.md",
        "12 GB; recommended are 16",
        text_encoder_precision="16-bit",
    ),
    _simpletuner(("flux2:klein_4b",), 10, "int8", "FLUX2.md", "about 8 GB", **_ENCODER),
    _simpletuner(
        ("flux2:klein_9b",),
        24,
        "16-bit",
        "FLUX2.md",
        "22 GB; recommended are 24",
        text_encoder_precision="16-bit",
    ),
    _simpletuner(("flux2:klein_9b",), 16, "int8", "FLUX2.md", "about 14 GB", **_ENCODER),
    _simpletuner(("flux2",), 80, "16-bit", "FLUX2.md", "about 76 GB", text_encoder_precision="16-bit"),
    _simpletuner(("flux2",), 48, "int8", "FLUX2.md", "about 40 GB", **_ENCODER),
    _simpletuner(("krea2",), 40, "16-bit", "KREA2.md", "33 GB were measured at 1024 pixels"),
    _simpletuner(("krea2",), 24, "int8", "KREA2.md", "20 GB were measured at 1024 pixels"),
    _simpletuner(("qwen_image",), 40, "int8", "QWEN_IMAGE.md", "40 GB or more"),
    _simpletuner(("qwen_image",), 24, "nf4", "QWEN_IMAGE.md", "24 GB at 512 pixels and rank 8", **_SMALL),
)

CARDS: tuple[Card, ...] = (*_KOHYA, *_ONETRAINER, *_AI_TOOLKIT, *_SIMPLETUNER)


def cards_of(name: str, base: BaseModel) -> list[Card]:
    """Return the rows of a trainer for a base model, of which those for its very kind go before its family's."""
    found = [each for each in CARDS if each.trainer == name and each.is_for(base)]
    return [each for each in found if base.kind in each.models] or found


def card_setting(vram: float, name: str, base: str) -> Card:
    """Return the row of the trainer ``name`` for the largest card of at most ``vram`` GB, for the base model ``base``.

    Raises:
        CardError: there is none for this base model, or none for so small a card; it names trainers with one.
    """
    chosen = base_model(base)
    label = trainer(name).label
    if not _trains(name, chosen):
        raise CardError(f"{label} does not train {chosen.label}", _able(vram, chosen))
    rows = cards_of(name, chosen)
    fitting = [each for each in rows if each.vram <= vram]
    if fitting:
        return max(fitting, key=lambda each: each.vram)
    if rows:
        least = min(each.vram for each in rows)
        raise CardError(
            f"Nothing of {label} says that {chosen.label} fits on a card of {vram:g} GB: the smallest that it names has"
            f" {least} GB",
            _able(vram, chosen),
        )
    raise CardError(
        f"Nothing of {label} says what fits which card for {chosen.label}",
        f": leave the card out, and set batch size, precision and what waits in memory yourself{_able(vram, chosen)}",
    )


_WEIGHING = (
    "base_precision", "fp8_base", "text_encoder_precision", "blocks_to_swap", "layer_offload", "text_encoder_offload",
)  # fmt: skip
"""What a row makes a model fit by; its other values are those that it fits with."""


def set_for_card(config: TrainingConfig, name: str, *, wholly: bool) -> dict[str, Any]:
    """Return the values of a config that a row of the trainer ``name`` has set, as far as they show that.

    ``wholly`` takes a row for the one only where the config has all its values, else where it has those that say how
    the model is held: a person may have changed the others. Values that are everybody's default are not among them.
    """
    found: dict[str, Any] = {}
    for row in cards_of(name, base_model(config.base_model)):
        weighing = [each for each in _WEIGHING if each in row.values]
        if all(_has(config, row, each) for each in (row.values if wholly else weighing)) and any(
            row.values[each] != training_field(each).default for each in weighing
        ):
            found |= {each: row.values[each] for each in row.values if _has(config, row, each)}
    return {each: value for each, value in found.items() if value != training_field(each).default}


def _has(config: TrainingConfig, row: Card, name: str) -> bool:
    return getattr(config, name) == row.values[name] and name not in config.automatic


def _trains(name: str, base: BaseModel) -> bool:
    chosen = trainer(name)
    return is_trained(base, chosen.families, chosen.adapters, chosen.edits)


def _able(vram: float, base: BaseModel) -> str:
    """Return which trainers train a base model and have a row that fits, as the end of a sentence."""
    names = dict.fromkeys(each.trainer for each in CARDS if each.is_for(base) and each.vram <= vram)
    labels = [trainer(name).label for name in names if _trains(name, base)]
    return f"; there is a setting for {', '.join(labels)} (--trainer)" if labels else ""
