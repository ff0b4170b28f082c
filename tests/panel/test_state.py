"""What the panel's server keeps: views that edits need not wait for, pictures, jobs and listeners within bounds."""

import asyncio
import gc
import socket
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from PIL import Image

from lorads_core.errors import ExportError, ImageError
from lorads_core.panel import editing, planning
from lorads_core.panel.access import Access
from lorads_core.panel.events import MAX_SUBSCRIBERS, Events
from lorads_core.panel.jobs import Jobs, Outcome
from lorads_core.panel.params import Body, format_key
from lorads_core.panel.responses import RefusedError
from lorads_core.panel.serve import serve
from lorads_core.panel.state import PanelContext, PanelState
from lorads_core.panel.thumbnails import Thumbnails
from lorads_core.settings import Settings

PATIENCE = 20  # seconds, for what must end


@pytest.fixture
def context(store, tmp_path):
    settings = Settings()
    return PanelContext("page", lambda: settings, lambda: store, lambda: tmp_path, tmp_path / "thumbnails")


@pytest.fixture
def state(context):
    found = PanelState(context)
    yield found
    found.close()


def write(state, dataset, text, place=0):
    """Write a caption as the page does."""
    view = state.view(dataset)
    row = list(view.rows.values())[place]
    change = {"key": format_key(row.image.key), "before": row.values["text"], "after": text}
    return editing.write_edits(state, dataset, Body({"changes": [change]}))


def test_an_edit_does_not_wait_for_what_is_worked_out_of_the_dataset(state, dataset):
    view = state.view(dataset)
    begun, go_on = threading.Event(), threading.Event()

    def long_work():
        begun.set()
        assert go_on.wait(PATIENCE)
        return "made of the old captions"

    made = state.cpu_pool.submit(state.cached, view, "something", long_work)
    assert begun.wait(PATIENCE)
    written = state.store_pool.submit(write, state, dataset, "oldlandmark, now").result(PATIENCE)
    go_on.set()
    assert made.result(PATIENCE) == "made of the old captions"
    assert written.view.rows_of(written.keys)[0].count("oldlandmark, now") == 1
    assert "something" not in state.view(dataset).cache, "what was made of a former revision is not kept for this one"


def test_buckets_stay_over_edits_and_not_over_what_changes_them(state, dataset):
    found = planning.image_buckets(state, state.view(dataset))
    assert len(found) == 12
    assert planning.image_buckets(state, write(state, dataset, "oldlandmark, other words").view) is found
    view = write(state, dataset, None).view
    assert len(planning.image_buckets(state, view)) == 11, "an image without a caption is not exported"
    view = editing.undo_or_redo(state, dataset, back=True).view
    key = next(iter(view.rows))
    assert key in planning.image_buckets(state, view)
    rejected = editing.reject(state, dataset, Body({"keys": [format_key(key)], "rejected": True}))
    assert key not in planning.image_buckets(state, rejected.view)


def test_only_a_few_views_are_kept(state, dataset):
    state.view(dataset)
    assert [view.dataset.id for view in state.open_views()] == [dataset]
    with pytest.raises(RefusedError, match="There is no dataset"):
        state.view(uuid4())
    state.drop_view(dataset)
    assert state.open_views() == []


def weights(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_thumbnails_stay_within_their_bound(tmp_path, picture):
    files = [str(picture(f"{number}.png", (300, 300))) for number in range(12)]
    folder = tmp_path / "small"
    one = Thumbnails(folder).image(files[0], 256)
    bound = len(one.data) * 4
    small = Thumbnails(folder, bound)
    for file in files:
        assert small.image(file, 256).data
        assert weights(folder) <= bound
    assert small.image(files[0], 256).data == one.data, "what was thrown away is made again"


def test_what_another_server_left_counts_too(tmp_path, picture):
    folder = tmp_path / "small"
    large = Thumbnails(folder)
    files = [str(picture(f"{number}.png", (300, 300))) for number in range(8)]
    sizes = [len(large.image(file, 256).data) for file in files]
    Thumbnails(folder, max(sizes) * 3).image(str(picture("new.png", (300, 300))), 256)
    assert weights(folder) <= max(sizes) * 3


def test_a_picture_that_was_changed_has_another_mark(tmp_path, picture):
    file = picture("one.png", (300, 200))
    small = Thumbnails(tmp_path / "small")
    before = small.image(str(file), 256)
    Image.new("RGB", (40, 40), "red").save(file)
    after = small.image(str(file), 256)
    assert after.mark != before.mark
    assert after.data != before.data
    assert small.mark(str(file), 128) != after.mark


def test_without_a_place_for_the_cache_pictures_are_shown_all_the_same(tmp_path, picture):
    (tmp_path / "small").write_text("a file where the folder would be")
    assert Thumbnails(tmp_path / "small").image(str(picture("one.png")), 128).content_type == "image/webp"


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_picture_is_told_and_not_kept(tmp_path, data):
    (tmp_path / "bad.png").write_bytes(data)
    with pytest.raises(ImageError, match=r"bad\.png"):
        Thumbnails(tmp_path / "small").image(str(tmp_path / "bad.png"), 256)
    assert not list((tmp_path / "small").rglob("*.webp"))


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(ImageError):
        Thumbnails(tmp_path / "small").image(str(tmp_path), 256)


@pytest.mark.posix
def test_devices_and_links_to_nowhere_are_no_pictures(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    for path in (tmp_path / "link.png", Path("/dev/zero")):
        with pytest.raises(ImageError):
            Thumbnails(tmp_path / "small").image(str(path), 256)


@pytest.fixture
def jobs():
    found = Jobs(Events())
    yield found
    found.close()


def ended(jobs, job):
    """Return a job when it is over; the next of its lane begins only then."""
    over = threading.Event()
    jobs.start("lane", None, lambda _: over.set() or Outcome("next"))
    assert over.wait(PATIENCE)
    return jobs.job(str(job.id))


def test_a_job_says_how_it_goes_and_what_came_of_it(jobs):
    asked, go_on = threading.Event(), threading.Event()

    def work(progress):
        progress("write", 3, 10)
        asked.set()
        assert go_on.wait(PATIENCE)
        return Outcome("Done.", {"a": 1})

    job = jobs.start("lane", None, work)
    assert asked.wait(PATIENCE)
    going = jobs.job(str(job.id))
    assert (going.state, going.step, going.done, going.total, going.result) == ("running", "write", 3, 10, None)
    go_on.set()
    over = ended(jobs, job)
    assert (over.state, over.message, over.result) == ("done", "Done.", {"a": 1})


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ExportError("The disk is full: make room."), "The disk is full: make room."),
        (RefusedError(400, "request", "It is wrong."), "It is wrong."),
        (ZeroDivisionError("a secret"), "Internal error of LoRADS; see the server log for the cause."),
    ],
)
def test_a_job_that_fails_says_so_and_the_next_one_is_done(jobs, error, message):
    def work(_progress):
        raise error

    over = ended(jobs, jobs.start("lane", None, work))
    assert (over.state, over.message) == ("failed", message)


