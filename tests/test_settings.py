"""lorads.toml: what is not understood is refused by name, and a password shows nowhere."""

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from lorads_core.base_models import BASE_MODELS, base_model, base_model_names, set_custom_base_models
from lorads_core.captions.profiles import profile
from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.settings import ENVIRONMENT_VARIABLE, load_settings, settings_path
from lorads_core.trainers import Subset, trainer, trainers
from lorads_core.trainers.checks import settled
from lorads_core.trainers.defaults import make_config

from .trained import trained_by

FULL = """
store = "server"

[stores.server]
dsn = "postgresql://lorads:hunter2@db/lorads"

[embedded]
folder = "data/postgres"

[libraries.renders]
kind = "index"

[roots]
pictures = ["pictures", "/srv/pictures"]
exports = "datasets"
"""


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        file = tmp_path / "lorads.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_everything(settings_file, tmp_path):
    settings = load_settings(settings_file(FULL))
    assert settings.dsn == "postgresql://lorads:hunter2@db/lorads"
    assert settings.embedded_folder == tmp_path / "data" / "postgres"
    assert [library.name for library in settings.libraries] == ["pictures", "renders"]
    assert settings.image_roots == (tmp_path / "pictures", Path("/srv/pictures").resolve())
    assert settings.export_root == tmp_path / "datasets"
    assert "hunter2" not in repr(settings)


def test_vocabularies_are_named_profiles(settings_file, tmp_path):
    settings = load_settings(settings_file('[vocabularies.mine]\ndictionary = "dedup.json"\n[vocabularies.empty]\n'))
    assert [vocabulary.name for vocabulary in settings.vocabularies] == ["mine", "empty"]
    assert settings.vocabulary("mine").options.path("dictionary") == tmp_path / "dedup.json"
    with pytest.raises(SettingsError, match="known are: mine, empty"):
        settings.vocabulary("yours")
    with pytest.raises(SettingsError, match="must be a table"):
        load_settings(settings_file('[vocabularies]\nmine = "dedup.json"\n'))


def test_without_a_file_the_defaults(tmp_path, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings()
    assert settings.dsn is None
    assert settings.library("pictures").kind == "index"


def test_a_file_named_by_hand_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "none.toml"))
    assert settings_path() == tmp_path / "none.toml"
    with pytest.raises(SettingsError, match=r"none\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stroe = 'x'", "did you mean store"),
        ("store = 'server'", r"there is no \[stores.server\]"),
        ("store = 'server'\n[stores.server]", "needs a dsn"),
        ("store = 5", "must be text"),
        ("[stores]\nserver = 'dsn'", r"stores.server must be a table"),
        ("[roots]\npictures = 'one'", "must be a list"),
        ("[roots]\npictures = [1]", "must be a list"),
        ("a = [", "not valid TOML"),
        ("a = " + "[" * 100_000, "too deeply|not valid TOML"),
        ("a = " + "{a=" * 100_000, "too deeply|not valid TOML"),
        ("[embedded]\nport = 1", "unknown key embedded.port"),
    ],
)
def test_what_is_wrong_is_named(settings_file, text, says):
    with pytest.raises(SettingsError, match=says):
        load_settings(settings_file(text))


def test_not_utf8(tmp_path):
    file = tmp_path / "lorads.toml"
    file.write_bytes(b"store = '\xff'")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(file)


def test_unknown_library(settings_file):
    with pytest.raises(SettingsError, match="known are: pictures"):
        load_settings(settings_file("")).library("elsewhere")


@pytest.mark.parametrize("fault", [OSError(9, "Invalid handle"), ValueError("embedded null character")])
def test_a_path_that_the_system_will_not_look_at_is_named(settings_file, monkeypatch, fault):
    def resolve(_path, strict=False):  # noqa: ARG001, FBT002 - as pathlib's
        raise fault

    path = settings_file("[roots]\nexports = 'con'")
    monkeypatch.setattr(Path, "resolve", resolve)
    with pytest.raises(SettingsError, match="'con' is not a path of a file or folder"):
        load_settings(path)


def test_a_drive_without_a_backslash_would_mean_its_current_folder(settings_file, monkeypatch):
    path = settings_file("[roots]\npictures = ['D:pictures']")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SettingsError, match="lacks a backslash behind its drive"):
        load_settings(path)


@pytest.mark.skipif(sys.platform != "win32", reason="paths of Windows")
@pytest.mark.parametrize(
    ("text", "expected"),
    [(r"\\nas\pictures\a", r"\\nas\pictures\a"), (r"\\?\UNC\nas\pictures", "\\\\nas\\pictures\\"), ("C:/x", "C:\\x")],
)
def test_shares_of_windows_are_folders(settings_file, text, expected):
    assert str(load_settings(settings_file(f"[roots]\nexports = '{text}'")).export_root) == expected


MYMIX = """
[base_models.mymix]
like = "illustrious"
label = "My Mix v3"
checkpoint = "mymix.safetensors"
v_prediction = true
resolution = 1536

[base_models.plain]
like = "sd15"
captions = "sdxl"
"""


