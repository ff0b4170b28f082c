"""The nodes behind a training: LoRAs on models, variants, the test grid, and datasets for ComfyUI's own trainer."""

import json

import numpy as np
import pytest
from PIL import Image

from .test_chain import base, call  # noqa: F401 - base is a fixture
from .test_launch import exported, make_pack  # noqa: F401 - a fixture


@pytest.fixture
def pack(make_pack):  # noqa: F811
    return make_pack()


@pytest.fixture
def run(pack):
    return call(pack, "LoradsLaunchTrainer", export=exported(pack)).args[0]


def test_a_trained_lora_is_loaded_by_its_run(pack, run):
    model, clip, file = call(pack, "LoradsLoadTrainedLora", model="m", clip="c", run=run, strength_clip=0.5).args
    assert file == "towers.safetensors"
    assert model == ("m", str(run.output / file), 1.0)
    assert clip == ("c", str(run.output / file), 0.5)
    file = call(pack, "LoradsLoadTrainedLora", model="m", run=run, epoch="000001").args[2]
    assert file == "towers-000001.safetensors"


def test_an_epoch_that_is_not_there_is_said(pack, run):
    with pytest.raises(pack.errors.TrainerError, match="there are: towers-000001"):
        call(pack, "LoradsLoadTrainedLora", model="m", run=run, epoch="000009")


@pytest.mark.usefixtures("run")
def test_without_a_run_a_lora_is_loaded_by_its_name(pack):
    file = call(pack, "LoradsLoadTrainedLora", model="m", name="lorads/towers.safetensors").args[2]
    assert file == "towers.safetensors"
    for name in ("", "../../../etc/passwd", "nothing.safetensors"):
        with pytest.raises(pack.errors.SettingsError, match="LoRA"):
            call(pack, "LoradsLoadTrainedLora", model="m", name=name)


