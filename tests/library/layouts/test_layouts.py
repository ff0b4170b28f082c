"""Layouts of training sets as their trainers' documentation shows them, and broken ones."""

import json
import sys

import pytest

from lorads_core.errors import LibraryError
from lorads_core.library import layouts
from lorads_core.library.layouts import document, read_layout, readers

# The examples of sd-scripts' docs/config_README-en.md, with folders of the test.
DATASET_CONFIG = """
[general]
shuffle_caption = true
caption_extension = '.txt'
keep_tokens = 1

[[datasets]]
resolution = 512
batch_size = 4
keep_tokens = 2
enable_bucket = true

  [[datasets.subsets]]
  image_dir = 'hoge'
  class_tokens = 'hoge girl'

  [[datasets.subsets]]
  image_dir = 'fuga'
  class_tokens = 'fuga boy'
  keep_tokens = 3
  num_repeats = 10

  [[datasets.subsets]]
  is_reg = true
  image_dir = 'reg'
  class_tokens = 'human'
  keep_tokens = 1
"""
CONCEPTS = [
    {
        "__version": 2,
        "name": "tom",
        "path": "tom",
        "enabled": True,
        "type": "STANDARD",
        "include_subdirectories": True,
        "balancing": 2.5,
        "balancing_strategy": "REPEATS",
        "image": {},
        "text": {"prompt_source": "sample"},
    },
    {"path": "reg", "type": "PRIOR_PREDICTION", "balancing": 1.0, "text": {"prompt_source": "filename"}},
    {"path": "val", "type": "VALIDATION", "text": {"prompt_source": "concept", "prompt_path": "prompts.txt"}},
    {"path": "off", "enabled": False, "text": {}},
]
# ai-toolkit's config/examples/train_lora_flux_24gb.yaml, shortened.
JOB = """
job: extension
config:
  name: "my_first_flux_lora_v1"
  process:
    - type: 'sd_trainer'
      trigger_word: "p3r5on"
      datasets:
        - folder_path: "images"
          caption_ext: "txt"
          caption_dropout_rate: 0.05
          cache_latents_to_disk: true
          resolution: [ 512, 768, 1024 ]
          mask_path: "masks"
        - folder_path: "reg"
          is_reg: true
          num_repeats: 2
          resolution: 512
      train:
        batch_size: 1
        steps: 2000
        gradient_accumulation_steps: 1
"""
# The example of SimpleTuner's documentation/DATALOADER.md, with folders of the test.
BACKENDS = [
    {
        "id": "something-special-to-remember-by",
        "type": "local",
        "instance_data_dir": "tree",
        "crop": True,
        "crop_style": "center",
        "crop_aspect": "square",
        "resolution": 1024,
        "minimum_image_size": 768,
        "maximum_image_size": 2048,
        "resolution_type": "pixel_area",
        "prepend_instance_prompt": False,
        "instance_prompt": "something to label every image",
        "only_instance_prompt": False,
        "caption_strategy": "textfile",
        "cache_dir_vae": "/path/to/vaecache",
        "repeats": 9,
    },
    {"id": "reg", "instance_data_dir": "reg", "is_regularisation_data": True, "caption_strategy": "instanceprompt",
     "instance_prompt": "a cat", "repeats": 0},
    {"id": "embeds", "dataset_type": "text_embeds", "default": True, "type": "local", "cache_dir": ""},
    {"id": "cloud", "type": "aws", "instance_data_dir": "s3", "caption_strategy": "textfile"},
]  # fmt: skip
MUSUBI = """
[general]
resolution = [960, 544]
caption_extension = ".txt"
batch_size = 2
enable_bucket = true
bucket_no_upscale = false

[[datasets]]
image_directory = "images"
cache_directory = "cache"
num_repeats = 3

[[datasets]]
video_directory = "videos"
target_frames = [1, 25, 45]
"""
DIFFUSION_PIPE = """
resolutions = [512]
enable_ar_bucket = true
min_ar = 0.5
max_ar = 2.0
num_ar_buckets = 7
num_repeats = 1

[[directory]]
path = 'images'
mask_path = 'masks'
num_repeats = 10

[[directory]]
path = 'more'
"""


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)


