"""Plugins: constants of the modules of a package, found by a scan of its folder."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def plugins(package: str, path: Iterable[str], constant: str) -> list[Any]:
    """Return the ``constant`` of every module of a package that has one, in the order of their names.

    A module without it is ground that the others stand on. ``package`` and ``path`` are the package's ``__name__`` and
    ``__path__``: under ComfyUI, packages have odd names.
    """
    modules = [import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path)]
    return [getattr(module, constant) for module in modules if hasattr(module, constant)]
