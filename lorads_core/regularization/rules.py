"""Rules and result of the Regularization Finder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import LibraryError, SettingsError
from ..library.filter import DatasetFilter
from ..store.search import SEARCH_WAYS, Way
from ..vision.similarity.band import BandRequest
from ..vision.similarity.picking import DiversityRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import float32
    from numpy.typing import NDArray

    from ..model import Dataset, DatasetImage, Problem
    from ..store.search import Hits
    from ..vision.similarity.band import Band

Mode = Literal["centres", "nearest"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class FinderRules:
    """Which regularization images to find.

    ``count`` images are wanted (None: as many as there are training images); more than training images × ``repeats``
    would never be seen by a trainer. ``band`` is how like the training set they are to be: to the nearest of its
    centres, or by ``mode`` "nearest" to the nearest training image. What passes ``wanted`` is a candidate (the class:
    required tags such as 1girl). ``quality`` is the weight (0-1) of rating and aesthetic score against likeness.
    ``space`` names the vectors to compare, empty: those that most training images have.

    Raises:
        SettingsError: a number is out of its range.
    """

    count: int | None = None
    band: BandRequest = field(default_factory=BandRequest)
    mode: Mode = "centres"
    wanted: DatasetFilter = field(default_factory=DatasetFilter)
    quality: float = 0.3
    diversity: DiversityRules = field(default_factory=DiversityRules)
    exclude_clusters: bool = True
    exclude_characters: bool = True
    exclude_same_settings: bool = True
    compare_pictures: bool = True
    repeats: int = 10
    space: str = ""
    way: Way = "auto"

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise SettingsError(f"{self.count} regularization images cannot be found; ask for 1 or more.")
        if self.repeats < 1:
            raise SettingsError(f"The repeats are {self.repeats}; give 1 or more.")
        for name, known, value in (("mode", MODES, self.mode), ("search", SEARCH_WAYS, self.way)):
            if value not in known:
                raise SettingsError(f"There is no {name} {value!r}; known are: {', '.join(known)}.")
        shares = (
            ("quality", self.quality),
            ("diversity", self.diversity.diversity),
            ("twin", self.diversity.max_similarity),
        )
        for name, share in shares:
            if not 0 <= share <= 1:
                raise SettingsError(f"The {name} is {share}; give a number from 0 to 1.")
        if self.diversity.per_group < 0:
            raise SettingsError(f"The most per cluster is {self.diversity.per_group}; give 0 for any number, or more.")


@dataclass(frozen=True, slots=True)
class LibrarySimilarity:
    """How a library lies to a training set, and the band that was searched.

    All are cosines: of a sample of the library (n), of the training images to each other (m), of the picks (k).
    """

    library: NDArray[float32]
    training: NDArray[float32]
    picks: NDArray[float32]
    band: Band


class NothingFoundError(LibraryError):
    """Not one image of the library is left.

    ``similarity`` shows how the library lies, without picks; ``passed_over`` are the images nearest to the training
    set, each with the reason why it was not taken.
    """

    def __init__(self, message: str, similarity: LibrarySimilarity, passed_over: tuple[DatasetImage, ...] = ()) -> None:
        super().__init__(message)
        self.similarity = similarity
        self.passed_over = passed_over


@dataclass(frozen=True, slots=True)
class FinderResult:
    """A dataset with its regularization images, each with its reason, and how they were found.

    ``passed_over`` counts candidates by why they were not taken.
    """

    dataset: Dataset
    picked: int
    wanted: int
    similarity: LibrarySimilarity
    hits: Hits
    passed_over: Mapping[str, int]
    space: str
    problems: tuple[Problem, ...]

    @property
    def sentence(self) -> str:
        """What was found, and how."""
        band = self.similarity.band
        lowered = ", its upper bound lowered to keep the subject out" if band.lowered else ""
        return (
            f"{self.picked:,} of {self.wanted:,} regularization images, similarity {band.lowest:.2f} to"
            f" {band.highest:.2f}{lowered}, by {self.space}; {self.hits.sentence}"
        )
