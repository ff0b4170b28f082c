"""The `lorads` command as it can be typed where this copy of LoRADS runs, and command lines quoted for its shell.

A user of ComfyUI portable, Desktop or Stability Matrix has no ``lorads`` on the path: ComfyUI's own Python runs
``lorads.py`` in the pack's folder.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# cmd.exe splits at these or gives them a meaning, unless they stand in double quotes; PowerShell takes those too.
_NEEDS_QUOTES = re.compile(r"[\s&|<>^()@!%,;=`'{}\[\]$~+]")


def command(*words: str) -> str:
    """Return the line that runs ``lorads`` with these words, to be typed in any folder.

    `lorads` alone where the shell finds the one of this Python, else that one's full path, else ``lorads.py`` of this
    copy with this Python.
    """
    return quoted([*_program(), *words])


def is_installed_package() -> bool:
    """Whether this copy of LoRADS is a package that pip knows, and not a node pack's folder."""
    return _is_of_this_copy() and _is_known_to_pip()


@cache
def _program() -> tuple[str, ...]:
    # By its full name: for a bare one Windows looks into the current folder first, where the pack's lorads.bat may be.
    name = "lorads.exe" if sys.platform == "win32" else "lorads"
    ours = shutil.which(str(Path(sysconfig.get_path("scripts"), name)))
    if ours and _is_of_this_copy():
        first = shutil.which("lorads")
        return ("lorads",) if first and Path(first).resolve() == Path(ours).resolve() else (ours,)
    launcher = _ROOT / "lorads.py"
    if launcher.is_file():
        return sys.executable, "-s", str(launcher)
    return sys.executable, "-m", "lorads_core"


def _is_of_this_copy() -> bool:
    """Whether the installed package lorads is this very one, and not another copy beside a node pack."""
    if Path(sys.argv[0]).name == "lorads.py":  # which makes its own copy the one that is imported
        return False
    import importlib.util  # noqa: PLC0415 - for messages alone

    spec = importlib.util.find_spec("lorads_core")
    return bool(spec and spec.origin and Path(spec.origin).resolve().parent == _ROOT / "lorads_core")


def _is_known_to_pip() -> bool:
    """Whether pip installed lorads into this Python, so that an extra of it has a name here."""
    import importlib.metadata  # noqa: PLC0415 - for messages alone

    try:
        importlib.metadata.version("lorads")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def quoted(words: list[str]) -> str:
    """Return a command line for the shell of this system: cmd.exe and PowerShell on Windows, else a POSIX shell."""
    if sys.platform == "win32":
        return " ".join(map(_quoted_for_windows, words))
    return shlex.join(words)


def quoted_in_batch(word: str) -> str:
    """Return a word of a command line in a batch file: as `quoted` for Windows, and nothing is expanded.

    A quote in a word would end cmd.exe's own quotes, so that there all is escaped by carets instead.
    """
    if '"' in word:
        return escaped_in_batch(_quoted_for_windows(word))
    return _quoted_for_windows(word).replace("%", "%%")


def escaped_in_batch(text: str) -> str:
    """Return text outside quotes in a batch file, such as what ``echo`` prints."""
    return re.sub(r'[()^"<>&|]', r"^\g<0>", text).replace("%", "%%")


def _quoted_for_windows(word: str) -> str:
    """Put a word in double quotes where cmd.exe would split it; escapes as CommandLineToArgvW reads them.

    https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
    """
    if word and not _NEEDS_QUOTES.search(word) and '"' not in word:
        return word
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f'"{escaped}"'
