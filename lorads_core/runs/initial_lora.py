"""The LoRA that a training starts from: checked before it starts, as trainers pass over what does not fit in silence.

A config may be a stranger's: the file is looked at here before a trainer opens it, and only safetensors are read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..base_models import base_model, recognised_lora
from ..errors import TrainerError
from ..networks import file_networks, network, recognised_network
from ..system.files import file_error_reason
from ..trainers import trainer
from .lora_file import has_wide_convolutions, read_alphas, read_lora

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model import TrainingConfig
    from .lora_file import LoraFile

_CLOSE = 1e-3  # of an alpha: half a precision's last bit
_TEXT = ("lora_te", "text_encoder", "text_encoders.")


def check_initial_lora(config: TrainingConfig, name: str) -> str:
    """Check the LoRA that the trainer ``name`` is to start from; return what a user should know of it, if anything.

    Raises:
        TrainerError: it cannot be read, or does not fit the config; the message says all that does not.
    """
    file = Path(config.initial_lora)
    if not file.is_absolute():
        raise TrainerError(f"{file} is no whole path of a LoRA to start from: give its path from the root on.")
    lora = read_lora(file)
    try:
        faults = list(_faults(config, name, lora))
    except OSError as error:
        raise TrainerError(f"{file} cannot be read: {file_error_reason(error)}.") from error
    if faults:
        raise TrainerError(f"The training cannot start from {file}. {' '.join(faults)}")
    return _note(config, name, lora)


def _faults(config: TrainingConfig, name: str, lora: LoraFile) -> Iterator[str]:
    """Yield what of a LoRA does not fit a config; of another family nothing else counts."""
    base = base_model(config.base_model)
    found = recognised_lora(lora.tensors)
    if found and found.name not in base.family.lora_families:
        yield f"It looks like a LoRA of {found.label}, and the base model is {base.label}: choose another LoRA."
        return
    yield from _form_faults(config, name, lora)
    yield from _network_faults(config, name, lora)


def _form_faults(config: TrainingConfig, name: str, lora: LoraFile) -> Iterator[str]:
    chosen = trainer(name)
    keys = chosen.initial_lora(config).keys
    if not any(key.startswith(keys) for key in lora.tensors):
        yield (
            f"Its keys, such as {next(iter(lora.tensors))}, begin with none of {', '.join(keys)}, so that"
            f" {chosen.label} would load nothing of it: choose one that {chosen.label} has trained, or another trainer."
        )


def _network_faults(config: TrainingConfig, name: str, lora: LoraFile) -> Iterator[str]:
    chosen, found = network(config.network), recognised_network(lora.tensors)
    alike = file_networks(found) if found else ()
    if found and chosen not in alike:
        yield f"It is a {found.label}, and the network is {chosen.label}: set the network to {found.name}."
        return
    wide = has_wide_convolutions(lora)
    fitting = next((each for each in alike if each.convolutions == wide), chosen)
    if fitting != chosen and not any(each.name in trainer(name).same for each in alike):
        yield (
            f"It changes {'' if wide else 'no '}convolutions, and the network is {chosen.label}: set the network to"
            f" {fitting.name}."
        )
    yield from _size_faults(config, lora)


def _size_faults(config: TrainingConfig, lora: LoraFile) -> Iterator[str]:
    """Yield where rank and alpha are others than the file's: a trainer stops, or trains with another strength."""
    if lora.ranks and config.network_dim not in lora.ranks:
        yield f"Its rank is {_listed(lora.ranks)}, and the network dim {config.network_dim}: set the dim to its rank."
    elif lora.ranks and not network(config.network).kronecker:
        alphas = read_alphas(lora) or lora.ranks  # without an alpha, it counts as the rank
        if not any(math.isclose(each, config.network_alpha, rel_tol=_CLOSE) for each in alphas):
            yield (
                f"Its alpha is {_listed(alphas)}, and the network alpha {config.network_alpha:g}: set the alpha to its"
                " own."
            )


def _listed(numbers: Iterable[float]) -> str:
    return " or ".join(f"{each:g}" for each in sorted(numbers))


def _note(config: TrainingConfig, name: str, lora: LoraFile) -> str:
    chosen = trainer(name)
    has_text = any(key.startswith(_TEXT) for key in lora.tensors)
    if has_text and chosen.initial_lora(config).drops_text and not config.text_encoder_learning_rate:
        return (
            f"{Path(config.initial_lora).name} also changes text encoders, which {chosen.label} leaves out where they"
            " are not trained: set their learning rate to go on with them."
        )
    return ""
