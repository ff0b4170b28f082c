"""The sample images of `lorads demo`: where they lie and what they are trained as."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
TRIGGER = "oldlandmark"
LIBRARY = "demo"
