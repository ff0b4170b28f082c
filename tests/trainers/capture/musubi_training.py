"""Golden file of musubi-tuner's trainings: ``training.json``, from whole runs with small models of random numbers.

``python -m tests.trainers.capture.musubi_training FOLDER``. Its scripts cache, train, save and are resumed as they are;
their models have the layers of the real ones, fewer and narrower, and what VAE and text encoders make of an image is
random too. Of each family and network the LoRA's keys are recorded; of each scheduler the learning rates of a training
that is not interrupted, and of one that is interrupted and resumed by what `Trainer.saved_state` returns.
"""

import contextlib
import io
import logging
import math
import re
import sys
import tempfile
from pathlib import Path
from unittest import mock

import torch
from accelerate.state import AcceleratorState
from safetensors import safe_open
from safetensors.torch import save_file

from lorads_core.trainers import Subset
from lorads_core.trainers.musubi.scripts import SCHEDULERS
from tests.trainers import cases_musubi as cases

from .common import rows, write_export, write_golden
from .musubi import cached, module, training_of

SUBSETS = (
    Subset("2_cat", 2, is_regularization=False, sizes=((128, 128), (160, 96)), trigger="tomcat"),
    Subset("1_regularization", 1, is_regularization=True, sizes=((128, 128),)),
)
WIDE, TEXT, TOKENS = 128, 64, 7
USUAL = {"resolution": 128, "optimizer": "AdamW", "network_dim": 4, "network_alpha": 2.0, "fp8_base": False}


class Interrupted(Exception):  # noqa: N818 - it is none
    pass


# Small models


def own(name):
    return module(name)


def small_zimage():
    names = own("zimage.zimage_config")
    for name, value in {"DIM": WIDE, "N_LAYERS": 2, "N_REFINER_LAYERS": 1, "N_HEADS": 1, "N_KV_HEADS": 1}.items():
        setattr(names, f"DEFAULT_TRANSFORMER_{name}", value)
    names.DEFAULT_TRANSFORMER_CAP_FEAT_DIM = TEXT
    return own("zimage.zimage_model").create_model("torch", False, None)  # noqa: FBT003 - its own call


def small_flux2():
    params = own("flux_2.flux2_utils").FLUX2_MODEL_INFO["klein-base-4b"].params
    params.hidden_size, params.num_heads, params.depth, params.depth_single_blocks = WIDE, 1, 1, 1
    params.context_in_dim = TEXT
    with torch.device("meta"):
        return own("flux_2.flux2_models").Flux2(params, "torch", False)  # noqa: FBT003 - its own call


def small_krea2():
    utils, models = own("krea2.krea2_utils"), own("krea2.krea2_mmdit")
    config = models.SingleMMDiTConfig(
        features=WIDE, tdim=32, txtdim=TEXT, heads=1, multiplier=2, layers=2, patch=2, channels=16, kvheads=1,
        txtlayers=3, txtheads=1, txtkvheads=1,
    )  # fmt: skip
    load = utils.load_krea2_dit
    utils.load_krea2_dit = lambda *words, **given: load(*words, **given, config=config)
    with torch.device("meta"):
        return models.SingleStreamDiT(config, attn_mode="torch", split_attn=False)


def small_qwen_image():
    models = own("qwen_image.qwen_image_model")
    whole = models.QwenImageTransformer2DModel
    small = {"num_layers": 2, "num_attention_heads": 1, "joint_attention_dim": TEXT}
    models.QwenImageTransformer2DModel = lambda **given: whole(**given | small)
    return models.create_model("torch", False, False, False, False, None)  # noqa: FBT003 - its own call


def small_wan():
    configs = own("wan.configs").WAN_CONFIGS
    small = {"dim": WIDE, "ffn_dim": WIDE, "num_heads": 1, "num_layers": 2}
    for name in ("t2v-14B", "t2v-A14B"):
        configs[name].update(small)
    with torch.device("meta"):
        return own("wan.modules.model").WanModel(in_dim=16, out_dim=16, attn_mode="torch", **small)


def without_a_card(call):
    """Return a function that makes its tensors of zeros on a graphics card, making them here."""
    zeros = torch.zeros

    def run(*given):
        with mock.patch.object(torch, "zeros", lambda *sizes, **how: zeros(*sizes, **how | {"device": None})):
            return call(*given)

    return run


