"""What differs by system, driven as a person does: set-up, shells, files in use, ended processes, names of folders.

Continuous integration runs these first on Windows and macOS, one step each, and `python -m tests.wine` under wine.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import unicodedata
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from PIL import Image

from lorads_core.runs.state import refresh_run
from lorads_core.settings import load_settings
from lorads_core.store.keeper import GRACE
from lorads_core.system.files import IN_USE
from lorads_core.workflow import training
from lorads_core.workflow.dataset import open_store

from .conftest import PATIENCE, Lorads, base_model, write_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = sys.platform == "win32"


def wait_for(condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_doctor_finds_nothing_wrong(plain):
    assert "PostgreSQL 18" in plain.run("doctor")


def test_the_demo_exports_34_pictures(exports):
    manifest = json.loads((exports / "demo" / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["images"]) == 34
    assert len(list((exports / "demo").glob("*/*.txt"))) == 34


@pytest.mark.parametrize("name", ["Jürgen Tom & Co", "日本語"], ids=["a-Western-name", "a-Japanese-name"])
def test_a_store_in_the_folder_of_a_user_called(make_folder, name):
    home = make_folder() / name
    home.mkdir()
    write_settings(home, home / "store")
    assert "PostgreSQL 18" in Lorads(home).run("doctor")


def test_the_printed_command_trains_when_it_is_pasted_into_the_shell(lorads, exports):
    printed = lorads.run("export", "demo", "--out", exports, *base_model(lorads))
    line = re.search(r"^  (.*train\.(?:sh|bat)\S*)$", printed, re.MULTILINE)[1]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    config = (exports / "demo" / "training_config.toml").read_text(encoding="utf-8")
    output = Path(re.search(r"^output_dir = ['\"](.+)['\"]$", config, re.MULTILINE)[1])
    output.mkdir(parents=True, exist_ok=True)  # sd-scripts makes it, the stand-in does not
    ended = subprocess.run(
        line,
        shell=True,  # cmd.exe on Windows
        cwd=exports.parent,
        env={**os.environ, "PATH": path, "STANDIN_STEPS": "4"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, (line, ended.stdout)
    assert "model saved" in ended.stdout


CLIENT = (
    "import sys, time; from pathlib import Path; from lorads_core.store.embedded import attach;"
    " held = attach(Path(sys.argv[1])); print('attached', flush=True); time.sleep(600)"
)
ENDS = ["KILL"] if WINDOWS else ["KILL", "HUP"]  # a closed window, and a closed terminal


@pytest.mark.parametrize("end", ENDS)
def test_a_killed_client_leaves_no_server(make_folder, end):
    store = make_folder() / "store"
    with subprocess.Popen([sys.executable, "-c", CLIENT, str(store)], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline() == "attached\n"
        pid = int((store / "data" / "postmaster.pid").read_text().split()[0])
        if end == "KILL":
            client.kill()  # TerminateProcess on Windows
        else:
            client.send_signal(signal.SIGHUP)
    assert pid in psutil.pids()
    wait_for(lambda: pid not in psutil.pids(), GRACE + 60)
    assert not (store / "data" / "postmaster.pid").exists()


@pytest.mark.parametrize("held", ["a file open", "a terminal inside"])
def test_an_export_is_written_again_while_something_holds_the_old_one(lorads, exports, held):
    """On Windows it may be refused in a sentence; the old one then stays whole, and it works once it is let go."""
    words = ("export", "demo", "--out", exports, *base_model(lorads))
    dims = ("4", "8") if held == "a file open" else ("12", "16")
    lorads.run(*words, "--network-dim", dims[0])
    before = (exports / "demo" / "manifest.json").read_bytes()
    picture = next((exports / "demo").glob("*/*.jpg"))
    if held == "a file open":
        with picture.open("rb"):
            printed = lorads.run(*words, "--network-dim", dims[1], code=None)
    else:
        sleeper = [sys.executable, "-c", "print('here', flush=True); import time; time.sleep(600)"]
        with subprocess.Popen(sleeper, cwd=picture.parent, stdout=subprocess.PIPE) as terminal:
            terminal.stdout.readline()
            printed = lorads.run(*words, "--network-dim", dims[1], code=None)
            terminal.kill()
    after = (exports / "demo" / "manifest.json").read_bytes()
    if after == before:
        assert IN_USE[:30] in " ".join(printed.split())
        lorads.run(*words, "--network-dim", dims[1])
    assert len(list((exports / "demo").glob("*/*.txt"))) == 34
    assert (exports / "demo" / "manifest.json").read_bytes() != before


def test_a_training_that_is_polled_a_hundred_times_a_second_is_completed(lorads, exports):
    with open_store(load_settings(lorads.folder / "lorads.toml")) as store:
        run = begin(lorads, exports, store, "short")
        states = {run.state}
        deadline = time.monotonic() + PATIENCE
        while not run.is_over and time.monotonic() < deadline:
            with store.connection() as connection:
                run = refresh_run(connection, run)
            states.add(run.state)
            time.sleep(0.01)
    assert (run.state, run.message) == ("completed", ""), run.message
    assert states <= {"starting", "running", "completed"}


def test_a_training_is_stopped(lorads, exports):
    with open_store(load_settings(lorads.folder / "lorads.toml")) as store:
        run = begin(lorads, exports, store, "endless")
        wait_for(lambda: now(store, run).state == "running")
        assert "cancelled" in lorads.run("stop", str(run.id))


def test_a_training_outlives_the_program_that_started_it(lorads, exports):
    """ComfyUI Desktop and Stability Matrix end all that descends from ComfyUI: ``taskkill /T /F``."""
    exported(lorads, exports)
    host = "import subprocess, sys; subprocess.call(sys.argv[1:])"
    command = lorads.command("train", "demo", "--out", exports, "--again", "--profile", "short")
    with (
        open_store(load_settings(lorads.folder / "lorads.toml")) as store,
        subprocess.Popen([sys.executable, "-c", host, *command], env=lorads.environment, cwd=lorads.folder) as parent,
    ):
        before = {run.id for run in training.runs(store)}
        run = wait_for(lambda: next((run for run in training.runs(store) if run.id not in before), None))
        wait_for(lambda: now(store, run).state == "running")
        end_tree(parent.pid)
        parent.wait(PATIENCE)
        run = wait_for(lambda: (found := now(store, run)).is_over and found)
    assert (run.state, run.message) == ("completed", ""), run.message


def end_tree(pid):
    """End a process and all that descends from it."""
    if WINDOWS and "LORADS_WINE_TEMP" not in os.environ:  # wine's taskkill knows no /T
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], check=True)
        return
    process = psutil.Process(pid)
    for each in [*process.children(recursive=True), process]:
        each.kill()


def exported(lorads, exports):
    lorads.run("export", "demo", "--out", exports, *base_model(lorads))


def begin(lorads, exports, store, profile):
    exported(lorads, exports)
    before = {run.id for run in training.runs(store)}
    lorads.run("train", "demo", "--out", exports, "--background", "--again", "--profile", profile)
    return next(run for run in training.runs(store) if run.id not in before)


def now(store, run):
    with store.connection() as connection:
        return refresh_run(connection, run)


def test_an_embedded_python_runs_lorads_py(plain, tmp_path):
    """ComfyUI portable's Python has a ``._pth`` and so neither a current folder nor PYTHONPATH to import from."""
    launcher = ROOT / "lorads.py"
    if not launcher.exists():
        pytest.skip("lorads.py is not there yet")
    ended = subprocess.run(
        [*isolated_python(tmp_path), str(launcher), "doctor"],
        cwd=tmp_path,
        env=plain.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "PostgreSQL 18" in ended.stdout


def isolated_python(folder):
    """Return the words that run a Python like ComfyUI portable's; LORADS_EMBEDDED_PYTHON names a real one."""
    if named := os.environ.get("LORADS_EMBEDDED_PYTHON"):
        return [named, "-s"]
    if not WINDOWS:
        return [sys.executable, "-I"]
    home, base = folder / "python_embeded", Path(sys.base_prefix)
    home.mkdir()
    for file in [base / "python.exe", *base.glob("*.dll")]:
        shutil.copy(file, home)
    paths = (base / "Lib", base / "DLLs", sysconfig.get_path("purelib"), "import site")
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    (home / f"python{version}._pth").write_text("\n".join(map(str, paths)), encoding="utf-8")
    return [str(home / "python.exe"), "-s"]


def test_a_folder_that_leads_back_up_is_indexed_once(lorads, tmp_path):
    draw(tmp_path / "pictures", 3)
    link(tmp_path / "pictures" / "again", tmp_path)
    assert "3 images" in lorads.run("index", tmp_path / "pictures")


def link(new, target):
    """Make a junction on Windows, for which nobody needs a privilege; a symbolic link elsewhere."""
    if not WINDOWS:
        new.symlink_to(target, target_is_directory=True)
    elif subprocess.run(["cmd", "/c", "mklink", "/J", str(new), str(target)], check=False).returncode:
        pytest.skip("there are no junctions here (wine)")


@pytest.mark.parametrize(
    ("made", "typed"), [("Pictures", "pictures"), ("Größe", unicodedata.normalize("NFD", "Größe"))], ids=["case", "NFD"]
)
def test_a_folder_in_another_spelling_is_the_same_folder(lorads, tmp_path, made, typed):
    draw(tmp_path / made, 3)
    if not (tmp_path / typed).exists():
        pytest.skip("this file system tells the two spellings apart")
    lorads.run("index", tmp_path / made)
    assert "3 unchanged" in lorads.run("index", tmp_path / typed)


def draw(folder, count):
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (64, 64), (80 * number, 40, 90)).save(folder / f"{number}.png")


