"""Why a training failed, in a sentence, from the last lines that its trainer printed; one row for each known reason."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(NamedTuple):
    """How a reason shows in a line, and what to say of it; ``{0}`` is what the pattern found."""

    pattern: re.Pattern[str]
    message: str


def _reason(pattern: str, message: str) -> Reason:
    return Reason(re.compile(pattern, re.IGNORECASE), message)


# The more exact before the less exact: the first row that fits any line tells the reason.
_REASONS = (
    _reason(
        r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|HIP out of memory|MPS backend out of memory",
        "The graphics card ran out of memory: lower batch size or resolution, turn on gradient checkpointing, hold"
        " weights in fewer bits (base precision), keep blocks or layers in RAM (blocks to swap, layer offload), or"
        " close what else uses the card.",
    ),
    _reason(
        r"DefaultCPUAllocator: can't allocate memory|\bMemoryError\b|std::bad_alloc|paging file is too small",
        "The machine ran out of memory: close other programs, or lower what is cached and the number of workers.",
    ),
    _reason(r"No space left on device|ENOSPC", "The disk is full: make room, and launch again."),
    _reason(
        r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?",
        "The Python of the trainer has no module {0}: install the trainer's requirements into it, or correct `python`"
        " in its profile.",
    ),
    _reason(
        r"can't open file '?([^']+?)'?: \[Errno 2\]",
        "There is no {0}: correct the trainer's `folder` in its profile.",
    ),
    _reason(
        r"(?:FileNotFoundError|OSError).*?No such file or directory:? '?([^']+)'?|FileNotFoundError: (.+)",
        "A file is missing: {0}",
    ),
    _reason(
        r"(?:Permission denied|PermissionError).*?'([^']+)'", "{0} may not be read or written: check its permissions."
    ),
    _reason(
        r"bitsandbytes.{0,80}(?:not installed|not found|No module|without GPU|CUDA Setup failed)|No bitsandbytes",
        "bitsandbytes is missing or does not work in the trainer's Python: install it, or choose the optimizer AdamW.",
    ),
    _reason(
        r"Torch not compiled with CUDA enabled|Found no NVIDIA driver|No CUDA GPUs are available|no kernel image is"
        r" available",
        "The trainer's PyTorch cannot use the graphics card: install the PyTorch that fits the card and its driver.",
    ),
    _reason(
        r"GatedRepoError|401 Client Error|403 Client Error|Access to model .* is restricted",
        "A model is not free to download: accept its licence on Hugging Face and set HF_TOKEN in the profile's"
        " environment.",
    ),
    _reason(
        r"LocalEntryNotFoundError|couldn't connect to .*huggingface|Max retries exceeded|Name or service not known",
        "The trainer wanted to download something and has no connection: connect it, or put the file on the disk.",
    ),
    _reason(r"loss is nan|nan detected|NaN detected|loss=nan", "The loss became no number (NaN): lower learning rate."),
    _reason(r"EADDRINUSE|address already in use", "Another training uses the same port: wait for it to end."),
    _reason(r"unrecognized arguments?: (.+)", "The trainer does not know: {0}. Its version is another: update it."),
    _reason(r"CUDA error: (.+)", "The graphics card failed: {0}"),
)
# Lines of an exception's end, as Python prints it: a dotted name that ends so.
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*)?(?:Error|Exception|Interrupt|Exit|AssertionError)(?:: .*)?$")
_LONGEST = 300
# How Windows says that it ended a program itself: NTSTATUS, as exit code.
# https://learn.microsoft.com/openspecs/windows_protocols/ms-erref/596a1078-e883-4972-9bbc-49e60bebca55
_WINDOWS = {
    0xC0000005: "access violation: native code crashed, most often the graphics driver or a package such as xformers or"
    " bitsandbytes; update them",
    0xC000001D: "illegal instruction: a package was built for a newer processor",
    0xC0000017: "not enough memory: close other programs, or enlarge the paging file",
    0xC00000FD: "stack overflow in native code",
    0xC000012D: "the paging file is too small: enlarge it, or close other programs",
    0xC0000135: "a DLL was not found: install Microsoft's Visual C++ Redistributable, and the trainer's requirements"
    " again",
    0xC000013A: "ended by Ctrl-C, Ctrl-Break or a closed console",
    0xC0000142: "a DLL could not be initialized, as when Windows is shutting down",
    0xC0000374: "heap corruption in native code: update the graphics driver and the trainer's packages",
    0xC0000409: "fail fast: native code gave up, most often out of memory or with a damaged package",
}
_TORN = re.compile(r"^(\[rank\d+\]:|E\d{4} .*?\])\s*")


def failure_reason(lines: Sequence[str], exit_code: int | None) -> str:
    """Return why a training ended, by its last lines and its exit code; never empty."""
    plain = [_TORN.sub("", line).strip() for line in lines]
    for each in _REASONS:
        for line in reversed(plain):
            if found := each.pattern.search(line):
                what = next((group for group in found.groups() if group), "")
                return each.message.format(what.strip()[:_LONGEST])
    said = next((line for line in reversed(plain) if _EXCEPTION.match(line)), "")
    return f"{_ended(exit_code)}: {said[:_LONGEST]}" if said else _by_code(plain, exit_code)


def ends_in_error(lines: Sequence[str]) -> bool:
    """Say whether the last line is that of an exception, by which a Python ended."""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return bool(_EXCEPTION.match(_TORN.sub("", last)))


def _by_code(lines: Sequence[str], exit_code: int | None) -> str:
    if exit_code is not None and -exit_code == getattr(signal, "SIGKILL", 9):
        return "The trainer was killed, most often by the system for want of memory: close other programs."
    last = next((line for line in reversed(lines) if line), "")
    return f"{_ended(exit_code)}; its last line: {last[:_LONGEST]}" if last else f"{_ended(exit_code)} and said nothing"


def signed(exit_code: int) -> int:
    """Return an exit code as a signed number of 32 bits, which a database takes: Windows' own are unsigned."""
    return exit_code - 2**32 if 2**31 <= exit_code < 2**32 else exit_code


def _ended(exit_code: int | None) -> str:
    if exit_code is None:
        return "The trainer ended"
    windows = exit_code & 0xFFFFFFFF
    if windows in _WINDOWS:
        return f"The trainer ended with exit code 0x{windows:08X} ({_WINDOWS[windows]})"
    if exit_code < 0:
        try:
            return f"The trainer was ended by {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"The trainer was ended by signal {-exit_code}"
    return f"The trainer ended with exit code {exit_code}"
