"""The documentation is true: paths, links, commands and settings that it names exist."""

import argparse
import ast
import contextlib
import importlib
import io
import re
import shlex
from pathlib import Path

import pytest

from lorads_core.captions.dictionaries import _FILES, _LISTS
from lorads_core.cli.parser import parser
from lorads_core.library.kinds import kinds
from lorads_core.runs.profile import read_profile
from lorads_core.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
LONGEST_README = 220  # lines; the rest is in docs/
OUR_FOLDERS = {
    "lorads_core",
    "nodes",
    "web",
    "tests",
    "docs",
    "benchmarks",
    "locales",
    "example_workflows",
    ".github",
    ".ci",
}
MADE_UP = re.compile(r"LANGUAGE|NODE|NAME|YourNode|FILE")
# Options of sd-scripts and of `python -m tests...`.
OTHER_OPTIONS = {
    *("--config_file", "--short", "--only", "--seed", "--rounds-scale", "--write", "--current", "--fast", "--slow"),
    "--with-browser",
}
# Which modules read the tables of lorads.toml; the other tables are read by settings.py itself.
READERS = {
    "libraries": "library/kinds",
    "embedders": "vision/encoders",
    "taggers": "vision/taggers",
    "vocabularies": "captions/dictionaries.py",
    "trainers": "runs/profile.py",
}

each_page = pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def prose_of(page):
    """Return a page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def inline_code(page):
    return re.findall(r"`([^`\n]+)`", prose_of(page))


def anchors_of(page):
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing_path(text):
    """Return whether a piece of code is a path of this repository that does not exist."""
    if not re.fullmatch(r"[\w./*-]+", text) or text.partition("/")[0] not in OUR_FOLDERS or "/" not in text:
        return False
    return not MADE_UP.search(text) and not list(ROOT.glob(text))


def lorads_parser():
    return parser(lambda *_: 0, lambda *_: 0)


def commands():
    """Return the parser of each command by its name."""
    actions = lorads_parser()._actions
    return next(each for each in actions if isinstance(each, argparse._SubParsersAction)).choices


def blocks_of_commands(page):
    """Return the command lines of `lorads` in a page's blocks of shell code."""
    blocks = [code for language, code in FENCE.findall(page.read_text(encoding="utf-8")) if language == "sh"]
    return [line for block in blocks for line in block.splitlines() if line.startswith("lorads ")]


def wrong_arguments(arguments):
    """Return what the real parser says of arguments, empty if it takes them."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        lorads_parser().parse_args(arguments)
        return ""
    return said.getvalue().splitlines()[-1]


def wrong_inline_command(code):
    """Return what is wrong with `lorads NAME ...` in a sentence, which may lack arguments that a command requires."""
    _, name, *rest = [*code.split(), ""]
    if not name or name.startswith("--"):
        return ""
    if name not in commands():
        return f"there is no command {name!r}"
    options = [word.partition("=")[0] for word in rest if word.startswith("--")]
    unknown = [option for option in options if option not in commands()[name]._option_string_actions]
    return f"{name} has no {unknown}" if unknown else ""


def accepted_keys(path):
    """Return the keys that a module allows in its table of lorads.toml: the arguments of ``table.only(...)``."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "only":
            for argument in node.args:
                if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Name):
                    found.update(getattr(module, argument.value.id, ()))
                elif isinstance(argument, ast.Constant):
                    found.add(argument.value)
    return found


def keys_read_by(place):
    path = ROOT / "lorads_core" / place
    modules = path.rglob("*.py") if path.is_dir() else [path]
    return set().union(*(accepted_keys(each) for each in modules))


