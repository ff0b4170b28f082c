"""Options of memory: what each trainer makes of a share of layers, a number of blocks, and weights in fewer bits."""

import json
from pathlib import Path

import pytest

from lorads_core.base_models import base_model, model_parts
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer

from .main_file import NAMES, main_options

SUBSETS = (Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (1024, 1024))),)


def config_of(base, **changes):
    files = {each.part: f"/{each.part}.safetensors" for each in model_parts()}
    checkpoint = base_model(base).usual_checkpoint or "/base.safetensors"
    return TrainingConfig(base_model=base, checkpoint=checkpoint, **{"model_files": files, **changes})


def written(name, base, home=None, **changes):
    """Return the main config file that a trainer gets, with what its sections hold in it."""
    texts = trainer(name).files(config_of(base, **changes), SUBSETS, Path("/e"), Path("/o"), "cat", home)
    return main_options(name, texts)


def refused(name, base, **changes):
    found = trainer(name).problems(config_of(base, **changes), SUBSETS)
    return " ".join(each.message for each in found if each.severity == "error")


def lacking(name, base, **changes):
    found = trainer(name).problems(config_of(base, **changes), SUBSETS)
    return " ".join(each.message for each in found if each.code == "not-in-trainer" and each.severity == "warning")


@pytest.mark.parametrize(
    ("name", "base", "changes", "key", "blocks"),
    [
        ("musubi-tuner", "qwen_image", {"layer_offload": 0.5}, "blocks_to_swap", 30),
        ("musubi-tuner", "zimage", {"layer_offload": 0.01}, "blocks_to_swap", 1),
        ("sd-scripts", "lumina2", {"layer_offload": 0.5}, "blocks_to_swap", 13),
        ("sd-scripts", "anima", {"layer_offload": 0.5}, "blocks_to_swap", 14),
        ("sd-scripts", "flux", {"blocks_to_swap": 18}, "blocks_to_swap", 18),
        ("simpletuner", "krea2", {"layer_offload": 0.25}, "musubi_blocks_to_swap", 7),
        ("simpletuner", "flux", {"blocks_to_swap": 56}, "musubi_blocks_to_swap", 56),
    ],
)
def test_blocks_wait_in_memory_by_their_number_or_as_a_share_of_a_familys(name, base, changes, key, blocks):
    assert not refused(name, base, **changes)
    assert written(name, base, **changes)[key] == blocks
    assert key not in written(name, base)


def test_more_blocks_than_a_trainer_swaps_are_refused_with_the_largest_share():
    assert "at most 45 blocks of Qwen-Image (a layer offload of 0.75)" in refused(
        "musubi-tuner", "qwen_image", layer_offload=0.9
    )
    assert not refused("musubi-tuner", "qwen_image", layer_offload=0.75)
    assert "at most 56 blocks" in refused("simpletuner", "flux", blocks_to_swap=57)


@pytest.mark.parametrize("name", ["sd-scripts", "simpletuner"])
def test_a_share_of_blocks_of_several_sizes_is_refused_with_the_option_that_counts_them(name):
    assert "set blocks to swap (at most" in refused(name, "flux", layer_offload=0.5)


def test_onetrainer_offloads_by_part_and_brings_text_encoders_in_by_one_thread():
    found = written(
        "onetrainer", "flux2_klein_9b", layer_offload=0.7, text_encoder_offload=0.3, activation_offload=True
    )
    assert (found["transformer"]["offload_fraction"], found["transformer"]["activation_offloading"]) == (0.7, True)
    assert (found["text_encoder"]["offload_fraction"], found["dataloader_threads"]) == (0.3, 1)
    clip = written("onetrainer", "flux", text_encoder_offload=0.3)
    assert "offload_fraction" not in clip["text_encoder"]
    assert clip["text_encoder_2"]["offload_fraction"] == 0.3


