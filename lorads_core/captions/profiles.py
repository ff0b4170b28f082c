"""How captions are written for each base model, one row each; the rows are the rules of the models' own trainers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..base_models import base_model
from ..errors import SettingsError
from ..tags import escape_prompt
from .structured import structured

if TYPE_CHECKING:
    from ..base_models import TokenizerName
    from .vocabulary import Category

Kind = Literal["tags", "prose", "mixed"]
"""Tags, sentences, or sentences with tags behind them."""

RatingStyle = Literal["none", "plain", "pony"]
"""How a tagger's rating is spelled: not at all, as the tagger does, or as Pony was trained."""

BOORU_ORDER: tuple[Category, ...] = ("count", "character", "series", "rating", "general", "artist", "quality")
# Pony's words of source and rating stand in front of what is to be seen, behind its scores.
PONY_ORDER: tuple[Category, ...] = ("rating", "count", "character", "series", "general", "artist", "quality")

ANIMA_ORDER: tuple[Category, ...] = ("quality", "rating", "count", "character", "series", "artist", "general")


@dataclass(frozen=True, slots=True)
class CaptionProfile:
    """What a base model wants of a caption.

    ``kinds`` are the kinds of caption it learns from, the best first. ``order`` is that of the categories of tags.
    ``control`` says whether Pony's ``source_*`` and ``rating_*`` words mean anything to it. ``shuffle``
    says whether shuffling tags is advisable; with ``structured`` a caption's file holds JSON (`captions.structured`).
    ``praise`` and ``negative`` are for test prompts, never for training.
    """

    base: str
    kinds: tuple[Kind, ...]
    ratings: RatingStyle
    shuffle: bool
    control: bool = False
    structured: bool = False
    order: tuple[Category, ...] = BOORU_ORDER
    praise: tuple[str, ...] = ()
    negative: str = ""

    @property
    def tokenizer(self) -> TokenizerName:
        """What counts its tokens: its family's tokenizer."""
        return base_model(self.base).family.tokenizer

    @property
    def limits(self) -> tuple[int, ...]:
        """The numbers of tokens that trainers can be set to for its family; the largest is the default."""
        return base_model(self.base).family.token_limits


PROFILES: tuple[CaptionProfile, ...] = (
    CaptionProfile("sdxl", ("mixed", "prose", "tags"), "none", shuffle=False),
    CaptionProfile(
        "illustrious", ("tags", "mixed", "prose"), "plain", shuffle=True,
        praise=("masterpiece", "best quality"), negative="worst quality, low quality, lowres, bad anatomy",
    ),
    CaptionProfile(
        "pony", ("tags", "mixed"), "pony", shuffle=True, control=True, order=PONY_ORDER,
        praise=("score_9", "score_8_up", "score_7_up", "score_6_up", "score_5_up", "score_4_up"),
        negative="score_4, score_3, score_2, score_1",
    ),
    CaptionProfile(
        "sd15", ("tags", "mixed", "prose"), "none", shuffle=True,
        praise=("masterpiece", "best quality"), negative="worst quality, low quality",
    ),
    CaptionProfile("flux", ("prose", "mixed"), "none", shuffle=False),
    CaptionProfile("sd35", ("prose", "mixed"), "none", shuffle=False),
    CaptionProfile("chroma", ("prose", "mixed"), "none", shuffle=False),
    # Its authors' order of tags; their words for ratings are other ones than taggers'.
    CaptionProfile(
        "anima", ("mixed", "tags", "prose"), "none", shuffle=False, order=ANIMA_ORDER,
        praise=("masterpiece", "best quality", "score_7", "safe"),
        negative="worst quality, low quality, score_1, score_2, score_3",
    ),
    CaptionProfile("lumina2", ("prose", "mixed"), "none", shuffle=False),
    CaptionProfile("netayume", ("mixed", "prose", "tags"), "none", shuffle=False),
    CaptionProfile("hunyuan_image", ("prose", "mixed"), "none", shuffle=False),
    # Its authors' order of a prompt: special tags (score_9, source_anime), a description, then tags of what is left.
    CaptionProfile("pony7", ("mixed", "prose"), "none", shuffle=False, control=True, praise=("score_9",)),
    CaptionProfile("ideogram4", ("prose", "mixed"), "none", shuffle=False, structured=True),
)  # fmt: skip


def profile(base: str) -> CaptionProfile:
    """Return how captions are written for a base model, which the profile then names.

    Raises:
        SettingsError: there is no such base model, or it has no profile.
    """
    row = base_model(base)
    for each in PROFILES:
        if each.base == (row.captions or row.name):
            return replace(each, base=row.name)
    raise SettingsError(f"{row.label} has no caption profile: add its row to captions/profiles.py.")


def trial_prompt(caption: str, written_for: CaptionProfile) -> str:
    r"""Return a ComfyUI prompt that tries a LoRA out on what a training caption says.

    The model's words of praise stand in front, where it has any. Brackets are escaped, which would be weights there.
    """
    if written_for.structured:  # ComfyUI reads no weights in it (0.26.0, comfy/text_encoders/ideogram4.py)
        return structured(caption)
    return ", ".join((*written_for.praise, escape_prompt(caption)))
