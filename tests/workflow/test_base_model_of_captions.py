"""The base model that a dataset was captioned for: the chosen one, also where its captions are those of another."""

import pytest

from lorads_core.base_models import base_model_names
from lorads_core.captions.profiles import profile
from lorads_core.export.layout import read_manifest
from lorads_core.workflow.parse import caption_settings


@pytest.mark.parametrize("name", base_model_names())
def test_captions_are_for_the_base_model_that_was_chosen(name):
    assert profile(name).base == name
    assert caption_settings("trigger", (), "tom", "prepend", name).profile.base == name


@pytest.mark.parametrize(
    ("trainer", "name"), [("ai-toolkit", "zimage_turbo"), ("musubi-tuner", "zimage"), ("sd-scripts", "noobai_v")]
)
def test_an_export_goes_on_with_the_base_model_of_the_build(lorads, picture, tmp_path, trainer, name):
    folder = picture("tom/1.png", (640, 512)).parent
    out = ("--out", tmp_path / "out")
    words = ("--trigger", "tom", "--minimum-side", 0, "--base-model", name, "--trainer", trainer, *out)
    code, _, err = lorads("build", folder, *words)
    assert code == 0, err
    code, _, err = lorads("export", "tom", *out)
    assert code == 0, err
    assert read_manifest(tmp_path / "out" / "tom")["config"]["base_model"] == name


def test_an_export_goes_on_with_the_base_model_of_the_last_one(lorads, picture, tmp_path):
    """Until captions are written for another one, which the next export is for."""
    folder = picture("tom/1.png", (640, 512)).parent
    out = ("--out", tmp_path / "out")
    captions = ("--trigger", "tom", "--minimum-side", 0)

    def exported(*words):
        code, _, err = lorads(*words, *out)
        assert code == 0, err
        return read_manifest(tmp_path / "out" / "tom")["config"]

    assert exported("build", folder, *captions)["base_model"] == "sdxl"
    assert exported("export", "tom", "--base-model", "flux", "--network-dim", 8)["base_model"] == "flux"
    found = exported("export", "tom")
    assert (found["base_model"], found["network_dim"]) == ("flux", 8)
    assert exported("build", folder, *captions, "--base-model", "sd35")["base_model"] == "sd35"
    assert exported("export", "tom")["base_model"] == "sd35"