def test_while_there_is_no_lora_what_follows_is_blocked_with_the_reason(make_pack):  # noqa: F811
    pack = make_pack(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    run = call(pack, "LoradsLaunchTrainer", export=exported(pack), mode="background").args[0]
    for node, more in (("LoradsLoadTrainedLora", {}), ("LoradsLoraVariants", {"clip": "c"})):
        made = call(pack, node, model="m", run=run, **more)
        assert made.args == ()
        assert "there is no LoRA yet" in made.block_execution
    pack.host.core.training.stop(pack.host.store(), run)
    with pytest.raises(pack.errors.TrainerError, match="has saved no LoRA yet"):
        call(pack, "LoradsLoadTrainedLora", model="m", run=run)


def test_variants_are_epochs_by_strengths_behind_two_controls(pack, run):
    made = call(
        pack,
        "LoradsLoraVariants",
        model="m",
        clip="c",
        run=run,
        prompt="photo of OldLandmark, at night",
        epochs="all",
        strengths="0.5, 1",
    )
    models, clips, prompts, labels = made.args
    assert labels == ["base model", "without trigger", "000001 × 0.5", "000001 × 1", "last × 0.5", "last × 1"]
    assert prompts == ["photo of OldLandmark, at night", "photo of, at night", *["photo of OldLandmark, at night"] * 4]
    assert (models[0], clips[0]) == ("m", "c")
    assert models[1] == ("m", str(run.output / "towers.safetensors"), 1.0)
    assert models[2] == ("m", str(run.output / "towers-000001.safetensors"), 0.5)


@pytest.mark.parametrize("strengths", ["", "one", "nan", "1, 1e9"])
def test_strengths_that_are_none_are_refused(pack, run, strengths):
    with pytest.raises(pack.errors.SettingsError, match="strengths"):
        call(pack, "LoradsLoraVariants", model="m", clip="c", run=run, strengths=strengths)


def test_two_runs_stand_beside_each_other(pack, run):
    other = call(pack, "LoradsLaunchTrainer", export=exported(pack, epochs=3)).args[0]
    labels = call(
        pack, "LoradsLoraVariants", model="m", clip="c", run=run, other_run=other, strengths="1", controls=False
    ).args[3]
    assert labels == [f"towers {each.manifest_hash[:6]} last × 1" for each in (run, other)]


def image(pack, level, count=1):
    """Return an IMAGE of the host."""
    one = pack.host.image(Image.new("RGB", (48, 64), (level, level, level)))
    return np.concatenate([one] * count).view(type(one))


def drawn(pack, *levels):
    return [image(pack, level) for level in levels]


def test_a_test_is_laid_out_and_kept_with_its_run(pack, run):
    made = pack.nodes["LoradsLoraTestGrid"].execute(
        images=drawn(pack, 20, 120, 220),
        labels=["base model", "without trigger", "last × 1"],
        title=["mine"],
        run=[run],
    )
    sheet, said = made.args
    assert sheet.shape[0] == 1
    assert "last × 1" in said
    (kept,) = pack.host.core.trials.kept(run)
    assert kept["title"] == "mine"
    assert [score["label"] for score in kept["scores"]] == ["base model", "without trigger", "last × 1"]
    pack.nodes["LoradsLoraTestGrid"].execute(images=drawn(pack, 20), labels=["a"], title=["second"], run=[run])
    assert [each["title"] for each in pack.host.core.trials.kept(run)] == ["second", "mine"]


def test_labels_that_do_not_fit_are_said(pack):
    with pytest.raises(pack.errors.SettingsError, match="3 pictures and 2 labels"):
        pack.nodes["LoradsLoraTestGrid"].execute(images=drawn(pack, 20, 120, 220), labels=["a", "b"], title=["x"])


def test_several_pictures_of_a_label_are_counted(pack):
    batch = [image(pack, 0, count=2)]
    said = pack.nodes["LoradsLoraTestGrid"].execute(images=batch, labels=["a"], title=["x"]).args[1]
    assert said.splitlines() == ["a, 1", "a, 2", "Not kept: no run is wired."]


def test_a_dataset_as_images_for_comfyuis_own_trainer(pack):
    index, *_ = call(pack, "LoradsIndexImages", folder="mine").args
    dataset, _ = call(pack, "LoradsQueryImages", name="towers", minimum_side=0, maximum_images=3, index=index).args
    captioned = call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger="oldlandmark").args[0]
    config = call(pack, "LoradsTrainingConfig", resolution=512, epochs=2, repeats=3, batch_size=2).args[0]
    images, captions, steps = call(pack, "LoradsDatasetToImages", dataset=captioned, config=config).args
    assert len(images) == len(captions) == 3
    assert steps == 2 * 5
    assert all(caption.startswith("oldlandmark") for caption in captions)
    assert all(image.shape[0] == 1 and image.shape[1] * image.shape[2] <= 512 * 512 for image in images)
    assert all(side % 8 == 0 for image in images for side in image.shape[1:3])
    with pytest.raises(pack.errors.TrainerError, match="wire Caption Builder"):
        call(pack, "LoradsDatasetToImages", dataset=dataset)


def test_scores_tell_likeness_memorised_pictures_and_drift(pack):
    trials = pack.host.core.trials
    training = np.eye(4, dtype=np.float32)
    pictures = np.array([[1, 1, 0, 0], [0, 0, 2, 0.1], [1, 1, 1, 1]], np.float32)
    found = trials.scores(["base model", "last × 1", "other"], pictures, training, ["a", "b", "c", "d"])
    assert found[0].drift is None
    assert found[1].nearest == "c"
    assert found[1].is_memorised
    assert not found[2].is_memorised
    assert found[1].drift == pytest.approx(1.0)
    assert found[2].drift == pytest.approx(1 - 2 / np.sqrt(8))
    assert found[2].likeness == pytest.approx(0.5)
    assert "learnt" in trials.told(found) or "all but the training image c" in trials.told(found)
    assert json.dumps([score.label for score in found])
