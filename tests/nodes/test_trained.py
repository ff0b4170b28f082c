"""The nodes behind a training: LoRAs on models, variants, the test grid, and datasets for ComfyUI's own trainer."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from ..runs.lora_files.files import lumina, tensors, write
from .test_chain import base, call  # noqa: F401 - base is a fixture
from .test_launch import exported, make_pack  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


@pytest.fixture
def pack(make_pack):  # noqa: F811
    return make_pack()


@pytest.fixture
def run(pack):
    return call(pack, "LoradsLaunchTrainer", export=exported(pack)).args[0]


def parts(layers=None):
    """Return a model and a text encoder of the host; without layers, with that which the stand-in trains."""
    sd = import_module("comfy.sd")
    return {"model": sd.Model(layers=layers), "clip": sd.Clip(sd.Model(layers=layers))}


def put_on(model):
    """Return what is on a model, or on a text encoder's: names of files and strengths."""
    return [(Path(file).name, strength) for file, strength in getattr(model, "patcher", model).put_on]


def test_a_trained_lora_is_loaded_by_its_run(pack, run):
    model, clip, file = call(pack, "LoradsLoadTrainedLora", **parts(), run=run, strength_clip=0.5).args
    assert file == "towers.safetensors"
    assert put_on(model) == [(file, 1.0)]
    assert put_on(clip) == [(file, 0.5)]
    model, clip, file = call(pack, "LoradsLoadTrainedLora", model=model, run=run, epoch="000001").args
    assert put_on(model) == [("towers.safetensors", 1.0), ("towers-000001.safetensors", 1.0)]
    assert clip is None


def test_an_epoch_that_is_not_there_is_said(pack, run):
    with pytest.raises(pack.errors.TrainerError, match="there are: towers-000001"):
        call(pack, "LoradsLoadTrainedLora", **parts(), run=run, epoch="000009")


@pytest.mark.usefixtures("run")
def test_without_a_run_a_lora_is_loaded_by_its_name(pack):
    file = call(pack, "LoradsLoadTrainedLora", **parts(), name="lorads/towers.safetensors").args[2]
    assert file == "towers.safetensors"
    for name in ("", "../../../etc/passwd", "nothing.safetensors"):
        with pytest.raises(pack.errors.SettingsError, match="LoRA"):
            call(pack, "LoradsLoadTrainedLora", **parts(), name=name)


def test_a_named_file_that_is_written_anew_is_loaded_anew(pack, run, base):  # noqa: F811
    def mark():
        return pack.nodes["LoradsLoadTrainedLora"].fingerprint_inputs(name="lorads/towers.safetensors", run=None)

    before = mark()
    assert mark() == before
    file = base / "models" / "loras" / "lorads" / "towers.safetensors"
    file.write_bytes((run.output / run.loras[0]).read_bytes() + b" ")
    assert mark() != before
    file.unlink()
    assert "There is no LoRA" in mark()[-1]
    assert len(pack.nodes["LoradsLoadTrainedLora"].fingerprint_inputs(name=None)) == 1, "a name that is wired in"


def test_a_lora_of_another_base_model_is_an_error_not_a_picture_of_the_base_model(pack, run):
    for node in ("LoradsLoadTrainedLora", "LoradsLoraVariants"):
        with pytest.raises(pack.errors.TrainerError, match="trained for another base model"):
            call(pack, node, **parts({"lora_unet_x": (8, 8)}), run=run)


def test_a_file_that_is_cut_off_is_an_error_of_ours(pack, run, base):  # noqa: F811
    (base / "models" / "loras" / "cut.safetensors").write_bytes((run.output / run.loras[0]).read_bytes()[:-1])
    with pytest.raises(pack.errors.TrainerError, match="is cut off"):
        call(pack, "LoradsLoadTrainedLora", **parts(), name="cut.safetensors")