def roles(layout):
    return [(each.name, each.role, each.repeats) for each in layout.folders]


def codes(layout):
    return [problem.code for problem in layout.problems]


def test_every_reader_has_a_name_of_its_own_and_is_tried_in_order():
    names = [each.name for each in readers()]
    assert len(set(names)) == len(names) == 8
    assert names[-1] == "kohya"  # by folders' names alone: whatever has a config of its own comes first
    assert all(each.from_document or each.from_folder for each in readers())


@pytest.mark.parametrize("names", [("img/10_tom cat", "reg/1_cat"), ("image/10_tom cat", "regularization/1_cat")])
def test_kohyas_folders_have_their_repeats_and_class_tokens_in_their_names(tmp_path, names):
    folders(tmp_path, *names, "img/notes" if names[0].startswith("img") else "image/notes", "log", "model")
    layout = read_layout(tmp_path)
    assert roles(layout) == [("10_tom cat", "training", 10), ("1_cat", "regularization", 1)]
    assert layout.folders[0].class_tokens == layout.folders[0].captions.text == "tom cat"
    assert codes(layout) == ["folder-not-read"]
    assert "notes" in layout.problems[0].message
    assert layout.trainer == "sd-scripts"


def test_numbered_folders_directly_in_the_folder_are_kohyas_too(tmp_path):
    folders(tmp_path, "10_tom", "3_tom face", "0_never", "12")
    assert roles(read_layout(tmp_path)) == [("10_tom", "training", 10), ("3_tom face", "training", 3)]


def test_the_suffix_of_captions_is_that_of_most_text_files(tmp_path):
    folders(tmp_path, "10_tom")
    for name in ("a.png", "b.png", "a.caption", "b.caption", "a.txt"):
        (tmp_path / "10_tom" / name).touch()
    (rule,) = [each.captions for each in read_layout(tmp_path).folders]
    assert (rule.suffix, rule.assumed) == (".caption", True)


def test_a_config_of_kohyas_gui_names_its_folders_and_options(tmp_path):
    folders(tmp_path, "img/10_tom", "reg/1_cat")
    config = {"train_data_dir": "img", "reg_data_dir": "reg", "max_resolution": "768,768", "train_batch_size": 4,
              "epoch": 6, "caption_extension": ".txt"}  # fmt: skip
    (tmp_path / "last.json").write_text(json.dumps(config))
    layout = read_layout(tmp_path / "last.json")
    assert roles(layout) == [("10_tom", "training", 10), ("1_cat", "regularization", 1)]
    assert layout.options == {"batch_size": 4, "epochs": 6, "resolution": 768}


def test_a_dataset_config_of_sd_scripts_lets_the_nearest_setting_win(tmp_path):
    folders(tmp_path, "hoge", "fuga", "reg")
    (tmp_path / "dataset_config.toml").write_text(DATASET_CONFIG)
    layout = read_layout(tmp_path)  # the folder that holds it
    assert roles(layout) == [("hoge", "training", 1), ("fuga", "training", 10), ("reg", "regularization", 1)]
    assert {each.captions.suffix for each in layout.folders} == {".txt"}
    assert layout.options["resolution"] == 512
    assert layout.options["batch_size"] == 4
    assert layout.problems == ()


def test_sd_scripts_reads_caption_files_unless_another_suffix_is_set_and_makes_no_buckets_by_itself(tmp_path):
    folders(tmp_path, "a")
    (tmp_path / "c.toml").write_text("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'a'\nmask_shade = 1\n")
    layout = read_layout(tmp_path / "c.toml")
    assert layout.folders[0].captions.suffix == ".caption"
    assert codes(layout) == ["no-buckets", "not-understood"]
    assert "mask_shade" in layout.problems[1].message


def test_onetrainers_concepts_have_roles_repeats_and_prompt_sources(tmp_path):
    folders(tmp_path, "tom", "reg", "val")
    (tmp_path / "prompts.txt").write_text("a cat\na tom\n")
    (tmp_path / "concepts.json").write_text(json.dumps(CONCEPTS))
    layout = read_layout(tmp_path)
    assert roles(layout) == [("tom", "training", 2.5), ("reg", "regularization", 1), ("val", "validation", 1)]
    kinds = [(each.captions.kind, each.captions.text) for each in layout.folders]
    assert kinds == [("files", ""), ("filename", ""), ("fixed", "a cat")]
    assert layout.folders[0].subfolders
    assert codes(layout) == ["disabled"]


