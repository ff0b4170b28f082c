"""Problems as lines."""

import pytest

from lorads_core.model import Problem
from lorads_core.problems import counted, did_you_mean, format_problems, problem_lines, severity_counts

FOUND = [
    Problem("info", "hint", "Look."),
    *(Problem("warning", "no-caption", "Write one.", f"/p/{n}.png") for n in range(12)),
    Problem("error", "gone", "/p/x.png is gone.", "/p/x.png"),
]


def test_the_worst_come_first_and_each_kind_is_one_line():
    assert problem_lines(FOUND) == [
        ("error", "/p/x.png is gone."),
        ("warning", "12 × Write one. (/p/0.png, /p/1.png, …)"),
        ("info", "Look."),
    ]


def test_all_are_listed_on_request():
    assert len(problem_lines(FOUND, 100)) == len(FOUND)


def test_two_of_a_kind_are_listed_as_they_are():
    assert problem_lines(FOUND[1:3]) == [("warning", "/p/0.png: Write one."), ("warning", "/p/1.png: Write one.")]


def test_what_says_the_same_after_its_subject_is_one_line():
    unread = [Problem("error", "unreadable", f"/p/{n}.heic is an image.", f"/p/{n}.heic") for n in range(300)]
    assert problem_lines(unread) == [("error", "300 × Is an image. (/p/0.heic, /p/1.heic, …)")]


def test_different_sentences_of_one_kind_are_two_examples_and_a_number():
    small = [Problem("info", "too-small", f"It has {n} pixels.", f"/p/{n}.png") for n in range(1, 6)]
    assert [line for _, line in problem_lines(small)] == [
        "/p/1.png: It has 1 pixels.",
        "/p/2.png: It has 2 pixels.",
        "… and 3 more of this kind (too-small)",
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


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("hidream_i1", ["hidream", "hidream_o1"], "hidream"),
        ("flux2_klien", ["flux2", "flux2_klein"], "flux2_klein"),
        ("FP8", ["usual", "fp8"], "fp8"),
        ("sdlx", ["sdxl", "sd15"], "sdxl"),
    ],
)
def test_another_number_is_another_name_and_no_slip(word, known, meant):
    assert did_you_mean(word, known) == f"did you mean {meant}?"
