"""Index Images with a tagger: a real tiny one, the real core and store, in the fake host."""

import pytest
from PIL import Image

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary

from ..vision.taggers.models import write_tagger
from .pack import as_lists, loaded


@pytest.fixture
def base(tmp_path):
    for n, colour in enumerate([(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 0, 250), (9, 9, 9)]):
        path = tmp_path / "base" / "input" / "mine" / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 30), colour).save(path)
    (tmp_path / "base" / "output").mkdir()
    return tmp_path / "base"


@pytest.fixture
def pack(base, store_settings, tmp_path):
    folder = write_tagger(tmp_path / "models" / "wd")
    with store_settings.open("a", encoding="utf-8") as file:
        file.write(f"[taggers.wd]\nfolder = '{folder}'\nbatch_size = 2\n")
    with loaded(base, store_settings) as pack:
        yield pack


def run(pack, folder="mine", **inputs):
    node = pack.nodes["LoradsIndexImages"]
    return node.execute(
        **as_lists(node, {"folder": folder, "library": "pictures", "sidecars": ".txt=sidecar", **inputs})
    )


def tagged(store, tag):
    return len(IndexedLibrary(store, "pictures").ids(DatasetFilter(required_tags=(tag,))))


def test_the_taggers_of_the_settings_are_offered(pack):
    (tagger,) = [each for each in pack.nodes["LoradsIndexImages"].define_schema().inputs if each.id == "tagger"]
    assert tagger.options["options"] == ["(none)", "wd"]
    assert tagger.options["default"] == "(none)"


def test_index_images_tags_the_folder(pack, store):
    made = run(pack, tagger="wd")
    assert "5 tagged" in made.ui.value
    assert made.args[1:] == (5, "")
    assert tagged(store, "1girl") == 2
    assert pack.shown[-1] == (5, 5)
    assert "0 tagged, 5 tagged before" in run(pack, tagger="wd").ui.value


def test_without_a_tagger_nothing_is_tagged(pack, store):
    for inputs in ({}, {"tagger": "(none)"}):
        assert "tagged" not in run(pack, **inputs).ui.value
    assert tagged(store, "1girl") == 0


def test_only_the_folder_that_was_indexed(pack, base):
    run(pack)
    (base / "input" / "other").mkdir()
    Image.new("RGB", (9, 9), (1, 50, 60)).save(base / "input" / "other" / "0.png")
    assert "1 tagged, 0 tagged before" in run(pack, "other", tagger="wd").ui.value


def test_a_tagger_that_cannot_be_used_says_so(pack, tmp_path):
    (tmp_path / "models" / "wd" / "selected_tags.csv").unlink()
    with pytest.raises(pack.errors.SettingsError, match=r"neither of selected_tags\.csv and top_tags\.txt"):
        run(pack, tagger="wd")
    with pytest.raises(pack.errors.SettingsError, match="no tagger 'gone'"):
        run(pack, tagger="gone")


def test_another_tagger_or_a_changed_file_runs_the_node_again(pack, base):
    def mark(**inputs):
        node = pack.nodes["LoradsIndexImages"]
        given = {"folder": "mine", "library": "pictures", "sidecars": "", **inputs}
        return node.fingerprint_inputs(**as_lists(node, given))

    plain, with_wd = mark(), mark(tagger="wd")
    assert plain == mark(tagger="(none)")
    assert with_wd != plain
    run(pack, tagger="wd")
    assert mark(tagger="wd") == with_wd, "what was tagged is no reason to run again"
    Image.new("RGB", (9, 9), (1, 50, 60)).save(base / "input" / "mine" / "new.png")
    assert mark(tagger="wd") != with_wd


def test_who_asks_the_library_asks_again_after_tagging(pack):
    run(pack)
    before = pack.nodes["LoradsQueryImages"].fingerprint_inputs("pictures")
    run(pack, tagger="wd")
    after = pack.nodes["LoradsQueryImages"].fingerprint_inputs("pictures")
    assert after != before
    run(pack, tagger="wd")
    assert pack.nodes["LoradsQueryImages"].fingerprint_inputs("pictures") == after


@pytest.mark.slow
def test_an_interruption_is_comfyuis_own_and_the_next_run_goes_on(pack):
    run(pack)
    pack.interruption.interrupted = True
    with pytest.raises(pack.interruption.InterruptProcessingException):
        run(pack, tagger="wd")
    pack.interruption.interrupted = False
    assert "5 tagged" in run(pack, tagger="wd").ui.value
