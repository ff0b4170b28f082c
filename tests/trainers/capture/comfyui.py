"""Golden file of ComfyUI's own trainer: the widgets of its node Train LoRA, and the matrices of its algorithms.

``python -m tests.trainers.capture.comfyui FOLDER``, in ComfyUI's Python. For each algorithm and rank the shapes of the
matrices that it trains for a few layers are recorded, and whether the alpha changes what they add to a weight.
"""

import json
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "comfyui.json"
LAYERS = {"attention": (1280, 1280), "feed forward": (10240, 1280), "convolution": (640, 320, 3, 3), "in": (320, 4)}
"""Shapes of weights, as SDXL has them."""
RANKS = (1, 4, 8, 16, 128)


def widgets():
    from comfy_extras.nodes_train import TrainLoraNode  # noqa: PLC0415 - ComfyUI's own

    return {each.id: widget(each) for each in TrainLoraNode.define_schema().inputs if hasattr(each, "default")}


def widget(each):
    """Return the type, default, limits and choices of a widget; choices of files are those of one installation."""
    facts = {"type": type(each.default).__name__, "default": each.default}
    if getattr(each, "min", None) is not None:
        facts |= {"min": each.min, "max": each.max}
    choices = list(getattr(each, "options", None) or ())
    return facts | ({"choices": choices} if choices and "[None]" not in choices else {})


def algorithms():
    from comfy.weight_adapter import adapter_maps  # noqa: PLC0415 - ComfyUI's own

    return {
        name: {
            "scaled_by_alpha": scaled(kind),
            "matrices": {f"{layer} {rank}": shapes(kind, layer, rank) for layer in LAYERS for rank in RANKS},
        }
        for name, kind in adapter_maps.items()
    }


def shapes(kind, layer, rank):
    """Return the shapes of all that is trained for a layer."""
    return [list(each.shape) for each in trained(kind, layer, rank, 1.0).parameters() if each.requires_grad]


def trained(kind, layer, rank, alpha):
    import torch  # noqa: PLC0415 - ComfyUI's own

    return kind.create_train(torch.zeros(LAYERS[layer]), rank=rank, alpha=alpha)


def scaled(kind):
    """Say whether twice the alpha adds something else to a weight."""
    import torch  # noqa: PLC0415 - ComfyUI's own

    weight, added = torch.zeros(LAYERS["attention"]), []
    for alpha in (1.0, 2.0):
        adapter = trained(kind, "attention", 8, alpha)
        for each in adapter.parameters():
            if each.requires_grad:
                torch.nn.init.constant_(each, 0.01)
        added.append(adapter(weight).detach())
    return not torch.equal(*added)


def as_text(found):
    """Return a line for each widget and algorithm."""
    parts = []
    for name, entries in found.items():
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(each)}" for key, each in entries.items())
        parts.append(f" {json.dumps(name)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]).resolve()))
    from comfy.cli_args import args

    args.cpu = True  # before it looks for a GPU
    found = {"widgets": widgets(), "algorithms": algorithms()}
    GOLDEN.write_text(as_text(found), encoding="utf-8", newline="\n")
