"""`python -m tests [--fast | --slow] [--with-browser] [pytest's arguments]`: checks and tests, one after another.

Without an option, the checks and all tests that are quick; ``--fast`` runs the checks and the tests that need neither
server, browser nor other program, ``--slow`` only what the default leaves out. Nothing is installed unless
``--with-browser`` asks for it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
PYTEST = (sys.executable, "-m", "pytest")
# A few processes, each with a server of its own: two a core, as most tests wait for another program half of the time.
# ComfyUI is started once, after them.
SIDE_BY_SIDE = (f"--numprocesses={min(4, 2 * (os.cpu_count() or 1))}", "--dist=loadfile")
QUICK_CHECKS = (
    ("lint", [SCRIPTS / "ruff", "check"]),
    ("format", [SCRIPTS / "ruff", "format", "--check"]),
    ("imports", [SCRIPTS / "lint-imports"]),
)
TYPES = ("types", [SCRIPTS / "basedpyright", "--pythonpath", sys.executable])
# Rules, texts and numbers: no server, no browser, no program of its own.
FAST = (
    "tests/captions",
    "tests/nodes/test_contract.py",
    "tests/system/test_command.py",
    "tests/test_buckets.py",
    "tests/test_packaging.py",
    "tests/test_problems.py",
    "tests/test_settings.py",
    "tests/test_tags.py",
    "tests/test_web.py",
    "tests/trainers",
)
FAST_LEAVES_OUT = (
    "Left out by --fast: type checking, and all tests of the store, libraries, images, exports, runs, the command line,"
    " the panel, browsers and ComfyUI. `python -m tests` runs them."
)
DEFAULT_LEAVES_OUT = (
    "Left out by default: tests marked slow, and those in a real ComfyUI. `python -m tests --slow` runs them."
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
INSTALLERS = (
    ("apt-get", ["sh", "-c", "apt-get update -q && apt-get install -y -q --no-install-recommends chromium"]),
    ("brew", ["brew", "install", "--cask", "chromium"]),
    ("winget", ["winget", "install", "--id", "Hibbiki.Chromium", "--silent"]),
)


def main() -> int:
    options, rest = arguments().parse_known_args()
    if options.with_browser:
        install_browser()
    if not options.fast and not has_browser():
        print("== NO BROWSER: the tests of the page skip; --with-browser installs Chromium", flush=True)
    # Workers and the programs that tests start would compile all modules again each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with nullcontext() if options.fast or options.slow else compiled_beside():
        for name, command in chosen(options):
            print(f"== {name}", flush=True)
            extra = rest if name.startswith(("tests", "slow")) else []
            code = subprocess.run([*command, *extra], cwd=ROOT, check=False).returncode
            if code:
                print(f"== {name} failed", flush=True)
                return code
    if not options.slow:
        print(f"== {FAST_LEAVES_OUT if options.fast else DEFAULT_LEAVES_OUT}", flush=True)
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of our own options; all others are pytest's."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__, allow_abbrev=False)
    sets = parser.add_mutually_exclusive_group()
    sets.add_argument("--fast", action="store_true", help="the checks, and tests of rules, texts and numbers")
    sets.add_argument("--slow", action="store_true", help="only what the default leaves out")
    parser.add_argument("--with-browser", action="store_true", help="install Chromium where there is no browser")
    return parser


def chosen(options: argparse.Namespace) -> tuple[tuple[str, list], ...]:
    """Return the steps of a run: a name and a command line each."""
    if options.fast:
        fast = [*PYTEST, "-q", "-m", "not slow and not comfyui", *SIDE_BY_SIDE, *FAST]
        return (*QUICK_CHECKS, ("tests, the fast ones", fast))
    if options.slow:
        return (
            ("slow tests", [*PYTEST, "-m", "slow and not comfyui", *SIDE_BY_SIDE]),
            ("tests in ComfyUI", [*PYTEST, "-m", "comfyui"]),
        )
    return (*QUICK_CHECKS, TYPES, ("tests", [*PYTEST, "-m", "not slow and not comfyui", *SIDE_BY_SIDE]))


@contextmanager
def compiled_beside() -> Iterator[None]:
    """Have pytest compile the tests while the checks run, of which the longest, of types, uses one processor alone.

    Its workers begin at the same moment: each would compile all of them itself.
    """
    compiling = subprocess.Popen(
        [*PYTEST, "--collect-only", "-q"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        compiling.kill()
        compiling.wait()


def has_browser() -> bool:
    """Whether a browser that the tests can drive is on the path."""
    return any(shutil.which(browser) for browser in BROWSERS)


def install_browser() -> None:
    """Install Chromium where there is no browser and this user may."""
    if has_browser():
        return
    for tool, command in INSTALLERS:
        if shutil.which(tool) and (tool != "apt-get" or is_root()):
            print(f"== browser: {' '.join(command)}", flush=True)
            subprocess.run(command, check=False)
            return
    print("== browser: install Chromium yourself (e.g. sudo apt-get install chromium)", flush=True)


def is_root() -> bool:
    """Whether apt-get may install something; Windows knows no such number."""
    return sys.platform != "win32" and os.geteuid() == 0


if __name__ == "__main__":
    sys.exit(main())
