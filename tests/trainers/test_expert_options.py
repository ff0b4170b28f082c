"""Options that few people set: what each trainer gets of them, and what is said where it has none."""

import ast
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.network_options import layer_patterns

from .cases_expert import EXPERT
from .main_file import main_options

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUBSETS = (Subset("10_cat", 10, is_regularization=False, sizes=((1024, 1024),) * 8, trigger="tomcat"),)
SDXL = TrainingConfig(checkpoint="/base.safetensors", optimizer="AdamW")
FLUX = replace(SDXL, base_model="flux")
ZIMAGE = replace(SDXL, base_model="zimage", checkpoint="/z.safetensors", model_files={"ae": "/a", "text_encoder": "/q"})


def files(name, config):
    return trainer(name).files(config, SUBSETS, Path("/exports/cat"), Path("/out"), "cat")


def keys(name, config):
    return main_options(name, files(name, config))


def new(name, config, **changes):
    """Return what changes in the trainer's main config file, and check that the trainer takes it."""
    after = replace(config, **changes)
    assert errors(name, after) == []
    was, now = keys(name, config), keys(name, after)
    return {key: value for key, value in now.items() if was.get(key) != value}


def told(name, config):
    return [each for each in trainer(name).problems(config, SUBSETS) if each.code == "not-in-trainer"]


def errors(name, config):
    return [each.message for each in trainer(name).problems(config, SUBSETS) if each.severity == "error"]


def test_losses_have_each_trainers_name_and_one_delta():
    huber = {"loss_type": "huber", "huber_delta": 0.2}
    pseudo = {"huber_schedule": "constant", "huber_c": 0.2}
    assert new("sd-scripts", SDXL, **huber) == {"loss_type": "huber", **pseudo}
    assert new("sd-scripts", SDXL, loss_type="l1") == {"loss_type": "l1"}
    assert new("simpletuner", SDXL, **huber) == {"loss_type": "huber", **pseudo}
    assert new("onetrainer", SDXL, **huber) == {
        "mse_strength": 0.0, "mae_strength": 0.0, "huber_strength": 1.0, "huber_delta": 0.2,
    }  # fmt: skip
    assert new("onetrainer", SDXL, loss_type="l1")["mae_strength"] == 1.0
    assert new("ai-toolkit", SDXL, loss_type="smooth_l1")["train"]["loss_type"] == "pseudo_huber"
    assert new("comfyui", SDXL, loss_type="smooth_l1") == {"loss_function": "SmoothL1"}


@pytest.mark.parametrize(
    ("name", "loss", "instead"),
    [("ai-toolkit", "huber", "smooth_l1"), ("onetrainer", "smooth_l1", "huber"), ("simpletuner", "l1", "smooth_l1")],
)
def test_a_loss_that_a_trainer_has_not_is_refused_with_those_it_has(name, loss, instead):
    (message,) = errors(name, replace(SDXL, loss_type=loss))
    assert f"has no loss {loss!r}" in message
    assert instead in message


def test_where_a_fixed_delta_counts_it_is_said():
    assert "linear from 0.01 on" in "".join(
        each.message for each in told("ai-toolkit", replace(SDXL, loss_type="smooth_l1"))
    )
    assert "linear from 1 on" in "".join(each.message for each in told("comfyui", replace(SDXL, loss_type="huber")))


def test_an_average_of_the_weights_is_asked_for_where_its_file_is_saved():
    average = {"use_ema": True, "ema_decay": 0.99}
    assert new("onetrainer", SDXL, ema_decay=0.99) == {"ema": "GPU", "ema_decay": 0.99, "ema_update_step_interval": 1}
    assert new("ai-toolkit", SDXL, ema_decay=0.99)["train"]["ema_config"] == average
    for name in ("sd-scripts", "simpletuner", "comfyui"):
        assert new(name, SDXL, ema_decay=0.99) == {}
        assert any("has no EMA decay" in each.message for each in told(name, replace(SDXL, ema_decay=0.99)))


