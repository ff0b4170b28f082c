"""WD taggers and JoyTag as ONNX files: how each wants its images, and what its outputs mean.

Both show the model a square: the image in the middle of a white one with the longer side, resized bicubically.

- WD (space SmilingWolf/wd-tagger, app.py, Predictor.prepare_image and predict, read 2026-11): BGR, 32-bit floats from
  0 to 255 as they are, NHWC; the side is the model's; its first output has the probabilities.
- JoyTag (fpgaminer/joytag, README.md, prepare_image and predict, commit 4722635): RGB from 0 to 1, CLIP's mean and
  deviation, NCHW, 448 pixels; the model gives logits, whose sigmoid is the probability.

Which of the two a model gives is seen by trying it: probabilities are never below 0 or above 1.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from ...errors import SettingsError
from ...model import Tag
from ..options import choice, integer, key_path
from ..preprocess import CLIP_MEAN, CLIP_STD, Preprocess
from ..session import MAX_BATCH_SIZE, SETTINGS, describe_ports, layout_of, match_input, open_model
from .labels import CHARACTER, FILES, RATING, Kind, read_labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray

    from ...settings import Table, TaggerProfile
    from ..session import OnnxModel
    from .labels import Label

_log = logging.getLogger(__name__)

MODEL = "model.onnx"
_KEYS = ("folder", "kind", "source", "lowest", "lowest_character", *SETTINGS)
_BATCH = 4  # a large tagger takes a second an image without a graphics card: whoever cancels should not wait
_LOWEST = 0.1
_LOWEST_CHARACTER = 0.3
_TOLERANCE = 1e-3  # of 16-bit floats about 0 and 1
_NAMES: dict[Kind, str] = {"wd": "WD tagger", "joytag": "JoyTag"}
_PREPROCESS: dict[Kind, Preprocess] = {
    "wd": Preprocess(448, "square", white=255, channels="bgr", layout="nhwc"),
    "joytag": Preprocess(448, "square", mean=CLIP_MEAN, std=CLIP_STD, layout="nchw"),
}


@dataclass(frozen=True)
class _Scores:
    """What a model's numbers mean: a label each, and whether they are logits."""

    model: OnnxModel
    output: str
    labels: Sequence[Label]
    logits: bool = False

    def run(self, preprocess: Preprocess, pictures: Sequence[Image.Image]) -> NDArray[float32]:
        """Return the model's numbers (n, labels) for images (n) that the preprocessing gave."""
        given = self.model.run(self.output, preprocess.tensor(pictures, self.model.dtype))
        flat: NDArray[float32] = given.reshape(len(pictures), -1).astype(np.float32)
        if flat.shape[1] != len(self.labels):
            raise SettingsError(
                f"The model {self.model.file} gives {flat.shape[1]:,} numbers an image, but the list of tags beside it"
                f" has {len(self.labels):,}: copy both from the same place."
            )
        return flat

    def probabilities(self, numbers: NDArray[float32]) -> NDArray[float32]:
        """Return the model's numbers as probabilities of 0-1."""
        if self.logits:
            with np.errstate(over="ignore"):
                return np.divide(1, 1 + np.exp(-numbers), dtype=np.float32)
        if _are_logits(numbers):
            raise SettingsError(
                f"The model {self.model.file} gives numbers below 0 or above 1 for some images and not for others, so"
                " that they are neither probabilities nor logits: export it again."
            )
        return np.clip(numbers, 0, 1)


