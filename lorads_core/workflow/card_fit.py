"""Whether a training fits a graphics card, by what the last one of its kind held on this machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ..base_models import base_model
from ..model import Problem, memory_text
from ..networks import network
from ..runs.read_export import speed_key
from ..store import runs
from ..trainers.checks import settled

if TYPE_CHECKING:
    from ..model import TrainingConfig
    from ..store.connect import Store
    from ..store.runs import PeakMemory


def last_peak(store: Store, trainer: str, config: TrainingConfig) -> PeakMemory | None:
    """Return what the last training of a kind held on this machine; None where that is not known."""
    with store.connection() as connection:
        return runs.last_peak(connection, speed_key(trainer, config), socket.gethostname())


def peak_sentence(config: TrainingConfig, peak: PeakMemory) -> str:
    """Say what a training of the kind of a config held, without a full stop."""
    chosen = settled(config)
    what = f"{base_model(config.base_model).label} {network(config.network).label}"
    held = f"peaked at {peak_text(peak)}"
    return f"Your last run of {what} at {chosen.resolution}, batch {chosen.batch_size} {held}"


def peak_text(peak: PeakMemory) -> str:
    """Say how much that was."""
    return memory_text(peak.memory, of_card=peak.of_card)


def card_problem(config: TrainingConfig, peak: PeakMemory | None, card: float | None) -> Problem | None:
    """Return that a card of ``card`` GB has less than the last training of the kind held; None where it has not."""
    if peak is None or card is None or peak.gigabytes <= card:
        return None
    said = f"{peak_sentence(config, peak)}, and the card has {card:g} GB"
    return Problem("warning", "card", f"{said}: keep more in RAM, hold weights in fewer bits, or use smaller batches.")
