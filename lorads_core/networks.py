"""The kinds of network that a LoRA can be, one row each; which module of a trainer makes one is its own matter."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import SettingsError


@dataclass(frozen=True, slots=True)
class Network:
    """A kind of network beside the weights that it changes.

    ``convolutions`` says whether it changes convolution layers too, ``hadamard`` whether it is a product of two
    low-rank matrices (LoHa) instead of one, ``decomposed`` whether magnitude and direction are learnt apart (DoRA).
    """

    name: str
    label: str
    convolutions: bool = False
    hadamard: bool = False
    decomposed: bool = False


NETWORKS: tuple[Network, ...] = (
    Network("lora", "LoRA"),
    Network("locon", "LoCon", convolutions=True),
    Network("loha", "LoHa", convolutions=True, hadamard=True),
    Network("dora", "DoRA", decomposed=True),
)
NETWORK_NAMES = tuple(network.name for network in NETWORKS)


def network(name: str) -> Network:
    """Return the row called ``name``.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    for each in NETWORKS:
        if each.name == name:
            return each
    raise SettingsError(f"There is no network {name!r}; known are: {', '.join(NETWORK_NAMES)}.")
