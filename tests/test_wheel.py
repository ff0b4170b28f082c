"""A wheel, installed into an environment of its own: what works outside a clone."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_a_wheel_in_an_environment_of_its_own_has_the_page_and_the_samples(tmp_path, store_folder):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("lorads-*.whl")
    venv.create(tmp_path / "venv", with_pip=False)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = next(scripts.glob("python*"))
    subprocess.run([*pip, "--python", python, "install", "-q", "--no-deps", wheel], check=True)
    # What LoRADS needs is that of this environment: to install it all once more takes over a minute.
    own = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    Path(own.strip(), "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    environment = {**os.environ, "LORADS_SETTINGS": str(tmp_path / "lorads.toml")}
    (tmp_path / "lorads.toml").write_text(f"[embedded]\nfolder = '{store_folder}'\n", encoding="utf-8")
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    demo = subprocess.run([scripts / "lorads", "demo"], check=False, **run)
    assert demo.returncode == 0, demo.stderr
    page = "import lorads_core.panel.routes as r; print((r.WEB / 'panel' / 'index.html').is_file(), r.WEB)"
    found = subprocess.run([python, "-c", page], check=True, **run).stdout.split()
    assert found[0] == "True"
    assert str(tmp_path) in found[1]
