"""Which parts of a layer filter match no layer of the base model, by all names that are known of its layers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ..base_models import base_model
from ..model import Problem
from ..runs.lora_files.lookup import family_tables
from ..trainers import trainer
from ..trainers.network_options import layer_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import TrainingConfig

# OneTrainer's Anima has names of its own (attn1, ff), which stand in no LoRA and so in no table; of HunyuanVideo the
# tables have its authors' names alone, and it picks layers by Diffusers'.
_UNKNOWN = frozenset({("onetrainer", "anima"), ("onetrainer", "hunyuan_video")})


def unmatched_layers(trainer_name: str, config: TrainingConfig) -> Iterator[Problem]:
    """Yield a warning for parts of the layer filter that are in no layer's name; ``config`` is one that is not refused.

    The names are those of the base model itself and of Diffusers: what is in none of them, a trainer finds nowhere.
    Nothing is said of models of which they are not known.
    """
    family, chosen = base_model(config.base_model).family, trainer(trainer_name)
    known = "" if (trainer_name, family.name) in _UNKNOWN else _names(family.name)
    if not known or "layer_filter" in chosen.lacks(config):
        return
    lost = [part for part in layer_parts(config) if part.replace(".", "_") not in known]
    if lost:
        yield Problem(
            "warning",
            "layer-filter",
            f"No layer of {family.label} that is known has {' or '.join(lost)} in its name, so {chosen.label} finds"
            " none by it: check the layer filter.",
        )


@lru_cache(maxsize=32)
def _names(family: str) -> str:
    """Return the keys of all modules of a family's denoiser, one per line, with underscores as some trainers do."""
    keys = (key for table in family_tables(family) for names in table.denoiser for key in names.keys())  # noqa: SIM118
    return "\n".join(key.replace(".", "_") for key in keys)
