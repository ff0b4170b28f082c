"""Translations in ``locales/`` as ComfyUI's frontend reads them: English is generated, the others may have gaps."""

import json
import re

import pytest

from ..locales import LOCALES, TRANSLATIONS, current_schemas, english, flat, main, read, report
from .pack import ROOT

LANGUAGES = ("en", *TRANSLATIONS)
FILES = ("nodeDefs", "commands", "settings", "main")
SCRIPT = (ROOT / "web" / "lorads.js").read_text(encoding="utf-8")


def script_texts():
    """Return the English commands, settings and categories as lorads.js has them, by file of ``locales/``."""
    commands = re.findall(r'id: "(LoRADS\.\w+)",\s+label: "([^"]+)"', SCRIPT)
    settings = re.findall(r'\("(LoRADS\.\w+\.\w+)"\),.*?\n +name: "([^"]+)",\n +tooltip: "([^"]+)"', SCRIPT, re.DOTALL)
    choices = re.findall(r'text: "([^"]+)"', SCRIPT)
    categories = [
        word for group in re.findall(r"category: \[([^\]]+)\]", SCRIPT) for word in re.findall('"([^"]+)"', group)
    ]
    return {
        "commands": {(name.replace(".", "_"), "label"): label for name, label in commands},
        "settings": {
            (name.replace(".", "_"), key): text
            for name, label, tooltip in settings
            for key, text in (("name", label), ("tooltip", tooltip))
        }
        | {("LoRADS_Panel_Opens", "options", text): text for text in choices},
        "main": {("settingsCategories", text): text for text in categories if text != "LoRADS"},
    }


def test_english_is_what_the_node_schemas_have():
    assert read("en") == english(current_schemas()), "run python -m tests.locales --write"


def test_english_is_what_the_script_of_the_page_has():
    assert {name: flat(read("en", name)) for name in ("commands", "settings", "main")} == script_texts()


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("name", FILES)
def test_a_translation_has_no_text_that_english_lacks(language, name):
    assert [path for path in flat(read(language, name)) if path not in flat(read("en", name))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_file_of_a_language_is_one_that_comfyui_reads_and_valid_json(language):
    for path in (LOCALES / language).iterdir():
        assert path.stem in FILES, path
        assert isinstance(json.loads(path.read_text(encoding="utf-8")), dict), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_and_descriptions_have_no_message_syntax(language):
    # The frontend shows tooltips as they stand, but compiles names and descriptions, where these characters act.
    for path, text in flat(read(language)).items():
        assert text == text.strip(), path
        assert text, path
        assert path[-1] == "tooltip" or not re.search(r"[{}@|$]", text), path


def test_the_report_names_gaps_and_stale_texts_and_fails_for_neither():
    source = {("A", "name"): "new", ("B", "name"): "same", ("C", "name"): "only English"}
    translation = {("A", "name"): "neu", ("B", "name"): "gleich"}
    checksums = {"A.name": "00000000", "B.name": "fc50f144"}
    assert report(source, translation, checksums) == ([("C", "name")], [("A", "name")])


def test_the_report_has_a_line_for_every_language(capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == list(TRANSLATIONS)
