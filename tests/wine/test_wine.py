"""The runner of tests under wine, as far as it needs none: what it leaves out, what it says where it cannot run."""

import re
from pathlib import Path

import pytest

from . import __main__ as runner
from . import set_up
from .differences import DIFFERENCES, LEFT_OUT, reason_for
from .runner import Ended, Result, Wine, read_outcomes, run_file

pytestmark = pytest.mark.posix  # it runs on Debian
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in DIFFERENCES])
def test_a_known_difference_names_a_test_that_there_is(pattern):
    file, _, test = pattern.partition("::")
    name = re.match(r"\w*", test)[0]
    assert re.search(rf"^(async )?def {name}", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_known_difference_has_a_reason():
    assert all(len(reason) > 10 for _, reason in (*DIFFERENCES, *LEFT_OUT))


def test_the_folders_that_are_left_out_are_told_from_others():
    assert reason_for("tests/browser/test_panel_train.py")
    assert reason_for("tests/test_tags.py") is None


def test_the_files_of_a_short_run_are_there():
    assert all((ROOT / name).is_file() for name in runner.chosen(short=True))
    assert len(runner.chosen(short=True)) > 10


def test_where_wine_cannot_be_set_up_it_says_so_and_leaves_with_2(monkeypatch, capsys):
    monkeypatch.setattr(set_up, "wine_program", lambda: None)
    monkeypatch.setattr(set_up.os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["tests.wine", "--short"])
    assert runner.main() == 2
    assert "NOT TESTED ON WINDOWS' PYTHON" in capsys.readouterr().out


def test_a_set_up_that_fails_is_a_failure(monkeypatch):
    def fail():
        raise set_up.SetUpError("no network")

    monkeypatch.setattr(runner, "set_up", fail)
    monkeypatch.setattr("sys.argv", ["tests.wine"])
    assert runner.main() == 1


def test_outcomes_are_read_as_they_came(tmp_path):
    file = tmp_path / "results.jsonl"
    lines = [
        '{"test": "a", "outcome": "begun"}',
        '{"test": "a", "outcome": "failed"}',
        '{"test": "a", "outcome": "passed"}',
        '{"test": "b", "outcome": "skipped", "reason": "wine: so"}',
        '{"test": "c", "outcome": "begun"}',
    ]
    file.write_text("\n".join(lines))
    found = Result("file")
    for test, (outcome, reason) in read_outcomes(file).items():
        found.note(test, outcome, reason)
    assert found.failed == {"a": "it failed", "c": "it did not end in time"}
    assert (found.passed, found.skipped) == (0, {"b": "wine: so"})
    assert runner.report([found]) == 1


def test_a_file_of_which_no_test_was_run_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(Wine, "python", lambda *_words, **_options: Ended(0, ""))
    found = run_file(Wine(tmp_path, tmp_path), "tests/test_tags.py", seconds=9)
    assert found.failed == {"tests/test_tags.py": "no test was run; pytest ended with 0"}
