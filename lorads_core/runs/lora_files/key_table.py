"""Key table of an architecture: the keys by which ComfyUI knows its modules, as a row of `key_tables` has them."""

from __future__ import annotations

from dataclasses import dataclass

from .names import Names
from .text_encoder_keys import TEXT_ENCODERS

NATIVE = ("diffusion_model.", "lora_unet_")
"""What stands before a module's own name, for every architecture; with dots first."""


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Keys of the LoRAs of architectures, by their names in `checkpoints.architectures`.

    ``native`` are the modules as ComfyUI's model calls them, ``forms`` what stands before these besides `NATIVE`,
    ``others`` the same modules by other names, mostly those of Diffusers. The numbers are those of the deepest variant.
    ``text_encoders`` are rows of `text_encoder_keys`.
    """

    architectures: tuple[str, ...]
    native: str
    forms: tuple[str, ...] = ()
    others: tuple[Names, ...] = ()
    text_encoders: tuple[str, ...] = ()

    @property
    def denoiser(self) -> tuple[Names, ...]:
        """All names of the denoiser's modules, its own first."""
        return (Names(NATIVE + self.forms, self.native), *self.others)

    @property
    def texts(self) -> tuple[Names, ...]:
        """All names of its text encoders' modules."""
        return tuple(names for each in self.text_encoders for names in TEXT_ENCODERS[each])
