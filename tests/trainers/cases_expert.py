"""Options that few people set, one variant each; every trainer's golden files have those that it takes."""

EXPERT = {
    "averaged": {"ema_decay": 0.99},
    "squared no more": {"loss_type": "l1"},
    "huber": {"loss_type": "huber", "huber_delta": 0.2},
    "smooth": {"loss_type": "smooth_l1", "huber_delta": 0.2},
    "uniform": {"timestep_sampling": "uniform"},
    "sigmoid": {"timestep_sampling": "sigmoid"},
    "shifted": {"timestep_sampling": "shift", "timestep_shift": 2.5},
    "debiased": {"debiased_estimation": True},
    "dropped out": {"rank_dropout": 0.1, "module_dropout": 0.05},
    "plus": {"lora_plus_ratio": 16.0},
    "filtered": {"layer_filter": "attn, ff.net"},
    "arguments": {"optimizer": "AdamW", "optimizer_args": {"betas": [0.9, 0.95], "amsgrad": True}},
    "own arguments": {"optimizer": "AdaFactor", "optimizer_args": {"scale_parameter": True, "clip_threshold": 2.0}},
    "tags dropped": {"tag_dropout": 0.1},
    "skipped": {"clip_skip": 2},
    "deeper": {"clip_skip": 3},
    "drawn": {"sample_prompts": ("a cat",), "sample_steps": 12, "sample_guidance": 2.5},
    "logged": {"tensorboard": True},
}
