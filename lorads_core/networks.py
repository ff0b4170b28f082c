"""Network types (LoRA, LoCon, LoHa, LoKr, DoRA): one row each; how a trainer makes one is the trainer's matter."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import SettingsError


@dataclass(frozen=True, slots=True)
class Network:
    """A network type.

    ``convolutions`` says whether it changes convolution layers too, where the base model has some. ``without`` names
    the network that it is the same as where the base model has none, empty where it stays one of its own.
    ``decomposed`` says whether magnitude and direction are trained apart (DoRA), ``hadamard`` whether it is a Hadamard
    product of two (LoHa), whose rank is up to the square of its dim, ``kronecker`` whether it is a Kronecker product
    (LoKr), which has a factor and can have full rank.
    """

    name: str
    label: str
    convolutions: bool = False
    without: str = ""
    decomposed: bool = False
    hadamard: bool = False
    kronecker: bool = False


NETWORKS: tuple[Network, ...] = (
    Network("lora", "LoRA"),
    Network("locon", "LoCon", convolutions=True, without="lora"),
    Network("loha", "LoHa", convolutions=True, hadamard=True),
    Network("lokr", "LoKr", convolutions=True, kronecker=True),
    Network("dora", "DoRA", decomposed=True),
)


def networks() -> tuple[Network, ...]:
    """Return all network types."""
    return NETWORKS


def network_names() -> tuple[str, ...]:
    """Return the names of all network types, as combos and the command line offer them."""
    return tuple(each.name for each in networks())


def network(name: str) -> Network:
    """Return the row called ``name``.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    for each in networks():
        if each.name == name:
            return each
    raise SettingsError(f"There is no network {name!r}; known are: {', '.join(network_names())}.")
