"""Modules of a LoRA file: its tensors by the layer that they change, and which kind of layer that is.

How a tensor's name ends says what it is; the ends are those that ComfyUI 0.26.0 reads (``comfy/lora.py``,
``comfy/weight_adapter/*.py``) and those that trainers write and it does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...checkpoints.header import Tensor

PAIRS = {
    ".lora_up.weight": ".lora_down.weight",
    "_lora.up.weight": "_lora.down.weight",
    ".lora_B.weight": ".lora_A.weight",
    ".lora.up.weight": ".lora.down.weight",
    ".lora_B": ".lora_A",
    ".lora_linear_layer.up.weight": ".lora_linear_layer.down.weight",
    ".lora_B.default.weight": ".lora_A.default.weight",
}
"""How the two matrices of a LoRA's module end: the one that has the layer's rows, and the one that has its columns."""
HADAMARD = (".hada_w1_a", ".hada_w1_b", ".hada_w2_a", ".hada_w2_b")
_WHOLE_SETS = (HADAMARD, (".a1.weight", ".a2.weight", ".b1.weight", ".b2.weight"))
_ENOUGH = (
    ".lokr_w1", ".lokr_w2", ".lokr_w1_a", ".lokr_w2_a", ".oft_blocks", ".diff", ".diff_b", ".set_weight", ".w_norm",
)  # fmt: skip
"""Ends of tensors of which one is enough for ComfyUI to change a layer."""
_BESIDE = (
    ".lora_mid.weight", ".hada_t1", ".hada_t2", ".lokr_w1_b", ".lokr_w2_b", ".lokr_t2", ".rescale", ".alpha",
    ".dora_scale", ".b_norm", ".reshape_weight",
)  # fmt: skip
_UNREAD = (
    r"\.lora_magnitude_vector(?:\.default)?(?:\.weight)?", r"\.magnitude", r"\.oft_R(?:\.default)?\.weight",
    r"\.lora_[AB](?:\.default)?\.bias", r"\.lora_(?:up|down|mid)\.bias", r"\.lora\.(?:up|down)\.bias",
    r"\.lora_embedding_[AB]", r"\.boft_[RS](?:\.weight)?", r"\.glora_\w+", r"\.hada_\w+", r"\.lokr_\w+",
)  # fmt: skip
"""Ends that only other programs read."""
_READ = tuple(dict.fromkeys((*PAIRS, *PAIRS.values(), *HADAMARD, *_WHOLE_SETS[1], *_ENOUGH, *_BESIDE)))
_TENSOR = re.compile(
    rf"(?P<module>.+?)(?:(?P<end>{'|'.join(map(re.escape, _READ))})|(?P<unread>{'|'.join(_UNREAD)}))", re.DOTALL
)
TEXT = re.compile(r"lora_te|lora_prior_te|text_encoder")
"""How the modules of text encoders begin."""
# Looked for in a module's name with underscores for dots; the first that is found names its kind.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("text encoder", re.compile(r"^(?:lora_te|lora_prior_te|text_encoder)")),
    ("text adapter", re.compile(r"llm_adapter|txtfusion|text_fusion")),
    ("modulation", re.compile(r"(?i:adaln)|(?:^|_)mod(?:ulation\w*|CX|[CXF]|_|$)|norm\d?(?:_context)?_linear")),
    ("feed-forward", re.compile(r"(?:^|_)(?:ff|ffn|ff_context|(?:\w+_)?mlp[CX]?|feed_forward)(?:_|$)")),
    ("attention", re.compile(r"attn|attention(?!s_)")),
    ("single block", re.compile(r"single_(?:transformer_)?blocks")),
    ("convolution", re.compile(r"resnets|in_layers|out_layers|skip_connection|samplers|(?:^|_)(?:conv|op)(?:_|$)")),
)  # fmt: skip
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Module:
    """What a LoRA has for one layer: its tensors by how their names end."""

    name: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    unread: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Which kind of layer it changes."""
        return kind_of(self.name)

    @property
    def is_whole(self) -> bool:
        """Whether ComfyUI finds what it needs to change a layer, and no half of a pair."""
        pairs = [ends for ends in PAIRS.items() if ends[0] in self.tensors]
        sets = [ends for ends in _WHOLE_SETS if ends[0] in self.tensors]
        found = [*pairs, *sets]
        if any(end not in self.tensors for ends in found for end in ends):
            return False
        return bool(found) or any(end in self.tensors for end in _ENOUGH)

    @property
    def size(self) -> tuple[int, int] | None:
        """Rows and columns of the layer that it changes; None where they do not show, as for a LoKr."""
        for up, down in (*PAIRS.items(), (".hada_w1_a", ".hada_w1_b")):
            if up in self.tensors and down in self.tensors and ".reshape_weight" not in self.tensors:
                rows, columns = self.tensors[up].shape, self.tensors[down].shape
                return _size(rows, columns) if ".hada_t1" not in self.tensors else None
        return None


def _size(rows: tuple[int, ...], columns: tuple[int, ...]) -> tuple[int, int] | None:
    if not rows or len(columns) <= 1:
        return None
    whole = 1
    for each in columns[1:]:
        whole *= each
    return rows[0], whole


def kind_of(name: str) -> str:
    """Return which kind of layer a module is of, by its name."""
    flat = name.replace(".", "_")
    return next((kind for kind, pattern in _KINDS if pattern.search(flat)), OTHER)


def modules_of(tensors: Mapping[str, Tensor]) -> tuple[list[Module], list[str]]:
    """Return the modules of a file in the order of its tensors, and the tensors that are of none."""
    found: dict[str, tuple[dict[str, Tensor], list[str]]] = {}
    strange: list[str] = []
    for name, tensor in tensors.items():
        match = _TENSOR.fullmatch(name)
        if not match:
            strange.append(name)
            continue
        read, unread = found.setdefault(match["module"], ({}, []))
        if match["end"]:
            read[match["end"]] = tensor
        else:
            unread.append(match["unread"])
    return [Module(name, read, tuple(unread)) for name, (read, unread) in found.items()], strange
