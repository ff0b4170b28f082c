"""The nodes one after another, as ComfyUI would call them, on real pictures and a real store."""

import json
import os
import shutil
from dataclasses import asdict
from importlib import import_module

import pytest
from PIL import Image

from lorads_core.trainers.defaults import make_config

from ..edits import edit_caption
from .pack import ROOT, as_lists, loaded

SAMPLES = ROOT / "lorads_core" / "samples"


@pytest.fixture
def base(tmp_path):
    shutil.copytree(SAMPLES / "subject", tmp_path / "base" / "input" / "mine")
    (tmp_path / "base" / "output").mkdir()
    return tmp_path / "base"


@pytest.fixture
def pack(base, store_settings):
    with loaded(base, store_settings) as pack:
        yield pack


def call(pack, node, **changes):
    """Execute a node with its defaults, except for these inputs."""
    cls = pack.nodes[node]
    values = {}
    for each in cls.define_schema().inputs:
        if "options" in each.options:
            values[each.id] = each.options.get("default", each.options["options"][0])
        elif "default" in each.options:
            values[each.id] = each.options["default"]
    return cls.execute(**as_lists(cls, {**values, **changes}))


def build(pack, folder="mine", name="towers"):
    index, *_ = call(pack, "LoradsIndexImages", folder=folder).args
    dataset, _ = call(pack, "LoradsQueryImages", name=name, minimum_side=0, index=index).args
    others, *_ = call(pack, "LoradsIndexImages", folder="samples/other").args
    dataset, _ = call(pack, "LoradsQueryImages", minimum_side=0, index=others, add_to=dataset).args
    captioned, _, picture = call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger="oldlandmark").args
    assert picture.shape[0] == 1
    assert picture.shape[3] == 3
    config = call(pack, "LoradsTrainingConfig", epochs=3, repeats=10).args[0]
    return call(pack, "LoradsExportDataset", dataset=captioned, config=config)


def test_from_folders_to_a_dataset(pack, base):
    made = build(pack)
    export, path, summary, buckets = made.args
    assert buckets.shape[2] == 1000
    assert path == str(base / "output" / "lorads" / "towers")
    assert (export.training_images, export.regularization_images) == (20, 14)
    assert "Total steps" in summary
    assert "in 3 epochs" in summary
    assert made.ui.value == summary
    captions = [file.read_text(encoding="utf-8") for file in export.folder.glob("10_*/*.txt")]
    assert len(captions) == 20
    assert all(caption.startswith("oldlandmark, ") for caption in captions)
    assert pack.shown[-1] == (34, 34)


@pytest.mark.slow
def test_the_export_writes_pictures_as_its_widgets_say_and_draws_the_buckets(pack):
    captioned = captioned_folder(pack, "samples/other", "others", "thing")
    made = call(
        pack, "LoradsExportDataset", dataset=captioned, images="max_side", size=320, format="webp", background="#000",
        strip=True,
    )  # fmt: skip
    export, _, summary, buckets = made.args
    pictures = list(export.folder.glob("*_thing/*.webp"))
    assert len(pictures) == export.training_images == 14
    with Image.open(pictures[0]) as picture:
        assert max(picture.size) == 320
    assert "will be enlarged 2-fold or more" in summary
    assert (buckets.shape[0], buckets.shape[3]) == (1, 3)
    assert 0 <= buckets.min() < 0.5 < buckets.max() <= 1
    with pytest.raises(pack.errors.SettingsError, match="is no colour"):
        call(pack, "LoradsExportDataset", dataset=captioned, background="beige-ish")


def captioned_folder(pack, folder, name, trigger):
    index, *_ = call(pack, "LoradsIndexImages", folder=folder).args
    dataset, _ = call(pack, "LoradsQueryImages", name=name, minimum_side=0, index=index).args
    return call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger=trigger).args[0]


