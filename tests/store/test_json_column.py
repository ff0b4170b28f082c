"""JSON columns: any text comes back, and what cannot be stored is refused in our words, as in a text."""

import pytest

from lorads_core.errors import StoreError
from lorads_core.store.json_column import jsonb

VALUES = {"größe 日本 🐈": [1, 2.5, None, True, {"\\u0000": "\\ud800 and \u2028"}]}


def test_plain_values_come_back(store):
    with store.connection() as connection:
        assert connection.execute("SELECT %s", [jsonb(VALUES)]).fetchone() == (VALUES,)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800", "\udcff"], ids=ascii)
@pytest.mark.parametrize("place", ["value", "key"])
def test_a_text_that_cannot_be_stored_is_refused_in_our_words(store, text, place):
    value = {"a": [text]} if place == "value" else {text: 1}
    with pytest.raises(StoreError, match="NUL character or half of a character"), store.connection() as connection:
        connection.execute("SELECT %s", [jsonb(value)])
