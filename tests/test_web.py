"""The page's modules as files: vendored libraries are what they say, nothing writes markup, index.html loads all."""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
VENDOR = WEB / "vendor"
VENDORED = json.loads((VENDOR / "vendor.json").read_text("utf-8"))
OURS = sorted(path for path in WEB.rglob("*.js") if VENDOR not in path.parents)


@pytest.mark.parametrize("each", VENDORED, ids=lambda each: each["file"])
def test_a_vendored_file_is_the_one_that_was_recorded(each):
    data = (VENDOR / each["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == each["sha256"]
    assert (VENDOR / each["licence_file"]).read_text("utf-8").strip()


def test_every_vendored_file_is_recorded_and_typed_by_the_same_version():
    files = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css"} and path.name != "vendor.json"}
    assert files == {each["file"] for each in VENDORED}
    types = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]
    assert {each["package"]: each["version"] for each in VENDORED}.items() <= types.items()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(WEB).as_posix())
def test_a_module_says_what_it_is_stays_small_and_writes_no_markup(path):
    text = path.read_text("utf-8")
    assert text.startswith("// ")
    assert len(text.splitlines()) <= 400
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    assert "http://" not in text
    assert "https://" not in text


def test_the_page_of_its_own_fetches_every_module_at_once():
    page = (WEB / "panel" / "index.html").read_text("utf-8")
    named = set(re.findall(r'href="web/(\S+\.js)"', page)) | set(re.findall(r'src="web/(\S+\.js)"', page))
    modules = {path.relative_to(WEB).as_posix() for path in OURS if path.parent == WEB / "panel"}
    vendored = {f"vendor/{each['file']}" for each in VENDORED if each["file"].endswith(".js")}
    assert named == modules | vendored
