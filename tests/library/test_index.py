"""Indexing real folders into a real store: what changes is read, what does not costs a stat, what is bad is a line."""

import os
import shutil
import subprocess
import sys
import textwrap
import time
import zlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lorads_core.errors import LibraryError
from lorads_core.library import index
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import IndexOptions, index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.library.sidecars import Reading, SidecarRule
from lorads_core.library.walk import folder_mark
from lorads_core.model import FileStamp

from ..images import corpus


def find(store, library, **wanted):
    return IndexedLibrary(store, library).find(DatasetFilter(**wanted))


@pytest.fixture
def run(store, library, tmp_path):
    def run_index(folder=tmp_path, **options):
        return index_folder(store, library, folder, IndexOptions(**options))

    return run_index


def test_a_first_run_reads_everything_below(run, store, library, tmp_path, picture):
    picture("one.png", (64, 48))
    picture("deep/er/two.jpg", (32, 96))
    (tmp_path / "notes.md").write_text("not a picture")
    report = run()
    assert (report.found, report.new, report.problems) == (2, 2, ())
    images = {os.path.basename(image.path): image for image in find(store, library)}
    assert (images["one.png"].width, images["one.png"].height, images["one.png"].format) == (64, 48, "png")
    assert len(images["two.jpg"].hash) == 64


@pytest.mark.usefixtures("without_image_plugins")
def test_a_picture_that_cannot_be_read_here_is_a_problem_and_not_passed_over(run, tmp_path, picture):
    picture("a.jp2", (64, 64))
    (tmp_path / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    (tmp_path / "b.jxl").write_bytes(b"\xff\x0a" + bytes(99))
    report = run()
    assert (report.found, report.new) == (1, 1)
    assert sorted(os.path.basename(each.subject) for each in report.problems) == ["IMG_0001.HEIC", "b.jxl"]
    assert all("pip install" in each.message for each in report.problems)


def test_masks_are_counted_and_leave_the_library_that_had_them(run, store, library, picture, tmp_path):
    picture("a.png", (64, 48))
    mask = picture("a-other.png", (64, 48))
    assert run().found == 2
    os.rename(mask, tmp_path / "a-masklabel.png")
    report = run()
    assert (report.found, report.masks, report.missing) == (1, 1, 1)
    assert "1 image and 1 mask in " in report.sentence
    assert [os.path.basename(image.path) for image in find(store, library)] == ["a.png"]


def test_what_an_older_version_read_is_read_once_more_for_its_prompt(run, store, library, tmp_path):
    (tmp_path / "a.png").write_bytes(corpus.png_with(corpus.text_chunk("parameters", "{{red coat}}, {a|b}, fox")))
    run()
    with store.connection() as connection:
        connection.execute("UPDATE lorads.images SET prompt = '', prompt_source = NULL WHERE library = %s", [library])
    report = run()
    assert (report.changed, [each.code for each in report.problems]) == (1, ["read-again"])
    assert "1 image was read once more" in report.problems[0].message
    (image,) = find(store, library)
    assert (image.prompt, image.prompt_source, image.prompt_uncertain) == ("{{red coat}}, {a|b}, fox", "a1111", "")
    report = run()
    assert (report.unchanged, report.problems) == (1, ())


def test_a_second_run_reads_nothing(run, picture):
    picture("one.png")
    run()
    report = run()
    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)


def test_a_changed_file_is_read_again_and_keeps_its_id(run, store, library, picture):
    picture("one.png", (64, 48))
    run()
    (before,) = find(store, library)
    picture("one.png", (48, 64))
    assert run().changed == 1
    (after,) = find(store, library)
    assert (after.id, after.width, after.hash != before.hash) == (before.id, 48, True)


