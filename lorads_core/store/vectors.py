"""Image vectors in our store: written in bulk, read back as float32, each space apart; it searches nothing.

A space is what one image encoder gives: vectors of different spaces are never compared. Vectors lie at length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from ..errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from numpy import float32, int64
    from numpy.typing import NDArray

MOST_DIMENSIONS = 4000  # pgvector 0.8: what a halfvec index takes
_SHORTEST = 1e-6
