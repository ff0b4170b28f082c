"""The last two steps in the panel: the summary, its problems and fixes; export, runs, their loss, Stop."""

from .stand_in import DONE, World
from .test_panel_captions import until

RUN = {
    "id": "r1",
    "name": "oldlandmark-1",
    "state": "running",
    "step": 420,
    "total_steps": 1350,
    "epoch": 3,
    "loss": 0.1123,
    "seconds_a_step": 1.2,
    "eta": 1116,
    "message": "",
    "started_at": "2026-11-20T10:00:00+00:00",
    "ended_at": None,
    "manifest_hash": "abcdef0123456789",
    "history": [[step, 0.2 / step, 1e-4] for step in range(1, 421)],
    "log": "steps: 31%\nloss <b>0.11</b>",
    "samples": [],
    "loras": ["oldlandmark-1.safetensors"],
}


def test_the_summary_counts_and_its_fix_is_an_edit(panel):
    panel.page.get_by_role("navigation").get_by_role("button", name="Captions").wait_for()
    summary = panel.page.locator(".summary")
    summary.get_by_text("13,500").wait_for()
    for expected in ("270", "2 h 1 min", "832×1216", "picture 00001.png has no caption."):
        assert expected in summary.inner_text()
    summary.get_by_text("1 warning").click()
    summary.get_by_role("button", name="Cut it").click()
    until(lambda: panel.world.text("pictures:3") == "oldlandmark, long hair")


def test_a_problem_leads_to_its_image(panel):
    panel.page.locator(".summary").get_by_role("button", name="Show").first.click()
    panel.page.get_by_role("dialog", name="picture 00001.png").wait_for()


def test_an_export_is_followed_to_its_end(panel):
    panel.page.get_by_label("Folder").fill("first export")
    panel.page.get_by_role("button", name="Export", exact=True).click()
    panel.page.get_by_text("300 images written.").wait_for()
    assert "api/datasets/d1/export" in panel.world.asked


def test_training_cannot_be_launched_where_the_server_does_not_let_it(opened):
    world = World(10)
    world.can_launch = False
    panel = opened(world)
    panel.page.get_by_text("Training from the panel is off on this server.").wait_for()
    assert panel.page.get_by_role("button", name="Export and train").count() == 0


def test_a_run_shows_its_loss_its_log_and_stops_when_asked_twice(opened):
    world = World(10)
    world.runs = [RUN]
    panel = opened(world)
    panel.page.locator(".run").click()
    details = panel.page.locator(".run-details")
    details.get_by_role("img", name="Loss 0.000476 at step 420").wait_for()
    assert details.locator("canvas").bounding_box()["width"] > 200
    assert "loss <b>0.11</b>" in details.locator(".log").inner_text(), "a log is text"
    assert "18 min" in panel.page.locator(".run").inner_text() or "19 min" in panel.page.locator(".run").inner_text()
    details.get_by_role("button", name="Stop").click()
    assert world.asked == []
    details.get_by_role("button", name="Stop it now").click()
    until(lambda: world.asked == ["api/runs/r1/stop"])


def test_on_a_narrow_page_each_step_has_the_whole_width(opened):
    panel = opened(World(10), viewport={"width": 360, "height": 700})
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


def test_a_job_is_followed_when_the_page_is_loaded_anew(opened):
    world = World(10)
    world.job = {**DONE, "state": "running", "step": "images", "done": 4, "total": 10, "message": ""}
    panel = opened(world)
    panel.page.get_by_role("button", name="Export", exact=True).click()
    panel.page.get_by_text("images 4 of 10").wait_for()
    assert panel.page.get_by_role("button", name="Export", exact=True).is_disabled()
    panel.page.reload()
    panel.page.get_by_text("images 4 of 10").wait_for()
    world.away = True
    panel.page.get_by_text("The server does not answer.").first.wait_for()
    world.away = False
    world.job = DONE
    panel.page.get_by_text("300 images written.").wait_for()
    panel.page.reload()
    panel.page.get_by_role("button", name="Export", exact=True).wait_for()
    assert panel.page.locator(".job").count() == 0, "what has ended is not told again"
