"""Layer filters that match nothing: a warning where all names of a base model's layers are known."""

import pytest

from lorads_core.model import TrainingConfig
from lorads_core.trainers.onetrainer.names import FAMILIES
from lorads_core.workflow.layer_names import unmatched_layers


def said(base, layer_filter, trainer="onetrainer"):
    config = TrainingConfig(base_model=base, layer_filter=layer_filter)
    return [each.message for each in unmatched_layers(trainer, config)]


def test_parts_that_are_in_no_layers_name_are_named():
    (message,) = said("zimage", "attention, ff.net, xyz")
    assert message.startswith("No layer of Z-Image that is known has ff.net or xyz in its name, so OneTrainer")
    assert said("zimage", "attention, feed_forward") == []
    assert said("sdxl", "attn, ff.net") == []
    assert said("sdxl", "") == []


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"anima", "hunyuan_video"}))
def test_the_parts_by_which_onetrainer_itself_picks_layers_are_known(name):
    base = {"flux2": "flux2_klein_9b", "sd35": "sd35"}.get(name, name)
    of = FAMILIES[name]
    own = [part for part in f"{of.layers},{of.convolutions}".split(",") if part and not part.startswith("^")]
    assert said(base, ", ".join(own)) == []
    assert len(said(base, "xyz")) == 1


def test_nothing_is_said_where_names_are_not_known_or_the_filter_is_not_read():
    assert said("anima", "attn1, ff") == []
    assert said("sdxl", "xyz", "sd-scripts") == []  # it has no filter for it, which is said already


def test_an_export_says_so(lorads, picture, tmp_path):
    folder = picture("tom/1.png", (640, 512)).parent
    words = ("--trigger", "tom", "--minimum-side", 0, "--base-model", "zimage", "--trainer", "onetrainer")
    code, out, err = lorads("build", folder, *words, "--layer-filter", "xyz", "--out", tmp_path / "out")
    assert code == 0, err
    assert "No layer of Z-Image that is known has xyz in its name" in out + err
