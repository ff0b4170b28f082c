"""How captions are written for each base model, one row each; the rows are the rules of the models' own trainers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..base_models import base_model
from ..tags import escape_prompt

if TYPE_CHECKING:
    from .vocabulary import Category

Kind = Literal["tags", "prose", "mixed"]
"""Tags, sentences, or sentences with tags behind them."""

RatingStyle = Literal["none", "plain", "pony"]
"""How a tagger's rating is spelt: not at all, as the tagger does, or as Pony was trained."""

TokenizerName = Literal["clip", "t5"]

BOORU_ORDER: tuple[Category, ...] = ("count", "character", "series", "rating", "general", "artist", "quality")
# Pony's words of source and rating stand in front of what is to be seen, behind its scores.
PONY_ORDER: tuple[Category, ...] = ("rating", "count", "character", "series", "general", "artist", "quality")


@dataclass(frozen=True, slots=True)
class CaptionProfile:
    """What a base model wants of a caption.

    ``kinds`` are the kinds of caption it learns from, the best first. ``order`` is that of the categories of tags.
    ``control`` says whether Pony's ``source_*`` and ``rating_*`` words mean anything to it. Tokens are counted by
    ``tokenizer``; ``limits`` are the numbers of tokens that trainers can be set to, the usual one first. ``shuffle``
    says whether shuffling tags is advisable. ``praise`` and ``negative`` are for test prompts, never for training.
    """

    base: str
    kinds: tuple[Kind, ...]
    ratings: RatingStyle
    tokenizer: TokenizerName
    limits: tuple[int, ...]
    shuffle: bool
    control: bool = False
    order: tuple[Category, ...] = BOORU_ORDER
    praise: tuple[str, ...] = ()
    negative: str = ""


_CLIP = (75, 150, 225)  # sd-scripts v0.10.1, --max_token_length: chunks of CLIP's 77 less its two marks
_T5 = (512,)  # FLUX.1 dev; sd-scripts v0.10.1, flux_train_utils.py, --t5xxl_max_token_length

PROFILES: tuple[CaptionProfile, ...] = (
    CaptionProfile("sdxl", ("mixed", "prose", "tags"), "none", "clip", _CLIP, shuffle=False),
    CaptionProfile(
        "illustrious", ("tags", "mixed", "prose"), "plain", "clip", _CLIP, shuffle=True,
        praise=("masterpiece", "best quality"), negative="worst quality, low quality, lowres, bad anatomy",
    ),
    CaptionProfile(
        "pony", ("tags", "mixed"), "pony", "clip", _CLIP, shuffle=True, control=True, order=PONY_ORDER,
        praise=("score_9", "score_8_up", "score_7_up", "score_6_up", "score_5_up", "score_4_up"),
        negative="score_4, score_3, score_2, score_1",
    ),
    CaptionProfile(
        "sd15", ("tags", "mixed", "prose"), "none", "clip", _CLIP, shuffle=True,
        praise=("masterpiece", "best quality"), negative="worst quality, low quality",
    ),
    CaptionProfile("flux", ("prose", "mixed"), "none", "t5", _T5, shuffle=False),
)  # fmt: skip


def profile(base: str) -> CaptionProfile:
    """Return how captions are written for a base model.

    Raises:
        SettingsError: there is no such base model; the message names those there are.
    """
    name = base_model(base).name
    return next(each for each in PROFILES if each.base == name)


def trial_prompt(caption: str, written_for: CaptionProfile) -> str:
    r"""Return a ComfyUI prompt that tries a LoRA out on what a training caption says.

    The model's words of praise stand in front, where it has any. Brackets are escaped, which would be weights there.
    """
    return ", ".join((*written_for.praise, escape_prompt(caption)))