@pytest.fixture
def ours_again():
    yield
    set_custom_base_models(())


@pytest.mark.usefixtures("ours_again")
def test_a_base_model_of_ones_own_is_like_one_of_ours(settings_file, tmp_path):
    load_settings(settings_file(MYMIX))
    mine, plain = base_model("mymix"), base_model("plain")
    assert base_model_names()[-2:] == ("mymix", "plain")
    assert (mine.label, mine.family.name, mine.resolution) == ("My Mix v3", "sdxl", 1536)
    assert (plain.label, plain.family.name, plain.resolution) == ("plain", "sd15", 512)
    assert profile("mymix") == dataclasses.replace(profile("illustrious"), base="mymix")
    assert profile("plain") == dataclasses.replace(profile("sdxl"), base="plain")
    config = make_config({"base_model": "mymix"})
    assert (config.checkpoint, config.v_prediction) == (str(tmp_path / "mymix.safetensors"), True)
    assert make_config({"base_model": "mymix", "checkpoint": "/other"}).checkpoint == "/other"


@pytest.mark.usefixtures("ours_again")
@pytest.mark.parametrize("name", trainers())
def test_each_trainer_trains_a_base_model_of_ones_own_as_the_one_that_it_is_like(settings_file, name):
    like = trained_by(name, TrainingConfig(base_model="illustrious")).base_model
    load_settings(settings_file(f"[base_models.mymix]\nlike = '{like}'\n"))
    parts = {each.part: f"/{each.part}.safetensors" for each in base_model(like).family.files}
    subsets = (Subset("10_cat", 10, is_regularization=False, sizes=((1024, 1024),)),)
    made = []
    for base in ("mymix", like):
        config = make_config({"base_model": base, "checkpoint": "/x.safetensors", **parts})
        assert not [each for each in trainer(name).problems(config, subsets) if each.severity == "error"]
        made.append(trainer(name).files(config, subsets, Path("/exports"), Path("/out"), "cat"))
    assert made[0] == made[1]


@pytest.mark.usefixtures("ours_again")
@pytest.mark.parametrize("like", ["netayume", "flux2_klein_4b"])
def test_a_base_model_of_ones_own_has_all_else_of_the_one_that_it_is_like(settings_file, like):
    load_settings(settings_file(f"[base_models.mine]\nlike = '{like}'\n"))
    mine, ours = base_model("mine"), base_model(like)
    assert (mine.system_prompt, mine.repository) == (ours.system_prompt, ours.repository)
    assert mine.system_prompt or mine.repository


@pytest.mark.usefixtures("ours_again")
def test_base_models_of_another_settings_file_are_gone(settings_file):
    load_settings(settings_file(MYMIX))
    load_settings(settings_file("[base_models.other]\nlike = 'flux'\n"))
    ours = tuple(base.name for base in BASE_MODELS)
    assert base_model_names() == (*ours, "other")
    load_settings(settings_file(""))
    assert base_model_names() == ours


@pytest.mark.usefixtures("ours_again")
def test_a_resolution_that_changed_in_the_settings_counts_at_once(settings_file):
    config = make_config({"base_model": "illustrious"})
    for resolution in (768, 1536):
        load_settings(settings_file(f"[base_models.m]\nlike = 'illustrious'\nresolution = {resolution}\n"))
        assert settled(dataclasses.replace(config, base_model="m")).resolution == resolution


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[base_models.mymix]\n", "base_models.mymix.like is ''; it must be one of the base models sdxl, illustrious"),
        ("[base_models.mymix]\nlike = 'qwen'\n", "base_models.mymix.like is 'qwen'"),
        ("[base_models.mymix]\nlike = 'sdxl'\ncaptions = 'x'\n", "base_models.mymix.captions is 'x'"),
        ("[base_models.sdxl]\nlike = 'sdxl'\n", "there is a base model 'sdxl' already"),
        ("[base_models.' ']\nlike = 'sdxl'\n", "choose another name"),
        ("[base_models.m]\nlike = 'flux'\nv_prediction = true\n", "FLUX.1 dev predicts no velocity"),
        ("[base_models.m]\nlike = 'sdxl'\nresolution = 8\n", "resolution"),
        ("[base_models.m]\nlike = 'sdxl'\nresolution = 'x'\n", "resolution"),
        ("[base_models.m]\nlike = 'sdxl'\ncheckpiont = 'x'\n", "did you mean checkpoint?"),
        ("[base_models]\nm = 1\n", "base_models"),
    ],
)
def test_a_wrong_base_model_is_refused_and_changes_nothing(settings_file, text, message):
    before = base_model_names()
    with pytest.raises(SettingsError) as refused:
        load_settings(settings_file(text))
    assert message in str(refused.value)
    assert base_model_names() == before


@pytest.mark.posix
def test_a_pipe_as_settings_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "lorads.toml")
    with pytest.raises(SettingsError, match=r"cannot be read .*not a regular file"):
        load_settings(tmp_path / "lorads.toml")
