"""The table of presets: for families of base models, by trainer and purpose, each figure with source and confidence.

A figure is as good as its source. Nothing here was measured by LoRADS, and no finished training changes it: a run that
completed says nothing of how good its LoRA is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..base_models import FAMILIES
from .cards import CARDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Confidence = Literal["trainer", "published", "estimate"]
CONFIDENCE: Mapping[Confidence, str] = {
    "trainer": "the trainer's own guide, preset or example for this base model",
    "published": "a paper, an optimizer's own page, or another base model's guide",
    "estimate": "LoRADS' own, within the range of trainers' examples for other purposes",
}
"""What the words mean, from the surest down."""
Purpose = Literal["", "subject", "person", "style", "concept", "small set", "memory", "test"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure is from: ``date`` is that of the version or page, as ``2026-08``."""

    text: str
    date: str
    confidence: Confidence


class Figure(NamedTuple):
    """The value of a field of a training config, and where it is from."""

    value: Any
    source: Source


@dataclass(frozen=True, slots=True)
class Preset:
    """Options that belong together, for all base models of some families (all of them where none is named).

    ``figures`` are fields of a training config. ``trainer`` is the one whose guide they are from, empty where they are
    for any. ``vram`` is the graphics memory in GB of the card for which they are, 0 where they are for no card in
    particular. ``note`` says what else is to be known.
    """

    name: str
    named: tuple[str, ...]
    figures: Mapping[str, Figure]
    purpose: Purpose = ""
    trainer: str = ""
    vram: int = 0
    note: str = ""

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that it is for."""
        return self.named or tuple(each.name for each in FAMILIES)

    @property
    def values(self) -> dict[str, Any]:
        """The fields of a training config that it sets."""
        return {name: each.value for name, each in self.figures.items()}

    @property
    def source(self) -> str:
        """Where its figures are from, with dates, for people."""
        sources = dict.fromkeys(each.source for each in self.figures.values())
        texts = [f"{each.text} ({each.date}, {each.confidence})" for each in sources]
        return "; ".join([*texts, self.note] if self.note else texts)


def _of(source: Source, **values: object) -> dict[str, Figure]:
    return {name: Figure(value, source) for name, value in values.items()}


_ALL = ()
_ESTIMATE = Source("LoRADS", "2026-11", "estimate")


# The trainers' own guides, presets and examples


def _sd_scripts(family: str, dim: int, alpha: float, *, optimizer: str = "AdamW8bit") -> Preset:
    """Return the command of sd-scripts' page on a family, whose schedule is constant; alpha is 1 where it has none."""
    source = Source(f"sd-scripts 0.10.1, docs/{family}_train_network.md", "2026-02", "trainer")
    figures = _of(
        source, network_dim=dim, network_alpha=alpha, learning_rate=1e-4, optimizer=optimizer, scheduler="constant"
    )
    families = {"sd3": "sd35", "lumina": "lumina2"}
    return Preset(
        "subject (sd-scripts' guide)", (families.get(family, family),), figures, "subject",
        "sd-scripts",
    )  # fmt: skip


def _musubi(family: str, page: str, dim: int, alpha: float, rate: float) -> Preset:
    """Return the command of musubi-tuner's page on a family; alpha is 1 where it has none, the schedule constant."""
    source = Source(f"musubi-tuner 0.3.4, docs/{page}.md", "2026-06", "trainer")
    figures = _of(
        source, network_dim=dim, network_alpha=alpha, learning_rate=rate, optimizer="AdamW8bit", scheduler="constant",
        epochs=16,
    )  # fmt: skip
    return Preset("subject (musubi-tuner's guide)", (family,), figures, "subject", "musubi-tuner")


def _onetrainer(families: tuple[str, ...], rate: float, batch: int, resolution: int = 0) -> Preset:
    """Return a LoRA preset of OneTrainer; rank, alpha, optimizer and schedule are its config's defaults."""
    source = Source("OneTrainer 23df383, training_presets, '#… LoRA'", "2026-08", "trainer")
    figures = _of(
        source, network_alpha=1.0, learning_rate=rate, batch_size=batch, optimizer="AdamW", scheduler="constant"
    )
    more = _of(source, network_dim=16, resolution=resolution) if resolution else {}
    return Preset("subject (OneTrainer's preset)", families, figures | more, "subject", "onetrainer")


def _ai_toolkit(family: str, example: str, **more: object) -> Preset:
    """Return an example of ai-toolkit: 2,000 steps of one image; its schedule is constant where none is set."""
    source = Source(f"ai-toolkit 0.12.26, config/examples/{example}.yaml", "2026-08", "trainer")
    figures = _of(
        source, network_dim=16, network_alpha=16.0, batch_size=1, learning_rate=1e-4, optimizer="AdamW8bit",
        scheduler="constant", caption_dropout=0.05, steps=2000, **more,
    )  # fmt: skip
    return Preset("subject (ai-toolkit's example)", (family,), figures, "subject", "ai-toolkit")


_WINDOW = Source("ai-toolkit 0.12.26, ui/src/app/jobs/new/jobConfig.ts", "2026-08", "trainer")
_EXAMPLES = Source(
    "LoRADS, after ai-toolkit's examples (0.12.26): one image; 2,000 or 3,000 steps, good are 500 to 4,000",
    "2026-08",
    "estimate",
)
_WINDOWS = Source("LoRADS, after what ai-toolkit's window begins with (0.12.26)", "2026-08", "estimate")
_PRODIGY = Source(
    "Prodigy's paper (arXiv 2306.06101) and README: rate 1, cosine without warm-up", "2023-06", "published"
)
_MIN_SNR = Source("Min-SNR's paper (arXiv 2303.09556)", "2023-03", "published")
_TEXT = Source("sd-scripts 0.10.1, docs/train_network.md: the text encoder at half the rate", "2026-02", "published")
_SMALL_DIM = Source("LoRADS, after sd-scripts' pages on Anima and Lumina 2 (0.10.1)", "2026-02", "estimate")
_DROPOUT = Source("LoRADS, after sd-scripts' docs/train_network_advanced.md (0.10.1)", "2026-02", "estimate")

