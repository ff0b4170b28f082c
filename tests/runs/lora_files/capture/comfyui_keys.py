"""Capture: which keys of LoRAs ComfyUI itself takes for each model, and what it loads of given files.

    COMFYUI_PATH=… python tests/runs/lora_files/capture/comfyui_keys.py

needs ComfyUI's Python with torch. It builds each model and each text encoder on the meta device, so without weights,
asks ``comfy/lora.py`` for its keys, and writes tests/runs/lora_files/golden/comfyui_keys.json: how many there are of
each, and their hash. With ``--keys FILE`` it writes all of them instead; with ``--load FILE``, names and shapes of
tensors by case, it replaces that file by the tensors that ComfyUI loads of each (`tests/comfyui/test_lora_keys.py`).
``--compare ARCHITECTURE FILE FILE`` prints how much two files differ in what they change.
"""

import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[4]
ARGUMENTS = sys.argv[1:]
sys.path.insert(0, str(ROOT / "tests/checkpoints/capture"))
# First of all: it finds ComfyUI and keeps it from looking for a graphics card. It takes the arguments away.
models = import_module("comfyui_models")

import comfy.lora  # noqa: E402
import comfy.lora_convert  # noqa: E402
import comfy.model_base  # noqa: E402
import comfy.model_detection  # noqa: E402
import comfy.sd1_clip  # noqa: E402
import comfy.sdxl_clip  # noqa: E402
import comfy.utils  # noqa: E402
import comfyui_version  # noqa: E402
import torch  # noqa: E402

# Variants with modules of their own count for the row that they are of.
MEDIUM = models.MMDIT | {
    "depth": 24, "x_block_self_attn_layers": list(range(13)),
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 1536}},
}  # fmt: skip
VARIANTS = {"sd35:medium": ("ldm.modules.diffusionmodules.mmdit", "OpenAISignatureMMDITWrapper", MEDIUM)}
METADATA = ("ltx2:2.3",)
"""Models of which ComfyUI learns by the metadata of their files what their arguments are."""
# SDXL's smaller kin, of which no trainer makes LoRAs, have no row.
WITHOUT = ("sdxl_refiner", "ssd1b", "koala")
HOW = {"device": "meta", "dtype": torch.float32, "model_options": {}}
# Architecture (and variant), module of ComfyUI, what makes the class, its arguments.
TEXT_ENCODERS = {
    "flux": ("flux", "flux_clip", {"dtype_t5": torch.float32}),
    "chroma": ("pixart_t5", "pixart_te", {"dtype_t5": torch.float32}),
    "sd35": ("sd3_clip", "sd3_clip", {"clip_l": True, "clip_g": True, "t5": True, "dtype_t5": torch.float32}),
    "hidream": (
        "hidream", "hidream_clip",
        {
            "clip_l": True, "clip_g": True, "t5": True, "llama": True, "dtype_t5": torch.float32,
            "dtype_llama": torch.float32,
        },
    ),
    "wan": ("wan", "te", {"dtype_t5": torch.float32}),
    "hunyuan_video": ("hunyuan_video", "hunyuan_video_clip", {"dtype_llama": torch.float32}),
    "hunyuan_image": ("hunyuan_image", "te", {"byt5": True, "dtype_llama": torch.float32}),
    "flux2": ("flux", "flux2_te", {"dtype_llama": torch.float32}),
    "flux2:4b": ("flux", "klein_te", {"dtype_llama": torch.float32, "model_type": "qwen3_4b"}),
    "flux2:9b": ("flux", "klein_te", {"dtype_llama": torch.float32, "model_type": "qwen3_8b"}),
    **{
        name: (module, "te", {"dtype_llama": torch.float32})
        for name, module in (
            ("anima", "anima"), ("lumina2", "lumina2"), ("zimage", "z_image"), ("krea2", "krea2"),
            ("qwen_image", "qwen_image"), ("ideogram4", "ideogram4"), ("ernie_image", "ernie"),
        )
    },
}  # fmt: skip


def model_of(name):
    """Return ComfyUI's model, without weights."""
    module, kind, arguments = (models.MODELS | VARIANTS)[name]
    state = models.build(module, kind, arguments)
    given = {key: each for key, each in arguments.items() if name in METADATA}
    metadata = {"config": json.dumps({"transformer": given})}
    config = comfy.model_detection.model_config_from_unet(dict(state), "", metadata=metadata)
    if name == "sd2":  # it looks at a weight to see whether it predicts velocity
        config.model_type = lambda *_: comfy.model_base.ModelType.EPS
    return config.get_model(dict(state), "", device=torch.device("meta"))


