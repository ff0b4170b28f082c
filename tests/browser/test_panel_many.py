"""Many captions at once in the panel: selection, filters, tags, bulk edits with preview and undo, rejection."""

import re
from functools import partial

import pytest

from lorads_core.captions.operation_table import OPERATIONS

from .test_panel_captions import until

pytestmark = pytest.mark.slow  # a page of its own for each test


def filter_by(panel, text):
    panel.page.get_by_label("Filter", exact=True).fill(text)


def says(panel):
    return panel.page.locator("#filter-says").inner_text()


def test_a_filter_shows_what_passes_and_says_how_many(panel):
    filter_by(panel, "set:regularization")
    panel.page.get_by_text("30 of 300 images").wait_for()
    panel.row(270).wait_for()
    assert panel.row(0).count() == 0
    panel.page.get_by_label("Clear the filter").click()
    panel.row(0).wait_for()


def test_a_wrong_filter_says_so_and_keeps_what_was_shown(panel):
    filter_by(panel, "set:regularization")
    panel.page.get_by_text("30 of 300 images").wait_for()
    filter_by(panel, "set:regularization (tag:hat")
    panel.page.get_by_text("A parenthesis is not closed.").wait_for()
    assert panel.page.get_by_label("Filter", exact=True).get_attribute("aria-invalid") == "true"
    panel.row(270).wait_for()


def test_an_edited_row_stays_in_view_until_the_user_hides_it(panel):
    first = panel.world.having("hat")[0]
    filter_by(panel, "tag:hat")
    panel.row(first).wait_for()
    panel.edit(first, "oldlandmark")
    panel.says("saved")
    assert panel.row(first).count() == 1, "nothing jumps"
    panel.page.get_by_role("button", name="1 changed, no longer matching: hide").click()
    assert panel.row(first).count() == 0


def test_a_click_on_a_tag_filters_and_alt_click_excludes(panel):
    panel.page.get_by_role("button", name="Tags", exact=True).click()
    table = panel.page.locator(".tag-table")
    with_hat = len(panel.world.having("hat"))
    row = table.locator(".tag-name").filter(has_text=re.compile(r"^hat"))
    assert row.locator(".number").inner_text() == str(with_hat)
    row.click()
    panel.page.get_by_text(f"{with_hat} of 300 images").wait_for()
    row.click(modifiers=["Alt"])
    panel.page.get_by_text(f"{300 - with_hat} of 300 images").wait_for()
    assert panel.page.get_by_label("Filter", exact=True).input_value() == "-tag:hat"


def test_tags_are_counted_anew_after_an_edit(panel):
    panel.page.get_by_role("button", name="Tags", exact=True).click()
    panel.edit(0, "oldlandmark, never seen before")
    panel.page.get_by_label("Find a tag").fill("never")
    panel.page.locator(".tag-name", has_text="never seen before").wait_for()


def test_a_bulk_edit_is_previewed_done_and_undone(panel):
    before = panel.world.texts()
    panel.page.locator(".captions").focus()
    panel.page.keyboard.press("Shift+ArrowDown")
    panel.page.keyboard.press("Shift+ArrowDown")
    panel.page.get_by_role("button", name="Bulk edit").click()
    panel.page.get_by_label("Tags comma-separated").fill("evening, lamp")
    panel.page.get_by_text("3 captions change").wait_for()
    assert panel.page.locator(".example ins").first.inner_text().strip() == "evening, lamp,"
    assert panel.world.texts() == before, "a preview writes nothing"
    panel.page.get_by_role("button", name="Change 3 captions").click()
    panel.page.get_by_text("Done: Add evening, lamp").wait_for()
    changed = [now != then for now, then in zip(panel.world.texts(), before, strict=True)]
    assert changed[:4] == [True, True, True, False]
    panel.row(0).get_by_text("evening", exact=True).wait_for()
    panel.page.locator(".notice").get_by_role("button", name="Undo").click()
    until(lambda: panel.world.texts() == before)


def test_a_bulk_edit_skips_captions_edited_by_hand_unless_unchecked(panel):
    panel.edit(0, "oldlandmark, hat, by hand")
    panel.says("saved")
    panel.page.get_by_role("button", name="Bulk edit").click()
    panel.page.get_by_label("Operation").select_option("remove_tags")
    panel.page.get_by_label("Apply to").select_option("all")
    panel.page.get_by_label("Tags comma-separated").fill("hat")
    others = len(set(panel.world.having("hat")) - {0})
    panel.page.get_by_text(f"{others} captions change").wait_for()
    panel.page.get_by_label("Skip captions edited by hand").uncheck()
    panel.page.get_by_text(f"{others + 1} captions change").wait_for()


