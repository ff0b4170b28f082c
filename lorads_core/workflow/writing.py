"""How an export is written besides its training config, in the words of the command line; needs no image library."""

from __future__ import annotations

from typing import Any

WRITING: dict[str, Any] = {
    "trainer": "sd-scripts",
    "images": "original",
    "format": "png",
    "quality": 95,
    "background": "white",
    "keep_alpha": False,
    "strip": False,
    "link": False,
    "first_frame": False,
}
"""How an export is written where nothing was said."""