def test_onetrainer_says_that_one_thread_brings_text_encoders_in():
    def said(base, **changes):
        found = trainer("onetrainer").problems(config_of(base, loader_workers=4, **changes), SUBSETS)
        return " ".join(each.message for each in found)

    assert "so that the 4 loader workers become one" in said("flux", text_encoder_offload=0.5)
    assert "become one" not in said("flux") + said("sdxl", text_encoder_offload=0.5)
    # Where the offload is left out, so is what goes with it.
    assert "text encoders of SDXL 1.0 are small" in said("sdxl", text_encoder_offload=0.5)
    assert "dataloader_threads" not in written("onetrainer", "sdxl", text_encoder_offload=0.5)
    assert written("onetrainer", "sdxl", text_encoder_offload=0.5, loader_workers=4)["dataloader_threads"] == 4


def test_onetrainer_compiles_no_unet_without_gradient_checkpointing():
    def said(base, **changes):
        found = trainer("onetrainer").problems(config_of(base, compile=True, **changes), SUBSETS)
        return [each.message for each in found if "compiles" in each.message]

    (message,) = said("sdxl", gradient_checkpointing=False)
    assert "compiles the blocks of SDXL 1.0 with gradient checkpointing alone, and nothing without" in message
    assert said("sdxl") == said("flux", gradient_checkpointing=False) == []


def test_onetrainer_takes_blocks_where_all_its_layers_are_such():
    share = written("onetrainer", "qwen_image", blocks_to_swap=45)["transformer"]["offload_fraction"]
    # Its own rule: layers are loaded while their bytes fit into the rest.
    size = 340_000_001
    loaded = int(int(60 * size * (1 - share)) / size)
    assert loaded == 60 - 45
    assert "set the layer offload, e.g. to 0.5" in refused("onetrainer", "flux", blocks_to_swap=10)
    assert "has 60 blocks" in refused("onetrainer", "qwen_image", blocks_to_swap=61)
    assert "blocks to swap" not in lacking("onetrainer", "qwen_image", blocks_to_swap=45)


def test_an_older_onetrainer_has_one_share_for_all_parts(tmp_path):
    file = tmp_path / "modules" / "util" / "config" / "TrainConfig.py"
    file.parent.mkdir(parents=True)
    file.write_text("config_version=10 lokr_dim")
    found = written("onetrainer", "flux", tmp_path, layer_offload=0.6)
    assert (found["gradient_checkpointing"], found["layer_offload_fraction"]) == ("CPU_OFFLOADED", 0.6)
    assert (found["enable_activation_offloading"], found["dataloader_threads"]) == (False, 1)
    assert "offload_fraction" not in found["transformer"]
    config = config_of("flux", layer_offload=0.6, text_encoder_offload=0.3)
    (said,) = [
        each.message for each in trainer("onetrainer").problems(config, SUBSETS, tmp_path) if "share" in each.message
    ]
    assert "get a newer one" in said
    assert written("onetrainer", "flux", tmp_path)["gradient_checkpointing"] == "ON"


def test_a_unet_stays_in_graphics_memory():
    for name in ("onetrainer", "ai-toolkit", "simpletuner"):
        assert "all of SDXL 1.0 stays in graphics memory" in lacking(name, "sdxl", layer_offload=0.5)


def test_ai_toolkit_says_both_shares_as_its_own_are_all():
    found = written("ai-toolkit", "zimage", layer_offload=0.4)["model"]
    assert found["layer_offloading"] is True
    shares = [found[f"layer_offloading_{part}_percent"] for part in ("transformer", "text_encoder")]
    assert shares == [0.4, 0.0]
    assert "set the layer offload" in refused("ai-toolkit", "zimage", blocks_to_swap=10)
    assert "all of FLUX.1 dev stays" in lacking("ai-toolkit", "flux", layer_offload=0.5)


