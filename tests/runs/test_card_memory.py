"""The peak of graphics memory of a run: sampled while it is watched, kept with it, and looked at next time."""

import dataclasses
import time

import pytest

from lorads_core.cli.card_steps import card_steps
from lorads_core.cli.parser import parser
from lorads_core.cli.training_options import chosen_training
from lorads_core.errors import SettingsError
from lorads_core.model import TrainingConfig
from lorads_core.runs import card_memory
from lorads_core.runs import run_folder as files
from lorads_core.runs.card_memory import MemoryWatch, Peak
from lorads_core.runs.launch import launch
from lorads_core.runs.read_export import speed_key
from lorads_core.store import runs as kept
from lorads_core.store.runs import PeakMemory
from lorads_core.workflow.card_fit import card_problem, last_peak, peak_sentence

pytestmark = pytest.mark.posix  # the stand-in for nvidia-smi is a script
CARD = ("GPU-a", "NVIDIA GeForce RTX 4090", 24564, 700)
SECOND = ("GPU-b", "NVIDIA GeForce RTX 3060", 12288, 0)


def watched(monkeypatch, nvidia_smi, *samples, processes=(1, 2), former=Peak(), cards=(CARD,)):  # noqa: B008
    """Return the peak of samples, each what nvidia-smi says of cards and of processes."""
    monkeypatch.setattr(card_memory, "EVERY", 0.01)
    nvidia_smi(cards)
    watch = MemoryWatch(former)
    watch.follow(processes)
    begun = nvidia_smi.calls
    watch.start()
    until(lambda: nvidia_smi.calls >= begun + 2)
    for now, held in samples:
        nvidia_smi(now, held)
        calls = nvidia_smi.calls
        until(lambda calls=calls: nvidia_smi.calls >= calls + 4)  # two whole samples
    watch.stop()
    watch._thread.join(10)
    return watch.peak


def until(so, seconds=30):
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_most_that_its_processes_held_of_one_card_is_the_peak(monkeypatch, nvidia_smi):
    found = watched(
        monkeypatch,
        nvidia_smi,
        ([CARD], [("GPU-a", 1, 4000), ("GPU-a", 2, 3000), ("GPU-a", 99, 9000)]),
        ([CARD], [("GPU-a", 1, 100)]),
    )
    assert found == Peak(7000)


def test_of_several_cards_the_fullest_counts(monkeypatch, nvidia_smi):
    held = [("GPU-a", 1, 4000), ("GPU-b", 2, 5000)]
    assert watched(monkeypatch, nvidia_smi, ([CARD, SECOND], held), cards=(CARD, SECOND)) == Peak(5000)


def test_what_an_earlier_watcher_saw_counts(monkeypatch, nvidia_smi):
    sample = ([CARD], [("GPU-a", 1, 4000)])
    assert watched(monkeypatch, nvidia_smi, sample, former=Peak(6000)) == Peak(6000)


def test_where_processes_are_not_told_all_of_a_single_card_counts(monkeypatch, nvidia_smi):
    full = (*CARD[:3], 15000)
    windows = ([full], [("GPU-a", 1, "[N/A]")])
    assert watched(monkeypatch, nvidia_smi, windows) == Peak(15000, of_card=True)
    assert watched(monkeypatch, nvidia_smi, ([full], [])) == Peak(15000, of_card=True)
    assert watched(monkeypatch, nvidia_smi, ([full, SECOND], []), cards=(CARD, SECOND)) == Peak()


def test_a_card_that_nobody_uses_says_nothing(monkeypatch, nvidia_smi):
    assert watched(monkeypatch, nvidia_smi, ([CARD], [("GPU-a", 99, 9000)])) == Peak()


@pytest.mark.usefixtures("no_card")
def test_without_a_card_nothing_is_claimed():
    watch = MemoryWatch()
    watch.start()
    watch._thread.join(10)
    assert not watch._thread.is_alive()
    assert watch.peak == Peak()


@pytest.fixture
def trained(store, make_profile, make_export, until, nvidia_smi):
    """A run that has ended, of which 14.2 GB were seen."""
    nvidia_smi([CARD])
    slow = {"STANDIN_PAUSE": "0.2", "STANDIN_STEPS": "40"}
    run = launch(store, make_profile(environment=slow), make_export(save_state=False))
    run = until(run, lambda run: files.read_status(run.folder) and files.read_status(run.folder).trainer)
    nvidia_smi([CARD], [("GPU-a", files.read_status(run.folder).trainer.id, 14541)])
    return until(run, seconds=60)


def test_a_run_keeps_its_peak_which_is_looked_at_next_time(store, trained, make_export):
    assert (trained.peak_memory, trained.peak_of_card) == (14541, False)
    assert trained.state == "completed"
    export = make_export(save_state=False)
    peak = last_peak(store, "sd-scripts", export.config)
    assert peak == PeakMemory(14541, of_card=False)
    assert peak_sentence(export.config, peak) == "Your last run of SDXL 1.0 LoRA at 1024, batch 2 peaked at 14.2 GB"
    assert last_peak(store, "sd-scripts", dataclasses.replace(export.config, batch_size=4)) is None
    _check_card_of_command_line(store, export.config)


def _check_card_of_command_line(store, config):
    def chosen(vram):
        words = ["build", "x", "--trigger", "x", "--vram", vram, "--checkpoint", config.checkpoint]
        return chosen_training(parser(None, None).parse_args(words))

    # There is no row for SDXL: the run says more than any table.
    (problem,) = card_steps(store, chosen("16"), "sd-scripts")
    assert problem.severity == "info"
    assert "for SDXL 1.0, but your last run of" in problem.message
    assert "peaked at 14.2 GB, which fits" in problem.message
    assert "leave the card out" not in problem.message
    with pytest.raises(SettingsError, match=r"says what fits which card for SDXL .* peaked at 14\.2 GB\.$"):
        card_steps(store, chosen("12"), "sd-scripts")
    with pytest.raises(SettingsError, match=r"says what fits .* yourself\.$"):
        card_steps(store, chosen("16"), "onetrainer")


def test_a_run_that_ended_in_a_fault_is_no_measure(store, trained):
    failed = dataclasses.replace(trained, state="failed")
    with store.connection() as connection:
        connection.execute("UPDATE lorads.runs SET state = 'failed'")
        kind = connection.execute("SELECT kind FROM lorads.runs").fetchone()[0]
        assert kept.last_peak(connection, kind, failed.host) is None


def test_a_card_with_less_is_warned_of():
    config, peak = TrainingConfig(base_model="flux"), PeakMemory(14541, of_card=True)
    assert card_problem(config, peak, 16) is card_problem(config, None, 8) is card_problem(config, peak, None) is None
    found = card_problem(config, peak, 12)
    assert found.severity == "warning"
    assert "14.2 GB (with what the card held for other programs), and the card has 12 GB" in found.message


def test_options_of_memory_make_another_kind_of_run():
    usual = TrainingConfig(base_model="flux")
    assert "swap" not in speed_key("sd-scripts", usual)
    kinds = {
        speed_key("sd-scripts", dataclasses.replace(usual, **changes))
        for changes in ({}, {"blocks_to_swap": 8}, {"base_precision": "fp8"}, {"compile": True})
    }
    assert len(kinds) == 4


def test_a_training_on_another_machine_is_not_measured(tmp_path):
    order = files.Order("sd-scripts", ("x",), str(tmp_path), str(tmp_path), ("a",), 4, 1, 1)
    assert not order.is_here