def text_encoder_of(name):
    if name in {"sd15", "sdxl"}:
        return {"sd15": comfy.sd1_clip.SD1ClipModel, "sdxl": comfy.sdxl_clip.SDXLClipModel}[name](**HOW)
    if name == "auraflow":
        return import_module("comfy.text_encoders.aura_t5").AuraT5Model(**HOW)
    module, make, arguments = TEXT_ENCODERS[name]
    return getattr(import_module(f"comfy.text_encoders.{module}"), make)(**arguments)(**HOW)


def taken(keys, model):
    """Return the keys that lead to a weight which the model has: others change nothing."""
    have = {name for name in model.state_dict() if name.endswith(".weight")}
    return {key: to for key, to in keys.items() if (to if isinstance(to, str) else to[0]) in have}


def all_keys():
    found = {}
    for name in (*models.MODELS, *VARIANTS):
        if name not in WITHOUT:
            model = model_of(name)
            keys = taken(comfy.lora.model_lora_keys_unet(model, {}), model)
            found.setdefault(name.partition(":")[0], set()).update(keys)
    for name in ("sd15", "sdxl", "auraflow", *TEXT_ENCODERS):
        model = text_encoder_of(name)
        keys = taken(comfy.lora.model_lora_keys_clip(model, {}), model)
        found.setdefault(f"{name.partition(':')[0]}, text", set()).update(keys)
    return {name: sorted(keys) for name, keys in found.items()}


def loaded(architecture, tensors):
    """Return the tensors that ComfyUI loads of a file, as `comfy/lora.py`, ``load_lora``, goes over its keys."""
    model = model_of(architecture)
    keys = taken(comfy.lora.model_lora_keys_unet(model, {}), model)
    if architecture in {"sd15", "sdxl", "auraflow", *TEXT_ENCODERS}:
        encoder = text_encoder_of(architecture)
        keys |= taken(comfy.lora.model_lora_keys_clip(encoder, {}), encoder)
    state = {name: torch.zeros(shape) for name, shape in tensors.items()}
    named = {id(tensor): name for name, tensor in state.items()}
    state = comfy.lora_convert.convert_lora(state)
    used = set()
    for key in keys:
        for adapter in comfy.weight_adapter.adapters:
            adapter.load(key, state, None, None, used)
        ends = (".alpha", ".dora_scale", ".diff", ".diff_b", ".set_weight", ".w_norm", ".b_norm", ".reshape_weight")
        used.update(key + end for end in ends if key + end in state)
    return sorted(named[id(state[name])] for name in used)


def changes(architecture, file):
    """Return what ComfyUI adds to each weight for a file, by the weight's name."""
    model = model_of(architecture)
    keys = taken(comfy.lora.model_lora_keys_unet(model, {}), model)
    sizes = {name: weight.shape for name, weight in model.state_dict().items()}
    found = {}
    for target, patch in comfy.lora.load_lora(comfy.utils.load_torch_file(file), keys).items():
        name, part = (target, None) if isinstance(target, str) else target[:2]
        weight = found.setdefault(name, torch.zeros(sizes[name]))
        comfy.lora.calculate_weight([(1.0, patch, 1.0, part, None)], weight, name)
    return found


def difference(architecture, one, other):
    """Return the weights that two files change, and the greatest difference between these changes."""
    first, second = changes(architecture, one), changes(architecture, other)
    if first.keys() != second.keys():
        raise SystemExit(f"they change {sorted(first)} and {sorted(second)}")
    greatest = max(float((first[name] - second[name]).abs().max()) for name in first)
    change = max(float(each.abs().max()) for each in first.values())
    return {"weights": sorted(first), "greatest": greatest, "change": change}


def main():
    if ARGUMENTS[:1] == ["--compare"]:
        print(json.dumps(difference(*ARGUMENTS[1:])))
        return
    if ARGUMENTS[:1] == ["--load"]:
        file = Path(ARGUMENTS[1])
        cases = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({name: loaded(*case) for name, case in cases.items()}), encoding="utf-8")
    elif ARGUMENTS[:1] == ["--keys"]:
        Path(ARGUMENTS[1]).write_text(json.dumps(all_keys()), encoding="utf-8")
    else:
        found = {
            name: {"keys": len(keys), "sha256": hashlib.sha256("\n".join(keys).encode()).hexdigest()}
            for name, keys in all_keys().items()
        }
        target = ROOT / "tests/runs/lora_files/golden/comfyui_keys.json"
        text = json.dumps({"comfyui": comfyui_version.__version__, "models": found}, indent=1)
        target.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