def test_the_dialog_offers_each_operation_of_the_table_with_its_fields(panel):
    panel.edit(0, "hat")  # a problem to fix: the trigger is missing
    panel.says("saved")
    panel.page.get_by_role("button", name="Bulk edit").click()
    dialog = panel.page.get_by_role("dialog")
    offered = dialog.get_by_label("Operation").locator("option")
    assert [each.get_attribute("value") for each in offered.all()] == list(OPERATIONS)
    dialog.get_by_label("Skip captions edited by hand").uncheck()
    for operation in reversed(OPERATIONS.values()):  # another one than at first
        # Not one of the operation before, nor one of fields that are half filled in.
        with panel.page.expect_response(partial(is_preview_of, operation.name)):
            dialog.get_by_label("Operation").select_option(label=operation.label)
            for place, field in enumerate(operation.fields, 2):  # after operation and images
                fill(dialog.locator(".fields > label").nth(place), field)
        assert dialog.locator(".fields > label").count() == len(operation.fields) + 3


def is_preview_of(operation, response):
    return response.url.endswith("/bulk") and response.ok and response.request.post_data_json["operation"] == operation


def fill(label, field):
    """Check that a field is shown, and fill it in if it is required: traits, too, of which none are bound here."""
    label.filter(has_text=re.compile(f"^{re.escape(field.label)}")).wait_for()
    choices = [text for _, text in field.choices]
    assert not choices or label.locator("option").all_inner_texts() == choices
    if field.kind == "tags" or (field.default is None and field.kind in {"tag", "text"}):
        label.locator("input").fill("cap" if field.name == "new" else "hat")


def test_a_tag_is_renamed_everywhere_from_the_table(panel):
    panel.page.get_by_role("button", name="Tags", exact=True).click()
    panel.page.get_by_label("More for hat").click()
    panel.page.get_by_role("button", name="Rename or merge").click()
    panel.page.get_by_label(re.compile("^New name")).fill("cap")
    count = len(panel.world.having("hat"))
    panel.page.get_by_role("button", name=f"Change {count} captions").click()
    until(lambda: not panel.world.having("hat"))
    panel.page.locator(".tag-name", has_text="cap").wait_for()


def test_common_tags_of_several_images(panel):
    panel.page.locator(".captions").focus()
    panel.page.keyboard.press("Shift+ArrowDown")
    panel.page.locator(".selection-bar").get_by_role("button", name="Tags").click()
    first, second = (set(panel.world.text(n).split(", ")) for n in (0, 1))
    in_all, in_some = panel.page.locator(".common p").all()
    assert in_all.locator(".chip").count() == len(first & second)
    assert in_some.locator(".chip").count() == len(first ^ second)


def test_rejected_images_are_greyed_filtered_and_taken_back(panel):
    panel.page.get_by_role("button", name="Images", exact=True).click()
    panel.row(1).locator(".frame").hover()
    panel.row(1).get_by_role("button", name="Reject").click()
    until(lambda: panel.world.rejected(1))
    assert "rejected" in panel.row(1).get_attribute("class").split()
    filter_by(panel, "rejected:yes")
    panel.page.get_by_text("1 of 300 images").wait_for()
    panel.row(1).get_by_role("button", name="Restore").click()
    until(lambda: not panel.world.rejected(1))


def test_shift_click_and_control_click_select(panel):
    panel.row(1).locator(".file").click()
    panel.row(4).locator(".file").click(modifiers=["Shift"])
    panel.page.get_by_text("4 images selected").wait_for()
    panel.row(2).locator(".file").click(modifiers=["ControlOrMeta"])
    panel.page.get_by_text("3 images selected").wait_for()


