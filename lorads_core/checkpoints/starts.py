"""How files begin that are saved under a model's name and are none: what came instead, and what to do."""

from __future__ import annotations

import re

_STARTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"version https://git-lfs"), "is a pointer of Git LFS, not the model: get that with git lfs pull"),
    (
        re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head)", re.IGNORECASE),
        "is a web page, not the model: download it again, signed in where the site asks for it",
    ),
    (
        re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|\{\s*\"|\[)"),
        "is a text, perhaps a server's error message, and not the model: download it again",
    ),
    (re.compile(rb"GGUF"), "is a GGUF file by another name: rename it to .gguf"),
    (
        re.compile(rb"PK\x03\x04|\x80[\x02-\x05]"),
        "is a PyTorch file (.ckpt, .pt) by another name, which can run code: get it as .safetensors",
    ),
    (re.compile(rb"\x00+$"), "holds zeros where the model should begin: its download did not end, start it again"),
)
LONGEST = 64
"""Bytes from a file's beginning that tell them."""


def has_advice(message: str) -> bool:
    """Say whether a message ends as `what_it_is` has it, so that it says what to do."""
    return any(message.endswith(f"{said}.") for _, said in _STARTS)


def what_it_is(start: bytes) -> str:
    """Return what a file is that begins so, as the end of a sentence without a full stop; empty where unknown."""
    return next((said for pattern, said in _STARTS if pattern.match(start[:LONGEST])), "")
