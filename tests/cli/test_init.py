"""`lorads init`: what it finds in made-up folders, what it asks, and that it writes all or nothing."""

import io
import json
import os
import stat
import sys

import pytest

from lorads_core.base_models import BASE_MODELS
from lorads_core.checkpoints.base_model import like_by_name
from lorads_core.cli.console import Screen
from lorads_core.cli.init import search as searching
from lorads_core.cli.init.additions import added_to, chosen, tagger_additions
from lorads_core.cli.init.checkpoints import checkpoints
from lorads_core.cli.init.search import COMFYUI_FILES, search, usual_folders
from lorads_core.cli.main import main
from lorads_core.errors import SettingsError
from lorads_core.runs.profile import startable
from lorads_core.settings import Settings, load_settings
from lorads_core.trainers import trainers

SDXL = {
    "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
    "model.diffusion_model.label_emb.0.0.weight": [1280, 2816],
}
FLUX = {"double_blocks.0.img_attn.norm.key_norm.scale": [128]}


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def trainer(folder, kind, venv="venv"):
    touch(folder, *trainers()[kind].install_files)
    python = folder / venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    touch(python.parent, python.name).chmod(0o755)
    python.chmod(0o755)
    return folder


def checkpoint(file, tensors, *marks):
    sizes = tensors | {name: [0] for name in marks}
    header = json.dumps(
        {name: {"dtype": "U8", "shape": each, "data_offsets": [0, 0]} for name, each in sizes.items()}
    ).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(len(header).to_bytes(8, "little") + header)


@pytest.fixture
def machine(tmp_path):
    """A folder of programs as people have it: two trainers, ComfyUI with models, a tagger within one of its nodes."""
    ai = tmp_path / "ai"
    trainer(ai / "kohya_ss" / "sd-scripts", "sd-scripts", venv="../venv")
    trainer(ai / "OneTrainer", "onetrainer")
    comfyui = touch(ai / "ComfyUI", *COMFYUI_FILES)
    checkpoint(comfyui / "models" / "checkpoints" / "noob vpred.safetensors", SDXL, "v_pred")
    checkpoint(comfyui / "models" / "unet" / "flux_dev.safetensors", FLUX)
    touch(comfyui / "models" / "checkpoints", "old.ckpt")
    touch(comfyui / "custom_nodes" / "tagging" / "wd v3", "model.onnx", "selected_tags.csv")
    return ai


