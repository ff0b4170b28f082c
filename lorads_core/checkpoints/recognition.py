"""What a model file or folder is: architecture, variant, parts, precision, each certain or named as a guess.

Certain is what tensors and a Diffusers folder's configs say. Metadata (``modelspec.*``) and a file's name are what an
author wrote: they only make guesses, which never change what is certain.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import TrainerError
from . import diffusers
from .architectures import V_PREDICTION, architecture_of
from .diffusers_names import architecture_by_diffusers
from .gguf import read_gguf
from .parts import ADDED, ALONE, known_part, part_of, parts_in
from .safetensors import read_safetensors, read_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .architectures import Architecture
    from .header import Header, Tensor
    from .parts import Kind

Format = Literal["safetensors", "safetensors in several files", "GGUF", "Diffusers folder"]
SUFFIXES = (".safetensors", ".sft", ".gguf")
"""Suffixes of the files that can be read."""
_INDEX = ".safetensors.index.json"
_SHARE = 0.05
"""Share of a model's numbers from which on their type is named: norms and biases are often more precise."""
_TYPES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8 e4m3", "F8_E5M2": "fp8 e5m2", "I8": "int8"}
_SCALES = re.compile(r".*\.(?:weight_scale|scale_weight|scale_input|comfy_quant)$|(?:.*\.)?scaled_fp8$")
# What a guess is of, the words in a name or in metadata that it is made from.
_WORDS: tuple[tuple[str, str], ...] = (
    ("v-prediction", r"v[ _-]?pred(?:iction)?"),
    ("distilled", r"turbo|schnell|lightning|hyper|distill(?:ed)?|lcm|dmd2?|flash"),
    ("edit model", r"kontext|edit"),
    ("inpainting", r"inpaint(?:ing)?|fill"),
    ("image to video", r"i2v"),
    ("high noise", r"high[ _-]?noise"),
    ("low noise", r"low[ _-]?noise"),
)
_TITLES = ("modelspec.title", "modelspec.architecture", "general.name", "general.architecture")


@dataclass(frozen=True, slots=True)
class Guess:
    """Something that is not certain: what, and where it was read."""

    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a model file or folder is.

    All but ``guesses`` is certain. ``kind`` says whether it is a whole checkpoint, a denoiser alone or another part;
    ``label`` names that in words, ``part`` the kind of a text encoder or VAE as `parts` has it. ``parts`` are those
    besides the denoiser. ``v_prediction`` is true where tensors or configs say so, and ``distilled_from`` names what is
    trained instead of a model that they say is distilled; where they say nothing, that proves nothing. ``depth`` is the
    number of blocks of an architecture that has several depths, else 0. ``named_by_diffusers`` says that a file has
    Diffusers' names for its tensors.
    """

    path: Path
    format: Format
    kind: Kind
    label: str
    architecture: Architecture | None = None
    variant: str = ""
    parts: tuple[str, ...] = ()
    precision: str = ""
    depth: int = 0
    v_prediction: bool = False
    distilled_from: str = ""
    named_by_diffusers: bool = False
    part: str = ""
    guesses: tuple[Guess, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """The families that it can be, by name; none where it is of none that LoRADS knows."""
        return self.architecture.families if self.architecture else ()

    def guess(self, what: str) -> Guess | None:
        """Return the guess of that name; None where there is none."""
        return next((each for each in self.guesses if each.what == what), None)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what a file or a Diffusers folder is; cached until the file changes.

    Raises:
        TrainerError: it cannot be read, is cut off or damaged, or is of another format.
    """
    try:
        about = os.stat(path)  # noqa: PTH116 - a Path's own is the same
    except (OSError, ValueError) as error:
        raise TrainerError(f"{path} cannot be read.") from error
    return _read(path, about.st_mtime_ns, about.st_size)


def found_at(path: str) -> Checkpoint | None:
    """Return what a file or Diffusers folder on this machine is; None where there is none, or it cannot be read."""
    if not os.path.isabs(path) or not os.path.exists(path):  # noqa: PTH110, PTH117 - Path's own may raise
        return None
    try:
        return read_checkpoint(Path(path))
    except TrainerError:
        return None


def is_read(path: Path) -> bool:
    """Whether a file or folder is of a format that is looked into, so that a fault of it is one of the file."""
    name = path.name.lower()
    return name.endswith((*SUFFIXES, _INDEX)) or os.path.isfile(path / diffusers.INDEX)  # noqa: PTH113 - Path's own may raise


