"""Runs first in every Python of a trainer on Windows: Ctrl-Break raises KeyboardInterrupt, as Ctrl-C does.

Python imports a module of this name when it starts (https://docs.python.org/3/library/site.html). Without it
Ctrl-Break, the only event that Windows sends to one group of processes, ends Python on the spot, and no trainer saves
anything.
"""

import importlib
import signal
import sys
from contextlib import suppress
from pathlib import Path

if hasattr(signal, "SIGBREAK"):
    signal.signal(signal.SIGBREAK, signal.default_int_handler)

# The trainer's Python may have such a module of its own.
sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != Path(__file__).resolve().parent]
sys.modules.pop(__name__, None)
with suppress(ModuleNotFoundError):
    importlib.import_module("sitecustomize")