def documented_keys(section):
    """Return the keys in the first column of a section's table, a section being ``## `[name.NAME]```."""
    body = re.search(rf"^##+ `\[{section}(?:\.NAME)?\]`\n(.*?)(?=^##|\Z)", SETTINGS_PAGE, re.MULTILINE | re.DOTALL)
    assert body, f"docs/settings.md has no section [{section}]"
    rows = re.findall(r"^\| (`.+?) \|", body[1], re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def sections():
    return re.findall(r"^##+ `\[(\w+)", SETTINGS_PAGE, re.MULTILINE)


def example():
    return re.search(r"<!-- example -->\n```toml\n(.*?)```", SETTINGS_PAGE, re.DOTALL)[1]


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_README


@each_page
def test_each_path_that_a_page_names_exists(page):
    assert [code for code in inline_code(page) if missing_path(code)] == []


@each_page
def test_each_link_of_a_page_leads_to_a_file_and_heading_that_exist(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.replace("%20", " ").partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert broken == []


@each_page
def test_each_name_is_in_the_file_that_a_page_says(page):
    # "`BASE_MODELS` in `lorads_core/base_models.py`", also across a line break
    said = re.findall(r"`(\w+)`\s+in\s+`([\w./-]+\.(?:py|js))`", prose_of(page))
    assert [(name, file) for name, file in said if not re.search(rf"\b{name}\b", text_of(file))] == []


def test_the_recipes_name_what_to_change_in_a_file():
    assert len(re.findall(r"`(\w+)`\s+in\s+`([\w./-]+\.(?:py|js))`", prose_of(ROOT / "docs" / "recipes.md"))) >= 10


@each_page
def test_each_command_in_a_block_is_taken_by_the_real_parser(page):
    lines = blocks_of_commands(page)
    assert {line: said for line in lines if (said := wrong_arguments(shlex.split(line, comments=True)[1:]))} == {}


@each_page
def test_each_command_in_a_sentence_exists_with_its_options(page):
    said = [code for code in inline_code(page) if code.startswith("lorads ")]
    assert {code: wrong for code in said if (wrong := wrong_inline_command(code))} == {}


@each_page
def test_each_option_in_a_sentence_is_one_of_the_command(page):
    known = {option for each in commands().values() for option in each._option_string_actions} | OTHER_OPTIONS
    said = {code.split()[0].partition("=")[0] for code in inline_code(page) if code.startswith("--")}
    assert said - known == set()


def test_the_readme_names_every_command():
    named = {code.split()[1] for code in inline_code(ROOT / "README.md") if code.startswith("lorads ")}
    assert set(commands()) <= named


@pytest.mark.parametrize("section", READERS)
def test_the_settings_page_has_exactly_the_keys_of_a_table(section):
    assert documented_keys(section) == keys_read_by(READERS[section])


def test_the_settings_page_has_exactly_the_keys_that_settings_reads_itself():
    own = {key for section in sections() if section not in READERS for key in documented_keys(section)}
    assert own | {"store", "owner"} | set(sections()) == keys_read_by("settings.py")


def test_the_example_of_the_settings_page_is_valid(tmp_path):
    file = tmp_path / "lorads.toml"
    file.write_text(example(), encoding="utf-8")
    settings = load_settings(file)
    for profile in settings.libraries:
        assert profile.kind in kinds()
    for profile in settings.vocabularies:
        profile.options.only(*_FILES, *_LISTS)
    for profile in settings.trainers:
        assert read_profile(profile).kind == "sd-scripts"


def test_the_documentation_answers_three_questions_in_one_step():
    assert "[Base model](#a-base-model)" in text_of("docs/recipes.md")
    assert "| one test |" in text_of("CONTRIBUTING.md")
    assert "The **prior loss weight**" in text_of("docs/trainers.md")


@pytest.mark.parametrize("wrong", ["lorads_core/nothing.py", "tests/trainers/no_such_*.py"])
def test_a_path_that_does_not_exist_is_noticed(wrong):
    assert missing_path(wrong)


def test_a_command_that_does_not_exist_is_noticed():
    assert wrong_arguments(["no-such-command"])
    assert wrong_inline_command("lorads no-such-command")
    assert wrong_inline_command("lorads build --no-such-option")
