"""Coverage: how many modules of a LoRA file ComfyUI takes for a model, by kind of layer, and which it passes over."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from ...problems import counted
from .modules import TEXT, modules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...checkpoints.header import Tensor

    Keys = Mapping[str, "tuple[int, int] | None"]
    """Keys that are taken, each with rows and columns of its layer; None where they are not known."""

_EXAMPLES = 5
_WAN_FUN = ("lora_unet__", "lora_unet_")  # ComfyUI takes the one for the other (0.26.0, comfy/lora_convert.py)
_WAN_FUN_MARK = "lora_unet__blocks_0_cross_attn_k.lora_down.weight"


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many modules of a kind of layer there are, and how many of them load."""

    kind: str
    modules: int
    loaded: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What ComfyUI takes of a LoRA file.

    ``kinds`` are its modules by kind, the most frequent first. ``missed`` are the first few that do not load.
    ``misfits`` of those are known by name and are of another size, ``halves`` lack one of their matrices. ``unread``
    are parts of modules that ComfyUI passes over though the module loads, ``strange`` counts tensors of no module.
    """

    kinds: tuple[KindCount, ...] = ()
    missed: tuple[str, ...] = ()
    misfits: int = 0
    unread: tuple[str, ...] = ()
    strange: int = 0
    halves: int = 0

    @property
    def modules(self) -> int:
        """How many modules the file has."""
        return sum(each.modules for each in self.kinds)

    @property
    def loaded(self) -> int:
        """How many of them load."""
        return sum(each.loaded for each in self.kinds)

    @property
    def is_full(self) -> bool:
        """Whether all of it loads."""
        return self.loaded == self.modules and not self.unread

    @property
    def figure(self) -> str:
        """How much loads, in a few words: ``90 of 210 modules load``."""
        return f"{self.loaded:,} of {counted(self.modules, 'module')} load{'s' if self.modules == 1 else ''}"

    @property
    def by_kind(self) -> str:
        """The modules by kind: ``attention 0 of 120, feed-forward 90``."""
        counts = (
            f"{each.kind} {each.loaded:,}" if each.loaded == each.modules
            else f"{each.kind} {each.loaded:,} of {each.modules:,}"
            for each in self.kinds
        )  # fmt: skip
        return ", ".join(counts)

    @property
    def text(self) -> str:
        """How much loads, by kind, and what does not."""
        said = f"{self.figure} ({self.by_kind})" if self.kinds else "it has no module of a LoRA"
        if self.missed:
            said += f"; not {self.missed[0]}"
            said += f" and {counted(self.modules - self.loaded - 1, 'other')}" if self.modules - self.loaded > 1 else ""
        if self.misfits:
            said += f"; {counted(self.misfits, 'of these is', 'of these are')} for a model of another size"
        if self.halves:
            said += f"; {counted(self.halves, 'of these lacks', 'of these lack')} one of its matrices"
        if self.unread:
            said += f"; ComfyUI passes over {', '.join(self.unread)}"
        return said

    def facts(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {"modules": self.modules, "loaded": self.loaded, **asdict(self)}


def coverage_of_facts(values: object) -> Coverage | None:
    """Return a coverage that `Coverage.facts` made; None where the values are others."""
    try:
        given = cast("dict[str, Any]", values)
        kinds = tuple(
            KindCount(str(each["kind"]), int(each["modules"]), int(each["loaded"])) for each in given["kinds"]
        )
        missed, unread = (tuple(map(str, given[name])) for name in ("missed", "unread"))
        misfits, strange = int(given["misfits"]), int(given["strange"])
        return Coverage(kinds, missed, misfits, unread, strange, int(given.get("halves", 0)))  # of before: no halves
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None


def coverage(tensors: Mapping[str, Tensor], keys: Keys, *, with_text: bool = True) -> Coverage:
    """Return what of a LoRA's tensors is taken for a model with these keys.

    With ``with_text`` false, modules of text encoders are left out, as where a graph has none to put them on.
    """
    found, strange = modules_of(_own_names(tensors))
    if not with_text:
        found = [module for module in found if not TEXT.match(module.name)]
    of_kind = Counter(module.kind for module in found)
    known = [module for module in found if module.is_whole and module.name in keys]
    fitting = [module for module in known if _fits(module.size, keys[module.name])]
    loaded = Counter(module.kind for module in fitting)
    names = {module.name for module in fitting}
    return Coverage(
        tuple(KindCount(kind, count, loaded[kind]) for kind, count in of_kind.most_common()),
        tuple(module.name for module in found if module.name not in names)[:_EXAMPLES],
        len(known) - len(fitting),
        tuple(sorted({end.strip(".") for module in fitting for end in module.unread})),
        len(strange),
        sum(not module.is_whole for module in found),
    )


def _fits(size: tuple[int, int] | None, layer: tuple[int, int] | None) -> bool:
    return size is None or layer is None or size == layer


def _own_names(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a LoRA's tensors by the names that ComfyUI gives them before it looks for its keys."""
    if _WAN_FUN_MARK not in tensors:
        return tensors
    return {name.replace(*_WAN_FUN) if name.startswith(_WAN_FUN[0]) else name: each for name, each in tensors.items()}
