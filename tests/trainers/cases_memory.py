"""Options of memory and speed, one or few at a time; each trainer's own parser has seen those that it takes."""

from lorads_core.training_fields import WEIGHT_PRECISIONS

MEMORY = (
    {"blocks_to_swap": 7},
    {"layer_offload": 0.5},
    {"text_encoder_offload": 0.25},
    {"layer_offload": 0.6, "text_encoder_offload": 1.0},
    {"activation_offload": True},
    *({"base_precision": name} for name in WEIGHT_PRECISIONS),
    *({"text_encoder_precision": name} for name in WEIGHT_PRECISIONS),
    *({"base_precision": name, "text_encoder_precision": name} for name in WEIGHT_PRECISIONS),
    {"fused_backward": True, "optimizer": "AdamW"},
    {"fused_backward": True, "optimizer": "AdaFactor"},
    {"compile": True},
    {"cache_to_disk": True},
    {"cache_to_disk": False},
    {"loader_workers": 0},
    {"loader_workers": 4},
)
