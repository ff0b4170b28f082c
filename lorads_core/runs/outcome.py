"""What came of a training: judged by its exit code and by the files that are there.

What was printed counts only where nobody saw the exit code, as the watcher was cut off.
"""

from __future__ import annotations

import glob
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import TrainerError
from .failure_reasons import ends_in_error, failure_reason
from .lora_file import find_nonfinite_tensor, read_header, read_lora
from .lora_loading import lora_loading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import RunState
    from .lora_file import LoraFile
    from .run_folder import Order

_EARLIER = 2.0  # seconds: some file systems keep times that coarsely


class Outcome(NamedTuple):
    """How a run ended: ``message`` is empty where nothing is to be said."""

    state: RunState
    message: str
    loras: tuple[str, ...]


def saved_loras(order: Order, since: float) -> tuple[str, ...]:
    """Return the LoRA files that are there by now, in the order of saving; those older than ``since`` are another's.

    Of a resumed training also those that were saved before it was stopped.
    """
    output, since = Path(order.output), order.since or since
    found: list[str] = []
    for pattern in order.checkpoints:
        files = [output / pattern] if "*" not in pattern else _matching(output, pattern)
        found += [file.relative_to(output).as_posix() for file in files if _is_of(file, since)]
    return tuple(dict.fromkeys(found))


def _matching(output: Path, pattern: str) -> list[Path]:
    whole = f"{glob.escape(str(output))}/{glob.escape(pattern).replace('[*]', '*')}"
    return sorted(Path(name) for name in glob.glob(whole))  # noqa: PTH207 - Path.glob cannot escape


def _is_of(file: Path, since: float) -> bool:
    try:
        return file.stat().st_mtime >= since - _EARLIER
    except OSError:
        return False


def determine_outcome(
    order: Order,
    exit_code: int | None,
    lines: Sequence[str],
    *,
    since: float,
    stopped: bool = False,
    reached: bool = False,
) -> Outcome:
    """Return what came of a training.

    Args:
        order: what was to come.
        exit_code: the trainer's, None where nobody saw it.
        lines: the last lines that it printed.
        since: when it began, in seconds since 1970.
        stopped: whether a stop was requested.
        reached: whether it was seen to take its last step, which counts where it was stopped or nobody saw its
            exit code.
    """
    loras = saved_loras(order, since)
    fault = _fault(order, loras)
    # OneTrainer saves its LoRA when it is interrupted, and ends well.
    if exit_code == 0 and not fault and (reached or not stopped):
        return Outcome("completed", _note(order, loras), loras)
    if stopped:
        return Outcome("cancelled", "It was stopped.", loras)
    if exit_code == 0:
        return Outcome("failed", f"The trainer ended without an error, but {fault}", loras)
    if exit_code is None:
        return _unseen(order, fault, lines, loras, reached=reached)
    return Outcome("failed", failure_reason(lines, exit_code), loras)


def _unseen(order: Order, fault: str, lines: Sequence[str], loras: tuple[str, ...], *, reached: bool) -> Outcome:
    """Return what came of a training whose exit code nobody saw, by what it printed last and by its LoRA."""
    if reached and not fault:
        return Outcome("completed", _note(order, loras), loras)
    if fault and ends_in_error(lines):
        return Outcome("failed", failure_reason(lines, None), loras)
    rest = f"and {fault}" if fault else f"though {loras[-1]} is there and sound."
    return Outcome("lost", f"Nobody saw how the trainer ended, {rest}", loras)


def _fault(order: Order, loras: Sequence[str]) -> str:
    """Say what is wrong with the final LoRA, empty where it is sound."""
    final = order.checkpoints[-1]
    name = next((each for each in reversed(loras) if Path(each).match(final)), "")
    if not name:
        return f"there is no {final} of this training in {order.output}."
    try:
        lora = read_lora(Path(order.output) / name)
        spoilt = find_nonfinite_tensor(lora)
    except (TrainerError, OSError) as error:
        return f"its LoRA is not sound: {error}"
    if lora.ranks and order.rank not in lora.ranks:  # a LoKr at full rank has none
        ranks = ", ".join(map(str, sorted(lora.ranks)))
        return f"its LoRA has rank {ranks} instead of {order.rank}."
    if unknown := _unknown_keys(order, lora):
        return f"ComfyUI would load nothing of its LoRA: {unknown}. Update the trainer."
    if spoilt:
        return f"its LoRA holds values that are no numbers (NaN), e.g. in {spoilt}: lower the learning rate."
    return ""


def _unknown_keys(order: Order, lora: LoraFile) -> str:
    """Say that ComfyUI knows no key of a LoRA, also once it is converted; empty where it does, or nobody knows."""
    found = lora_loading(lora, order.family) if order.family else None
    if found is not None:
        return "" if found.best.loaded else found.best.text
    if order.key_prefixes and not any(key.startswith(order.key_prefixes) for key in lora.tensors):
        first = next(iter(lora.tensors))
        return f"its keys, such as {first}, begin with none of {', '.join(order.key_prefixes)}"
    return ""


def _note(order: Order, loras: Sequence[str]) -> str:
    """Say what of the final LoRA ComfyUI loads where that is not all of it as it is; empty where it is."""
    with suppress(TrainerError):
        lora = read_header(Path(order.output) / loras[-1])
        found = lora_loading(lora, order.family) if order.family else None
        if found and found.reason:
            return f"ComfyUI will not load all of it. {found.reason}"
        if found and found.conversion:
            return (
                f"ComfyUI loads all of it once it is converted, as it is when LoRADS installs or loads it"
                f" ({found.as_it_is.figure} as it is)."
            )
    return ""
