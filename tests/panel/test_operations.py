"""A row of the table of bulk operations reaches command line, panel and page without another change."""

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import pytest

from lorads_core.captions.operation_table import OPERATIONS, Field, Operation
from lorads_core.captions.operations import find_and_replace
from lorads_core.cli.caption_options import add_edit_options, chosen_operation
from lorads_core.panel import json_types
from lorads_core.panel.operations import operation_json

from .. import panel_types

PAGE = Path(__file__).resolve().parents[2] / "web" / "panel" / "operations.js"


def shout(target, text, loud):
    return find_and_replace(target.dataset, text, text.upper() if loud else text, target.selection)


@pytest.fixture
def made_up(monkeypatch):
    """Add a row: a function, and what its arguments are."""
    fields = (Field("text", "Text", "text"), Field("loud", "Loud", "flag", default=False, option="--loud"))
    row = Operation("shout", "Shout", "--shout", shout, fields)
    monkeypatch.setitem(OPERATIONS, "shout", row)
    monkeypatch.setattr(json_types, "OperationName", Literal[tuple(OPERATIONS)])
    return row


def test_a_new_row_is_on_the_command_line(made_up):
    command = argparse.ArgumentParser()
    add_edit_options(command)
    options = command.parse_args(["--shout", "sky", "--loud"])
    assert chosen_operation(options) == (made_up, {"text": "sky", "loud": True})


@pytest.mark.usefixtures("made_up")
def test_a_new_row_is_in_the_panel(panel, dataset):
    assert panel.get("session")["operations"][-1]["name"] == "shout"
    wish = {"operation": "shout", "arguments": {"text": "sky", "loud": True}, "preview": True}
    assert "SKY" in panel.post(f"datasets/{dataset}/bulk", wish)["examples"][0]["after"]


@pytest.mark.usefixtures("made_up")
def test_a_new_row_is_in_the_types_of_the_page():
    assert '\n  | "shout";' in panel_types.page()


@pytest.mark.skipif(not shutil.which("node"), reason="the page's modules run in Node.js")
def test_a_new_row_is_in_the_dialog_of_the_page(made_up):
    operation, values = json.dumps(operation_json(made_up)), json.dumps({"text": "sky", "loud": True})
    script = (
        f"import {{argumentsOf, isComplete, shownFields}} from {json.dumps(PAGE.as_uri())};\n"
        f"const fields = shownFields({operation}, null);\n"
        f"console.log(JSON.stringify([isComplete(fields, {{}}), argumentsOf(fields, {values})]));"
    )
    node = ["node", "--input-type=module", "--eval", script]
    found = subprocess.run(node, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == [False, {"text": "sky", "loud": True}]