_GUIDES: tuple[Preset, ...] = (
    _sd_scripts("sdxl", 32, 16.0),
    _sd_scripts("flux", 16, 1.0),
    _sd_scripts("sd3", 16, 1.0),
    _sd_scripts("anima", 8, 1.0),
    _sd_scripts("lumina", 8, 8.0, optimizer="AdamW"),
    _sd_scripts("hunyuan_image", 16, 1.0),
    _musubi("zimage", "zimage", 32, 1.0, 1e-4),
    _musubi("krea2", "krea2", 32, 32.0, 1e-4),
    _musubi("flux2", "flux_2", 32, 1.0, 1e-4),
    _musubi("qwen_image", "qwen_image", 16, 1.0, 5e-5),
    _onetrainer(("sd15", "sdxl"), 3e-4, 4),
    _onetrainer(("flux",), 3e-4, 4, 768),
    _onetrainer(("chroma", "zimage", "krea2", "qwen_image"), 3e-4, 2, 512),
    _onetrainer(("flux2", "anima"), 3e-5, 2, 512),
    _ai_toolkit("flux", "train_lora_flux_24gb", ema_decay=0.99),
    _ai_toolkit("chroma", "train_lora_chroma_24gb", ema_decay=0.99),
    _ai_toolkit("sd35", "train_lora_sd35_large_24gb", ema_decay=0.99),
    _ai_toolkit("qwen_image", "train_lora_qwen_image_24gb"),
    Preset(
        "subject (ai-toolkit's window)", ("zimage", "krea2", "flux2", "anima"),
        _of(
            _WINDOW, network_dim=32, network_alpha=32.0, batch_size=1, learning_rate=1e-4, optimizer="AdamW8bit",
            scheduler="constant", weight_decay=1e-4, steps=3000,
        ), "subject", "ai-toolkit",
    ),
)  # fmt: skip


# Any trainer


_PURPOSES: tuple[Preset, ...] = (
    Preset(
        "anime character or style (Prodigy)", ("sdxl",),
        _of(_ESTIMATE, network_dim=16, network_alpha=16.0, shuffle_caption=True)
        | _of(_PRODIGY, optimizer="Prodigy", learning_rate=1.0, scheduler="cosine", warmup=0.0)
        | _of(_MIN_SNR, min_snr_gamma=5.0),
        "subject",
    ),
    Preset(
        "subject with text encoder", ("sd15",),
        _of(_TEXT, text_encoder_learning_rate=5e-5)
        | _of(_ESTIMATE, network_dim=32, network_alpha=16.0)
        | _of(_MIN_SNR, min_snr_gamma=5.0),
        "subject",
    ),
    Preset(
        "person", _ALL, _of(_EXAMPLES, batch_size=1) | _of(_ESTIMATE, network_dim=16, steps=2500), "person",
        note="15 to 30 images; never mirrored, as faces are not symmetrical",
    ),
    Preset(
        "style", _ALL, _of(_WINDOWS, network_dim=32, steps=3000), "style",
        note="30 images or more, of many subjects; captions say what is shown, not how",
    ),
    Preset(
        "concept", _ALL, _of(_SMALL_DIM, network_dim=8) | _of(_EXAMPLES, steps=2000), "concept",
        note="a pose, a garment, a thing: a low rank holds little else",
    ),
    Preset(
        "small set", _ALL,
        _of(_SMALL_DIM, network_dim=8)
        | _of(_EXAMPLES, batch_size=1)
        | _of(_DROPOUT, network_dropout=0.1)
        | _of(_ESTIMATE, steps=1000),
        "small set", note="fewer than 15 images; compare the LoRAs of all epochs",
    ),
    Preset(
        "low VRAM", _ALL,
        _of(_ESTIMATE, network_dim=8, network_alpha=4.0, batch_size=1, gradient_accumulation_steps=4), "memory",
        note="batches of one image, four to a step; 8-bit optimizer",
    ),
)  # fmt: skip


_NAMED = ("sd-scripts", "musubi-tuner")
"""Trainers whose rows of cards are presets too, which are named by them: no other trainer is meant by such a row."""
_DATES = {"sd-scripts": "2026-02", "musubi-tuner": "2026-06"}


def _cards() -> Iterator[Preset]:
    for each in CARDS:
        if each.trainer in _NAMED:
            figures = _of(Source(each.source, _DATES[each.trainer], "trainer"), **each.values)
            yield Preset(
                f"card of {each.vram} GB ({each.trainer})", each.models, figures, "memory", each.trainer, each.vram
            )


PRESETS: tuple[Preset, ...] = (
    Preset("defaults", _ALL, {}, note="LoRADS: the defaults"),
    *_GUIDES,
    *_PURPOSES,
    *_cards(),
    Preset(
        "quick test", _ALL, _of(_ESTIMATE, network_dim=4, network_alpha=4.0, epochs=2, repeats=1, batch_size=1), "test",
        note="to check that everything runs, not to learn much",
    ),
)  # fmt: skip