@pytest.mark.slow
def test_two_concepts_in_one_dataset(pack):
    towers = captioned_folder(pack, "mine", "towers", "oldlandmark")
    others = captioned_folder(pack, "samples/other", "others", "thing")
    made = call(pack, "LoradsCombineDatasets", first=towers, second=others, name="both", repeats=7)
    dataset, problems = made.args
    assert problems == ""
    assert made.ui.value.splitlines() == [
        "towers: 20 images × 7 repeats, 50% of training",
        "others: 14 images × 10 repeats, 50% of training",
    ]
    config = call(pack, "LoradsTrainingConfig").args[0]
    export, *_ = call(pack, "LoradsExportDataset", dataset=dataset, config=config).args
    assert {file.name for file in export.folder.iterdir() if file.is_dir()} == {"7_oldlandmark", "10_thing"}
    assert all(file.read_text(encoding="utf-8").startswith("thing, ") for file in export.folder.glob("10_thing/*.txt"))


@pytest.mark.slow
def test_fingerprints_change_with_what_they_stand_for(pack, base, store):
    def marks():
        return {
            "index": pack.nodes["LoradsIndexImages"].fingerprint_inputs(["mine"], ["pictures"], [""]),
            "query": pack.nodes["LoradsQueryImages"].fingerprint_inputs("pictures", index=None),
            "captions": pack.nodes["LoradsCaptionBuilder"].fingerprint_inputs(dataset=None),
            "export": pack.nodes["LoradsExportDataset"].fingerprint_inputs(dataset=None),
        }

    def changed(before):
        return {name for name, mark in marks().items() if mark != before[name]}

    export = build(pack).args[0]
    before = marks()
    build(pack)
    assert changed(before) == set(), "nothing new"
    (base / "input" / "mine" / "colosseum.txt").write_text("an arena", encoding="utf-8")
    assert changed(before) == {"index"}
    build(pack)
    assert changed(before) == {"index", "query"}
    before = marks()
    image = json.loads((export.folder / "manifest.json").read_text(encoding="utf-8"))["images"][0]["source"]
    with store.connection() as connection:
        edit_caption(connection, export.dataset_id, (image["library"], image["id"]), "mine")
    assert changed(before) == {"captions"}
    shutil.rmtree(export.folder)
    assert changed(before) == {"captions", "export"}
    before = marks()
    build(pack)
    assert changed(before) == set(), "the export is there again"
    shutil.rmtree(export.folder)
    assert changed(before) == {"export"}, "as often as it is taken away"


@pytest.mark.slow
def test_an_interruption_is_comfyuis_own_and_leaves_no_export(pack, base):
    build(pack)
    shutil.rmtree(base / "output" / "lorads")
    pack.interruption.interrupted = True
    with pytest.raises(pack.interruption.InterruptProcessingException):
        call(pack, "LoradsIndexImages", folder="mine")
    pack.interruption.interrupted = False
    build(pack)
    assert (base / "output" / "lorads" / "towers" / "manifest.json").exists()


@pytest.mark.parametrize("word", ["../..", "/etc", "mine/../../output/../..", "a\0b"])
def test_folders_elsewhere_are_refused(pack, word):
    with pytest.raises(pack.errors.SettingsError, match="There is no folder"):
        pack.host.image_folder(word)


@pytest.mark.posix
def test_a_link_to_a_folder_elsewhere_is_refused(pack, base, tmp_path):
    (base / "input" / "away").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(pack.errors.SettingsError, match="There is no folder"):
        pack.host.image_folder("away")


@pytest.mark.parametrize("word", ["missing", "mine/colosseum.jpg", "x" * 5000, "samples/none"])
def test_folders_that_are_not_there(pack, word):
    with pytest.raises(pack.errors.SettingsError, match="There is no folder"):
        pack.host.image_folder(word)


@pytest.mark.parametrize("word", ["store", "../lorads_core/store", "samples/../store"])
def test_of_our_own_folders_only_the_samples_can_be_read(pack, word):
    with pytest.raises(pack.errors.SettingsError, match="There is no folder"):
        pack.host.image_folder(word)


