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
        if peak is None:
            raise chosen.unfit
        held = peak_sentence(chosen.config, peak)
        if peak.gigabytes > chosen.card:
            raise SettingsError(f"{chosen.unfit} {held}.")
        said = f"{chosen.unfit.reason}, but {held[0].lower()}{held[1:]}, which fits: it is trained with those settings."
        return [Problem("info", "card", said)]
    problem = card_problem(chosen.config, peak, chosen.card)
    return [problem] if problem else []
