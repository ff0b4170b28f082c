"""Problems as lines."""

import pytest

from lorads_core.model import Problem
from lorads_core.problems import counted, format_problems, problem_lines, severity_counts

FOUND = [
    Problem("info", "hint", "Look."),
    *(Problem("warning", "no-caption", "Write one.", f"/p/{n}.png") for n in range(12)),
    Problem("error", "gone", "/p/x.png is gone.", "/p/x.png"),
]


def test_the_worst_come_first_and_of_many_the_first_few():
    lines = problem_lines(FOUND, 2)
    assert lines == [
        ("error", "/p/x.png is gone."),
        ("warning", "/p/0.png: Write one."),
        ("warning", "/p/1.png: Write one."),
        ("warning", "… and 10 more of this kind (no-caption)"),
        ("info", "Look."),
    ]


def test_as_text():
    assert format_problems(FOUND[:1]) == "info: Look."
    assert format_problems([]) == ""


def test_counts():
    assert severity_counts(FOUND) == "1 error, 12 warnings, 1 note"
    assert severity_counts([]) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (counted(0, "image"), "0 images"),
        (counted(1, "image"), "1 image"),
        (counted(1200, "image"), "1,200 images"),
        (counted(1, "image is", "images are"), "1 image is"),
        (counted(2, "image is", "images are"), "2 images are"),
    ],
)
def test_a_count_has_its_noun_in_singular_or_plural(text, expected):
    assert text == expected