def test_no_folder_at_all(pack):
    with pytest.raises(pack.errors.SettingsError, match="No folder is given"):
        pack.host.image_folder("  ")


def test_a_folder_of_the_input_folder_goes_before_our_samples(pack, base):
    own = base / "input" / "samples" / "subject"
    own.mkdir(parents=True)
    assert pack.host.image_folder("samples/subject") == own


def test_roots_of_the_settings_count_too(base, store_settings, tmp_path):
    (tmp_path / "elsewhere" / "here").mkdir(parents=True)
    with store_settings.open("a", encoding="utf-8") as file:
        file.write(f"[roots]\npictures = ['{tmp_path / 'elsewhere'}']\nexports = '{tmp_path / 'exports'}'\n")
    with loaded(base, store_settings) as pack:
        assert pack.host.image_folder("here") == tmp_path / "elsewhere" / "here"
        assert pack.host.image_folder(str(tmp_path / "elsewhere" / "here")) == tmp_path / "elsewhere" / "here"
        assert pack.host.export_root() == tmp_path / "exports"


@pytest.mark.parametrize("name", ["../x", "..", ".", "a/b", "a\\b", "/tmp/x"])
def test_an_export_has_a_name_not_a_path(pack, name):
    with pytest.raises(pack.errors.SettingsError, match="without slashes"):
        pack.host.export_name(name)


def test_an_export_may_be_named_by_its_dataset(pack):
    assert pack.host.export_name(" ") == ""
    assert pack.host.export_name(" my lora ") == "my lora"


def test_a_training_config_holds_what_its_widgets_say(pack, base):
    usual = call(pack, "LoradsTrainingConfig").args[0]
    assert (usual.checkpoint, usual.model_files, usual.resolution, usual.sample_prompts) == ("", {}, 0, ())
    config = call(
        pack,
        "LoradsTrainingConfig",
        base_model="flux",
        checkpoint="a model of diffusion_models.safetensors",
        clip_l="a model of text_encoders.safetensors",
        ae="a model of vae.safetensors",
        network="dora",
        scheduler="constant",
        masked_loss="alpha",
        sample_prompts="a cat\n\n a dog ",
    ).args[0]
    models = base / "models"
    assert config.checkpoint == str(models / "diffusion_models" / "a model of diffusion_models.safetensors")
    assert config.model_files == {
        "clip_l": str(models / "text_encoders" / "a model of text_encoders.safetensors"),
        "ae": str(models / "vae" / "a model of vae.safetensors"),
    }
    assert (config.network, config.masked_loss) == ("dora", "alpha")
    assert (config.scheduler, config.warmup) == ("constant", 0), "constant goes without a warm-up"
    assert config.sample_prompts == ("a cat", "a dog")


def test_widgets_left_as_they_are_make_the_default_config(pack):
    made = call(pack, "LoradsTrainingConfig").args[0]
    assert asdict(made) == asdict(make_config({}))


def test_a_prompt_of_an_earlier_version_runs_without_the_inputs_that_came_since(pack):
    old = {each.id: each.options.get("default") for each in config_inputs(pack) if not each.optional}
    made = pack.nodes["LoradsTrainingConfig"].execute(**old | {"network_dim": 16, "learning_rate": 2e-4}).args[0]
    assert (made.network_dim, made.learning_rate, made.keep_tokens, made.weight_decay) == (16, 2e-4, 1, None)
    assert made.automatic == ("network_alpha", "epochs", "repeats", "warmup")


def test_what_is_set_in_a_widget_does_not_follow_the_optimizer(pack):
    made = call(pack, "LoradsTrainingConfig", optimizer="Prodigy", weight_decay=0.1, fp8_base="off").args[0]
    assert (made.learning_rate, made.warmup, made.weight_decay, made.fp8_base) == (1.0, 0.0, 0.1, False)
    assert call(pack, "LoradsTrainingConfig", optimizer="Prodigy", learning_rate=0.5).args[0].learning_rate == 0.5


