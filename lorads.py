"""The `lorads` command where it is not installed, as in a ComfyUI that has its own Python: python -s lorads.py doctor.

`lorads.bat` (Windows) and `lorads.sh` (macOS, Linux) beside this file look for that Python and run this.
"""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent
_OLDEST = (3, 10)


def main() -> int:
    """Run the command; an environment that lacks a package gets the line that installs it."""
    if sys.version_info < _OLDEST:
        return _refuse(f"LoRADS needs Python {_OLDEST[0]}.{_OLDEST[1]} or newer; {sys.executable} is {sys.version}.")
    # An embedded Python (._pth) and `python -I` look for modules neither here nor in the current folder.
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))
    try:
        from lorads_core.cli.main import main as run  # noqa: PLC0415 - found only now

        return run()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "lorads_core":
            raise
        from lorads_core.system.command import quoted  # noqa: PLC0415 - needs nothing that may be missing

        install = quoted([sys.executable, "-s", "-m", "pip", "install", "-r", str(_ROOT / "requirements.txt")])
        return _refuse(
            f"The Python package {error.name!r} is missing. Install what LoRADS needs, then try again:\n  {install}"
        )


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