@pytest.mark.parametrize(
    ("base", "sampling", "wanted"),
    [
        ("flux", "uniform", {"timestep_sampling": "uniform", "discrete_flow_shift": 1.0}),
        ("flux", "sigmoid", {"timestep_sampling": "sigmoid", "discrete_flow_shift": 1.0}),
        ("flux", "shift", {"discrete_flow_shift": 2.5}),  # it is drawn so by default
        ("hunyuan_image", "shift", {"timestep_sampling": "shift", "discrete_flow_shift": 2.5}),
        ("sd35", "uniform", {"training_shift": 1.0}),
        ("sd35", "shift", {"weighting_scheme": "logit_normal", "training_shift": 2.5}),
    ],
)
def test_sd_scripts_draws_timesteps_as_it_is_said(base, sampling, wanted):
    changes = {"timestep_sampling": sampling, "timestep_shift": 2.5}
    assert new("sd-scripts", replace(FLUX, base_model=base), **changes) == wanted


def test_others_draw_timesteps_in_the_same_ways():
    shifted = {"timestep_sampling": "shift", "timestep_shift": 2.5}
    assert new("onetrainer", FLUX, **shifted) == {"timestep_shift": 2.5}  # it is drawn by a sigmoid by default
    assert "dynamic_timestep_shifting" not in keys("onetrainer", replace(FLUX, **shifted))
    assert new("musubi-tuner", ZIMAGE, **shifted) == {"discrete_flow_shift": 2.5}
    assert "discrete_flow_shift" not in keys("musubi-tuner", replace(ZIMAGE, timestep_sampling="uniform"))
    flux = replace(FLUX, checkpoint="")
    assert new("simpletuner", flux, **shifted) == {"flow_schedule_shift": 2.5}
    assert new("simpletuner", flux, timestep_sampling="uniform") == {
        "flow_use_uniform_schedule": True, "flow_schedule_shift": 0.0,
    }  # fmt: skip
    assert new("ai-toolkit", flux, timestep_sampling="uniform")["train"]["timestep_type"] == "linear"
    assert "not by 2.5" in errors("ai-toolkit", replace(flux, **shifted))[0]
    assert "of its own" in errors("simpletuner", replace(flux, base_model="flux_schnell", **shifted))[0]


def test_noise_prediction_draws_timesteps_as_ever():
    for name in ("sd-scripts", "simpletuner", "ai-toolkit"):
        assert new(name, SDXL, timestep_sampling="uniform") == {}
        assert any(
            "timestep sampling" in each.message for each in told(name, replace(SDXL, timestep_sampling="uniform"))
        )


def test_onetrainer_draws_timesteps_of_noise_prediction_too():
    sampling = {"timestep_distribution": "LOGIT_NORMAL", "timestep_shift": 1.0}
    assert new("onetrainer", SDXL, timestep_sampling="sigmoid") == sampling
    shifted = {"timestep_sampling": "shift", "timestep_shift": 2.5}
    assert new("onetrainer", SDXL, **shifted) == {**sampling, "timestep_shift": 2.5}
    assert told("onetrainer", replace(SDXL, **shifted)) == told("onetrainer", SDXL)


def test_debiased_estimation_takes_the_place_of_min_snr():
    assert new("sd-scripts", SDXL, debiased_estimation=True) == {"debiased_estimation_loss": True}
    assert new("onetrainer", SDXL, debiased_estimation=True) == {"loss_weight_fn": "DEBIASED_ESTIMATION"}
    both = replace(SDXL, debiased_estimation=True, min_snr_gamma=5.0)
    assert "by one rule only" in errors("onetrainer", both)[0]
    assert any("use one of them" in each.message for each in trainer("sd-scripts").problems(both, SUBSETS))
    velocity = replace(SDXL, v_prediction=True)
    assert keys("sd-scripts", velocity)["scale_v_pred_loss_like_noise_pred"] is True
    assert "scale_v_pred_loss_like_noise_pred" not in keys("sd-scripts", replace(velocity, debiased_estimation=True))