def small_hunyuan_video():
    models = own("hunyuan_model.models")
    models.get_cu_seqlens = without_a_card(models.get_cu_seqlens)
    models.HUNYUAN_VIDEO_CONFIG["HYVideo-T/2-cfgdistill"].update(
        mm_double_blocks_depth=1, mm_single_blocks_depth=1, hidden_size=WIDE, heads_num=1, mlp_width_ratio=1
    )
    how = {"device": "meta", "dtype": torch.float32, "attn_mode": "torch", "split_attn": False}
    return models.load_dit_model(4096, 768, 16, 16, how)


def hunyuan_video_text(item):
    """Write what both of its text encoders make of a caption; its script writes the file twice."""
    save = own("dataset.cache_io").save_text_encoder_output_cache
    save(item, torch.randn(TOKENS, 4096).bfloat16(), torch.ones(TOKENS, dtype=torch.int64), is_llm=True)
    save(item, torch.randn(768).bfloat16(), None, is_llm=False)


# What its VAE and its text encoder make of an image and a caption, in numbers: by the functions that save it.
SAVING = {
    "zimage": (small_zimage, (16, 8), "save_latent_cache_z_image", "save_text_encoder_output_cache_z_image", (TEXT,)),
    "flux2_klein_4b": (
        small_flux2, (128, 16), "save_latent_cache_flux_2", "save_text_encoder_output_cache_flux_2", (TEXT,),
    ),
    "krea2": (small_krea2, (16, 1, 8), "save_latent_cache_krea2", "save_text_encoder_output_cache_krea2", (3, TEXT)),
    "qwen_image": (
        small_qwen_image, (16, 1, 8), "save_latent_cache_qwen_image", "save_text_encoder_output_cache_qwen_image",
        (TEXT,),
    ),
    "wan21_14b": (small_wan, (16, 1, 8), "save_latent_cache_wan", "save_text_encoder_output_cache_wan", (4096,)),
    "wan22_high": (small_wan, (16, 1, 8), "save_latent_cache_wan", "save_text_encoder_output_cache_wan", (4096,)),
    "hunyuan_video": (small_hunyuan_video, (16, 1, 8), "save_latent_cache", hunyuan_video_text, ()),
}  # fmt: skip
IN_32_BITS = ("wan",)
"""Families that reckon with 32 bits in the midst of 16, which PyTorch does on a graphics card alone."""
NOTHING = {"flux2": 1, "qwen": 1, "wan": 3}
"""How many more latents than those of the image a family's function is given, by how its name begins."""