@pytest.mark.parametrize("inline", [True, False])
def test_a_config_of_onetrainer_brings_its_concepts_and_options(tmp_path, inline):
    folders(tmp_path, "tom", "reg", "val", "training_concepts")
    (tmp_path / "prompts.txt").write_text("a cat\n")
    config = {"__version": 11, "batch_size": 3, "epochs": 7, "resolution": "768", "concepts": CONCEPTS}
    if not inline:
        config |= {"concepts": None, "concept_file_name": "training_concepts/concepts.json"}
        (tmp_path / "training_concepts" / "concepts.json").write_text(json.dumps(CONCEPTS))
    (tmp_path / "config.json").write_text(json.dumps(config))
    layout = read_layout(tmp_path / "config.json")
    assert [each.name for each in layout.folders] == ["tom", "reg", "val"]
    assert layout.options == {"batch_size": 3, "epochs": 7, "resolution": 768}


def test_ai_toolkits_job_has_datasets_with_masks_and_its_own_number_of_steps(tmp_path):
    folders(tmp_path, "images", "masks", "reg")
    (tmp_path / "job.yaml").write_text(JOB)
    layout = read_layout(tmp_path)
    assert roles(layout) == [("images", "training", 1), ("reg", "regularization", 2)]
    assert layout.folders[0].captions.suffix == ".txt"
    assert layout.folders[0].masks == tmp_path / "masks"
    assert layout.folders[0].class_tokens == "p3r5on"
    assert layout.options == {"batch_size": 1, "steps": 2000, "resolution": 1024}
    assert codes(layout) == ["several-resolutions"]


def test_yaml_without_its_parser_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "job.yaml").write_text(JOB)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(LibraryError, match="install"):
        read_layout(tmp_path / "job.yaml")


def test_simpletuners_repeats_are_one_less_than_kohyas(tmp_path):
    folders(tmp_path, "tree", "reg")
    (tmp_path / "multidatabackend.json").write_text(json.dumps(BACKENDS))
    layout = read_layout(tmp_path)
    assert roles(layout) == [("something-special-to-remember-by", "training", 10), ("reg", "regularization", 1)]
    assert (layout.folders[1].captions.kind, layout.folders[1].captions.text) == ("fixed", "a cat")
    assert layout.options == {"resolution": 1024}
    assert codes(layout) == ["backend-left-out"]


def test_musubis_toml_has_datasets_of_images_and_leaves_out_videos(tmp_path):
    folders(tmp_path, "images")
    (tmp_path / "dataset.toml").write_text(MUSUBI)
    layout = read_layout(tmp_path)
    assert roles(layout) == [("images", "training", 3)]
    assert layout.options == {"batch_size": 2, "resolution": 723}  # the side of a square of 960 × 544
    assert codes(layout) == ["dataset-left-out"]


def test_diffusion_pipes_toml_has_directories_with_masks(tmp_path):
    folders(tmp_path, "images", "masks", "more")
    (tmp_path / "dataset.toml").write_text(DIFFUSION_PIPE)
    layout = read_layout(tmp_path)
    assert roles(layout) == [("images", "training", 10), ("more", "training", 1)]
    assert layout.folders[0].masks == tmp_path / "masks"
    assert layout.options["resolution"] == 512


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_an_imagefolder_has_its_captions_in_one_file(tmp_path, name):
    rows = [{"file_name": "0001.png", "text": "a cat"}, {"file_name": "sub/0002.png", "text": "a tom"}]
    text = (
        "\n".join(map(json.dumps, rows))
        if name.endswith("jsonl")
        else "file_name,text\n0001.png,a cat\nsub/0002.png,a tom\n"
    )
    (tmp_path / name).write_text(text)
    (folder,) = read_layout(tmp_path).folders
    assert folder.captions.table == {"0001.png": "a cat", "sub/0002.png": "a tom"}
    assert folder.subfolders