@pytest.mark.parametrize(
    ("name", "base", "precision", "key", "value"),
    [
        ("sd-scripts", "flux", "fp8", "fp8_base", True),
        ("sd-scripts", "hunyuan_image", "fp8", "fp8_scaled", True),
        ("sd-scripts", "flux", "16-bit", "fp8_base", None),
        ("musubi-tuner", "zimage", "fp8", "fp8_scaled", True),
        ("musubi-tuner", "qwen_image", "16-bit", "fp8_base", None),
        ("onetrainer", "krea2", "nf4", "transformer.weight_dtype", "NFLOAT_4"),
        ("onetrainer", "krea2", "int8-w8a8", "transformer.weight_dtype", "INT_W8A8"),
        ("onetrainer", "krea2", "16-bit", "transformer.weight_dtype", "BFLOAT_16"),
        ("onetrainer", "sdxl", "fp8", "unet.weight_dtype", "FLOAT_8"),
        ("ai-toolkit", "flux", "int4", "model.qtype", "uint4"),
        ("ai-toolkit", "flux", "16-bit", "model.quantize", None),
        ("simpletuner", "flux", "nf4", "base_model_precision", "nf4-bnb"),
        ("simpletuner", "flux", "int8", "base_model_precision", "int8-quanto"),
        ("simpletuner", "zimage", "int8", "base_model_precision", "int8-torchao"),
        ("simpletuner", "flux2", "fp8", "base_model_precision", "fp8-torchao"),
        ("simpletuner", "qwen_image", "16-bit", "base_model_precision", None),
    ],
)
def test_the_base_model_is_held_as_it_was_chosen(name, base, precision, key, value):
    assert not refused(name, base, base_precision=precision)
    found = written(name, base, base_precision=precision)
    for part in key.split("."):
        found = found.get(part) if found else None
    assert found == value


def test_three_bits_of_qwen_image_come_with_the_adapter_of_its_version():
    for base, file in (("qwen_image", "qwen_image_torchao"), ("qwen_image_2512", "qwen_image_2512_torchao")):
        found = written("ai-toolkit", base, base_precision="int3")["model"]
        assert found["qtype"] == "uint3"
        assert found["accuracy_recovery_adapter"].endswith(f"/{file}_uint3.safetensors")
    assert "accuracy_recovery_adapter" not in written("ai-toolkit", "zimage", base_precision="int3")["model"]


def test_a_precision_that_a_trainer_lacks_is_refused_with_those_it_has():
    said = refused("sd-scripts", "flux", base_precision="nf4")
    assert said == "sd-scripts does not hold the weights of FLUX.1 dev in nf4: choose one of usual, 16-bit, fp8."
    assert "choose one of usual, 16-bit." in refused("sd-scripts", "anima", base_precision="fp8")
    assert "the text encoder of Krea 2 Raw in fp8" in refused("musubi-tuner", "krea2", text_encoder_precision="fp8")
    assert "usual, 16-bit, int8, int4, nf4, int2." in refused("simpletuner", "flux", base_precision="fp8")


def test_text_encoders_are_held_as_they_were_chosen():
    stages = trainer("musubi-tuner").stages(config_of("zimage", text_encoder_precision="fp8"), Path("/e"))
    assert "--fp8_llm" in stages[1].arguments
    assert "--fp8_llm" not in stages[0].arguments
    assert written("musubi-tuner", "zimage", text_encoder_precision="fp8")["fp8_llm"] is True
    found = written("ai-toolkit", "zimage", text_encoder_precision="16-bit")["model"]
    assert found["quantize_te"] is False
    assert written("simpletuner", "flux", text_encoder_precision="int8")["text_encoder_2_precision"] == "int8-quanto"
    flux = written("onetrainer", "flux", text_encoder_precision="16-bit")
    assert [flux[part]["weight_dtype"] for part in ("text_encoder", "text_encoder_2")] == ["BFLOAT_16"] * 2
    assert "FLUX.1 dev in int8: choose one of usual, 16-bit, int4." in refused(
        "ai-toolkit", "flux", base_precision="int4", text_encoder_precision="int8"
    )


def test_a_fused_backward_pass_is_onetrainers_with_optimizers_that_have_it():
    found = written("onetrainer", "flux", fused_backward=True, optimizer="AdamW")["optimizer"]
    assert (found["fused"], found["fused_back_pass"]) == (False, True)
    assert "choose AdamW or AdaFactor" in refused("onetrainer", "flux", fused_backward=True)
    assert "accumulate 1" in refused("onetrainer", "flux", fused_backward=True, gradient_accumulation_steps=2)
    assert "a LoRA has few gradients" in lacking("sd-scripts", "flux", fused_backward=True)