def test_dropouts_of_ranks_and_layers_reach_the_network():
    dropped = {"rank_dropout": 0.1, "module_dropout": 0.05}
    args = ["rank_dropout=0.1", "module_dropout=0.05"]
    assert new("sd-scripts", SDXL, **dropped) == {"network_args": args}
    assert new("musubi-tuner", ZIMAGE, **dropped) == {"network_args": args}
    assert new("ai-toolkit", SDXL, **dropped)["network"]["network_kwargs"] == dropped
    lycoris = json.loads(files("simpletuner", replace(SDXL, **dropped))["lycoris_config.json"])
    assert {key: lycoris[key] for key in dropped} == dropped


def test_lokr_in_8_bits_is_said_to_drop_no_ranks():
    config = replace(SDXL, network="lokr", fp8_base=True, rank_dropout=0.1, module_dropout=0.05)
    assert "module_dropout=0.05" in keys("sd-scripts", config)["network_args"]
    assert not [each for each in keys("sd-scripts", config)["network_args"] if each.startswith("rank")]
    assert any("has no rank dropout" in each.message for each in told("sd-scripts", config))


def test_lora_plus_is_of_loras_own_matrices():
    assert new("sd-scripts", SDXL, lora_plus_ratio=16.0) == {"network_args": ["loraplus_lr_ratio=16"]}
    assert new("musubi-tuner", ZIMAGE, lora_plus_ratio=4.5) == {"network_args": ["loraplus_lr_ratio=4.5"]}
    assert new("sd-scripts", replace(SDXL, network="loha"), lora_plus_ratio=16.0) == {}
    (message,) = errors("sd-scripts", replace(SDXL, optimizer="Prodigy", learning_rate=1.0, lora_plus_ratio=16.0))
    assert "two learning rates" in message


def test_a_layer_filter_leaves_out_all_other_layers():
    some = {"layer_filter": " attn , ff.net"}
    assert new("onetrainer", SDXL, **some) == {"layer_filter": "attn,ff.net"}
    assert "layer_filter_regex" not in keys("onetrainer", replace(ZIMAGE, **some))
    assert new("ai-toolkit", SDXL, **some)["network"]["network_kwargs"] == {"only_if_contains": ["attn", "ff.net"]}
    args = new("musubi-tuner", ZIMAGE, **some)["network_args"]
    assert args == list(layer_patterns(replace(ZIMAGE, **some)))
    assert new("sd-scripts", SDXL, **some) == {}
    assert any("has no layer filter" in each.message for each in told("sd-scripts", replace(SDXL, **some)))
    assert keys("sd-scripts", replace(SDXL, base_model="anima", **some))["network_args"] == args


def test_kohyas_pattern_excludes_whole_names_that_contain_no_part():
    """As the modules read and compile it (``fullmatch``)."""
    (argument,) = layer_patterns(replace(ZIMAGE, layer_filter="attn, ff.net"))
    assert argument.count("=") == 1, "it is split there"
    (excluded,) = (re.compile(each) for each in ast.literal_eval(argument.partition("=")[2]))
    names = ["blocks.0.attn.to_q", "blocks.0.ff.net.0", "blocks.0.ffxnet", "blocks.0.mlp"]
    assert [name for name in names if not excluded.fullmatch(name)] == names[:2]


@pytest.mark.parametrize("text", ["attn, [a-z]*", "a b", "attn,,ff", "'attn'", "a=b", "../x"])
@pytest.mark.parametrize("name", trainers())
def test_a_layer_filter_that_is_no_name_is_refused(name, text):
    base = ZIMAGE if name == "musubi-tuner" else SDXL
    assert any("The layer filter is" in each for each in errors(name, replace(base, layer_filter=text)))


def test_optimizer_arguments_are_written_as_each_trainer_reads_them():
    args = {"optimizer_args": {"betas": [0.9, 0.95], "amsgrad": True}}
    literal = ["betas=(0.9,0.95,)", "amsgrad=True"]
    assert new("sd-scripts", SDXL, **args) == {"optimizer_args": literal}
    assert new("musubi-tuner", ZIMAGE, **args) == {"optimizer_args": literal}
    assert new("ai-toolkit", SDXL, **args)["train"]["optimizer_params"] == args["optimizer_args"]
    assert new("simpletuner", SDXL, **args) == {
        "optimizer_config": "amsgrad=True", "optimizer_beta1": 0.9, "optimizer_beta2": 0.95,
    }  # fmt: skip
    optimizer = new("onetrainer", SDXL, **args)["optimizer"]
    assert optimizer | {"beta1": 0.9, "beta2": 0.95, "amsgrad": True} == optimizer
    prodigy = replace(SDXL, optimizer="Prodigy", learning_rate=1.0)
    assert new("onetrainer", prodigy, optimizer_args={"d_coef": 2})["optimizer"]["d_coef"] == 2.0