def test_a_job_is_cancelled_at_its_next_step_when_the_server_ends(jobs):
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def work(progress):
        begun.set()
        assert go_on.wait(PATIENCE)
        try:
            progress("next", 1, 2)
        finally:
            over.set()
        return Outcome("never")

    job = jobs.start("lane", None, work)
    assert begun.wait(PATIENCE)
    jobs.close()
    go_on.set()
    assert over.wait(PATIENCE)
    assert jobs.job(str(job.id)).state in {"running", "failed"}, "not done"


def test_only_so_many_jobs_wait(jobs):
    begun, go_on = threading.Event(), threading.Event()

    def work(_progress):
        begun.set()
        assert go_on.wait(PATIENCE)
        return Outcome("done")

    jobs.start("lane", None, work)
    assert begun.wait(PATIENCE)
    for _ in range(20):
        jobs.start("lane", None, lambda _: Outcome("later"))
    with pytest.raises(RefusedError, match="20 jobs are waiting") as error_response:
        jobs.start("lane", None, lambda _: Outcome("one too many"))
    assert error_response.value.status == 429
    go_on.set()


@pytest.mark.parametrize("word", ["", "x", "../x", "6f1c9d4e-2b7a-4c1e-9d55-0a1b2c3d4e5f"])
def test_a_job_that_is_not_there(jobs, word):
    with pytest.raises(RefusedError, match="There is no job") as error_response:
        jobs.job(word)
    assert error_response.value.status == 404


def test_listeners_hear_of_their_dataset_alone_and_of_the_end():
    async def listen():
        events, mine, others = Events(), uuid4(), uuid4()
        listener = events.subscribe(mine)
        await asyncio.to_thread(events.publish, others, {"kind": "edited"})
        await asyncio.to_thread(events.publish, mine, {"kind": "mine"})
        await asyncio.to_thread(events.publish, None, {"kind": "everybody's"})
        heard = [await asyncio.wait_for(listener.queue.get(), PATIENCE) for _ in range(2)]
        events.close()
        return [*heard, await asyncio.wait_for(listener.queue.get(), PATIENCE)]

    assert asyncio.run(listen()) == [{"kind": "mine"}, {"kind": "everybody's"}, None]


def test_a_page_that_reads_nothing_loses_the_oldest_and_takes_no_more_room():
    async def listen():
        events, dataset = Events(), uuid4()
        listener = events.subscribe(dataset)
        for number in range(1000):
            events.publish(dataset, {"number": number})
        await asyncio.sleep(0)  # what was told is put in now
        kept = []
        with suppress(asyncio.QueueEmpty):
            while True:
                kept.append(listener.queue.get_nowait()["number"])
        return kept

    assert asyncio.run(listen()) == list(range(744, 1000))


def test_only_so_many_pages_listen():
    async def listen():
        events = Events()
        listeners = [events.subscribe(uuid4()) for _ in range(MAX_SUBSCRIBERS)]
        with pytest.raises(RefusedError, match="close some tabs") as error_response:
            events.subscribe(uuid4())
        events.unsubscribe(listeners[0])
        events.subscribe(uuid4())
        return error_response.value.status

    assert asyncio.run(listen()) == 429


def test_who_comes_just_as_the_server_ends_is_not_left_waiting(context):
    clients = []

    async def served():
        def told(addresses):
            port = urlsplit(addresses.printed).port
            clients.extend(socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(5))
            asyncio.get_running_loop().call_soon(task.cancel)

        task = asyncio.create_task(serve(context, Access(), 0, told))
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(served())
    gc.collect()  # what was left open complains, and pytest takes that for a failure
    for client in clients:
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == b""