def test_a_folder_of_no_known_layout_is_one_of_training_images(tmp_path):
    folders(tmp_path, "sub")
    (tmp_path / "a.json").write_text('{"tags": ["cat"]}')
    (tmp_path / "a.png").touch()
    layout = read_layout(tmp_path)
    assert (layout.label, roles(layout)) == ("a folder of images", [(tmp_path.name, "training", 1)])


def test_a_missing_folder_is_known_as_missing(tmp_path):
    (tmp_path / "concepts.json").write_text(json.dumps([{"path": "/nowhere/at all", "text": {}}]))
    (folder,) = read_layout(tmp_path).folders
    assert not folder.exists


@pytest.mark.parametrize("path", ["a\0b", "", "~nobody/x", "x" * 5000])
def test_a_path_that_cannot_be_is_a_missing_folder(tmp_path, path):
    (tmp_path / "concepts.json").write_text(json.dumps([{"path": path, "text": {}}]))
    (folder,) = read_layout(tmp_path).folders
    assert not folder.exists


def test_values_of_wrong_types_are_named_and_replaced(tmp_path):
    (tmp_path / "c.toml").write_text(
        "[[datasets]]\nresolution = 'big'\nbatch_size = []\n[[datasets.subsets]]\nimage_dir = 7\nnum_repeats = 'ten'\n"
        "is_reg = 1\n"
    )
    layout = read_layout(tmp_path / "c.toml")
    assert roles(layout)[0][1:] == ("training", 1)
    said = " ".join(problem.message for problem in layout.problems if problem.code == "wrong-type")
    wrong = {"resolution is 'big'", "batch_size is a list", "image_dir is 7", "num_repeats is 'ten'", "is_reg is 1"}
    assert {each for each in wrong if each not in said} == set()


@pytest.mark.parametrize(
    "value",
    [
        [1, None, "x"],
        {"datasets": [1]},
        {"concepts": "all"},
        {"directory": [{"path": []}]},
        [{"instance_data_dir": {}}],
        {"config": {"process": [{"datasets": {"a": 1}}]}},
        {"train_data_dir": 3},
        {"datasets": [{"subsets": 5}]},
    ],
)
def test_whatever_a_config_holds_ends_in_a_sentence_or_a_layout(tmp_path, value):
    (tmp_path / "c.json").write_text(json.dumps(value))
    try:
        said = read_layout(tmp_path / "c.json").label
    except LibraryError as error:
        said = str(error)
    assert "is of no kind that is known" in said or len(said) < 40


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", "[" * 10_000 + "]" * 10_000),
        ("c.toml", "a = " + "[" * 10_000 + "]" * 10_000),
        ("c.yaml", "[" * 10_000 + "]" * 10_000),
        ("c.json", "{"),
        ("c.yaml", "a: [b"),
    ],
)
def test_a_config_that_is_broken_or_nested_too_deep_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(LibraryError, match=r"is not valid|of no kind"):
        read_layout(tmp_path / name)


def test_a_huge_config_is_refused_and_a_huge_list_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "MOST_FOLDERS", 10)
    (tmp_path / "c.json").write_text(json.dumps([{"path": f"{n}", "text": {}} for n in range(30)]))
    layout = read_layout(tmp_path / "c.json")
    assert len(layout.folders) == 10
    assert "20 folders are left out" in layout.problems[-1].message
    monkeypatch.setattr(document, "_LARGEST", 100)
    with pytest.raises(LibraryError, match="too much for a config"):
        read_layout(tmp_path / "c.json")


def test_neither_a_folder_nor_a_config_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(LibraryError, match="neither a folder nor a config"):
        read_layout(tmp_path / "a.png")
    with pytest.raises(LibraryError, match="is not there"):
        read_layout(tmp_path / "b")


def test_two_configs_in_a_folder_are_said(tmp_path):
    folders(tmp_path, "tom", "reg", "val", "hoge", "fuga")
    (tmp_path / "prompts.txt").write_text("a cat\n")
    (tmp_path / "concepts.json").write_text(json.dumps(CONCEPTS))
    (tmp_path / "dataset_config.toml").write_text(DATASET_CONFIG)
    assert "dataset_config.toml" in read_layout(tmp_path).problems[-1].message