@pytest.fixture
def init(tmp_path, capsys):
    target = tmp_path / "config" / "lorads.toml"

    def run(*arguments):
        code = main(["init", "--settings", str(target), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    run.target = target
    return run


@pytest.fixture
def answers(monkeypatch):
    """Sit at a terminal and type these lines."""
    monkeypatch.setattr(Screen, "can_ask", property(lambda _: True))
    return lambda *lines: monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_every_trainer_that_is_started_from_here_is_recognised_by_files_of_its_own():
    files = [trainers()[kind].install_files for kind in startable()]
    assert all(files)
    assert len(set(files)) == len(files)


def test_all_that_is_installed_is_written_without_a_question(init, machine):
    code, out, _ = init(machine, "--yes")
    assert code == 0
    assert "1 file of none" in out
    settings = load_settings(init.target)
    assert {each.name: each.options.path("folder") for each in settings.trainers} == {
        "onetrainer": machine / "OneTrainer",
        "sd-scripts": machine / "kohya_ss" / "sd-scripts",
    }
    assert settings.trainer("sd-scripts").options.path("venv") == machine / "kohya_ss" / "venv"
    assert [each.name for each in settings.taggers] == ["wd-v3"]
    assert [(each.name, each.family.name, each.v_prediction) for each in settings.base_models] == [
        ("noob-vpred", "sdxl", True),
        ("flux-dev", "flux", False),
    ]
    assert settings.image_roots == ()


def test_a_second_time_there_is_nothing_to_add(init, machine):
    init(machine, "--yes")
    before = init.target.read_bytes()
    code, out, _ = init(machine, "--yes")
    assert (code, init.target.read_bytes()) == (0, before)
    assert "nothing to add" in out


def test_an_existing_file_gets_what_is_missing_and_keeps_all_else(init, machine):
    lines = ("\ufeff# mine", "owner = 'anna'", "", "[trainers.onetrainer] # the old one", "kind = 'onetrainer'")
    text = "\r\n".join([*lines, "folder = '/gone'", ""])
    init.target.parent.mkdir()
    init.target.write_bytes(text.encode())
    assert init(machine, "--yes")[0] == 0
    after = init.target.read_bytes().decode("utf-8-sig")
    assert after.startswith(text.strip().lstrip("\ufeff"))
    assert "\n" not in after.replace("\r\n", "")
    assert [each.name for each in load_settings(init.target).trainers] == ["onetrainer", "onetrainer-2", "sd-scripts"]


@pytest.mark.parametrize("text", ["trainers = {}\n", "trainers = {a = {kind = 'onetrainer', folder = '/gone'}}\n"])
def test_a_table_in_a_single_line_is_not_rewritten(text, init, machine):
    init.target.parent.mkdir()
    init.target.write_text(text)
    code, out, err = init(machine, "--yes")
    assert code == 3
    assert "by hand" in err
    assert "[trainers.onetrainer]" in out
    assert init.target.read_text() == text


def test_a_broken_file_is_not_touched(init, machine):
    init.target.parent.mkdir()
    init.target.write_text("trainers = [")
    code, _, err = init(machine, "--yes")
    assert code == 3
    assert "not valid TOML" in err
    assert init.target.read_text() == "trainers = ["


def test_a_dry_run_shows_and_writes_nothing(init, machine):
    code, out, _ = init(machine, "--dry-run")
    assert code == 0
    assert "[trainers.onetrainer]" in out
    assert not init.target.parent.exists()


def test_without_a_terminal_it_refuses_to_guess(init, machine):
    code, out, err = init(machine)
    assert (code, out) == (3, "")
    assert "--yes" in err
    assert not init.target.exists()


def test_answers_decide_what_is_written(init, machine, answers):
    (machine / "images").mkdir()
    answers("2", "y", "none", "x", "9", "1-2", machine / "gone", f"{machine / 'images'}; {machine}", "", "")
    code, out, _ = init(machine)
    assert code == 0
    assert "There is no folder" in out
    settings = load_settings(init.target)
    assert [(each.name, each.options.flag("from_comfyui")) for each in settings.trainers] == [("sd-scripts", True)]
    assert settings.taggers == ()
    assert len(settings.base_models) == 2
    assert settings.image_roots == (machine / "images", machine)
    assert settings.export_root is None


@pytest.mark.parametrize("lines", [("", "", "", "", "", "", "n"), ("", "")])
def test_a_no_or_an_end_of_input_writes_nothing(lines, init, machine, answers):
    answers(*lines)
    init(machine)
    assert not init.target.parent.exists()


def test_ctrl_c_writes_nothing(init, machine, answers, monkeypatch):
    answers()
    monkeypatch.setattr(
        sys, "stdin", type("Terminal", (), {"readline": lambda _: (_ for _ in ()).throw(KeyboardInterrupt)})()
    )
    assert init(machine)[0] == 130
    assert not init.target.parent.exists()


def test_a_trainer_without_its_python_is_named_and_left_out_by_default(init, tmp_path):
    touch(tmp_path / "ai" / "OneTrainer", *trainers()["onetrainer"].install_files)
    code, out, _ = init(tmp_path / "ai", "--yes")
    assert code == 0
    assert "there is no Python" in out
    assert not init.target.exists()


def test_more_base_models_than_a_list_should_have_are_offered_only(init, machine):
    for number in range(20):
        checkpoint(machine / "ComfyUI" / "models" / "checkpoints" / f"mix {number}.safetensors", SDXL)
    _, out, _ = init(machine, "--yes")
    assert "22 checkpoints" in out
    assert load_settings(init.target).base_models == ()


@pytest.mark.posix
def test_permissions_and_links_of_the_file_stay(init, machine, tmp_path):
    real = tmp_path / "dotfiles.toml"
    real.write_text("owner = 'anna'\n")
    real.chmod(0o600)
    init.target.parent.mkdir()
    init.target.symlink_to(real)
    assert init(machine, "--yes")[0] == 0
    assert init.target.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert len(load_settings(real).trainers) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ai", "config", "dotfiles.toml"]


def test_a_file_that_cannot_be_written_is_a_sentence(init, machine, tmp_path):
    (tmp_path / "config").touch()
    code, _, err = init(machine, "--yes")
    assert code == 3
    assert str(init.target) in err


# The search


def test_folders_are_searched_three_levels_deep_and_programs_hold_no_others(tmp_path):
    trainer(tmp_path / "a" / "b" / "c", "onetrainer")
    trainer(tmp_path / "a" / "b" / "d" / "e", "simpletuner")
    trainer(tmp_path / "a" / "b" / "c" / "ext", "ai-toolkit")
    trainer(tmp_path / ".hidden", "ai-toolkit")
    found = search([tmp_path, tmp_path / "a"])
    assert [kind for kind, _ in found.trainers] == ["onetrainer", "simpletuner"]
    assert found.is_whole


def test_a_search_that_ends_early_says_so(init, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "_MOST_FOLDERS", 3)
    for number in range(5):
        (tmp_path / "ai" / f"{number}").mkdir(parents=True)
    assert "name folders" in init(tmp_path / "ai", "--yes")[1]


def test_a_folder_that_is_gone_or_a_file_is_passed_over(tmp_path):
    touch(tmp_path, "file")
    assert search([tmp_path / "gone", tmp_path / "file"]).trainers == []


def test_taggers_of_hugging_faces_cache_are_its_newest_snapshots(tmp_path):
    model = tmp_path / "hub" / "models--SmilingWolf--wd-vit-tagger-v3" / "snapshots"
    touch(model / "0a", "model.onnx", "selected_tags.csv")
    touch(model / "0b", "model.onnx", "selected_tags.csv")
    os.utime(model / "0a", (1, 1))
    found = search([], tmp_path / "hub")
    assert found.taggers == [model / "0b"]
    assert [each.name for each in tagger_additions(found.taggers, Settings())] == ["wd-vit-tagger-v3"]
    assert search([], tmp_path / "gone").taggers == []


def test_the_usual_folders_exist_and_home_is_one(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert tmp_path in usual_folders()
    assert all(folder.is_dir() for folder in usual_folders())


# Checkpoints


def test_extra_model_paths_are_read_as_comfyui_reads_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELS", str(tmp_path / "elsewhere"))
    home = touch(tmp_path / "ComfyUI", *COMFYUI_FILES)
    (home / "extra_model_paths.yaml").write_text(
        "a111:\n  base_path: ../webui\n  checkpoints: models/Stable-diffusion\n  loras: |\n    models/Lora\n"
        "mine:\n  diffusion_models: |\n    $MODELS/a\n    $MODELS/b\n  is_default: true\nempty:\n"
    )
    checkpoint(tmp_path / "webui" / "models" / "Stable-diffusion" / "sub" / "x.safetensors", SDXL)
    checkpoint(tmp_path / "webui" / "models" / "Lora" / "no.safetensors", SDXL)
    checkpoint(tmp_path / "elsewhere" / "b" / "y.safetensors", FLUX)
    found = checkpoints([home])
    assert [(each.file.name, each.like.name) for each in found.known] == [
        ("x.safetensors", "sdxl"),
        ("y.safetensors", "flux"),
    ]


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "a: 3\n", "x: {base_path: 4, checkpoints: [1]}\n", "\0"])
def test_a_wrong_extra_model_paths_costs_only_itself(text, tmp_path):
    home = touch(tmp_path / "ComfyUI", *COMFYUI_FILES)
    (home / "extra_model_paths.yaml").write_text(text)
    checkpoint(home / "models" / "checkpoints" / "x.safetensors", SDXL)
    (home / "models" / "checkpoints" / "cut.safetensors").write_bytes(b"\xff" * 20)
    found = checkpoints([home])
    assert [each.file.name for each in found.known] == ["x.safetensors"]
    assert [each.name for each in found.unknown] == ["cut.safetensors"]


@pytest.mark.parametrize(
    ("stem", "name"),
    [("waiNSFW_v150", "illustrious"), ("noobaiXL", "noobai"), ("ponyRealism", "pony"), ("juggernautXL", "sdxl")],
)
def test_a_name_says_which_base_model_a_checkpoint_is_like(stem, name):
    assert like_by_name(stem, [each for each in BASE_MODELS if each.family.name == "sdxl"]).name == name


# Answers


@pytest.mark.parametrize(
    ("answer", "picked"),
    [
        ("all", {0, 1, 2}),
        ("none", set()),
        ("2", {1}),
        ("1 3", {0, 2}),
        ("1,2-3", {0, 1, 2}),
        ("0", None),
        ("4", None),
        ("3-1", None),
        ("1-99999", None),
        ("x", None),
        ("\u0663", None),
    ],
)
def test_an_answer_is_numbers_or_none_at_all(answer, picked):
    found = chosen(answer, 3)
    assert (found if found is None else set(found)) == picked


def test_what_would_change_a_setting_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="by hand"):
        added_to('owner = """a\n', "x = 1\n", tmp_path / "lorads.toml")
