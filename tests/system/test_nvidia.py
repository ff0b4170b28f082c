"""What nvidia-smi says of cards and processes; a stand-in answers for it."""

import pytest

from lorads_core.system.nvidia import GraphicsCard, Held, graphics_cards, held_memory

pytestmark = pytest.mark.posix  # the stand-in is a script
CARD = ("GPU-a", "NVIDIA GeForce RTX 4090", 24564, 900)


@pytest.mark.parametrize(
    ("mebibytes", "gigabytes"), [(24564, 24), (16376, 16), (12282, 12), (8188, 8), (81559, 80), (40960, 40)]
)
def test_a_card_has_as_many_gigabytes_as_it_is_sold_with(mebibytes, gigabytes):
    assert GraphicsCard("GPU-a", "card", mebibytes, 0).gigabytes == gigabytes


def test_cards_and_what_processes_hold_of_them_are_read(nvidia_smi):
    nvidia_smi([CARD], [("GPU-a", 4711, 14522), ("GPU-a", 4712, "[N/A]")])
    assert graphics_cards() == [GraphicsCard(*CARD)]
    assert held_memory() == [Held("GPU-a", 4711, 14522), Held("GPU-a", 4712, None)]


def test_a_card_that_does_not_answer_is_none(nvidia_smi):
    nvidia_smi([("GPU-a", "NVIDIA A", "[Unknown Error]", "[N/A]"), CARD])
    assert [each.name for each in graphics_cards()] == [CARD[1]]
    nvidia_smi([CARD], code=9)
    assert graphics_cards() == []


@pytest.mark.usefixtures("no_card")
def test_without_the_program_there_is_no_card():
    assert (graphics_cards(), held_memory()) == ([], [])


def test_a_line_that_is_cut_off_is_left_out(nvidia_smi):
    nvidia_smi([CARD])
    (nvidia_smi.folder / "processes").write_text("GPU-a, 47")
    assert held_memory() == []
