"""Network types (LoRA, LoCon, LoHa, LoKr, DoRA): one row each; how a trainer makes one is the trainer's matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Network:
    """A network type.

    ``convolutions`` says whether it changes convolution layers too, where the base model has some. ``without`` names
    the network that it is the same as where the base model has none, empty where it stays one of its own.
    ``decomposed`` says whether magnitude and direction are trained apart (DoRA), ``hadamard`` whether it is a Hadamard
    product of two (LoHa), whose rank is up to the square of its dim, ``kronecker`` whether it is a Kronecker product
    (LoKr), which has a factor and can have full rank. ``signature`` are parts of tensors' names in its files; LoCon's
    are those of LoRA. ``dim`` and ``learning_rate`` are its defaults, the latter for AdamW.
    """

    name: str
    label: str
    convolutions: bool = False
    without: str = ""
    decomposed: bool = False
    hadamard: bool = False
    kronecker: bool = False
    signature: tuple[str, ...] = ()
    dim: int = 16
    learning_rate: float = 1e-4


# LoHa: the rank of a product is up to the square of each factor's (LyCORIS, docs/Network-Args.md: dim of 32 at most).
# DoRA: half of LoRA's rank does as well, at a slightly lower rate (its authors' README, github.com/NVlabs/DoRA).
NETWORKS: tuple[Network, ...] = (
    Network("lora", "LoRA", signature=(".lora_down.", ".lora_A.", ".lora.down.")),
    Network("locon", "LoCon", convolutions=True, without="lora"),
    Network("loha", "LoHa", convolutions=True, hadamard=True, signature=(".hada_w1",), dim=8),
    Network("lokr", "LoKr", convolutions=True, kronecker=True, signature=(".lokr_w1",)),
    Network(
        "dora", "DoRA", decomposed=True, signature=(".dora_scale", ".lora_magnitude_vector", ".magnitude"), dim=8,
        learning_rate=8e-5,
    ),
)  # fmt: skip


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


def file_networks(found: Network) -> tuple[Network, ...]:
    """Return the network types whose files have the tensor names of ``found``: itself, and those without their own."""
    return (found, *(each for each in networks() if not each.signature and each.without == found.name))


def recognised_network(tensors: Iterable[str]) -> Network | None:
    """Return the network type of a file by the names of its tensors, None where no row knows them; LoRA for LoCon."""
    names = "\n".join(tensors)
    found = [each for each in networks() if any(part in names for part in each.signature)]
    return found[-1] if found else None  # DoRA's names are those of LoRA, and more
