"""Recipes: what a build was, written into its export as `dataset.toml`, and built again from there."""

import argparse
import json
import sys

import pytest
import tomli_w

from lorads_core.cli.parser import parser
from lorads_core.cli.recipes import apply_recipe, recipe_file, recipe_of
from lorads_core.cli.training_options import training_config
from lorads_core.errors import LoradsError
from lorads_core.export.plan import ExportOptions
from lorads_core.images.encode import ImagePolicy
from lorads_core.trainers.defaults import make_config
from lorads_core.training_fields import TRAINING_FIELDS
from lorads_core.workflow.recipe import recipe_text

from ..standin_trainer import write_model

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def options_of(*words):
    return argparse.Namespace(
        **vars(parser(print, print).parse_args(["build", *map(str, words)])), given=["build", *map(str, words)]
    )


def read_back(file, *words):
    """Return the options of a build by a recipe, and others over it."""
    options = options_of(file, *words)
    assert recipe_file(options) == file
    apply_recipe(options, file)
    return options


@pytest.fixture
def recipe(tmp_path):
    def write(text):
        file = tmp_path / "dataset.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def every_option():
    """Yield words for each option of `lorads build`, none of them its default."""
    command = next(iter(parser(print, print)._subparsers._group_actions)).choices["build"]
    for action in command._actions:
        if not action.option_strings or action.dest in {
            "help",
            "help_all",
            "settings",
            "verbose",
            "out",
            "plot",
            "dry_run",
            "preset",
            "vram",
        }:
            continue
        if action.dest.startswith(("training_", "writing_")):
            continue
        if action.nargs == 0:
            yield [action.option_strings[0]]
        elif action.choices:
            yield [action.option_strings[0], next(each for each in action.choices if each != action.default)]
        else:
            yield [action.option_strings[0], "2025-01-31" if action.metavar == "DATE" else "3"]


@pytest.mark.parametrize("words", list(every_option()), ids=lambda words: words[0])
def test_every_option_of_a_build_is_repeated_by_its_recipe(recipe, words):
    options = options_of("mine", *words)
    wanted = vars(options)
    found = vars(read_back(recipe(tomli_w.dumps(recipe_of(options)))))
    paths = {"folders", "regularization", "folder"}
    assert {name: found[name] for name in wanted.keys() - paths - {"given"}} == {
        name: wanted[name] for name in wanted.keys() - paths - {"given"}
    }
    assert [path.absolute() for path in wanted["folders"]] == found["folders"]
    assert [path.absolute() for path in wanted["folder"]] == found["folder"]


def another(each):
    """Return a value of a training option that is not its default."""
    values = {"whole": 3, "number": 0.5, "text": "x", "lines": ("tom", "a cat"), "file": "/models/x.safetensors"}
    if each.kind in {"flag", "switch"}:
        return not each.default
    if each.kind == "toml":
        return {"a": {"b": "c"}, "d": [1, 2.5], "e": True}
    if each.kind == "choice":
        return next(choice for choice in each.choices() if choice != each.default)
    return values[each.kind]


@pytest.mark.parametrize("each", TRAINING_FIELDS, ids=lambda each: each.name)
def test_every_training_option_is_repeated_by_the_recipe_of_its_export(recipe, each):
    config = make_config({each.name: another(each)})
    assert config != make_config({})
    text = recipe_text({"trigger": "tom"}, "tom", config, ExportOptions())
    assert training_config(read_back(recipe(text))) == config


def test_an_automatic_value_that_was_set_by_hand_stays_set(recipe):
    config = make_config({"epochs": 10, "network_dim": make_config({}).network_dim})
    found = training_config(read_back(recipe(recipe_text({"trigger": "tom"}, "tom", config, ExportOptions()))))
    assert found.automatic == config.automatic
    assert "epochs" not in found.automatic


def test_how_images_are_written_is_in_the_recipe():
    options = ExportOptions("onetrainer", ImagePolicy("max_side", size=1024, format="jpeg"), link=True)
    found = tomllib.loads(recipe_text({"trigger": "tom"}, "tom", make_config({}), options))
    assert found == {
        "name": "tom", "trigger": "tom", "trainer": "onetrainer", "images": "max_side=1024", "format": "jpeg",
        "link": True,
    }  # fmt: skip


def test_the_command_line_goes_over_the_recipe_also_with_its_default(recipe):
    file = recipe('folders = ["tom"]\ntrigger = "tom"\nexclude = ["bad"]\nuncaptioned = "leave-out"\nepochs = 3\n')
    options = read_back(file, "--exclude", "worse", "--uncaptioned", "trigger", "--epochs", "4", "--seed", "0")
    assert options.exclude == ["worse"]
    assert options.uncaptioned == "trigger"
    assert options.training_epochs == 4
    assert options.trigger == "tom"
    assert options.folders == [file.parent / "tom"]  # beside the recipe
    assert read_back(file, "/other/folder").folders != options.folders


