"""Captions by the command line: looked at, linted, edited with a preview, taken back; on the sample photographs."""

import shutil
from pathlib import Path

import pytest

from lorads_core.cli.demo import SAMPLES
from lorads_core.cli.main import main

from ..conftest import write_settings


@pytest.fixture(scope="module")
def demo(filled, make_folder):
    """Return the name of a database after `lorads demo`, and the folder of its export."""
    folder = make_folder()

    def fill(conninfo):
        file = write_settings(folder / "lorads.toml", conninfo)
        assert main(["demo", "--settings", str(file), "--out", str(folder / "out")]) == 0

    return filled(fill), folder / "out"


@pytest.fixture
def store_template(demo):
    return demo[0]


@pytest.fixture
def lorads(store_settings, demo, capsys, tmp_path):
    """Run a command after the demo has made a dataset; return exit code, standard output and standard error."""
    shutil.copytree(demo[1], tmp_path, dirs_exist_ok=True)

    def run(command, *arguments):
        code = main([command, "--settings", str(store_settings), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def plain(lorads):
    return dict(line.split("\t") for line in lorads("captions", "demo", "--plain")[1].splitlines())


def test_captions_are_listed(lorads):
    code, out, err = lorads("captions", "demo", "--show", 1)
    assert (code, err) == (0, "")
    assert "20 images" in out
    assert "sidecar" in out
    assert "… and 19 more" in out
    first = next(line for line in out.splitlines() if "sidecar" in line)
    path = next(iter(plain(lorads)))
    assert f"  {Path(path).name}  {plain(lorads)[path]}" in first
    assert len(plain(lorads)) == 34


def test_an_edit_is_a_preview_until_it_is_applied_and_can_be_taken_back(lorads):
    before = plain(lorads)
    code, out, _ = lorads("captions", "demo", "--add-tag", "old photo", "--at", "end", "--only", "training")
    assert code == 0
    assert "Preview" in out
    assert "+ oldlandmark" in out
    assert plain(lorads) == before
    lorads("captions", "demo", "--add-tag", "old photo", "--at", "end", "--only", "training", "--apply")
    after = plain(lorads)
    assert sum(text.endswith(", old photo") for text in after.values()) == 20
    assert "Add old photo" in lorads("captions", "demo", "--history")[1]
    lorads("captions", "demo", "--undo")
    assert plain(lorads) == before
    lorads("captions", "demo", "--redo")
    assert plain(lorads) == after
    assert lorads("captions", "demo", "--redo")[0] == 7


def test_an_edit_that_changes_nothing_says_so(lorads):
    code, out, _ = lorads("captions", "demo", "--remove-tag", "nosuch", "--apply")
    assert code == 0
    assert "Remove nosuch: nothing changes, as no caption has" in out
    assert "Remove nosuch" not in lorads("captions", "demo", "--history")[1]


def test_building_anew_keeps_edits(lorads, tmp_path):
    lorads("captions", "demo", "--replace-tag", "castle", "fort", "--apply")
    after = plain(lorads)
    assert not any("castle," in text for text in after.values())
    lorads("demo", "--out", tmp_path)
    assert plain(lorads) == after
    exported = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.txt"))
    assert "fort, " in exported


def test_another_source_for_those_that_hold_a_word(lorads):
    code, out, _ = lorads("captions", "demo", "--from-source", "joycaption", "--containing", "castle", "--apply")
    assert code == 0
    changed = [text for text in plain(lorads).values() if text.endswith(".")]
    assert 0 < len(changed) < 20
    assert all(text.startswith("oldlandmark, ") for text in changed)
    assert f"{len(changed)} captions" in out


def test_sources_say_for_how_many_they_have_something(lorads):
    out = lorads("captions", "demo", "--sources")[1]
    assert "28 images, 6 without" in out
    assert "custom" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--find", "(", "--regex"), "malformed"),
        (("--add-tag", "x", "--at", "middle"), "must be one of front, end or a number"),
        (("--add-tag", "x", "--sort"), "several edits at once"),
        (("--remove-tag", ","), "is no tag"),
        (("--undo",), "nothing to undo"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(lorads, words, told):
    code, _, err = lorads("captions", "demo", *words)
    assert code in {3, 7}
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_dataset_that_is_not_there(lorads):
    code, _, err = lorads("lint", "nobody")
    assert code == 7
    assert "There is no dataset 'nobody'; there are: demo" in err


def test_lint_finds_and_mends(lorads):
    lorads("captions", "demo", "--find", "blue sky", "--replace", "(blue sky:1.2), cloud", "--apply")
    code, out, err = lorads("lint", "demo")
    assert code == 0
    assert "prompt-leftovers" in out
    assert "weights" in err
    assert "It has tags more than once: cloud." in err
    lorads("lint", "demo", "--fix", "prompt-leftovers", "--fix", "duplicate-tags", "--apply")
    assert "34 captions, no problems" in lorads("lint", "demo")[1]
    lorads("captions", "demo", "--undo")
    assert any("(blue sky:1.2)" in text for text in plain(lorads).values())


def test_a_caption_that_names_a_side_is_an_error_when_flipped(lorads):
    lorads("captions", "demo", "--add-tag", "statue on the left", "--only", "training", "--apply")
    assert lorads("lint", "demo")[0] == 0
    code, _, err = lorads("lint", "demo", "--flip-aug")
    assert code == 1
    assert "images are flipped" in err


def test_a_bound_trait_is_left_unsaid_when_captions_are_built_again(lorads, tmp_path):
    lorads("captions", "demo", "--bind", "castle")
    lorads("demo", "--out", tmp_path)
    assert not any(", castle," in text for text in plain(lorads).values())


def test_bound_traits_are_pruned_at_once_when_asked(lorads):
    lorads("captions", "demo", "--bind", "castle")
    code, out, _ = lorads("captions", "demo", "--prune", "--apply")
    assert code == 0
    assert "Bind to the trigger: castle" in out
    after = plain(lorads)
    assert not any(", castle," in text for text in after.values())
    lorads("captions", "demo", "--undo")
    assert any(", castle," in text for text in plain(lorads).values())


def test_two_datasets_become_one_and_are_exported(lorads, tmp_path):
    other = SAMPLES / "other"
    assert lorads("build", other, "--trigger", "sundry", "--sidecar", ".txt=sidecar", "--out", tmp_path)[0] == 0
    code, out, _ = lorads("combine", "both", "demo", "sundry", "--repeats", "7")
    assert code == 0
    assert "demo: 20 images × 7 repeats" in out
    code, out, err = lorads("export", "both", "--out", tmp_path, "--trainer", "onetrainer", "--epochs", "2")
    assert code == 0, err
    assert (tmp_path / "both" / "7_oldlandmark").is_dir()
    assert (tmp_path / "both" / "10_sundry").is_dir()
    assert "Train it with OneTrainer" in out


def test_versions_of_an_export_and_how_they_differ(lorads, tmp_path):
    lorads("captions", "demo", "--replace-tag", "castle", "fort", "--apply")
    assert lorads("export", "demo", "--out", tmp_path, "--network-dim", "32")[0] == 0
    listed = lorads("diff", "demo", "--out", tmp_path)[1].splitlines()
    assert len(listed) == 2
    older = listed[1].split()[0]
    code, out, _ = lorads("diff", "demo", older, "--out", tmp_path)
    assert code == 0
    assert "~ setting network_dim: 16 \u2192 32" in out
    assert "fort, " in out
    assert lorads("diff", "demo", "ffff", "--out", tmp_path)[0] == 8


@pytest.mark.slow
def test_metadata_can_be_left_out_and_files_be_linked(lorads, tmp_path):
    assert lorads("export", "demo", "--out", tmp_path / "a", "--strip")[0] == 0
    assert lorads("export", "demo", "--out", tmp_path / "b", "--images", "bucket")[0] == 0
    code, _, err = lorads("export", "demo", "--out", tmp_path / "c", "--link")
    assert code == 0 or "Export copies instead" in err