def test_a_file_that_went_is_kept_and_found_again(run, store, library, tmp_path, picture):
    path = picture("in/one.png")
    run()
    (before,) = find(store, library)
    shutil.move(tmp_path / "in", tmp_path / "out.away")
    assert run(tmp_path).missing == 0 or find(store, library)  # moved inside the folder: the old row is missing
    (tmp_path / "out.away").rename(tmp_path / "in")
    run()
    (after,) = find(store, library)
    assert (after.id, after.path) == (before.id, str(path))


def test_a_missing_file_is_not_offered(run, store, library, picture):
    path = picture("one.png")
    picture("two.png")
    run()
    path.unlink()
    assert run().missing == 1
    assert [os.path.basename(image.path) for image in find(store, library)] == ["two.png"]


def test_the_folder_itself_gone_is_an_error_and_nothing_is_marked(run, store, library, tmp_path, picture):
    picture("library/one.png")
    run(tmp_path / "library")
    (tmp_path / "library").rename(tmp_path / "elsewhere")
    with pytest.raises(LibraryError, match="not there"):
        run(tmp_path / "library")
    assert len(find(store, library)) == 1


def test_a_folder_that_is_a_file(run, picture):
    with pytest.raises(LibraryError, match="is a file"):
        run(picture("one.png"))


