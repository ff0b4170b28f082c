"""What earlier runs say of the card that a command line asks for (``--vram``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SettingsError
from ..model import Problem
from ..workflow.card_fit import card_problem, last_peak, peak_sentence

if TYPE_CHECKING:
    from ..store.connect import Store
    from .training_options import ChosenTraining


def card_steps(store: Store, chosen: ChosenTraining, trainer: str) -> list[Problem]:
    """Return what earlier runs say of the card that a command line asks for.

    Raises:
        SettingsError: no setting was found for it, and no earlier run of the kind fitted.
    """
    if chosen.card is None:
        return []
    peak = last_peak(store, trainer, chosen.config)
    if chosen.unfit:
        earlier = f" {peak_sentence(chosen.config, peak)}" if peak else ""
        if peak is None or peak.gigabytes > chosen.card:
            raise SettingsError(f"{chosen.unfit}{earlier}{'.' if earlier else ''}")
        return [Problem("info", "card", f"{chosen.unfit}{earlier}, which fits: it is trained as it was.")]
    problem = card_problem(chosen.config, peak, chosen.card)
    return [problem] if problem else []
