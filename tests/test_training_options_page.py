"""The page of training options says what the table says, and names every option."""

from lorads_core.training_fields import TRAINING_FIELDS

from .training_options_page import PAGE, page


def test_the_page_is_rendered_from_the_table():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.training_options_page"


def test_every_option_has_a_row_of_as_many_cells_as_the_heading():
    rows = {line.split("`")[1]: line for line in page().splitlines() if line.startswith("| `")}
    for each in TRAINING_FIELDS:
        assert rows[each.name].count("|") == 9, each.name
        assert each.help in rows[each.name]
