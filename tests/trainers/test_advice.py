"""What is said of options that a trainer would misread: whom it sends a person to, and what it tells them to set."""

from dataclasses import replace

import pytest

from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import checks, trainer
from lorads_core.trainers.defaults import change_config, make_config
from lorads_core.trainers.presets import find_preset

from .test_expert_options import FLUX, SDXL, SUBSETS, ZIMAGE, errors, keys, told

IDEOGRAM = replace(SDXL, base_model="ideogram4", checkpoint="")
ADAFACTOR = {"optimizer": "AdaFactor"}


def warnings(name, config):
    return [each.message for each in trainer(name).problems(config, SUBSETS) if each.severity == "warning"]


@pytest.mark.parametrize("name", ["ai-toolkit", "onetrainer", "musubi-tuner", "simpletuner"])
def test_captions_in_json_lose_no_parts(name):
    said = "Ideogram 4 reads captions as JSON, which has no tags: set tag dropout to 0."
    assert said in errors(name, replace(IDEOGRAM, tag_dropout=0.1))
    assert errors(name, replace(SDXL, tag_dropout=0.1)) == [] or name == "musubi-tuner"


def test_advice_names_trainers_of_both_base_model_and_network():
    hidream = replace(SDXL, base_model="hidream_o1", network="lokr")
    (message,) = errors("musubi-tuner", hidream)
    assert message.startswith("musubi-tuner makes no LoKr of HiDream O1")
    named = [each for each in ("OneTrainer", "ai-toolkit", "SimpleTuner", "sd-scripts") if each in message]
    able = checks.able_trainers(checks.base_model("hidream_o1"), "lokr")
    assert named == [each for each in able if "musubi" not in each]
    (message,) = errors("ai-toolkit", replace(SDXL, network="loha"))
    assert "musubi" not in message  # it trains LoHa, and no SDXL


def test_one_choice_is_no_list():
    (message,) = errors("simpletuner", replace(SDXL, base_model="krea2_turbo"))
    assert "choose the trainer ai-toolkit, or" in message
    (message,) = errors("simpletuner", replace(SDXL, loss_type="l1"))
    assert message.startswith("SimpleTuner has no loss 'l1': choose one of mse, ")


@pytest.mark.parametrize(
    ("config", "changes", "said"),
    [
        (FLUX, {"timestep_shift": 5.0}, "The timestep shift does nothing as it stands: set the timestep sampling to"),
        (FLUX, {"huber_delta": 0.5}, "The Huber delta does nothing as it stands: set the loss to huber or smooth_l1"),
        (SDXL, {"sample_steps": 9}, "The number of steps of a sample does nothing as it stands: add sample prompts"),
        (SDXL, {"sample_guidance": 9.0}, "The sample guidance does nothing as it stands: add sample prompts, or"),
    ],
)
def test_an_option_that_counts_with_another_alone_is_said_to_do_nothing(config, changes, said):
    assert any(each.startswith(said) for each in warnings("sd-scripts", replace(config, **changes)))
    assert not any("does nothing" in each for each in warnings("sd-scripts", config))
    whole = {"timestep_sampling": "shift", "loss_type": "huber", "sample_prompts": ("a cat",)}
    assert not any("does nothing" in each for each in warnings("sd-scripts", replace(config, **changes, **whole)))


def test_what_a_trainer_lacks_altogether_is_said_once():
    said = warnings("sd-scripts", replace(SDXL, timestep_shift=5.0))
    assert [each for each in said if "timestep shift" in each] == [each for each in said if "has no timestep" in each]


@pytest.mark.parametrize("args", [{"relative_step": True}, {"warmup_init": True}])
def test_no_warm_up_goes_with_a_schedule_of_adafactors_own(args):
    assert make_config({**ADAFACTOR, "optimizer_args": args}).warmup == 0
    assert make_config(ADAFACTOR).warmup > 0
    for name, base in (("sd-scripts", SDXL), ("musubi-tuner", ZIMAGE)):
        config = change_config(base, {**ADAFACTOR, "optimizer_args": args, "warmup": None})
        assert errors(name, config) == []
        assert any("stops at a warm-up" in each for each in errors(name, replace(config, warmup=0.1)))
    ours = replace(SDXL, **ADAFACTOR, optimizer_args=args)
    assert any("stops at relative_step" in each for each in errors("ai-toolkit", ours))


def test_sd_scripts_says_by_which_arguments_it_picks_blocks():
    picks = {
        "flux": "train_blocks, train_double_block_indices, train_single_block_indices",
        "sd35": "train_block_indices",
        "sdxl": "down_lr_weight, mid_lr_weight, up_lr_weight, block_lr_zero_threshold",
    }
    for base, names in picks.items():
        said = warnings("sd-scripts", replace(SDXL, base_model=base, layer_filter="attn"))
        assert any(f"picks whole blocks alone (network_args {names})." in each for each in said)
    said = warnings("sd-scripts", replace(SDXL, network="loha", layer_filter="attn"))
    assert any("LyCORIS picks layers by its presets alone" in each for each in said)


def test_what_is_always_done_has_no_switch():
    said = [each.message for each in told("onetrainer", replace(SDXL, tensorboard=True))]
    assert any(each.startswith("OneTrainer has no switch for TensorBoard: it always writes") for each in said)
    plus = [each.message for each in told("onetrainer", replace(SDXL, lora_plus_ratio=16.0))]
    assert any(each.startswith("OneTrainer has no LoRA+ ratio: ") for each in plus)


def test_one_file_is_left_out_and_several_are():
    one = replace(FLUX, model_files={"ae": "/a.safetensors"})
    two = replace(FLUX, model_files={"ae": "/a.safetensors", "t5xxl": "/t.safetensors"})
    assert checks.lacks_model_files(one)["model_files"].endswith("/a.safetensors is left out.")
    assert checks.lacks_model_files(two)["model_files"].endswith("are left out.")


def test_a_number_of_blocks_is_one():
    assert "The number of blocks to swap is -1: give" in " ".join(checks.refusals(TrainingConfig(blocks_to_swap=-1)))


@pytest.mark.parametrize(("precision", "offload", "wanted"), [("fp8", 0.5, "float8"), ("fp8", 0.0, "qfloat8")])
def test_ai_toolkit_holds_layers_that_wait_in_pytorchs_own_8_bits(precision, offload, wanted):
    config = replace(
        ZIMAGE, checkpoint="", model_files={}, base_precision=precision, text_encoder_precision=precision,
        layer_offload=offload,
    )  # fmt: skip
    model = keys("ai-toolkit", config)["model"]
    assert (model["qtype"], model["qtype_te"]) == (wanted, wanted)


def test_a_preset_in_other_letters_is_recognised():
    with pytest.raises(SettingsError, match=r"no preset 'Style' for SDXL 1.0: did you mean style\? Choose one of"):
        find_preset("Style", "sdxl")
