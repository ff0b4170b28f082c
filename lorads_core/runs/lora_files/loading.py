"""Loading: what ComfyUI loads of a LoRA file as it is, and what of it once it is converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .conversion import convert
from .coverage import coverage
from .lookup import table_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...checkpoints.header import Tensor
    from .conversion import Conversion
    from .coverage import Coverage, Keys
    from .key_table import KeyTable


@dataclass(frozen=True, slots=True)
class Loading:
    """What loads of a file: ``as_it_is``, and ``converted`` by ``conversion``, both None where that helps nothing."""

    as_it_is: Coverage
    conversion: Conversion | None = None
    converted: Coverage | None = None

    @property
    def best(self) -> Coverage:
        """What loads of it, converted where that helps."""
        return self.converted or self.as_it_is

    @property
    def text(self) -> str:
        """What loads of it, in a sentence without its full stop."""
        if self.converted is None or self.conversion is None:
            return self.as_it_is.text
        return f"{self.converted.text} once converted ({self.conversion.text}), {self.as_it_is.figure} as it is"

    @property
    def reason(self) -> str:
        """Why not all of it loads, also converted; empty where all does."""
        if self.best.is_full and self.best.modules:
            return ""
        refused = self.conversion.refused if self.conversion else ()
        return " ".join((f"Of its modules, {self.best.text}.", *refused))


def loading(
    tensors: Mapping[str, Tensor], tables: tuple[KeyTable, ...], keys: Keys | None = None, *, with_text: bool = True
) -> Loading | None:
    """Return what loads of a LoRA's tensors; None where no keys are known.

    Args:
        tensors: those of its file.
        tables: the rows of its base model's family; without one it is not converted.
        keys: the keys that a model of ComfyUI takes, with sizes; without, those of the rows.
        with_text: count the modules of text encoders too.
    """
    asked = keys if keys is not None else table_keys(tables)
    if not asked:
        return None
    as_it_is = coverage(tensors, asked, with_text=with_text)
    if as_it_is.is_full:
        return Loading(as_it_is)
    conversion = convert(tensors, tables, asked)
    if conversion is None:
        return Loading(as_it_is)
    made = coverage(conversion.tensors(tensors), asked, with_text=with_text)
    if (made.loaded, made.misfits) <= (as_it_is.loaded, as_it_is.misfits):
        return Loading(as_it_is, conversion if conversion.refused else None)
    return Loading(as_it_is, conversion, made)