def test_optimizer_arguments_stand_over_those_that_lorads_writes():
    config = replace(SDXL, optimizer="AdaFactor", weight_decay=0.1, optimizer_args={"scale_parameter": True})
    wanted = ["relative_step=False", "warmup_init=False", "weight_decay=0.1", "scale_parameter=True"]
    assert keys("sd-scripts", config)["optimizer_args"] == wanted
    assert keys("onetrainer", config)["optimizer"]["scale_parameter"] is True
    zimage = replace(ZIMAGE, optimizer="AdaFactor", weight_decay=0.1, optimizer_args={"scale_parameter": True})
    assert keys("musubi-tuner", zimage)["optimizer_args"] == wanted


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"lr": 1.0}, "set the learning rate instead"),
        ({"weight_decay": 0.1}, "set the weight decay instead"),
        ({"a b": 1}, "give a number"),
        ({"betas": []}, "give a number"),
        ({"betas": ["a"]}, "give a number"),
        ({"mode": "a,b=c"}, "give a number"),
        ({"nested": {"a": 1}}, "give a number"),
        ({"kind": "evil.Optimizer"}, "names a file, code or an account"),
        ({"state_file": "x"}, "names a file, code or an account"),
    ],
)
@pytest.mark.parametrize("name", trainers())
def test_optimizer_arguments_that_no_trainer_may_get_are_refused(name, args, said):
    base = ZIMAGE if name == "musubi-tuner" else SDXL
    assert any(said in each for each in errors(name, replace(base, optimizer_args=args)))


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("onetrainer", {"beta": 2.0}, "OneTrainer's AdamW has no optimizer argument 'beta': did you mean beta"),
        ("onetrainer", {"d_coef": 2.0}, "'d_coef': choose one of beta1, beta2, eps, amsgrad, fused, stochastic_round"),
        ("onetrainer", {"amsgrad": 1}, "takes true or false as the optimizer argument amsgrad"),
        ("onetrainer", {"slice_p": 1.5}, "takes a whole number as the optimizer argument slice_p"),
        ("ai-toolkit", {"eps": 1e-8}, "stops at the optimizer argument eps"),
        ("simpletuner", {"betas": [0.9, 0.95, 0.99]}, "takes lists as betas alone, of two numbers"),
        ("simpletuner", {"momenta": [0.9, 0.95]}, "takes lists as betas alone"),
        ("simpletuner", {"k": -1}, "reads -1 as text"),
    ],
)
def test_optimizer_arguments_that_a_trainer_would_misread_are_refused(name, args, said):
    assert any(said in each for each in errors(name, replace(SDXL, optimizer_args=args)))


def test_dropped_tags_leave_the_head_of_a_caption_alone():
    dropped = replace(SDXL, tag_dropout=0.1)
    general = tomllib.loads(files("sd-scripts", dropped)["dataset_config.toml"])["general"]
    assert (general["caption_tag_dropout_rate"], general["keep_tokens"]) == (0.1, 1)
    assert trainer("sd-scripts").caption("tomcat, 1girl, hat", 2, dropped) == "tomcat, 1girl ||| hat"
    assert trainer("sd-scripts").caption("tomcat, 1girl, hat", 2, SDXL) == "tomcat, 1girl, hat"
    assert "cache_text_encoder_outputs" not in keys("sd-scripts", dropped)
    text = keys("onetrainer", dropped)["concepts"][0]["text"]
    assert (text["tag_dropout_mode"], text["tag_dropout_probability"], text["keep_tags_count"]) == ("RANDOM", 0.1, 1)
    assert keys("onetrainer", dropped)["concepts"][0]["text_variations"] == 10
    images = keys("ai-toolkit", dropped)["datasets"][0]
    assert (images["token_dropout_rate"], images["keep_tokens"]) == (0.1, 1)
    assert "Tags that are dropped" in errors("ai-toolkit", replace(dropped, cache_text_encoder_outputs=True))[0]
    for name, config in (("simpletuner", dropped), ("musubi-tuner", replace(ZIMAGE, tag_dropout=0.1))):
        assert any("has no tag dropout" in each.message for each in told(name, config))