@lru_cache(maxsize=512)
def _read(path: Path, _changed: int, _size: int) -> Checkpoint:
    if os.path.isdir(path):  # noqa: PTH112 - a Path's own raises without rights
        return _from_folder(path)
    name = path.name.lower()
    if name.endswith(_INDEX):
        return _from_header(path, "safetensors in several files", read_shards(path))
    if name.endswith(".gguf"):
        return _from_header(path, "GGUF", read_gguf(path))
    if name.endswith((".safetensors", ".sft")):
        return _from_header(path, "safetensors", read_safetensors(path).header)
    raise TrainerError(
        f"{path} is of a format that LoRADS does not look into: only {', '.join(SUFFIXES)} and Diffusers folders."
    )


def _from_folder(path: Path) -> Checkpoint:
    folder = diffusers.read_folder(path)
    found = folder.architecture
    return Checkpoint(
        path,
        "Diffusers folder",
        "checkpoint" if found else "",
        f"a checkpoint of {found.label}" if found else f"a Diffusers folder of {folder.pipeline}",
        found,
        folder.variant,
        folder.parts,
        v_prediction=folder.v_prediction,
        distilled_from=folder.distilled_from,
        guesses=tuple(_guesses(path, {})),
    )


def _from_header(path: Path, form: Format, header: Header) -> Checkpoint:
    guesses = tuple(_guesses(path, header.metadata))
    if added := part_of(header.tensors, ADDED):
        return Checkpoint(path, form, added.kind, added.label, precision=_precision(header.tensors), guesses=guesses)
    if named := architecture_by_diffusers(header.tensors):
        return _denoiser(path, form, header, named, header.tensors, guesses, by_diffusers=True)
    if found := architecture_of(header.tensors):
        return _denoiser(path, form, header, *found, guesses)
    kind, label, part = _part(header.tensors)
    return Checkpoint(path, form, kind, label, precision=_precision(header.tensors), guesses=guesses, part=part)


def _part(tensors: Mapping[str, Tensor]) -> tuple[Kind, str, str]:
    """Return kind, label and name of a text encoder, VAE or the like."""
    alone = part_of(tensors, ALONE)
    named = known_part(tensors, alone.kind if alone else "")
    if named:
        return named.kind, f"a {'VAE' if named.kind == 'vae' else named.kind} ({named.label})", named.name
    return (alone.kind, alone.label, "") if alone else ("", "of no architecture that LoRADS knows", "")


def _denoiser(
    path: Path,
    form: Format,
    header: Header,
    architecture: Architecture,
    own: Mapping[str, Tensor],
    guesses: tuple[Guess, ...],
    *,
    by_diffusers: bool = False,
) -> Checkpoint:
    parts = parts_in(header.tensors)
    variant = architecture.variant(own)
    return Checkpoint(
        path,
        form,
        "checkpoint" if parts else "denoiser",
        _label(architecture, parts, by_diffusers=by_diffusers),
        architecture,
        variant.label if variant else "",
        parts,
        _precision(own),
        architecture.depth(own),
        v_prediction=any(name in header.tensors for name in V_PREDICTION),
        distilled_from=variant.distilled_from if variant else "",
        named_by_diffusers=by_diffusers,
        guesses=guesses,
    )


def _label(architecture: Architecture, parts: tuple[str, ...], *, by_diffusers: bool) -> str:
    whole = f"a checkpoint of {architecture.label}" if parts else f"the denoiser of {architecture.label} alone"
    return f"{whole}, with Diffusers' names" if by_diffusers else whole


def _precision(tensors: Mapping[str, Tensor]) -> str:
    """Return the types that hold most of a model's numbers, the most frequent first; ``scaled`` where it has scales."""
    numbers: Counter[str] = Counter()
    for each in tensors.values():
        numbers[each.dtype] += math.prod(each.shape)
    total = sum(numbers.values())
    most = [kind for kind, count in numbers.most_common() if total and count >= _SHARE * total]
    scaled = " scaled" if any(map(_SCALES.match, tensors)) else ""
    return " + ".join(_TYPES.get(kind, kind) for kind in most) + scaled if most else ""


def _guesses(path: Path, metadata: Mapping[str, str]) -> Iterator[Guess]:
    """Yield what metadata and, where it is silent, the file's name suggest."""
    predicts = metadata.get("modelspec.prediction_type", "").strip().lower()
    if predicts in {"v", "v_prediction", "v-prediction"}:
        yield Guess("v-prediction", "metadata modelspec.prediction_type")
    titles = [(name, metadata[name]) for name in _TITLES if metadata.get(name)]
    for what, words in _WORDS:
        if what == "v-prediction" and predicts:
            continue
        if source := _where(words, [*titles, ("file name", path.name)]):
            yield Guess(what, source)


def _where(words: str, texts: Iterable[tuple[str, str]]) -> str:
    """Return where one of these words stands by itself, empty where it does not."""
    pattern = re.compile(rf"(?<![a-z])(?:{words})(?![a-z])", re.IGNORECASE)
    return next(
        (name if name == "file name" else f"metadata {name}" for name, text in texts if pattern.search(text)), ""
    )
