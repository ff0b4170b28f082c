"""Optimizer arguments (`TrainingConfig.optimizer_args`): which are refused, and how config files have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

from .defaults import sets_its_rate
from .extra import is_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import TrainingConfig

_OURS = {"lr": "learning rate", "learning_rate": "learning rate", "weight_decay": "weight decay"}
"""Arguments that are options of LoRADS, with the option's name."""
_NAME = re.compile(r"[A-Za-z_]\w*")
# Letters that part arguments, or a name from its value, in a trainer's config.
_PARTING = re.compile(r"[=,]")


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what is wrong with the arguments for every trainer."""
    for name, value in config.optimizer_args.items():
        if name in _OURS:
            yield f"The optimizer argument {name} is an option of LoRADS: set the {_OURS[name]} instead."
        elif not _NAME.fullmatch(name) or not _is_plain(value):
            yield (
                f"The optimizer argument {name} is {value!r}: give a number, true or false, a word, or a list of"
                " numbers, such as betas = [0.9, 0.99]."
            )
        elif is_unsafe(name, value):
            yield f"The optimizer argument {name} names a file, code or an account, which no workflow may choose."


def no_warmup(label: str, config: TrainingConfig) -> Iterator[str]:
    """Yield that kohya-ss' scripts stop at a warm-up where AdaFactor makes a schedule of its own.

    (``wrap_check_needless_num_warmup_steps`` in ``library/train_util.py``, v0.10.1, and in musubi-tuner's
    ``training/trainer_base.py``.)
    """
    if config.warmup and sets_its_rate(config):
        yield f"{label} stops at a warm-up where AdaFactor has relative_step: set the warm-up to 0, or leave that out."


def _is_plain(value: object) -> bool:
    if _is_list(value):
        return bool(value) and all(isinstance(each, int | float) for each in value)
    return isinstance(value, bool | int | float) or (isinstance(value, str) and not _PARTING.search(value))


def _is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(value, list | tuple)


def python_args(args: Mapping[str, Any]) -> list[str]:
    """Return each argument as ``name=value``, the value as Python writes it: what kohya-ss' scripts read.

    (``ast.literal_eval`` in ``library/train_util.py``, v0.10.1, and in musubi-tuner's ``training/trainer_base.py``.)
    """
    return [f"{name}={_literal(value)}" for name, value in args.items()]


def _literal(value: object) -> str:
    if _is_list(value):
        return f"({','.join(map(repr, value))},)"
    return repr(value)
