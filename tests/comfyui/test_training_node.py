"""The widgets of ComfyUI's node Train LoRA that we write values for, against those of the ComfyUI that runs."""

import json

import pytest

from ..trainers.capture.comfyui import GOLDEN

pytestmark = pytest.mark.comfyui

TYPES = {"INT": "int", "FLOAT": "float", "BOOLEAN": "bool", "COMBO": "str", "STRING": "str"}


def widgets(node):
    """Return the widgets of a node of ``/object_info`` as the golden file has them; sockets have no default."""
    inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
    return {name: widget(kind, facts) for name, (kind, facts) in inputs.items() if "default" in facts}


def widget(kind, facts):
    found = {"type": TYPES[kind], "default": facts["default"]} | {
        name: facts[name] for name in ("min", "max") if name in facts
    }
    choices = facts.get("options", [])
    return found | ({"choices": choices} if choices and "[None]" not in choices else {})


def test_the_widgets_of_train_lora_are_those_of_the_golden_file(comfy):
    known = comfy.request("/object_info/TrainLoraNode")["TrainLoraNode"]
    assert widgets(known) == json.loads(GOLDEN.read_text(encoding="utf-8"))["widgets"]