def test_the_denoiser_is_compiled():
    assert written("sd-scripts", "flux", compile=True)["dynamo_backend"] == "inductor"
    assert written("musubi-tuner", "zimage", compile=True)["compile"] is True
    assert written("onetrainer", "sdxl", compile=True)["compile"] is True
    assert written("ai-toolkit", "zimage", compile=True)["model"]["compile"] is True
    config = config_of("flux", compile=True)
    (stage,) = trainer("simpletuner").stages(config, Path("/e"))
    assert stage.arguments[stage.arguments.index("--dynamo_backend") + 1] == "inductor"
    assert "in nf4: choose int8" in refused("simpletuner", "flux", compile=True, base_precision="nf4")


def test_caches_lie_where_it_was_said():
    found = written("sd-scripts", "sdxl", cache_to_disk=True)
    assert found["cache_latents_to_disk"] is found["cache_text_encoder_outputs_to_disk"] is True
    (dataset,) = written("ai-toolkit", "zimage", cache_to_disk=False)["datasets"]
    assert (dataset.get("cache_latents"), dataset.get("cache_latents_to_disk")) == (True, None)
    assert "turn the caching of latents on" in refused("sd-scripts", "sdxl", cache_to_disk=True, cache_latents=False)


@pytest.mark.parametrize("name", ["musubi-tuner", "onetrainer", "simpletuner", "ai-toolkit"])
def test_a_wish_for_caches_on_the_disk_is_met_without_a_word(name):
    assert lacking(name, "zimage", cache_to_disk=True) == lacking(name, "zimage")
    assert ("always caches on" in lacking(name, "zimage", cache_to_disk=False)) == (name != "ai-toolkit")


def test_ai_toolkit_says_that_text_embeddings_are_always_on_the_disk():
    def said(**changes):
        config = config_of("zimage", cache_to_disk=False, **changes)
        return " ".join(each.message for each in trainer("ai-toolkit").problems(config, SUBSETS))

    assert "caches outputs of text encoders on the disk" in said(cache_text_encoder_outputs=True)
    assert "on the disk" not in said()


def test_images_are_loaded_by_so_many_processes():
    few = written("sd-scripts", "sdxl", loader_workers=2)
    assert (few["max_data_loader_n_workers"], few["persistent_data_loader_workers"]) == (2, True)
    none = written("musubi-tuner", "zimage", loader_workers=0)
    assert (none["max_data_loader_n_workers"], none["persistent_data_loader_workers"]) == (0, False)
    assert written("ai-toolkit", "zimage", loader_workers=1)["datasets"][0]["num_workers"] == 1
    assert written("onetrainer", "sdxl", loader_workers=4)["dataloader_threads"] == 4
    assert "1 thread at least" in refused("onetrainer", "sdxl", loader_workers=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks_to_swap": 4, "layer_offload": 0.5}, "leave one at 0"),
        ({"fp8_base": True, "base_precision": "fp8"}, "leave fp8_base unset"),
        ({"activation_offload": True, "gradient_checkpointing": False}, "turn gradient checkpointing on"),
        ({"activation_offload": True, "blocks_to_swap": 4}, "swap no blocks"),
        ({"base_precision": "fp9"}, "did you mean fp8"),
    ],
)
def test_options_of_memory_that_contradict_each_other_are_refused(changes, message):
    assert message in refused("sd-scripts", "flux", **changes)


@pytest.mark.parametrize("name", [each for each in NAMES if each != "comfyui"])
def test_nothing_is_written_of_what_nobody_chose(name):
    """Values that say the usual one in another way change no file."""
    base = "qwen_image" if name == "musubi-tuner" else "flux"
    base = "sdxl" if name == "sd-scripts" else base
    words = json.dumps(written(name, base))
    for word in ("offload", "compile", "fused_back", "qtype", "swap", '_to_disk": false'):
        assert word not in words.replace("cache_latents_to_disk", ""), word
