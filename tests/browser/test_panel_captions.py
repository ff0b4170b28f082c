"""Captions in the panel: edited in place, by keys, undone, in conflict, stored while the server is away."""

import json
import time

import pytest

from lorads_core.panel.access import Access

pytestmark = pytest.mark.slow

SHIFT_Z = "Control+Shift+Z"


def until(condition, seconds=5):
    """Wait for something outside of the page."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not come to that")


def test_an_edit_is_stored_when_it_is_made(panel):
    panel.edit(2, "oldlandmark, a new caption")
    panel.says("saved")
    assert panel.world.text(2) == "oldlandmark, a new caption"
    assert "edited" in panel.row(2).inner_text()


def test_escape_leaves_the_caption_as_it_was(panel):
    before = panel.world.text(0)
    panel.row(0).locator(".text").dblclick()
    panel.page.locator("textarea[role=combobox]").fill("not meant")
    panel.page.keyboard.press("Escape")
    assert panel.page.locator("textarea[role=combobox]").count() == 0
    assert panel.world.text(0) == before
    assert [url for url in panel.posted if url.endswith("/edits")] == []


def test_a_caption_left_by_a_click_elsewhere_is_saved(panel):
    panel.row(0).locator(".text").dblclick()
    panel.page.locator("textarea[role=combobox]").fill("typed, then clicked away")
    panel.row(3).locator(".file").click()
    until(lambda: panel.world.text(0) == "typed, then clicked away")


def test_all_of_it_goes_by_keys(panel):
    keyboard = panel.page.keyboard
    panel.page.locator(".captions").focus()
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    keyboard.press("Control+A")
    keyboard.type("first by keys")
    keyboard.press("Control+Enter")  # keeps it and opens the next
    keyboard.press("Control+A")
    keyboard.type("second by keys")
    keyboard.press("Enter")
    until(lambda: panel.world.text(2) == "second by keys")
    assert panel.world.text(1) == "first by keys"
    keyboard.press("End")
    panel.row(299).wait_for()
    keyboard.press("Space")
    until(lambda: panel.world.rejected(299))
    keyboard.press("Home")
    keyboard.press("Shift+ArrowDown")
    keyboard.press("Shift+ArrowDown")
    panel.page.get_by_text("3 images selected").wait_for()
    keyboard.press("Control+A")
    panel.page.get_by_text("300 images selected").wait_for()


def test_undo_and_redo_go_through_the_dataset_s_history(panel):
    before = panel.world.text(1)
    panel.edit(1, "changed")
    panel.says("saved")
    panel.page.keyboard.press("Control+Z")
    until(lambda: panel.world.text(1) == before)
    panel.page.get_by_text("Undone: Edit a caption").wait_for()
    panel.page.keyboard.press(SHIFT_Z)
    until(lambda: panel.world.text(1) == "changed")
    panel.page.reload()
    panel.row(1).wait_for()
    panel.page.get_by_role("button", name="Undo").click()
    until(lambda: panel.world.text(1) == before)


def test_a_tag_s_cross_takes_it_away(panel):
    tags = panel.world.text(0).split(", ")
    panel.row(0).get_by_role("button", name=f"Remove {tags[2]}").click()
    until(lambda: panel.world.text(0) == ", ".join(tags[:2] + tags[3:]))


def test_typing_offers_the_dataset_s_tags_and_then_known_ones(panel):
    panel.row(0).locator(".text").dblclick()
    panel.page.locator("textarea[role=combobox]").fill("")
    panel.page.keyboard.type("smile, lon")
    offers = panel.page.locator(".offers li")
    panel.page.locator(".offers", has_text="long sleeves").wait_for()
    assert offers.first.inner_text().split("\n")[0] == "long hair", "what the dataset has comes first"
    panel.page.keyboard.press("Tab")
    assert panel.page.locator("textarea[role=combobox]").input_value() == "smile, long hair, "
    panel.page.keyboard.press("Enter")
    until(lambda: panel.world.text(0) == "smile, long hair")


def test_two_tabs_that_edit_the_same_caption_see_both_texts(panel):
    second = panel.tab()
    panel.row(1, second).wait_for()
    panel.row(1, second).locator(".text").dblclick()  # open in the second tab while the first changes it
    second.locator("textarea[role=combobox]").fill("mine of the second tab")
    panel.edit(1, "mine of the first tab")
    panel.says("saved")
    second.keyboard.press("Enter")
    conflict = panel.row(1, second).locator(".conflict")
    conflict.wait_for()
    assert panel.world.text(1) == "mine of the first tab", "nothing was overwritten"
    assert "mine of the first tab" in conflict.inner_text()
    assert "mine of the second tab" in conflict.inner_text()
    panel.says("1 conflict", second)
    second.reload()
    panel.row(1, second).locator(".conflict").wait_for()
    second.locator(".captions").focus()
    second.keyboard.press("ArrowDown")
    second.keyboard.press("Enter")  # to the conflict's first choice
    second.keyboard.press("Enter")
    until(lambda: panel.world.text(1) == "mine of the second tab")
    panel.row(1).get_by_text("mine of the second tab").wait_for()  # the first tab is told


def test_what_another_tab_changed_shows_here(panel):
    second = panel.tab()
    panel.row(4, second).wait_for()
    panel.edit(4, "seen by both", second)
    panel.row(4).get_by_text("seen by both").wait_for()


def test_what_the_graph_changes_shows_here_and_takes_nothing_that_is_being_typed(panel):
    panel.row(4).locator(".text").dblclick()
    panel.page.locator("textarea[role=combobox]").fill("oldlandmark, typed meanwhile")
    panel.world.write(2, "oldlandmark, by the graph")
    panel.row(2).get_by_text("by the graph").wait_for()
    assert panel.page.locator("textarea[role=combobox]").input_value() == "oldlandmark, typed meanwhile"
    panel.world.write(3, "oldlandmark, once more")
    panel.page.keyboard.press("Enter")
    until(lambda: panel.world.text(4) == "oldlandmark, typed meanwhile")
    panel.row(3).get_by_text("once more").wait_for()


def test_edits_wait_while_the_server_is_away_and_go_when_it_is_back(panel):
    panel.world.away = True
    panel.edit(0, "written offline")
    panel.edit(1, "another offline")
    panel.page.get_by_role("alert").filter(has_text="2 edits stored in this browser").wait_for()
    panel.says("2 unsent")
    kept = panel.page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('lorads.unsent.')).length")
    assert kept == 2
    panel.world.away = False  # it was started again, and has another token
    panel.says("saved")
    assert panel.world.text(0) == "written offline"
    assert panel.world.text(1) == "another offline"
    assert panel.page.locator(".banner").count() == 0


def test_a_server_started_again_says_where_its_address_is_and_goes_on_once_that_was_opened(panel):
    panel.world.away = True
    panel.edit(0, "written before the new address")
    panel.says("1 unsent")
    panel.world.server.access = Access()  # as `lorads panel` has with each start
    panel.world.away = False
    # The form of an export says so too, where it was still loading.
    panel.page.locator(".banner", has_text="opens only by its whole address with the token").wait_for()
    assert panel.world.text(0) != "written before the new address"
    panel.tab()
    until(lambda: panel.world.text(0) == "written before the new address", 30)


def test_an_edit_that_was_not_sent_is_undone_here(panel):
    before = panel.world.text(0)
    panel.world.away = True
    panel.edit(0, "first offline")
    panel.edit(0, "second offline")
    panel.says("2 unsent")
    panel.page.get_by_role("button", name="Undo").click()
    panel.row(0).get_by_text("first offline").wait_for()
    panel.says("1 unsent")
    panel.world.away = False
    panel.says("saved")
    assert panel.world.text(0) == "first offline"
    panel.page.get_by_role("button", name="Undo").click()
    until(lambda: panel.world.text(0) == before)


def test_a_tab_closed_with_unsent_edits_asks_first_and_loses_nothing(panel):
    panel.world.away = True
    panel.edit(0, "closed too early")
    panel.says("1 unsent")
    asked = []
    panel.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    with panel.page.expect_event("close"):
        panel.page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    panel.world.away = False
    panel.page = panel.tab()
    until(lambda: panel.world.text(0) == "closed too early")


def test_what_was_being_typed_when_the_browser_died_is_there_again(panel):
    panel.row(0).locator(".text").dblclick()
    panel.page.locator("textarea[role=combobox]").fill("half a sen")
    name = f"lorads.draft.{panel.world.dataset.id}.{panel.world.key(0)}"
    draft = panel.page.evaluate("(name) => localStorage.getItem(name)", name)
    panel.page.keyboard.press("Escape")
    old = {**json.loads(draft), "at": 0}  # as a crash leaves it: no event ran
    panel.page.evaluate("([name, draft]) => localStorage.setItem(name, draft)", [name, json.dumps(old)])
    panel.page.reload()
    panel.page.locator("textarea[role=combobox]").wait_for()
    assert panel.page.locator("textarea[role=combobox]").input_value() == "half a sen"


def test_sentences_are_shown_as_sentences(opened, make_world):
    panel = opened(make_world(20, prose=True))
    panel.row(0).locator(".prose").wait_for()
    assert panel.row(0).locator(".chip").count() == 0
    panel.page.get_by_role("button", name="Tags", exact=True).click()
    panel.page.get_by_text("The captions are sentences").wait_for()


def test_a_caption_is_text_and_never_markup(panel):
    panel.edit(0, "<img src=x onerror=alert(1)>, <b>bold</b>")
    panel.says("saved")
    assert panel.row(0).locator(".text b, .text img").count() == 0
    assert "<b>bold</b>" in panel.row(0).inner_text()


def test_an_emptied_caption_is_taken_away(panel):
    panel.edit(0, "")
    panel.says("saved")
    assert panel.world.text(0) is None
    panel.row(0).get_by_text("No caption yet.").wait_for()
    panel.edit(0, "a new one")
    panel.says("saved")
    assert panel.world.text(0) == "a new one"