def test_the_panel_serves_its_page_and_an_edit(lorads, exports):
    command = lorads.command("panel", "--no-browser", "--out", exports)
    with subprocess.Popen(
        command, cwd=lorads.folder, env=lorads.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)", process.stdout.readline())
            port = int(found[1])
            cookie = opened(port, found[2])
            assert b"lorads-page" in asked(port, cookie, "GET", "/lorads/")
            token = json.loads(asked(port, cookie, "GET", "/lorads/api/session"))["token"]
            dataset = json.loads(asked(port, cookie, "GET", "/lorads/api/datasets"))[0]["id"]
            row = json.loads(asked(port, cookie, "GET", f"/lorads/api/datasets/{dataset}/rows?count=1"))["rows"][0]
            change = {"key": row["key"], "before": row["text"], "after": "oldlandmark, a tower in the evening"}
            edit = {"label": "evening", "changes": [change]}
            written = json.loads(asked(port, cookie, "POST", f"/lorads/api/datasets/{dataset}/edits", edit, token))
            assert written["rows"][0]["text"] == change["after"]
        finally:
            process.kill()


def opened(port, path):
    """Return the cookie that the page's address with its token sets."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        return connection.getresponse().headers["Set-Cookie"].split(";")[0]


def asked(port, cookie, method, path, values=None, token=""):
    sent = {"Content-Type": "application/json", "X-LoRADS-Token": token} if values else {}
    headers = {"Cookie": cookie, **sent}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path, json.dumps(values) if values else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body