# Workflows store values by position: this order only ever grows at its end.
INPUTS = [
    "preset",
    "base_model",
    "checkpoint",
    "network_dim",
    "network_alpha",
    "resolution",
    "batch_size",
    "epochs",
    "repeats",
    "learning_rate",
    "seed",
    "network",
    "conv_dim",
    "network_dropout",
    "text_encoder_learning_rate",
    "optimizer",
    "scheduler",
    "warmup",
    "gradient_accumulation_steps",
    "min_snr_gamma",
    "noise_offset",
    "v_prediction",
    "shuffle_caption",
    "caption_dropout",
    "flip_aug",
    "color_aug",
    "random_crop",
    "masked_loss",
    "bucket_no_upscale",
    "regularization_method",
    "regularization_repeats",
    "prior_loss_weight",
    "cache_latents",
    "gradient_checkpointing",
    "mixed_precision",
    "save_every_epochs",
    "sample_prompts",
    "clip_l",
    "t5xxl",
    "ae",
    "keep_tokens",
    "caption_variants",
    "max_token_length",
    "weight_decay",
    "conv_alpha",
    "processes",
    "max_bucket_side",
    "bucket_step",
    "sample_every_epochs",
    "fp8_base",
    "cache_text_encoder_outputs",
    "lokr_factor",
    "lokr_full_rank",
    "extra",
    "save_state",
    "initial_lora",
    "steps",
    "clip_g",
    "text_encoder",
    "vae",
    "byt5",
    "blocks_to_swap",
    "layer_offload",
    "text_encoder_offload",
    "activation_offload",
    "base_precision",
    "text_encoder_precision",
    "fused_backward",
    "compile",
    "cache_to_disk",
    "loader_workers",
    "loss_type",
    "huber_delta",
    "ema_decay",
    "timestep_sampling",
    "timestep_shift",
    "debiased_estimation",
    "rank_dropout",
    "module_dropout",
    "lora_plus_ratio",
    "layer_filter",
    "optimizer_args",
    "tag_dropout",
    "clip_skip",
    "sample_steps",
    "sample_guidance",
    "tensorboard",
]


def config_inputs(pack):
    return pack.nodes["LoradsTrainingConfig"].define_schema().inputs


def test_inputs_of_the_training_config_have_their_order(pack):
    inputs = config_inputs(pack)
    assert [each.id for each in inputs] == INPUTS
    assert [each.id for each in inputs if not each.optional] == INPUTS[: INPUTS.index("keep_tokens")]


def test_pictures_of_a_graph_are_kept_and_indexed(pack, base):
    batch = pack.host.image(Image.open(base / "input" / "mine" / min(os.listdir(base / "input" / "mine"))))
    black = pack.host.image(Image.new("RGB", (40, 30)))
    inputs = {"folder": "drawn", "images": [batch, black, black], "captions": ["a castle", "nothing", "black"]}
    made = call(pack, "LoradsIndexImages", **inputs)
    library, count, problems = made.args
    place = base / "input" / "lorads" / "drawn"
    assert (library.folder, count, problems) == (str(place), 2, "")
    assert sorted(text.read_text() for text in place.glob("*.txt")) == ["a castle", "black"]
    call(pack, "LoradsIndexImages", **inputs)
    assert len(list(place.iterdir())) == 4, "the same pictures again are the same files"
    dataset, _ = call(pack, "LoradsQueryImages", name="drawn", minimum_side=0, index=library).args
    assert {image.record.width for image in dataset.training} >= {40}


def test_images_are_selected_by_what_their_program_wrote(pack):
    """An index of folders knows the dates of files; what it does not know is refused, as is a date that is none."""
    index = call(pack, "LoradsIndexImages", folder="mine").args[0]

    def count(**inputs):
        return call(pack, "LoradsQueryImages", name="made", index=index, **inputs).args[1]

    assert count(created_since="2001-01-01", favorite="any") == count() > 0
    with pytest.raises(pack.errors.LibraryError, match="created since 2001-01-01"):
        count(created_before="2001-01-01")
    with pytest.raises(pack.errors.LibraryError, match="no image made with LoRA 'ink'"):
        count(loras=" ink, ,")
    for inputs, lacking in (({"nsfw": "leave-out"}, "NSFW"), ({"favorite": "only"}, "fav"), ({"models": "x"}, "check")):
        with pytest.raises(pack.errors.LibraryError, match=f"'pictures' has no {lacking}"):
            count(**inputs)
    with pytest.raises(pack.errors.SettingsError, match="'soon' is no date"):
        count(created_before="soon")


