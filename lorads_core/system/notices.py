"""Log records of the core, shown to the waiting user: the first start of the embedded store takes some seconds."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

# The core's own name, which in ComfyUI stands below the pack's.
_core = logging.getLogger(__name__.removesuffix(".system.notices"))


class _Notices(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())


@contextmanager
def show_notices(show: Callable[[str], None]) -> Generator[None]:
    """Call ``show`` with the message of each record of level INFO or above that the core logs meanwhile."""
    handler, level = _Notices(show), _core.level
    _core.addHandler(handler)
    _core.setLevel(logging.INFO)
    try:
        yield
    finally:
        _core.removeHandler(handler)
        _core.setLevel(level)