def test_skipped_layers_of_clip_are_counted_as_each_trainer_counts_them():
    sd15 = replace(SDXL, base_model="sd15")
    assert new("sd-scripts", sd15, clip_skip=2) == {"clip_skip": 2}
    assert new("onetrainer", sd15, clip_skip=2) == {"text_encoder_layer_skip": 1}
    for name in ("sd-scripts", "onetrainer", "ai-toolkit"):
        assert new(name, SDXL, clip_skip=2) == {}
        said = told(name, replace(SDXL, clip_skip=2))
        assert not any("has no CLIP skip" in each.message for each in said)
        assert any("takes the second-last layer of its text encoders anyway" in each.message for each in said)


def test_deeper_layers_of_sdxl_are_onetrainers_alone():
    deeper = {"text_encoder_layer_skip": 1, "text_encoder_2_layer_skip": 1}
    assert new("onetrainer", SDXL, clip_skip=3) == deeper
    assert told("onetrainer", replace(SDXL, clip_skip=3)) == told("onetrainer", SDXL)
    for name in ("sd-scripts", "ai-toolkit", "simpletuner"):
        assert new(name, SDXL, clip_skip=3) == {}
        said = [each.message for each in told(name, replace(SDXL, clip_skip=3))]
        assert any("has no CLIP skip: SDXL always takes the second-last layer" in each for each in said)


def test_samples_have_their_steps_and_guidance():
    drawn = EXPERT["drawn"]
    (prompt,) = json.loads(files("sd-scripts", replace(SDXL, **drawn))["sample_prompts.json"])
    assert (prompt["sample_steps"], prompt["scale"]) == (12, 2.5)
    (prompt,) = json.loads(files("sd-scripts", replace(FLUX, **drawn))["sample_prompts.json"])
    assert (prompt["sample_steps"], prompt["guidance_scale"]) == (12, 2.5)
    (prompt,) = json.loads(files("musubi-tuner", replace(ZIMAGE, **drawn))["sample_prompts.json"])
    assert (prompt["sample_steps"], prompt["cfg_scale"]) == (12, 2.5)
    (sample,) = keys("onetrainer", replace(SDXL, **drawn))["samples"]
    assert (sample["diffusion_steps"], sample["cfg_scale"]) == (12, 2.5)
    sample = keys("ai-toolkit", replace(SDXL, **drawn))["sample"]
    assert (sample["sample_steps"], sample["guidance_scale"]) == (12, 2.5)
    found = keys("simpletuner", replace(SDXL, **drawn))
    assert (found["validation_num_inference_steps"], found["validation_guidance"]) == (12, 2.5)


def test_tensorboard_logs_go_into_the_output():
    logs = str(Path("/out/logs"))
    assert new("sd-scripts", SDXL, tensorboard=True) == {"log_with": "tensorboard", "logging_dir": logs}
    assert new("musubi-tuner", ZIMAGE, tensorboard=True) == {"log_with": "tensorboard", "logging_dir": logs}
    assert new("ai-toolkit", SDXL, tensorboard=True) == {"log_dir": logs}
    assert any("always writes them" in each.message for each in told("onetrainer", replace(SDXL, tensorboard=True)))


def test_options_of_ours_that_were_extra_ones_may_still_be():
    for name, extra in (("sd-scripts", {"loss_type": "huber"}), ("onetrainer", {"ema": "GPU", "ema_decay": 0.99})):
        assert errors(name, replace(SDXL, extra=extra)) == []
        assert keys(name, replace(SDXL, extra=extra)) | extra == keys(name, replace(SDXL, extra=extra))
    both = replace(SDXL, loss_type="l1", extra={"loss_type": "huber"})
    assert "writes sd-scripts's option loss_type itself" in errors("sd-scripts", both)[0]