@pytest.mark.parametrize("place", ["", " ", ".", "../mine", "/etc", "a/../../../b"])
def test_pictures_of_a_graph_stay_in_their_folder(pack, place):
    black = pack.host.image(Image.new("RGB", (40, 30)))
    with pytest.raises(pack.errors.SettingsError, match="input/lorads"):
        call(pack, "LoradsIndexImages", folder=place, images=[black])


def test_captions_are_as_many_as_pictures(pack):
    black = pack.host.image(Image.new("RGB", (40, 30)))
    with pytest.raises(pack.errors.ExportError, match="2 captions came for 1 image:"):
        call(pack, "LoradsIndexImages", folder="drawn", images=[black], captions=["a", "b"])


def test_a_figure_that_does_not_count_is_not_trained_with(pack):
    changes = {"min_snr_gamma": 5.0, "conv_dim": 8, "warmup": 0.1, "scheduler": "constant"}
    config = call(pack, "LoradsTrainingConfig", base_model="flux", **changes).args[0]
    assert (config.min_snr_gamma, config.conv_dim, config.warmup) == (0.0, 0, 0.0)
    config = call(pack, "LoradsTrainingConfig", **changes | {"network": "locon", "scheduler": "cosine"}).args[0]
    assert (config.min_snr_gamma, config.conv_dim, config.warmup) == (5.0, 8, 0.1)


@pytest.mark.slow
def test_every_long_node_ends_at_once_when_it_is_interrupted(pack):
    index, *_ = call(pack, "LoradsIndexImages", folder="mine").args
    query = {"name": "towers", "minimum_side": 0, "index": index}
    dataset, _ = call(pack, "LoradsQueryImages", **query).args
    others, *_ = call(pack, "LoradsIndexImages", folder="samples/other").args
    captioned = call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger="oldlandmark").args[0]
    config = call(pack, "LoradsTrainingConfig").args[0]
    long = {
        "LoradsIndexImages": {"folder": "samples/subject"},
        "LoradsQueryImages": {**query, "index": others, "add_to": dataset},
        "LoradsCaptionBuilder": {"dataset": dataset, "trigger": "other"},
        "LoradsExportDataset": {"dataset": captioned, "config": config},
        "LoradsDatasetToImages": {"dataset": captioned, "config": config},
    }
    pack.interruption.interrupted = True
    try:
        for name, inputs in long.items():
            with pytest.raises(pack.interruption.InterruptProcessingException):
                call(pack, name, **inputs)
    finally:
        pack.interruption.interrupted = False
    for name, inputs in long.items():
        assert call(pack, name, **inputs).args, "the next run does all of it"


@pytest.mark.slow
def test_the_first_start_of_the_store_is_shown_on_the_node_that_waits_for_it(base, folder):
    settings = folder / "lorads.toml"
    settings.write_text(f"[embedded]\nfolder = '{folder / 'store'}'\n", encoding="utf-8")
    with loaded(base, settings) as pack:
        utils = import_module("comfy_execution.utils")
        utils.current = utils.ExecutionContext("prompt", "7", None)
        call(pack, "LoradsIndexImages", folder="mine")
        first = [text for node, text in pack.said if node == "7" and "embedded store" in text]
    assert len(first) == 1
    assert "this happens once" in first[0]
    with loaded(base, settings) as pack:  # not again, nor without a node
        call(pack, "LoradsIndexImages", folder="mine")
        assert not [text for _, text in pack.said if "embedded store" in text]
