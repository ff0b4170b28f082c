"""`python -m tests`: all that must hold, one check after another; it sets up a browser where it can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
PYTEST = (sys.executable, "-m", "pytest")
CHECKS = (
    ("lint", [SCRIPTS / "ruff", "check"]),
    ("format", [SCRIPTS / "ruff", "format", "--check"]),
    ("types", [SCRIPTS / "basedpyright", "--pythonpath", sys.executable]),
    ("imports", [SCRIPTS / "lint-imports"]),
    # A few processes, each with a server of its own; ComfyUI is started once, after them.
    ("tests", [*PYTEST, "-m", "not comfyui", "--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]),
    ("tests in ComfyUI", [*PYTEST, "-m", "comfyui"]),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
INSTALLERS = (
    ("apt-get", ["sh", "-c", "apt-get update -q && apt-get install -y -q --no-install-recommends chromium"]),
    ("brew", ["brew", "install", "--cask", "chromium"]),
    ("winget", ["winget", "install", "--id", "Hibbiki.Chromium", "--silent"]),
)


def main() -> int:
    set_up_browser()
    for name, command in CHECKS:
        print(f"== {name}", flush=True)
        arguments = sys.argv[1:] if name.startswith("tests") else []
        code = subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode
        if code:
            print(f"== {name} failed", flush=True)
            return code
    return 0


def set_up_browser() -> None:
    """Install Chromium where there is no browser and this user may; the browser tests say so where there is none."""
    if any(shutil.which(browser) for browser in BROWSERS):
        return
    for tool, command in INSTALLERS:
        if shutil.which(tool) and (tool != "apt-get" or is_root()):
            print(f"== browser: {' '.join(command)}", flush=True)
            subprocess.run(command, check=False)
            return
    print(
        "== browser: none found; install Chromium (e.g. sudo apt-get install chromium), or its tests skip", flush=True
    )


def is_root() -> bool:
    """Whether apt-get may install something; Windows knows no such number."""
    return sys.platform != "win32" and os.geteuid() == 0


if __name__ == "__main__":
    sys.exit(main())