def test_an_enlarged_image_shows_what_is_known_and_goes_on_by_arrows(panel):
    offered = panel.world.text(1).removeprefix("oldlandmark, ")
    panel.page.locator(".captions").focus()
    panel.page.keyboard.press("v")
    dialog = panel.page.get_by_role("dialog")
    dialog.get_by_text("No edits yet.").wait_for()
    record = panel.world.dataset.images[0].record
    assert f"{record.width}×{record.height}" in dialog.inner_text()
    panel.page.keyboard.press("ArrowRight")
    panel.page.get_by_role("dialog", name="picture 00001.png").wait_for()
    assert dialog.locator(".offered", has_text=offered).first.get_by_role("button", name="Use").is_disabled(), (
        "it is so"
    )
    dialog.get_by_role("button", name="Edit").click()
    panel.page.locator("textarea[role=combobox]").fill("by hand")  # there is one: the list behind shows none
    panel.page.keyboard.press("Enter")
    until(lambda: panel.world.text(1) == "by hand")
    dialog.locator(".offered", has_text=offered).first.get_by_role("button", name="Use").click()
    until(lambda: panel.world.text(1) == f"oldlandmark, {offered}")
    back = dialog.locator(".history li", has_text="Use the caption").get_by_role("button")
    back.click()
    until(lambda: panel.world.text(1) == "by hand")
    assert dialog.locator("img").first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 500
    panel.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert panel.row(1).get_attribute("aria-selected") == "true"


def test_captions_are_taken_from_a_source_with_trigger_and_position(panel):
    before = panel.world.texts()
    panel.page.get_by_role("button", name="Bulk edit").click()
    panel.page.get_by_label(re.compile("^Operation")).select_option("apply_source")
    panel.page.get_by_label(re.compile("^Source")).select_option("sidecar")
    panel.page.get_by_label("Trigger", exact=True).fill("ohwx")
    panel.page.get_by_label(re.compile("^Trigger position")).select_option("append")
    panel.page.get_by_role("button", name="Change 270 captions").click()
    until(lambda: panel.world.text(0) == before[0].removeprefix("oldlandmark, ") + ", ohwx")
    panel.page.get_by_role("button", name="Undo").first.click()
    until(lambda: panel.world.texts() == before)


def test_without_a_server_there_is_a_message_and_it_goes_on_by_itself(opened, make_world):
    panel = opened(make_world(10))
    panel.row(0).wait_for()
    panel.page.route("**/api/**", lambda route: route.abort())
    panel.page.reload()
    panel.page.get_by_text("The panel could not be loaded.").wait_for()
    panel.page.unroute("**/api/**")
    panel.row(0).wait_for()


def test_datasets_that_a_graph_makes_are_there_by_themselves(opened, make_world):
    world = make_world(10)
    with world.store.connection() as connection:
        connection.execute("DELETE FROM lorads.lora_datasets")
    panel = opened(world)
    panel.page.get_by_text("No dataset yet.").wait_for()
    assert panel.page.locator("select").first.locator("option:checked").inner_text() == "No dataset"
    first = world.add_dataset("from the graph")
    panel.page.locator(".caption-row").nth(2).wait_for()
    world.add_dataset("another")
    chosen = panel.page.locator("select").first
    chosen.locator("option", has_text="another (10)").wait_for(state="attached")
    assert chosen.input_value() == str(first.id), "what is open stays open"
    chosen.select_option(label="another (10)")
    panel.page.locator(".caption-row").nth(2).wait_for()


def test_the_tags_go_by_keys(panel):
    panel.page.get_by_role("button", name="Tags", exact=True).click()
    panel.page.get_by_label("Find a tag").fill("hat")
    panel.page.locator(".tag-table .virtual").focus()
    keyboard = panel.page.keyboard
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    assert panel.page.get_by_label("Filter", exact=True).input_value() == "tag:hat"
    keyboard.press("Alt+Enter")
    assert panel.page.get_by_label("Filter", exact=True).input_value() == "-tag:hat"
    keyboard.press("F2")
    dialog = panel.page.get_by_role("dialog", name="Bulk edit")
    assert dialog.get_by_label("Tag", exact=True).input_value() == "hat"
    assert dialog.get_by_label(re.compile("^Apply to")).input_value() == "all", (
        "a renamed tag is renamed in all of the dataset"
    )
    keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_a_tag_is_added_to_the_selection_in_front(panel):
    panel.row(5).locator(".file").click()
    panel.page.get_by_role("button", name="Tags", exact=True).click()
    panel.page.get_by_label("More for hat").click()
    panel.page.get_by_role("button", name="Add to selection").click()
    panel.page.get_by_role("button", name=re.compile("^Change")).wait_for()
    assert panel.page.get_by_label("Apply to").input_value() == "selected"
