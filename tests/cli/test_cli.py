"""The command line as a person meets it: words in, sentences and exit codes out."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lorads_core.cli import doctor
from lorads_core.cli.demo import SAMPLES
from lorads_core.cli.main import main
from lorads_core.cli.parser import parser
from lorads_core.export.layout import read_manifest
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary

COMMANDS = (
    *("index", "build", "demo", "doctor"),
    *("libraries", "query", "embed", "tag", "regularize"),
    *("rate", "mark", "album", "cluster", "unindex"),
)


def test_the_demo_tells_the_whole_story(lorads, tmp_path):
    code, out, err = lorads("demo", "--out", tmp_path)
    assert code == 0
    for said in (
        "20 images",
        "20 training images",
        "14 regularization images",
        "34 from sidecar",
        "10_oldlandmark/",
        "1_regularization/",
        "training_config.toml",
        "Steps per epoch",
        "Total steps",
        "Train it with sd-scripts (kohya-ss):",
    ):
        assert said in out, said
    assert "No checkpoint is chosen" in err
    assert "captions demo lists them" in out
    manifest = read_manifest(tmp_path / "demo")
    assert len(manifest["images"]) == 34
    assert all(image["caption"].startswith("oldlandmark, ") != image["regularization"] for image in manifest["images"])


def test_the_printed_command_is_quoted_for_the_shell_of_the_system(lorads, tmp_path, monkeypatch):
    root = tmp_path / "my demo & more"
    script = root / "demo" / ("train.bat" if sys.platform == "win32" else "train.sh")
    monkeypatch.setattr("lorads_core.system.command.sys", SimpleNamespace(platform="linux"))
    assert f"'{script}'\n" in lorads("demo", "--out", root)[1]
    monkeypatch.setattr("lorads_core.system.command.sys", SimpleNamespace(platform="win32"))
    assert f'"{script}"\n' in lorads("demo", "--out", root)[1]


@pytest.mark.slow
def test_the_demo_again_writes_nothing_new(lorads, tmp_path):
    lorads("demo", "--out", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*")}
    code, out, _ = lorads("demo", "--out", tmp_path)
    assert code == 0
    assert "20 unchanged" in out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*")} == before


def test_any_folder_instead_of_the_samples(lorads, tmp_path, picture):
    for n in range(3):
        picture(f"mine/{n}.png", (640, 640))
        (tmp_path / f"mine/{n}.txt").write_text(f"cat, number {n}")
    code, out, _ = lorads("demo", tmp_path / "mine", "--trigger", "tomcat", "--out", tmp_path / "out")
    assert code == 0
    assert "67_tomcat/" in out  # 3 images: 2,000 samples in 10 epochs
    assert (tmp_path / "out/demo/67_tomcat/000001-0.txt").read_text() == "tomcat, cat, number 0"


@pytest.mark.slow
def test_the_trainer_is_chosen_by_word(lorads, tmp_path, picture):
    for n in range(4):
        picture(f"mine/{n}.png", (640, 640))
        (tmp_path / f"mine/{n}.txt").write_text(f"cat, number {n}")
    code, out, _ = lorads(
        "demo", tmp_path / "mine", "--trigger", "tomcat", "--trainer", "onetrainer", "--out", tmp_path / "out"
    )
    assert code == 0
    assert (tmp_path / "out/demo/onetrainer_config.json").is_file()
    assert "Train it with OneTrainer:\n" in out
    script = next((tmp_path / "out/demo").glob("train.*")).read_text(encoding="utf-8")
    assert "scripts/train.py --config-path" in script


@pytest.fixture
def phone(picture, tmp_path):
    """Return a folder of eight JPEGs as a phone makes them: nothing is known of them but their pixels."""
    for n in range(8):
        picture(f"phone/IMG_{n}.jpg", (640, 480))
    return tmp_path / "phone"


def test_a_folder_without_captions_becomes_a_dataset(lorads, phone, tmp_path):
    code, out, err = lorads("build", phone, "--trigger", "tomcat", "--out", tmp_path / "out")
    assert code == 0
    assert "8 from trigger" in out
    images = read_manifest(tmp_path / "out/tomcat")["images"]
    assert [image["caption"] for image in images] == ["tomcat"] * 8
    assert (tmp_path / "out/tomcat/25_tomcat/000001-IMG-0.txt").read_text() == "tomcat"
    assert "8 images have no caption (tried: sidecar)" in err
    assert err.count("IMG_") <= 2 * 2  # two examples of a kind


def test_the_commands_for_better_captions_work_as_printed(lorads, phone, tmp_path, capsys):
    options = PngInfo()
    options.add_text("parameters", "a red cat\nSteps: 20, Sampler: Euler")
    with Image.open(phone / "IMG_0.jpg") as image:
        image.save(phone / "IMG_8.png", pnginfo=options)
    _, _, err = lorads("build", phone, "--trigger", "tomcat", "--out", tmp_path / "out")
    lines = err[err.index("Better captions:") :].splitlines()[1:4]
    commands = [shlex.split(line.rpartition("    (")[0]) for line in lines]
    assert [re.search(r"(build|panel|doctor) ", line)[1] for line in lines] == ["build", "panel", "doctor"]
    build = commands[0][commands[0].index("build") :]
    assert main(build) == 0
    assert "1 from prompt" in capsys.readouterr().out
    for words in commands[1:]:
        assert parser(None, None).parse_args(words[words.index("--settings") - 1 :]).settings


def test_uncaptioned_images_can_be_left_out(lorads, phone, tmp_path):
    (phone / "IMG_3.txt").write_text("a cat")
    code, out, err = lorads(
        "build", phone, "--trigger", "tomcat", "--uncaptioned", "leave-out", "--out", tmp_path / "out"
    )
    assert (code, "1 from sidecar" in out, "Better captions" in err) == (0, True, False)
    assert "7 images have no caption (tried: sidecar) and will be left out of an export" in err
    assert len(read_manifest(tmp_path / "out/tomcat")["images"]) == 1


def test_duplicates_are_reported_and_dropped_on_request(lorads, phone, tmp_path):
    shutil.copy(phone / "IMG_0.jpg", phone / "IMG_0 copy.jpg")
    shutil.copy(phone / "IMG_1.jpg", phone / "IMG_1 (1).jpg")
    photograph = next((SAMPLES / "subject").glob("*.jpg"))
    shutil.copy(photograph, phone / "photograph.jpg")
    with Image.open(photograph) as image:
        image.resize((image.width // 2, image.height // 2)).save(phone / "small.jpg")
    code, out, err = lorads("build", phone, "--trigger", "tomcat", "--out", tmp_path / "out")
    assert (code, "12 training images" in out) == (0, True)
    assert err.count("2 training images are identical to others (") == 1
    assert err.count("1 image is nearly the same as another (small.jpg and photograph.jpg)") == 1
    assert "--duplicates drop" in err
    code, out, err = lorads("build", phone, "--trigger", "tomcat", "--out", tmp_path / "out", "--duplicates", "drop")
    assert (code, "3 duplicates left out" in err) == (0, True)
    files = {path.stem[7:] for path in (tmp_path / "out/tomcat").glob("*_tomcat/*.jpg")}
    assert files == {*(f"IMG-{n}" for n in range(8)), "photograph"}
    code, _, err = lorads("build", phone, "--trigger", "t", "--out", tmp_path / "out", "--duplicates", "keep")
    assert (code, "nearly the same" in err) == (0, False)


def test_build_chooses(lorads, tmp_path):
    pictures = SAMPLES / "subject"
    code, out, err = lorads(
        "build", pictures, "--trigger", "old", "--minimum-rating", 8, "--out", tmp_path, "--images", "max_side=512",
        "--checkpoint", "/models/base.safetensors", "--epochs", 2,
    )  # fmt: skip
    assert (code, err.count("error")) == (0, 0)
    count = int(re.search(r"(\d+) training images", out)[1])
    assert 0 < count < 20
    assert "in 2 epochs" in out
    assert all(max(image["width"], image["height"]) <= 512 for image in read_manifest(tmp_path / "old")["images"])


def test_index_reports_bad_files_and_goes_on(lorads, tmp_path, picture):
    picture("good.png")
    (tmp_path / "bad.png").write_bytes(b"nothing")
    code, out, err = lorads("index", tmp_path)
    assert code == 0
    assert "1 image in" in out
    assert "bad.png" in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("index", "/no/such/folder"), 5, "not there"),
        (("build", SAMPLES / "subject"), 3, "--trigger"),
        (("build", SAMPLES / "subject", "--trigger", "a,b"), 7, "comma"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--caption", "psychic"), 3, "no caption source 'psychic'"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--images", "tiny=3"), 3, "no image policy 'tiny'"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--sidecar", "txt"), 3, ".txt=wd"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--sidecar", ".txt=wdd"), 3, "no caption source 'wdd'"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--sidecar", ".png=wd"), 3, ".txt=wd"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--images", "original=5"), 3, "takes no size"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--order", "up"), 3, "no order 'up'"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--require", "unicorn"), 5, "passes the filter"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--minimum-rating", "11"), 3, "minimum rating is 11"),
        (("query", "--made-with-lora", " "), 3, "The name of a checkpoint or LoRA to filter by is empty"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--learning-rate", "nan"), 9, "learning rate is nan"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--epochs", "0"), 9, "number of epochs is 0"),
        (("build", SAMPLES / "subject", "--trigger", "x", "--library", "none"), 3, "no library 'none'"),
        (("build", "--trigger", "x"), 3, "Nothing is chosen"),
    ],
)
def test_a_fault_is_one_line_and_an_exit_code(lorads, tmp_path, arguments, code, says):
    found, _, err = lorads(arguments[0], *arguments[1:], *(("--out", tmp_path) if arguments[0] == "build" else ()))
    assert found == code
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert says in line
    assert not [path for path in tmp_path.iterdir() if path.name != ".lorads"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("demo", "--epochs", "many"),
        ("build", "--find-regularization", "some"),
        ("index", ""),
        ("query", "--created-since", "2025-02-30"),
        ("query", "--created-before", ""),
        ("query", "--nsfw", "no"),
        ("demo", "--out", ""),
        ("demo", "--trigger", "\udcff"),
        pytest.param(("demo", "--out", "~nosuchuser/x"), marks=pytest.mark.posix),  # Windows asks nobody who there is
    ],
)
def test_wrong_arguments_leave_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "example:" in text
    assert f"lorads {command}" in text.split("example:")[1]
    assert "exit codes:" in text


def test_no_colours_or_bars_but_on_a_terminal(lorads, tmp_path):
    _, out, err = lorads("demo", "--out", tmp_path)
    assert "\x1b" not in out + err
    assert "\r" not in out + err


def test_doctor_says_what_is_well(lorads):
    code, out, _ = lorads("doctor")
    assert code == 0
    assert "PostgreSQL 18" in out
    assert "schema version" in out


def test_doctor_names_what_is_not_installed_and_not_set(lorads, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: "" if package in {"scikit-learn", "onnxruntime"} else "1")
    code, out, _ = lorads("doctor")
    assert code == 0
    assert re.search(r"good +optional +proposed clusters need scikit-learn: .*pip install", out)
    assert "image encoders need" not in out  # onnxruntime-gpu does
    assert re.search(r"good +trainers +none is set: .* init finds", out)


def test_doctor_says_what_is_wrong(tmp_path, capsys):
    settings = tmp_path / "lorads.toml"
    settings.write_text(
        "store = 'gone'\n[stores.gone]\ndsn = 'postgresql://me:hunter2@127.0.0.1:9/x'\n[roots]\npictures = ['none']\n"
    )
    assert main(["doctor", "--settings", str(settings)]) == 1
    out = capsys.readouterr().out
    assert "error" in out
    assert "127.0.0.1" in out
    assert "hunter2" not in out
    settings.write_text("typo = 1")
    assert main(["doctor", "--settings", str(settings)]) == 1
    assert "unknown key typo" in capsys.readouterr().out


def test_doctor_reads_the_vocabularies(tmp_path, capsys):
    settings = tmp_path / "lorads.toml"
    settings.write_text(
        "store = 'gone'\n[stores.gone]\ndsn = 'Host=127.0.0.1;Port=9'\n"
        "[vocabularies.sound]\ndictionary = 'sound.json'\n[vocabularies.torn]\ndictionary = 'torn.json'\n"
    )
    (tmp_path / "sound.json").write_text('{"kitty": "cat"}')
    (tmp_path / "torn.json").write_text('{"kitty":\n')
    assert main(["doctor", "--settings", str(settings)]) == 1
    lines = capsys.readouterr().out.splitlines()
    sound, torn = ([line for line in lines if f"vocabulary {name}" in line] for name in ("sound", "torn"))
    assert [line.split()[0] for line in (*sound, *torn)] == ["good", "error"]
    assert "line 2: it is not valid JSON" in torn[0]


def test_a_store_that_is_down_is_one_line(tmp_path, capsys):
    settings = tmp_path / "lorads.toml"
    settings.write_text("store = 'gone'\n[stores.gone]\ndsn = 'Host=127.0.0.1;Port=9;Username=me;Password=hunter2'\n")
    assert main(["index", "--settings", str(settings), str(tmp_path)]) == 4
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "hunter2" not in err


@pytest.mark.slow
@pytest.mark.posix  # SIGTERM is Ctrl-C to us; Windows ends a process at once
def test_interrupting_keeps_what_is_done(store, store_settings, tmp_path, picture):
    seed = picture("seed.png", (300, 300)).read_bytes()
    many = tmp_path / "many"
    many.mkdir()
    for n in range(5000):
        (many / f"{n}.png").write_bytes(seed)
    library = IndexedLibrary(store, "pictures")
    command = [sys.executable, "-m", "lorads_core", "index", "--settings", str(store_settings), str(many)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not library.count(DatasetFilter()) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    kept = library.count(DatasetFilter())
    assert 0 < kept < 5000
    assert main(["index", "--settings", str(store_settings), str(many)]) == 0
    assert library.count(DatasetFilter()) == 5000


def test_the_installed_command_answers():
    lorads = Path(sysconfig.get_path("scripts"), "lorads.exe" if sys.platform == "win32" else "lorads")
    done = subprocess.run([lorads, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lorads 0.")
