"""What capture scripts share: an export on disk, stand-ins, expressions of a trainer's source, golden files as text."""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import json
from types import ModuleType

from lorads_core.trainers.probes import another, assigned
from lorads_core.workflow.trainer_check import made_case

__all__ = ["another", "assigned"]


def write_export(folder, name, config, subsets):
    """Write images, captions, masks and config files as trainer ``name`` reads them; return their folder."""
    made_case(name, folder, config, subsets, folder.name)
    return folder


def write_golden(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")


def rows(entries):
    """Return a JSON object as text, a line for each entry."""
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in entries)
    return f"{{\n{lines}\n}}\n"


def indented(entries):
    """Return records of keys as text, a line for each."""
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}" for name, each in entries.items()
    )
    return f"{{\n{lines}\n}}\n"


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes a stand-in for each package of ``names``, and for each that the packages import and that is not installed.

    ``packages`` are a trainer's own folders. Only their imports count: what is installed looks itself whether optional
    packages are there.
    """

    def __init__(self, packages, names=()):
        sources = (file for folder in packages for file in folder.rglob("*.py"))
        found = {name.split(".")[0] for file in sources for name in imported(file)} - {each.name for each in packages}
        self.names = {*names, *(name for name in found if importlib.util.find_spec(name) is None)}

    def find_spec(self, name, _path=None, _target=None):
        is_ours = name in self.names or name.split(".")[0] in self.names
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if is_ours else None

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


class StandIn(ModuleType):
    """A module in which every name is a class that can be made with, and derived from, anything."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = Anything(name, (), {"__init__": lambda *_, **__: None})
        setattr(self, name, made)
        return made


class Anything(type):
    """A class that has every attribute."""

    __getattr__ = StandIn.__getattr__


def imported(file):
    """Yield the names that a module imports from anywhere."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
