"""ComfyUI's own trainer: what its node gets, and what it cannot do."""

import dataclasses
import json
from pathlib import Path

import pytest

from lorads_core.errors import TrainerError
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer

COMFYUI = trainer("comfyui")
CONFIG = TrainingConfig(checkpoint="sdxl.safetensors", epochs=3)
TRAINING = Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024)))


def changed(**changes):
    return dataclasses.replace(CONFIG, **changes)


def values(config=CONFIG, subsets=(TRAINING,)):
    (text,) = COMFYUI.files(config, subsets, Path("/exports/cat"), Path("/exports/cat-lora"), "cat").values()
    return json.loads(text)["TrainLoraNode"]


def messages(config, subsets=(TRAINING,), severity="error"):
    return " ".join(p.message for p in COMFYUI.problems(config, subsets) if p.severity == severity)


def test_its_steps_show_every_picture_as_often_as_the_epochs_say():
    assert values()["steps"] == 3 * 15
    accumulated = values(changed(batch_size=4, gradient_accumulation_steps=2))
    # It takes its steps times the accumulation in batches (total_steps = steps * grad_acc).
    assert (accumulated["batch_size"], accumulated["grad_accumulation_steps"], accumulated["steps"]) == (4, 2, 3 * 4)


def test_its_widgets_are_spelt_as_the_node_has_them():
    assert values(changed(network="loha", mixed_precision="no"))["algorithm"] == "LoHa"
    assert values(changed(mixed_precision="fp16"))["training_dtype"] == "none"
    assert values()["optimizer"] == "AdamW"
    assert values()["bucket_mode"] is True
    square = dataclasses.replace(TRAINING, sizes=((1024, 1024),))
    assert values(subsets=(square,))["bucket_mode"] is False


def test_it_is_not_started_from_here():
    assert COMFYUI.stages(CONFIG, Path("/exports/cat")) == ()
    with pytest.raises(TrainerError, match="not started by accelerate"):
        COMFYUI.stages(CONFIG, Path("/exports/cat"), ["--num_machines", "2"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "dora"}, "networks lora, locon, loha, lokr"),
        ({"network_dim": 256}, "a network dim from 1 to 128"),
        ({"optimizer": "Prodigy"}, "choose one of AdamW"),
    ],
)
def test_what_it_lacks_is_refused_with_what_to_use(changes, said):
    assert said in messages(changed(**changes))


def test_regularization_images_are_refused():
    others = Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024),))
    assert "leave them out" in messages(CONFIG, (TRAINING, others))


def test_pictures_larger_than_the_resolution_are_told_and_get_buckets():
    large = dataclasses.replace(TRAINING, sizes=((3000, 2000), (1019, 1001)))
    assert "image policy bucket" in messages(CONFIG, (large,), "warning")
    first, second = COMFYUI.placements(CONFIG, (large,))
    assert first.bucket == (1216, 832)
    assert (second.bucket, second.resized) == ((1016, 1000), (1019, 1001))
    assert messages(CONFIG, (TRAINING,), "warning") == ""


def test_what_the_usual_config_has_and_it_lacks_is_told():
    assert "no scheduler, no warm-up" in messages(CONFIG, severity="info")
    assert "no scheduler: its rate is constant" in messages(changed(scheduler="linear"), severity="warning")
