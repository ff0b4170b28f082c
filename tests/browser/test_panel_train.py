"""The last two steps in the panel: the summary, its problems and fixes; export, runs, their loss, Stop."""

import pytest

from lorads_core.export.plan import ExportOptions
from lorads_core.model import TrainingConfig
from lorads_core.workflow import dataset as build

from ..standin_trainer import write_model
from .test_panel_captions import until

pytestmark = pytest.mark.slow  # a page of its own for each test


@pytest.fixture
def trainable(make_world):
    """Return a function that makes a small world whose last export names a checkpoint, as a training needs one."""

    def make(**how):
        world = make_world(10, **how)
        base = world.folder / "base.safetensors"
        write_model(base)
        config = TrainingConfig(checkpoint=str(base), epochs=2, repeats=2, batch_size=1)
        build.export(world.store, world.dataset, config, ExportOptions(), world.folder / "exports", "earlier")
        return world

    return make


def problem_of(panel, number):
    """Return the first problem of an image in the summary, unfolded."""
    folded = panel.page.locator("details.problems", has_text=f"picture {number:05}.png").first
    folded.wait_for()
    if folded.get_attribute("open") is None:
        folded.locator("summary").click()
    return folded.locator("li", has_text=f"picture {number:05}.png").first


def test_the_summary_counts(panel):
    summary = panel.page.locator(".summary")
    summary.get_by_text("Total steps").wait_for()
    shown = summary.inner_text()
    for expected in ("270", "30", "832×1216", "1024×1024"):
        assert expected in shown
    panel.row(0).locator(".file").click()
    panel.page.keyboard.press("Space")
    summary.get_by_text("269", exact=True).first.wait_for()
    assert "Rejected" in summary.inner_text()


def test_a_problem_leads_to_its_image(opened, make_world):
    panel = opened(make_world(10, without=(1,)))
    problem_of(panel, 1).get_by_role("button", name="Show").click()
    panel.page.get_by_role("dialog", name="picture 00001.png").wait_for()


def test_the_fix_of_a_problem_is_an_edit(panel):
    panel.edit(3, "oldlandmark, hat, hat, tree")
    problem_of(panel, 3).get_by_role("button").last.click()
    until(lambda: panel.world.text(3) == "oldlandmark, hat, tree")


def test_an_export_is_followed_to_its_end(opened, trainable):
    world = trainable()
    panel = opened(world)
    panel.row(0).wait_for()
    panel.page.get_by_label("Folder").fill("first export")
    panel.page.get_by_role("button", name="Export", exact=True).click()
    panel.page.get_by_text("images written to").wait_for()
    [folder] = (world.folder / "exports").glob("first*")
    assert len(list(folder.rglob("*.png"))) == 10
    panel.page.reload()
    panel.page.get_by_role("button", name="Export", exact=True).wait_for()
    assert panel.page.locator(".job").count() == 0, "what has ended is not told again"


def test_an_export_by_the_graph_changes_the_summary(opened, trainable):
    world = trainable()
    panel = opened(world)
    steps = panel.page.locator(".summary dt", has_text="Total steps").locator("+ dd")
    before = int(steps.inner_text())
    config = TrainingConfig(checkpoint=str(world.folder / "base.safetensors"), epochs=6, repeats=2, batch_size=1)
    build.export(world.store, world.dataset, config, ExportOptions(), world.folder / "exports", "graph")
    until(lambda: steps.inner_text() == str(3 * before))


def test_what_an_export_refuses_is_told(opened, trainable):
    world = trainable()
    (world.folder / "exports" / "taken").write_text("a file")
    panel = opened(world)
    panel.page.get_by_label("Folder").fill("taken")
    panel.page.get_by_role("button", name="Export", exact=True).click()
    panel.page.locator(".train .job.error, .train p.error:not([id])").wait_for()


def test_training_cannot_be_launched_where_the_server_does_not_let_it(opened, make_world):
    panel = opened(make_world(10, panel={"train": False}))
    panel.page.get_by_text("Training from the panel is disabled on this server.").wait_for()
    assert panel.page.get_by_role("button", name="Export and train").count() == 0


def test_nothing_can_be_exported_where_the_server_does_not_let_it(opened, make_world):
    panel = opened(make_world(10, panel={"train": False, "export": False}))
    panel.page.get_by_text("Export and training from the panel are disabled").wait_for()


def test_a_training_is_started_watched_and_stopped(opened, trainable):
    world = trainable()
    panel = opened(world)
    panel.row(0).wait_for()
    panel.page.get_by_label("Folder").fill("trained")
    panel.page.get_by_role("button", name="Export and train").click()
    details = panel.page.locator(".run-details")
    details.get_by_role("img", name="Loss").wait_for()
    assert details.locator("canvas").bounding_box()["width"] > 200
    details.locator(".log").wait_for()
    details.get_by_role("button", name="Stop").click()
    details.get_by_role("button", name="Stop now").click()
    panel.page.locator(".run", has_text="cancelled").wait_for()
    assert panel.posted[-1].endswith("/stop")
    panel.page.reload()
    panel.page.locator(".run", has_text="cancelled").wait_for()
    panel.page.get_by_role("button", name="Resume training").wait_for()


def test_on_a_narrow_page_each_step_has_the_whole_width(opened, make_world):
    panel = opened(make_world(10), viewport={"width": 360, "height": 700})
    panel.row(0).wait_for()
    for step, landmark in (
        ("Summary", ".summary"),
        ("Train", ".train"),
        ("Images", ".card"),
        ("Captions", ".caption-row"),
    ):
        panel.page.get_by_role("button", name=step, exact=True).click()
        panel.page.locator(landmark).first.wait_for()
        wider = panel.page.evaluate(
            "document.querySelector('.lorads-panel').shadowRoot.querySelector('.app').scrollWidth"
        )
        assert wider <= 360, step