def test_while_there_is_no_lora_what_follows_is_blocked_with_the_reason(make_pack):  # noqa: F811
    pack = make_pack(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    run = call(pack, "LoradsLaunchTrainer", export=exported(pack), mode="background").args[0]
    for node in ("LoradsLoadTrainedLora", "LoradsLoraVariants"):
        made = call(pack, node, **parts(), run=run)
        assert made.args == ()
        assert "there is no LoRA yet" in made.block_execution
    pack.host.core.training.stop(pack.host.store(), run)
    with pytest.raises(pack.errors.TrainerError, match="has saved no LoRA yet"):
        call(pack, "LoradsLoadTrainedLora", **parts(), run=run)


def test_variants_are_epochs_by_strengths_behind_two_controls(pack, run):
    given = parts()
    made = call(
        pack,
        "LoradsLoraVariants",
        **given,
        run=run,
        prompt="photo of OldLandmark, at night",
        epochs="all",
        strengths="0.5, 1",
    )
    models, clips, prompts, labels = made.args
    assert labels == ["base model", "without trigger", "000001 × 0.5", "000001 × 1", "last × 0.5", "last × 1"]
    assert prompts == ["photo of OldLandmark, at night", "photo of, at night", *["photo of OldLandmark, at night"] * 4]
    assert (models[0], clips[0]) == (given["model"], given["clip"])
    assert put_on(models[1]) == put_on(clips[1]) == [("towers.safetensors", 1.0)]
    assert put_on(models[2]) == [("towers-000001.safetensors", 0.5)]
    assert sorted(Path(file).name for file in import_module("comfy.utils").read) == sorted(run.loras), "each once"
    assert pack.shown[-1] == (6, 6)


def test_variants_are_interrupted_between_two_loras(pack, run):
    pack.interruption.interrupted = True
    with pytest.raises(pack.interruption.InterruptProcessingException):
        call(pack, "LoradsLoraVariants", **parts(), run=run)
    pack.interruption.interrupted = False


@pytest.mark.parametrize("strengths", ["", "one", "nan", "1, 1e9"])
def test_strengths_that_are_none_are_refused(pack, strengths):
    with pytest.raises(pack.errors.SettingsError, match="strengths"):
        call(pack, "LoradsLoraVariants", **parts(), strengths=strengths)


def test_two_runs_and_a_lora_by_name_stand_beside_each_other(pack, run):
    other = call(pack, "LoradsLaunchTrainer", export=exported(pack, epochs=3)).args[0]
    named = "lorads/towers.safetensors"
    models, _, prompts, labels = call(
        pack,
        "LoradsLoraVariants",
        **parts(),
        run=run,
        other_run=other,
        loras=named,
        strengths="1",
        prompt="{trigger} by night",
        controls=False,
    ).args
    assert labels == [*(f"towers {each.manifest_hash[:6]} last × 1" for each in (run, other)), "lorads/towers × 1"]
    assert prompts == ["oldlandmark by night"] * 3
    assert all(put_on(each) == [("towers.safetensors", 1.0)] for each in models)


@pytest.mark.usefixtures("run")
def test_variants_of_a_lora_by_name_need_no_run(pack):
    made = call(pack, "LoradsLoraVariants", **parts(), loras="lorads/towers.safetensors, ", prompt="a tower")
    assert made.args[3][0] == "base model"
    assert "No image without the trigger" in made.ui.value
    with pytest.raises(pack.errors.SettingsError, match="Nothing to test"):
        call(pack, "LoradsLoraVariants", **parts())
    with pytest.raises(pack.errors.SettingsError, match=r"There is no LoRA '\.\./x'"):
        call(pack, "LoradsLoraVariants", **parts(), loras="../x")


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
        prompts=["a", "b", "a"],
        title=["mine"],
        run=[run],
    )
    sheet, said = made.args
    assert sheet.shape[0] == 1
    assert "last × 1" in said
    assert made.ui["text"] == (said,)
    assert len(made.ui["images"]) == 1
    (kept,) = pack.host.core.archive.list_tests(run)
    assert kept.title == "mine"
    assert [(score.label, score.prompt) for score in kept.scores] == [
        ("base model", "a"),
        ("without trigger", "b"),
        ("last × 1", "a"),
    ]
    results = json.loads((kept.folder / "results.json").read_text(encoding="utf-8"))
    assert results["graph"]["7"]["inputs"] == {"seed": 5}
    pack.nodes["LoradsLoraTestGrid"].execute(images=drawn(pack, 20), labels=["a"], title=["second"], run=[run])
    assert [each.title for each in pack.host.core.archive.list_tests(run)] == ["second", "mine"]


def test_labels_that_do_not_fit_are_said(pack):
    with pytest.raises(pack.errors.SettingsError, match="3 images came with 2 labels"):
        pack.nodes["LoradsLoraTestGrid"].execute(images=drawn(pack, 20, 120, 220), labels=["a", "b"], title=["x"])


def test_several_pictures_of_a_label_are_counted(pack):
    batch = [image(pack, 0, count=2)]
    said = pack.nodes["LoradsLoraTestGrid"].execute(images=batch, labels=["a"], title=["x"]).args[1]
    assert said.splitlines() == ["a, 1", "a, 2", "Not saved: no run is connected."]


def test_a_dataset_as_images_for_comfyuis_own_trainer(pack):
    index, *_ = call(pack, "LoradsIndexImages", folder="mine").args
    dataset, _ = call(pack, "LoradsQueryImages", name="towers", minimum_side=0, maximum_images=3, index=index).args
    captioned = call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger="oldlandmark").args[0]
    config = call(pack, "LoradsTrainingConfig", resolution=512, epochs=2, repeats=3, batch_size=2).args[0]
    images, captions, steps = call(pack, "LoradsDatasetToImages", dataset=captioned, config=config).args
    assert len(images) == len(captions) == 3
    assert steps == 11  # two sizes, of two pictures and one: batches of the one show one
    assert all(caption.startswith("oldlandmark") for caption in captions)
    assert all(image.shape[0] == 1 and image.shape[1] * image.shape[2] <= 512 * 512 for image in images)
    assert all(side % 8 == 0 for image in images for side in image.shape[1:3])
    with pytest.raises(pack.errors.TrainerError, match="wire Caption Builder"):
        call(pack, "LoradsDatasetToImages", dataset=dataset)


