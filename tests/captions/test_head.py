"""The head of a caption: what says who is shown stays in front."""

import pytest

from lorads_core.captions.head import head_parts
from lorads_core.captions.vocabulary import Vocabulary
from lorads_core.model import Trigger

TOM = Trigger("tomcat")
KNOWN = Vocabulary(categories={"hatsune miku": "character", "vocaloid": "series"})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tomcat, 1girl, solo, long hair, smile", 3),
        ("1girl, tomcat, hat", 2),
        ("tomcat", 1),
        ("tomcat, 1girl", 2),
        ("long hair, tomcat", 0),
        ("long hair, 1girl", 0),
        ("", 0),
        ("2girls, 1boy, multiple_girls, hat", 3),
        ("1 girl, Solo, hat", 2),
        ("a photo of tomcat on a wall, sunlight", 1),
        ("tomcats, hat", 0),
    ],
)
def test_trigger_and_counts_of_people(text, parts):
    assert head_parts(text, TOM) == parts


def test_characters_are_those_of_the_vocabulary():
    assert head_parts("1girl, hatsune_miku, vocaloid, hat", Trigger(), KNOWN) == 2
    assert head_parts("1girl, hatsune miku, hat", Trigger()) == 1


def test_without_a_trigger_nothing_stands_for_it():
    assert head_parts("hat, 1girl", Trigger()) == 0
