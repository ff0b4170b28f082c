"""What kohya-ss' trainers (sd-scripts, musubi-tuner) print of their progress: tqdm's bar of steps, lines of epochs."""

from __future__ import annotations

import re

from . import Tick

_BAR = re.compile(
    r"^steps: .*?\| (?P<step>\d+)/(?P<total>\d+) \[[^,\]]*(?:, +(?P<rate>[\d.]+)(?P<unit>it/s|s/it))?"
    r"(?:.*?avr_loss=(?P<loss>[\w.+-]+))?"
)
_EPOCH = re.compile(r"^epoch (?P<epoch>\d+)/\d+\s*$")


def read_line(line: str) -> Tick | None:
    """Read tqdm's bar: ``steps:   3%|# | 1/32 [00:00<00:04,  7.29it/s, avr_loss=1.28]`` (to standard error)."""
    if epoch := _EPOCH.search(line):
        return Tick(epoch=int(epoch["epoch"]))
    found = _BAR.search(line)
    if not found:
        return None
    rate = float(found["rate"]) if found["rate"] else None
    return Tick(
        step=int(found["step"]),
        total_steps=int(found["total"]),
        rate=1 / rate if rate and found["unit"] == "s/it" else rate,
        loss=float(found["loss"]) if found["loss"] else None,
    )