@dataclass(frozen=True)
class OnnxTagger:
    """A tagger that onnxruntime runs; see `Tagger`."""

    kind: Kind
    source: str
    batch_size: int
    preprocess: Preprocess
    _scores: _Scores
    _lowest: NDArray[float32]

    @property
    def about(self) -> str:
        """Whose it is, its number of tags, the side of its images, and what it gives."""
        gives = "logits (their sigmoid is taken)" if self._scores.logits else "probabilities"
        size = self.preprocess.size
        return f"{_NAMES[self.kind]}, {len(self._scores.labels):,} tags, {size} × {size} pixels, gives {gives}"

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return an image in the size that the tagger sees."""
        return self.preprocess.fit(picture)

    def tag(self, pictures: Sequence[Image.Image]) -> list[tuple[Tag, ...] | None]:
        """Return the tags of each of the images that `fit` gave, the surest first; None where the model fails.

        Raises:
            SettingsError: the model cannot be run.
        """
        most = self._scores.model.fixed_batch or self.batch_size
        found: list[tuple[Tag, ...] | None] = []
        for at in range(0, len(pictures), most):
            numbers = self._scores.run(self.preprocess, pictures[at : at + most])
            found += [self._tags(row) for row in self._scores.probabilities(numbers)]
        return found

    def _tags(self, row: NDArray[float32]) -> tuple[Tag, ...] | None:
        if np.isnan(row).any():
            return None
        sure: defaultdict[Label, float] = defaultdict(float)
        for n in np.flatnonzero(row >= self._lowest):
            label = self._scores.labels[int(n)]
            sure[label] = max(sure[label], float(row[n]))
        tags = [Tag(label.tag, f"{self.source}:{label.category}", score) for label, score in sure.items() if label.tag]
        return tuple(sorted(tags, key=lambda tag: (-(tag.confidence or 0), tag.text)))


def open_onnx(profile: TaggerProfile) -> OnnxTagger:
    """Load a profile's model and its list of tags, and try it on plain images.

    Raises:
        SettingsError: a setting is wrong, onnxruntime is missing, or model and list of tags do not fit each other.
    """
    table = profile.options.only(*_KEYS)
    folder = _folder(table)
    kind = _kind(table, folder)
    source, lowest = _source(table, kind), table.number("lowest", _LOWEST, 0, 1)
    lowest_character = table.number("lowest_character", max(lowest, _LOWEST_CHARACTER), 0, 1)
    labels = read_labels(kind, folder / FILES[kind])
    model = _model(table, folder, kind)
    preprocess = match_input(_PREPROCESS[kind], model, table)
    scores = _tried(_Scores(model, _output(model, len(labels)), labels), preprocess)
    by_category = {RATING: 0.0, CHARACTER: lowest_character}
    return OnnxTagger(
        kind=kind,
        source=source,
        batch_size=model.fixed_batch or integer(table, "batch_size", _BATCH, 1, MAX_BATCH_SIZE),
        preprocess=preprocess,
        _scores=scores,
        _lowest=np.array([by_category.get(label.category, lowest) for label in labels], np.float32),
    )


def _folder(table: Table) -> Path:
    folder = table.path("folder")
    if folder is None:
        raise SettingsError(
            f"{key_path(table, 'folder')} is missing: give the folder with {MODEL} and {' or '.join(FILES.values())}."
        )
    if not folder.is_dir():
        raise SettingsError(f"{key_path(table, 'folder')}: there is no folder {folder}.")
    return folder


def _kind(table: Table, folder: Path) -> Kind:
    """Return the kind that the profile names, else the one whose list of tags is there."""
    named = choice(table, "kind", "", ("", *FILES))
    if named:
        return cast("Kind", named)
    found: list[Kind] = [kind for kind, file in FILES.items() if (folder / file).is_file()]
    if len(found) != 1:
        there = "both" if found else "neither"
        raise SettingsError(
            f"{key_path(table, 'folder')}: in {folder} there is {there} of {' and '.join(FILES.values())}:"
            + (" set kind to one of " + ", ".join(FILES) if found else " copy the one that the model came with")
            + "."
        )
    return found[0]


def _source(table: Table, kind: Kind) -> str:
    """Return the name that the tags are stored under: what begins as the kind does is known as that tagger's."""
    source = table.text("source") or kind
    if not source.startswith(kind) or any(sign in source for sign in ":+") or source != source.strip():
        raise SettingsError(
            f"{key_path(table, 'source')} is {source!r}; it must begin with {kind}, so that its thresholds are known,"
            f" and contain neither : nor +, e.g. {kind}-large."
        )
    return source


def _model(table: Table, folder: Path, kind: Kind) -> OnnxModel:
    file = folder / MODEL
    if not file.is_file():
        raise SettingsError(f"{key_path(table, 'folder')}: there is no {MODEL} in {folder}: copy it there.")
    model = open_model(table, "folder", file)
    wanted = _PREPROCESS[kind].layout
    if layout_of(model) not in {None, wanted}:
        raise SettingsError(
            f"The model {file} takes {describe_ports([model.input])}; a {_NAMES[kind]} takes images as"
            f" {wanted.upper()}. Another layout is another export, with a preprocessing that is not known: use the"
            " published model, or correct kind."
        )
    return model


def _output(model: OnnxModel, labels: int) -> str:
    """Return the first output that has a number for each label, else the first that may have."""
    outputs = model.session.get_outputs()
    fitting = [port for port in outputs if len(port.shape) > 1 and port.shape[-1] == labels]
    unknown = [port for port in outputs if not port.shape or not isinstance(port.shape[-1], int)]
    return (fitting or unknown or outputs)[0].name


def _tried(scores: _Scores, preprocess: Preprocess) -> _Scores:
    """Return the scores with what the model gives found out, by images in white, black and grey levels."""
    side = (preprocess.size, preprocess.size)
    plain: list[Any] = [Image.new("RGB", side, (level, level, level)) for level in (255, 0)]
    pictures = [*plain, Image.linear_gradient("L").resize(side).convert("RGB")]
    logits = any(_are_logits(scores.run(preprocess, [picture])) for picture in pictures)
    if logits:
        _log.info("%s gives logits: their sigmoid is taken as the score.", scores.model.file)
    return _Scores(scores.model, scores.output, scores.labels, logits)


def _are_logits(numbers: NDArray[float32]) -> bool:
    return bool((numbers < -_TOLERANCE).any() or (numbers > 1 + _TOLERANCE).any())