def text_of(made):
    return made.ui.as_dict()["text"][0]


def test_the_share_of_a_lora_that_the_model_takes_is_shown_and_kept_with_the_run(pack, run):
    loaded = call(pack, "LoradsLoadTrainedLora", **parts(), run=run)
    assert text_of(loaded) == "towers.safetensors\n1 of 1 module loads (other 1)"
    variants = call(pack, "LoradsLoraVariants", **parts(), run=run, epochs="all", strengths="1")
    figures = {f"{name}: 1 of 1 module loads (other 1)" for name in run.loras}
    assert set(text_of(variants).splitlines()[-2:]) == figures
    kept = json.loads((run.folder / "lora_loads.json").read_text(encoding="utf-8"))
    found = {name: (each["modules"], each["loaded"], each["source"]) for name, each in kept.items()}
    assert found == dict.fromkeys(run.loras, (1, 1, "ComfyUI"))


def zimage(size):
    """Return the layers of Z-Image as ComfyUI's map has them: attention by Diffusers' names too."""
    parts = [f"attention.{part}" for part in ("qkv", "out", "to_q", "to_k", "to_v", "to_out.0")]
    parts += [f"feed_forward.w{number}" for number in (1, 2, 3)]
    return {f"diffusion_model.layers.{number}.{part}": size for number in range(30) for part in parts}


@pytest.fixture
def musubi(base):  # noqa: F811
    """Write a LoRA of Z-Image as musubi-tuner does: attention by names that ComfyUI does not know."""
    names = ["lora_unet_layers_0_attention_to_q", "lora_unet_layers_0_attention_to_out_0"]
    path = base / "models" / "loras" / "musubi.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, tensors(names, rows=96, columns=64))
    return path


def test_a_lora_with_names_that_comfyui_does_not_know_is_converted_in_memory(pack, musubi):
    before = musubi.read_bytes()
    made = call(pack, "LoradsLoadTrainedLora", model=parts(zimage((96, 64)))["model"], name="musubi.safetensors")
    assert text_of(made).splitlines()[1] == (
        "2 of 2 modules load (attention 2) once converted (2 modules renamed), 0 of 2 modules load as it is"
    )
    assert put_on(made.args[0]) == [("musubi.safetensors", 1.0)]
    assert musubi.read_bytes() == before


def test_parts_of_a_layer_are_merged_in_memory_as_they_are_in_a_file(pack, tmp_path):
    """With arrays in the place of torch's tensors, which slice alike."""
    shapes = lumina("lycoris_", blocks=(7,), parts="qv")
    arrays = write(tmp_path / "a.safetensors", shapes)
    for name in arrays:
        if name.endswith(".alpha"):
            arrays[name] = np.array(3.0, np.float32)
    save_file(arrays, tmp_path / "a.safetensors")
    lora_file, lora_loading, trained = (
        import_module(f"{pack.root.__name__}.{name}")
        for name in ("lorads_core.runs.lora_file", "lorads_core.runs.lora_loading", "nodes.trained")
    )
    lora = lora_file.read_lora(tmp_path / "a.safetensors")
    conversion = lora_loading.lora_loading(lora).conversion
    lora_file.write_copy(lora, tmp_path / "b.safetensors", {}, without_paths=False, conversion=conversion)
    given = {name: each.view(Torchlike) for name, each in arrays.items()}
    made = {piece.name: trained._piece(piece, given) for piece in conversion.pieces}
    written = load_file(tmp_path / "b.safetensors")
    assert made.keys() == written.keys()
    assert all(np.array_equal(each, made[name]) for name, each in written.items())


class Torchlike(np.ndarray):
    """An array with the few methods of torch's tensors that are called."""

    def new_zeros(self, shape):
        return np.zeros(shape, self.dtype)

    def float(self):
        return self.astype(np.float32)


@pytest.mark.usefixtures("musubi")
def test_a_lora_for_a_model_of_another_size_is_an_error_that_says_so(pack):
    with pytest.raises(pack.errors.TrainerError, match="2 of these are for a model of another size"):
        call(pack, "LoradsLoadTrainedLora", model=parts(zimage((96, 128)))["model"], name="musubi.safetensors")


def test_a_lora_of_which_the_model_takes_a_part_has_a_warning(pack, base):  # noqa: F811
    names = ["lora_unet_mid_block_attentions_0_proj_in", "lora_unet_nowhere"]
    path = base / "models" / "loras" / "half.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, tensors(names, rows=320, columns=320))
    made = call(pack, "LoradsLoadTrainedLora", **parts(), name="half.safetensors")
    assert text_of(made).splitlines()[1] == (
        "warning: ComfyUI does not load all of it. Of its modules, 1 of 2 modules load (other 1 of 2); not"
        " lora_unet_nowhere."
    )
