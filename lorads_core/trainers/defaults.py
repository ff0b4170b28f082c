"""Default rank, alpha, learning rate and warm-up, which follow network, base model, optimizer and scheduler.

They are used where a person set none; `TrainingConfig.automatic` names the fields that were chosen here. `counts` says
which fields count at all, as the others stand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ..base_models import base_model, base_model_names, model_parts
from ..errors import SettingsError
from ..model import TrainingConfig
from ..networks import network
from ..system.names import is_text
from ..training_fields import ANY, TRAINING_FIELDS, training_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

AUTOMATIC = tuple(each.name for each in TRAINING_FIELDS if each.is_automatic)
"""The fields that follow others while they are not set."""

_USUAL_ALPHA = 0.5  # of the rank, for a base model that is unknown
# Lion's paper (arXiv 2302.06675, section 5): a rate 3 to 10 times smaller than AdamW's.
_LION_SHARE = 3
_ADAPTIVE_RATE = 1.0
_WARMUP = 0.05


def make_config(given: Mapping[str, Any]) -> TrainingConfig:
    """Return the config of the values that a person set, by the names of `training_fields`; the others get defaults.

    Raises:
        SettingsError: there is no such network.
    """
    return change_config(TrainingConfig(automatic=AUTOMATIC), given)


def change_config(config: TrainingConfig, given: Mapping[str, Any]) -> TrainingConfig:
    """Return a config with some values set, or unset where they are None; what is automatic in it follows them.

    An option that is not set has its default, or the value that LoRADS chooses.

    Raises:
        SettingsError: there is no such network, or a text cannot be stored.
    """
    _check_texts(given)
    unset = {name for name in given if given[name] is None and name in AUTOMATIC}
    automatic = {name for name in config.automatic if name not in given} | unset
    parts = {each.part: given[each.part] for each in model_parts() if each.part in given}
    files = {part: file for part, file in {**config.model_files, **parts}.items() if file}
    values = {
        name: training_field(name).default if value is None else value
        for name, value in given.items()
        if name not in unset and name not in parts
    }
    return _chosen(replace(config, model_files=files, **values), tuple(name for name in AUTOMATIC if name in automatic))


def _check_texts(given: Mapping[str, Any]) -> None:
    """Refuse texts that neither a config file nor the store can hold."""
    for name, value in given.items():
        if not all(map(is_text, _texts(value))):
            title = training_field(name).title
            raise SettingsError(
                f"{title[0].upper()}{title[1:]} has a NUL character or half of a character (a lone surrogate), which"
                " cannot be stored: write it without."
            )


def _texts(value: object) -> Iterator[str]:
    """Yield all texts of an option, those in tables and lists of extra options too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in cast("dict[str, object]", value).items():
            yield from _texts(pair)
    elif isinstance(value, list | tuple):
        for each in cast("list[object]", value):
            yield from _texts(each)


def _chosen(config: TrainingConfig, automatic: tuple[str, ...]) -> TrainingConfig:
    """Choose the automatic values one after the other, as alpha follows the rank."""
    config = _of_base_model(config)
    for name in AUTOMATIC:
        if name in automatic:
            config = replace(config, **{name: _CHOICES[name](config)})
    return replace(config, automatic=automatic)


def _of_base_model(config: TrainingConfig) -> TrainingConfig:
    """Return a config with what its base model always has: its checkpoint where none is set, and v-prediction."""
    if config.base_model not in base_model_names():  # refused later, with all other problems
        return config
    base = base_model(config.base_model)
    return replace(
        config,
        checkpoint=config.checkpoint or base.checkpoint,
        v_prediction=config.v_prediction or base.v_prediction,
    )


def counts(config: TrainingConfig, name: str) -> bool:
    """Tell whether a field of a config counts, as its other fields stand."""
    when = training_field(name).when
    fits = all(_fits(getattr(config, other), wanted) for other, wanted in when.values.items())
    return fits and when.fits(base_model(config.base_model).family)


def _fits(value: object, wanted: tuple[str, ...]) -> bool:
    if ANY in wanted:
        return bool(value)
    return (str(value).lower() if isinstance(value, bool) else str(value)) in wanted


def is_adaptive(optimizer: str) -> bool:
    """Whether an optimizer finds the learning rate itself, so that the one given only scales it."""
    return optimizer.startswith(("Prodigy", "DAdapt"))


def sets_its_rate(config: TrainingConfig) -> bool:
    """Whether AdaFactor makes a schedule of its own, by its arguments, in which no warm-up has a place."""
    args = config.optimizer_args
    return config.optimizer == "AdaFactor" and bool(args.get("relative_step") or args.get("warmup_init"))


def _dim(config: TrainingConfig) -> int:
    return network(config.network).dim


def _alpha(config: TrainingConfig) -> float:
    known = config.base_model in base_model_names()  # an unknown one is refused later, with all other problems
    return float(config.network_dim * (base_model(config.base_model).family.alpha_share if known else _USUAL_ALPHA))


def _rate(config: TrainingConfig) -> float:
    if is_adaptive(config.optimizer):
        return _ADAPTIVE_RATE
    rate = network(config.network).learning_rate
    if "Lion" in config.optimizer:
        return float(f"{rate / _LION_SHARE:.1g}")  # one digit: 3e-05, not 3.3333e-05
    return rate


def _warmup(config: TrainingConfig) -> float:
    # Prodigy's README: no warm-up, or one with safeguard_warmup. D-Adaptation's estimate needs none either.
    if config.scheduler == "constant" or is_adaptive(config.optimizer) or sets_its_rate(config):
        return 0.0
    return _WARMUP


def _usual(name: str) -> Callable[[TrainingConfig], int]:
    """Return what chooses the fixed default, which an export changes by the number of images (`export.amount`)."""
    return lambda _config: training_field(name).default


_CHOICES = {
    "epochs": _usual("epochs"),
    "repeats": _usual("repeats"),
    "network_dim": _dim,
    "network_alpha": _alpha,
    "learning_rate": _rate,
    "warmup": _warmup,
}