def test_sidecars_are_captions_and_tags(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_text("1girl, long_hair, ^_^, looking at viewer", encoding="utf-8")
    (tmp_path / "one.caption").write_text("\ufeffA girl smiles at us.\n", encoding="utf-8")
    run()
    (image,) = find(store, library, required_tags=("long hair",))
    assert {caption.source: caption.text for caption in image.captions} == {
        "sidecar": "1girl, long_hair, ^_^, looking at viewer",
        "joycaption": "A girl smiles at us.",
    }
    tags = IndexedLibrary(store, library).tags([image])[image.id]
    assert {(tag.text, tag.source) for tag in tags} == {
        (tag, "sidecar") for tag in ("1girl", "long hair", "^_^", "looking at viewer")
    }
    assert find(store, library, excluded_tags=("long_hair",)) == []


def test_prose_in_a_txt_gives_no_tags(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_text("A quiet lake, seen from the hill. Nobody is there.")
    run()
    (image,) = find(store, library)
    assert image.id not in IndexedLibrary(store, library).tags([image])


def test_a_taggers_file_is_tags_only(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_text("1girl, solo")
    run(sidecars=SidecarRule((Reading(".txt", "wd"),)))
    (image,) = find(store, library)
    assert image.captions == ()
    assert {tag.source for tag in IndexedLibrary(store, library).tags([image])[image.id]} == {"wd"}


def test_a_changed_sidecar_is_read_again(run, store, library, tmp_path, picture):
    picture("one.png")
    sidecar = tmp_path / "one.txt"
    sidecar.write_text("cat, tree")
    run()
    sidecar.write_text("dog, tree, grass")
    assert run().changed == 1
    assert find(store, library, required_tags=("cat",)) == []
    assert len(find(store, library, required_tags=("dog", "grass"))) == 1
    sidecar.unlink()
    assert run().changed == 1
    assert find(store, library, required_tags=("dog",)) == []


def test_a_caption_that_a_person_edited_survives_a_changed_sidecar(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_text("A lake.")
    run()
    with store.connection() as connection:
        connection.execute("UPDATE lorads.captions SET caption = 'mine', edited = true WHERE library = %s", [library])
    (tmp_path / "one.txt").write_text("Another lake.")
    run()
    (image,) = find(store, library)
    assert [(caption.text, caption.edited) for caption in image.captions] == [("mine", True)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("zero.png", b"", "zero.png"),
        ("page.jpg", b"<html><body>404</body></html>", "page.jpg"),
        ("cut.png", None, "cut.png"),
    ],
)
def test_a_bad_file_is_one_line_and_no_stop(run, store, library, tmp_path, picture, name, content, says):
    picture("good.png")
    if content is None:
        content = picture("whole.png", (64, 64)).read_bytes()[:-60]
        (tmp_path / "whole.png").unlink()
    (tmp_path / name).write_bytes(content)
    report = run()
    assert [os.path.basename(image.path) for image in find(store, library)] == ["good.png"]
    (problem,) = report.problems
    assert says in problem.subject
    assert problem.severity == "error"


def test_a_file_that_went_bad_is_no_longer_offered(run, store, library, picture):
    path = picture("one.png")
    run()
    path.write_bytes(b"spoilt")
    assert len(run().problems) == 1
    assert find(store, library) == []


@pytest.mark.posix
def test_odd_names(run, store, library, tmp_path, picture):
    names = ["new\nline.png", "quo\"te's.png", "ünï – \u732b.png", "x" * 251 + ".png", "percent%s.png"]
    for name in names:
        picture(name)
    with open(os.fsencode(tmp_path) + b"/not-utf8-\xff.png", "wb") as file:
        file.write((tmp_path / "percent%s.png").read_bytes())
    report = run()
    assert sorted(os.path.basename(image.path) for image in find(store, library)) == sorted(names)
    assert [problem.code for problem in report.problems] == ["name"]


@pytest.mark.posix
def test_links_are_left_out_and_followed_on_request(run, store, library, tmp_path, picture):
    picture("pictures/one.png")
    picture("outside/two.png")
    folder = tmp_path / "pictures"
    (folder / "link.png").symlink_to(tmp_path / "outside" / "two.png")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.png").symlink_to(folder / "nothing.png")
    report = run(folder)
    assert report.found == 1
    assert sorted(problem.code for problem in report.problems) == ["link", "link", "linked-folder"]
    (folders,) = (problem for problem in report.problems if problem.code == "linked-folder")
    assert "1 linked folder (junction, symbolic link) was not followed" in folders.message
    assert folders.subject == str(folder / "loop")
    report = run(folder, follow_links=True)
    assert sorted(os.path.basename(image.path) for image in find(store, library)) == ["link.png", "one.png"]
    assert [problem.code for problem in report.problems] == ["vanished"]


@pytest.mark.posix
def test_a_link_to_itself_is_one_line(run, tmp_path, picture):
    picture("one.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    report = run(follow_links=True)
    assert report.found == 1
    assert [problem.code for problem in report.problems] == ["vanished"]


def test_folders_may_be_called_like_sidecars(run, picture):
    picture("album.txt/one.png")
    picture("album.png", (16, 16))
    assert run().found == 2
    assert run(follow_links=True).found == 2


def test_a_bad_sidecar_costs_its_words_only(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_bytes("Stra\xdfe".encode("latin-1"))
    report = run()
    assert (report.found, [problem.code for problem in report.problems]) == (1, ["sidecar"])
    assert len(find(store, library)) == 1
    (tmp_path / "one.txt").write_text("Straße", encoding="utf-8")
    run()
    (image,) = find(store, library)
    assert [caption.text for caption in image.captions] == ["Straße"]


def test_an_unreadable_sidecar_is_named_at_every_run_and_changes_nothing(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_bytes("Stra\xdfe".encode("latin-1"))
    run()
    for _ in range(2):
        report = run()
        assert (report.changed, report.unchanged) == (0, 1)
        assert [problem.code for problem in report.problems] == ["sidecar"]
    assert run(sidecars=SidecarRule((Reading(".txt", "sidecar", encoding="cp1252"),))).changed == 1
    (image,) = find(store, library)
    assert [caption.text for caption in image.captions] == ["Straße"]


def test_an_image_with_an_infotext_beside_it_has_its_prompts(run, store, library, tmp_path, picture):
    picture("one.jpg")
    (tmp_path / "one.jpg.txt").write_text(
        "a fox\nNegative prompt: hat\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 8x8"
    )
    run()
    (image,) = find(store, library)
    assert (image.prompt, [(caption.text, caption.source) for caption in image.captions]) == (
        "a fox",
        [("a fox", "infotext")],
    )
    (tmp_path / "one.jpg.txt").write_text("a cat, hat")
    run()
    (image,) = find(store, library)
    assert (image.prompt, [caption.source for caption in image.captions]) == ("", ["sidecar"])


def test_a_list_of_the_folder_is_read_and_what_changes_in_it(run, store, library, tmp_path, picture):
    picture("train/one.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "train/one.png", "text": "a fox, snow"}')
    run()
    assert run().unchanged == 1
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "train/one.png", "text": "a cat, snow"}')
    assert run().changed == 1
    assert len(find(store, library, required_tags=("a cat",))) == 1


def test_words_of_another_rule_go(run, store, library, tmp_path, picture):
    picture("one.png")
    (tmp_path / "one.txt").write_text("cat, tree")
    run(sidecars=SidecarRule((Reading(".txt", "wd"),)))
    run(sidecars=SidecarRule((Reading(".txt", "joytag"),)))
    (image,) = find(store, library)
    assert {tag.source for tag in IndexedLibrary(store, library).tags([image])[image.id]} == {"joytag"}
    (tmp_path / "one.txt").unlink()
    run()
    assert image.id not in IndexedLibrary(store, library).tags([image])


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="there two names that differ in case are one")
def test_sidecars_that_differ_in_case_only(run, store, library, tmp_path, picture):
    picture("a.png")
    picture("A.png")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not know case")
    (tmp_path / "a.txt").write_text("small")
    (tmp_path / "A.txt").write_text("large")
    run()
    assert {os.path.basename(image.path): image.captions[0].text for image in find(store, library)} == {
        "a.png": "small",
        "A.png": "large",
    }


@pytest.mark.posix
def test_a_fifo_does_not_hang(run, tmp_path, picture):
    picture("one.png")
    os.mkfifo(tmp_path / "pipe.png")
    report = run()
    assert report.found == 1
    assert [problem.code for problem in report.problems] == ["no-file"]


def test_a_folder_called_like_a_picture(run, picture):
    picture("holiday.png/one.png")
    assert run().found == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_keeps_what_is_known(run, store, library, tmp_path, picture):
    picture("closed/one.png")
    picture("two.png")
    run()
    (tmp_path / "closed").chmod(0)
    try:
        report = run()
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert [problem.code for problem in report.problems] == ["unreadable-folder"]
    assert len(find(store, library)) == 2


def test_a_folder_that_vanishes_in_the_middle(store, library, tmp_path, picture):
    for n in range(800):
        picture(f"a/{n}.png", (4, 4))
    picture("b/one.png")

    def progress(_step, done, _total):
        if done == 1:
            shutil.rmtree(tmp_path / "b")

    report = index_folder(store, library, tmp_path, IndexOptions(workers=1), progress)
    assert report.found == 800
    assert [problem.code for problem in report.problems] == ["vanished"]


def test_our_own_exports_are_no_pictures_to_index(run, tmp_path, picture):
    picture("one.png")
    picture("exports/tom/10_tom/000001-one.png")
    (tmp_path / "exports/tom/manifest.json").write_text('{"lorads": "0.1.0"}')
    picture("exports/.lorads/tom/content/10_tom/000001-one.png")
    picture("site/icon.png")
    (tmp_path / "site/manifest.json").write_text('{"name": "a web app"}')
    report = run()
    assert report.found == 2
    assert [(problem.code, problem.severity) for problem in report.problems] == [("export", "info")]


def test_progress_counts_pictures_and_its_exception_stops_the_work(store, library, tmp_path, picture):
    for n in range(30):
        picture(f"{n}.png")
    seen = []

    def stop(step, done, total):
        seen.append((step, done, total))
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index_folder(store, library, tmp_path, progress=stop)
    assert seen[0] == ("index", 0, 30)
    report = index_folder(store, library, tmp_path)
    assert report.found == 30


def test_the_revision_changes_only_with_the_library(run, store, library, picture):
    picture("one.png")
    run()
    before = IndexedLibrary(store, library).revision()
    run()
    assert IndexedLibrary(store, library).revision() == before
    picture("two.png")
    run()
    assert IndexedLibrary(store, library).revision() != before


def test_the_mark_of_a_folder(tmp_path, picture):
    path = picture("one.png")
    before = folder_mark(tmp_path)
    assert folder_mark(tmp_path) == before
    os.utime(path, ns=(1, 1))
    assert folder_mark(tmp_path) != before


@pytest.mark.slow
def test_kill_in_the_middle_loses_nothing(store_settings, store, library, tmp_path, picture):
    for n in range(3):
        picture(f"seed{n}.png", (200, 200))
    seeds = [(tmp_path / f"seed{n}.png").read_bytes() for n in range(3)]
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(3000):
        (folder / f"{n:05}.png").write_bytes(seeds[n % 3])
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from lorads_core.workflow.dataset import index, open_store
        from lorads_core.settings import load_settings
        settings = load_settings(Path(sys.argv[1])).with_library(sys.argv[2])
        with open_store(settings) as store:
            print("ready", flush=True)
            index(store, settings, sys.argv[2], Path(sys.argv[3]))
    """)
    arguments = [sys.executable, "-c", script, str(store_settings), library, str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().split() == [b"ready"]
        deadline = time.monotonic() + 60
        while not find(store, library) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    kept = len(find(store, library))
    assert 0 < kept < 3000
    report = index_folder(store, library, folder)
    assert (report.unchanged, report.found) == (kept, 3000)


@pytest.mark.posix
@pytest.mark.parametrize("name", ["one.txt", "one.caption", "manifest.json"])
def test_a_pipe_beside_an_image_is_not_waited_for(run, tmp_path, picture, name):
    picture("one.png")
    os.mkfifo(tmp_path / name)
    report = run()
    assert report.new == 1
    assert len(report.problems) == (name != "manifest.json")


@pytest.mark.parametrize("text", ["[" * 200_000, '{"lorads":' * 200_000, "[1e400", '"\\ud800"'])
def test_a_manifest_nested_without_end_is_somebody_elses_file(run, tmp_path, picture, text):
    picture("one.png")
    (tmp_path / "manifest.json").write_text(text)
    assert run().new == 1


def test_what_the_store_refuses_costs_that_image_alone_and_names_it(run, store, library, picture, monkeypatch):
    for n in range(5):
        picture(f"{n}.png")
    read = index.read_facts
    monkeypatch.setattr(
        index,
        "read_facts",
        lambda path: replace(read(path), frames=2**31) if path.endswith("3.png") else read(path),
    )
    report = run()
    assert (report.new, len(find(store, library))) == (4, 4)
    (problem,) = report.problems
    assert os.path.basename(problem.subject) == "3.png"
    assert "integer out of range" in problem.message


def test_a_changed_image_that_the_store_refuses_is_offered_no_longer(run, store, library, picture, monkeypatch):
    picture("one.png")
    run()
    picture("one.png", (48, 64))
    read = index.read_facts
    monkeypatch.setattr(index, "read_facts", lambda path: replace(read(path), prompt="a\0b"))
    report = run()
    assert (report.changed, len(report.problems), find(store, library)) == (0, 1, [])


def test_an_apng_that_lies_about_its_frames_is_indexed_as_one_picture(run, store, library, tmp_path):
    data = corpus.png(
        corpus.header_chunk(1, 1), corpus.chunk(b"acTL", b"\xff" * 8), corpus.chunk(b"IDAT", zlib.compress(bytes(4)))
    )
    (tmp_path / "a.png").write_bytes(data)
    assert run().problems == ()
    assert len(find(store, library)) == 1


@pytest.mark.parametrize("date", [-(10**22), 10**22])
def test_a_date_beyond_what_the_store_holds_is_the_nearest_that_it_does(date):
    stamp = FileStamp.of(SimpleNamespace(st_size=1, st_mtime_ns=date))
    assert stamp.mtime_ns == max(-(2**63) + 1, min(date, 2**63 - 1))
