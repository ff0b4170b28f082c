"""The pack as ComfyUI loads it, under a name of its own and with the fake host beside it; nothing of it stays."""

import importlib.util
import os
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).resolve().parent / "fake_comfy"
NAME = "lorads_pack"
HOST = ("comfy", "comfy_api", "comfy_execution", "folder_paths", "server", "torch")


class Pack:
    """The loaded nodes by id, and the host that they see."""

    def __init__(self, base):
        self.interruption = import_module("comfy.model_management")
        self.shown = import_module("comfy.utils").shown
        self.said = import_module("server").PromptServer.instance.said
        import_module("folder_paths").base = base
        self.root = _load()
        extension = _awaited(self.root.comfy_entrypoint())
        self.nodes = {node.define_schema().node_id: node for node in _awaited(extension.get_node_list())}
        self.host = sys.modules[f"{NAME}.nodes.host"]
        self.errors = sys.modules[f"{NAME}.lorads_core.errors"]

    def close(self):
        if self.host.store.cache_info().currsize:
            self.host.store().close()


def as_lists(node, inputs):
    """Return inputs as ComfyUI gives them to a node: in lists where it takes lists."""
    if not vars(node.define_schema()).get("is_input_list"):
        return inputs
    return {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}


@contextmanager
def loaded(base, settings):
    """Load the pack with ComfyUI's folders under ``base`` and a settings file."""
    kept = _taken_out()
    before = os.environ.get("LORADS_SETTINGS")
    os.environ["LORADS_SETTINGS"] = str(settings)
    sys.path.insert(0, str(FAKE))
    try:
        pack = Pack(base)
        yield pack
        pack.close()
    finally:
        sys.path.remove(str(FAKE))
        _taken_out()
        sys.modules.update(kept)
        if before is None:
            del os.environ["LORADS_SETTINGS"]
        else:
            os.environ["LORADS_SETTINGS"] = before


def _awaited(coroutine):
    """Return what a coroutine returns that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def _taken_out():
    names = [name for name in sys.modules if name.split(".")[0] in (NAME, *HOST)]
    return {name: sys.modules.pop(name) for name in names}


def _load():
    spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module