def test_a_model_file_beside_the_recipe_is_found(recipe, tmp_path):
    write_model(tmp_path / "base.safetensors")
    file = recipe('checkpoint = "base.safetensors"\nae = "elsewhere/vae.safetensors"\n')
    options = read_back(file)
    assert options.training_checkpoint == str(tmp_path / "base.safetensors")
    assert options.training_ae == "elsewhere/vae.safetensors"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tirgger = "tom"', "unknown key 'tirgger'; did you mean trigger?"),
        ("zzzz = 1", "unknown key 'zzzz'; keys are the options of lorads build"),
        ("settings = '/etc/passwd'", "unknown key 'settings'"),
        ("out = '/'", "unknown key 'out'"),
        ("trigger = 3", "trigger is 3: it must be text in quotes"),
        ("folders = 'tom'", "folders is 'tom': it must be a list"),
        ("folders = ['']", "folders cannot be '': it is empty"),
        ("exclude = [1]", "exclude is 1: it must be text in quotes"),
        ("minimum_side = '3'", "minimum_side is '3': it must be a whole number"),
        ("minimum_side = true", "minimum_side is True: it must be a whole number"),
        ("seed = 99999999999999999999", "seed is 99999999999999999999: it must be a whole number"),
        ("learning_rate = nan", "learning_rate is nan: it must be a number"),
        ("learning_rate = inf", "learning_rate is inf: it must be a number"),
        ("follow_links = 'yes'", "follow_links is 'yes': it must be true or false"),
        ("trainer = 'kohya'", "trainer is 'kohya': it must be one of: "),
        ("trigger = {a = 1}", "trigger is {'a': 1}: it must be text in quotes"),
        ('trigger = "a\\u0000b"', "trigger cannot be"),
        ("created_since = 2025-01-31T10:00:00", "created_since cannot be"),
        ("trigger = ", "is not valid TOML"),
        ("a = " + "[" * 5000, "is not valid TOML"),
        ("# " + "x" * 2**20, "has over 1 MiB"),
    ],
)
def test_a_wrong_recipe_is_refused_by_key_and_file(recipe, text, said):
    file = recipe(text)
    with pytest.raises(LoradsError) as caught:
        read_back(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_two_recipes_at_once_are_refused():
    with pytest.raises(LoradsError, match="one after the other"):
        recipe_file(options_of("a.toml", "b.toml"))


def test_a_folder_whose_name_ends_in_toml_is_a_folder(tmp_path):
    (tmp_path / "x.toml").mkdir()
    options = options_of(tmp_path / "x.toml")
    assert recipe_file(options) is None
    assert options.folders == [tmp_path / "x.toml"]


def manifest_of(folder):
    """Return a manifest without what names the folder of exports: the hashes of configs."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    configs = {file for file in manifest["texts"] if "/" not in file}
    manifest["texts"] = {file: digest for file, digest in manifest["texts"].items() if file not in configs}
    return manifest


def test_a_build_by_its_recipe_makes_the_same_dataset_and_an_export_keeps_it(lorads, picture, tmp_path):
    for name, tags in {"a": "tom, cat", "b": "tom, bad", "c": "tom, cat, hat"}.items():
        picture(f"mine/{name}.png", (640, 640)).with_suffix(".txt").write_text(tags)
    picture("others/d.png", (640, 512)).with_suffix(".txt").write_text("dog")
    words = (
        *("--trigger", "tom", "--name", "tommy", "--exclude", "bad", "--leave-out", "hat", "--repeats", "3"),
        *("--regularization", tmp_path / "others", "--trainer", "onetrainer", "--images", "max_side=512"),
        *("--network", "loha", "--epochs", "4", "--order", "newest", "--trigger-position", "append"),
    )
    assert lorads("build", tmp_path / "mine", *words, "--out", tmp_path / "out")[0] == 0
    first = tmp_path / "out" / "tommy"
    code, out, err = lorads("build", first / "dataset.toml", "--out", tmp_path / "again")
    assert code == 0, err
    assert "trigger" in next(line for line in out.splitlines() if "Recipe" in line)
    second = tmp_path / "again" / "tommy"
    assert manifest_of(second) == manifest_of(first)
    assert (second / "dataset.toml").read_text() == (first / "dataset.toml").read_text()
    assert len(manifest_of(first)["images"]) == 3
    assert lorads("export", "tommy", "--out", tmp_path / "out", "--epochs", "7")[0] == 0
    changed = tomllib.loads((first / "dataset.toml").read_text(encoding="utf-8"))
    assert changed == tomllib.loads((second / "dataset.toml").read_text(encoding="utf-8")) | {"epochs": 7}
