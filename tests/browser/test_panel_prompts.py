"""Prompts in the panel: the details of an image say which parts of its prompt are certain."""

import pytest

MIXED = "a <random:red,blue> gate, (moss:1.2), <wildcard:sky>, (people:-1)"
PROMPTS = [(MIXED, "possible: a tower"), ("a gate, moss", ""), ("", "")]


@pytest.fixture
def panel(opened, make_world):
    """The panel over images of which the first has a prompt of all kinds, the second a certain one, the third none."""
    world = make_world(20)
    with world.store.connection() as connection:
        for image, (prompt, uncertain) in zip(world.dataset.images, PROMPTS, strict=False):
            connection.execute(
                "UPDATE lorads.images SET prompt = %s, prompt_source = 'swarmui', prompt_uncertain = %s"
                " WHERE image_id = %s",
                (prompt, uncertain, image.key[1]),
            )
    panel = opened(world)
    panel.row(0).wait_for()
    return panel


def test_the_parts_of_a_prompt_are_listed_by_certainty(panel):
    panel.page.locator(".captions").focus()
    panel.page.keyboard.press("v")
    details = panel.page.locator(".viewer .details")
    details.get_by_text("No edits yet.").wait_for()
    groups = details.locator(".prompt-parts > div")
    assert [each.inner_text().split("\n") for each in groups.all()] == [
        ["Certain captions made from the prompt use this", "a", "gate, moss"],
        ["Possible one of several, or for some steps or a part of the image", "red, blue", "a tower"],
        ["Made at run time such as a wildcard: the prompt does not say what it became", "sky"],
        ["Excluded a negative weight: the image should not show it", "people"],
    ]
    panel.page.keyboard.press("ArrowRight")
    details.get_by_text("All of the prompt is certain").wait_for()
    assert groups.count() == 0
    panel.page.keyboard.press("ArrowRight")
    details.get_by_text("No edits yet.").wait_for()
    assert details.get_by_text("certain").count() == 0