def writer(base):
    """Return what writes the file of an image or a caption, by musubi-tuner's own functions."""
    _, (*channels, step), of_latents, of_text, width = SAVING[base]
    io_ = own("dataset.cache_io")
    more = ("flux_2_klein_4b",) if base.startswith("flux2") else ()

    def write(item, *, is_text):
        if is_text and callable(of_text):
            of_text(item)
            return
        if is_text:
            getattr(io_, of_text)(item, torch.randn(TOKENS, *width).bfloat16(), *more)
            return
        height, wide = item.content.shape[:2]
        latent = torch.randn(*channels, height // step, wide // step)
        nothing = [None] * next((count for name, count in NOTHING.items() if base.startswith(name)), 0)
        getattr(io_, of_latents)(item, latent, *nothing, *more)

    return write


def prepared(place, base):
    """Make a small model and cache an export for it; return the model's file."""
    file = place / f"{base}.safetensors"
    model = SAVING[base][0]()
    number = torch.float32 if base.startswith(IN_32_BITS) else torch.bfloat16
    save_file({name: torch.randn(each.shape, dtype=number) * 0.02 for name, each in model.state_dict().items()}, file)
    return file


# Trainings


def exported(place, name, base, file, **changes):
    """Write an export and cache it; return its config and folder."""
    precision = {"mixed_precision": "no"} if base.startswith(IN_32_BITS) else {}
    config = cases.config_of(base, checkpoint=str(file), **{**USUAL, **precision, **changes})
    folder = write_export(place / name, "musubi-tuner", config, SUBSETS)
    *caching, _ = cases.MUSUBI.stages(config, folder)
    for stage in caching:
        cached(stage, {}, writer(base))
    return config, folder


def trained(config, folder, *, more=(), interrupted=0):
    """Train an export; return what is printed and the learning rate of each step.

    ``more`` are options of the command line; ``interrupted`` ends it as soon as the state of that epoch is saved.
    """
    AcceleratorState._reset_state(reset_partial_state=True)  # else the precision of the first training stays
    name, *words = training_of(config, folder).arguments
    script = own(name.removesuffix(".py"))
    base, utils = own("training.trainer_base").NetworkTrainer, own("utils.train_utils")
    rates, printed = [], io.StringIO()
    save = utils.save_and_remove_state_on_epoch_end

    def begin(self, _args, _accelerator, _network, _transformer, optimizer):
        self.optimizer_seen = optimizer

    def step(self, *_, **__):
        rates.append(self.optimizer_seen.param_groups[0]["lr"])

    def saved(args, accelerator, epoch):
        save(args, accelerator, epoch)
        if epoch == interrupted:
            raise Interrupted

    with (
        mock.patch.object(base, "on_train_start", begin),
        mock.patch.object(base, "on_post_optimizer_step", step),
        mock.patch.object(utils, "save_and_remove_state_on_epoch_end", saved),
        mock.patch("sys.argv", [name, *words, *more]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        contextlib.suppress(Interrupted),
    ):
        script.main()
    return printed.getvalue(), rates


def keys_of(place, base, file):
    """Yield the keys of the LoRA of each network, without the numbers of layers, and ranks."""
    for network in cases.MUSUBI.networks:
        config = cases.config_of(base, network=network)
        if cases.is_refused(config):
            continue
        config, folder = exported(place, f"{base}-{network}", base, file, network=network, epochs=1)
        trained(config, folder)
        with safe_open(folder / "out" / "cat.safetensors", "pt") as lora:
            names = {re.sub(r"_\d+_", "_N_", key): list(lora.get_slice(key).get_shape()) for key in lora.keys()}  # noqa: SIM118
            if not any(bool(lora.get_tensor(key).any()) for key in lora.keys() if "lora_up" in key or "_b" in key):  # noqa: SIM118
                sys.exit(f"nothing was learned of {base} {network}")
        yield f"{base} {network}", {"keys": sorted(names)}


def resumed(place, file):
    """Yield the learning rates of each scheduler, of a training that goes through and of one that is resumed twice."""
    for scheduler in SCHEDULERS:
        changes = {"scheduler": scheduler, "warmup": 0.0 if scheduler == "constant" else 0.2, "epochs": 5}
        config, folder = exported(place, f"whole-{scheduler}", "zimage", file, **changes)
        printed, whole = trained(config, folder)
        config, folder = exported(place, f"parts-{scheduler}", "zimage", file, **changes)
        steps = cases.MUSUBI.schedule(config, SUBSETS)
        _, first = trained(config, folder, interrupted=2)
        rates, arguments = [*first], []
        for interrupted in (1, 0):
            state = cases.MUSUBI.saved_state(config, folder / "out", "cat", steps.steps_per_epoch)
            arguments.append([word.replace(str(folder), "") for word in state.arguments])
            _, more = trained(config, folder, more=state.arguments, interrupted=interrupted)
            rates += more
        if len(rates) != steps.total_steps or len(whole) != steps.total_steps:
            sys.exit(f"{scheduler}: {len(whole)} and {len(rates)} steps instead of {steps.total_steps}")
        if not all(
            math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12) for one, other in zip(whole, rates, strict=True)
        ):
            sys.exit(f"{scheduler}: {whole} is not {rates}")
        missing = {*state.checkpoints} - {each.name for each in (folder / "out").iterdir()}
        if missing:
            sys.exit(f"{scheduler}: {missing} were not saved")
        yield (
            f"resumed {scheduler}",
            {
                "rates": [round(rate, 10) for rate in whole],
                "arguments": arguments,
                "checkpoints": state.checkpoints,
            },
        )
    yield "printed", {"lines": lines_of(printed)}


def lines_of(printed):
    """Return the lines that say something of the progress, without times."""
    lines = re.split(r"[\r\n]", printed)
    return [line for line in lines if line.startswith(("steps:", "epoch ", "saving checkpoint"))][:12]


def records(place):
    files = {base: prepared(place, base) for base in SAVING}
    for base, file in files.items():
        yield from keys_of(place, base, file)
    yield from resumed(place, files["zimage"])


if __name__ == "__main__":
    home = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(home / "src"))
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        write_golden(cases.GOLDEN / "training.json", rows(records(Path(folder))))
