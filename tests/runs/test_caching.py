"""What the stages before a training leave: counted, checked, and what is said of a stage that has ended."""

import dataclasses
import json

import pytest

from lorads_core.errors import TrainerError
from lorads_core.runs import run_folder as files
from lorads_core.runs.caching import count_missing, judge_stage, make_cache, remove_broken
from lorads_core.runs.run_folder import Caching, Order

from ..standin_trainer import write_lora

LATENTS = Caching("cache latents", ("python", "x.py"), "_zi.safetensors")
TEXTS = Caching("cache text encoder outputs", ("python", "y.py"), "_zi_te.safetensors")


@pytest.fixture
def order(tmp_path):
    """An order of three images, of which one has all that is cached and one has half of it."""
    cache = tmp_path / "cache"
    make_cache(cache, ["10_cat", "1_regularization"])
    write_lora(cache / "10_cat" / "a_0128x0128_zi.safetensors", 4)
    write_lora(cache / "10_cat" / "a_zi_te.safetensors", 4)
    write_lora(cache / "1_regularization" / "b_0128x0128_zi.safetensors", 4)
    (cache / "10_cat" / "c_0128x0128_zi.safetensors").write_bytes(b"half of it")
    return Order(
        "musubi-tuner", ("x",), ".", ".", ("a.safetensors",), 4, 10, 2,
        caching=(LATENTS, TEXTS), cache=str(cache), images=3,
    )  # fmt: skip


def test_whole_files_count_by_their_stage(order):
    assert (count_missing(order, LATENTS), count_missing(order, TEXTS)) == (1, 2)


def test_without_a_cache_all_is_missing(order, tmp_path):
    assert count_missing(dataclasses.replace(order, cache=str(tmp_path / "nowhere")), LATENTS) == 3


def test_what_is_half_written_is_removed_and_the_rest_stays(order, tmp_path):
    remove_broken(order, LATENTS)
    assert sorted(each.name[0] for each in tmp_path.rglob("*_zi.safetensors")) == ["a", "b"]
    assert len(list(tmp_path.rglob("*_te.safetensors"))) == 1


@pytest.mark.parametrize(
    ("exit_code", "stopped", "state", "said"),
    [
        (0, True, "cancelled", "It was stopped in the stage 'cache latents'."),
        (-9, False, "failed", "The stage 'cache latents' failed. "),
        (0, False, "failed", "ended without an error, but in "),
        (None, False, "lost", "Nobody saw how the stage 'cache latents' ended, and in "),
    ],
)
def test_a_stage_that_left_something_out_is_the_end(order, exit_code, stopped, state, said):
    outcome = judge_stage(order, LATENTS, exit_code, ["…"], stopped=stopped)
    assert (outcome.state, outcome.loras) == (state, ())
    assert said in outcome.message
    if said.endswith("in "):
        assert "there is nothing of 1 image of 3: " in outcome.message


@pytest.mark.parametrize("exit_code", [0, None])
def test_after_a_stage_that_left_all_the_next_one_follows(order, exit_code):
    assert judge_stage(dataclasses.replace(order, images=2), LATENTS, exit_code, [], stopped=False) is None


def test_an_order_is_read_as_it_was_written_and_one_of_a_former_version_has_no_stages(order, tmp_path):
    files.write_order(tmp_path, order)
    assert files.read_order(tmp_path) == order
    former = json.loads((tmp_path / files.ORDER).read_text())
    for name in ("caching", "cache", "images"):
        del former[name]
    (tmp_path / files.ORDER).write_text(json.dumps(former))
    assert files.read_order(tmp_path) == dataclasses.replace(order, caching=(), cache="", images=0)


@pytest.mark.posix
@pytest.mark.parametrize("place", ["cache", "cache/10_cat"])
def test_a_link_in_the_place_of_a_cache_is_refused(tmp_path, place):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrainerError, match="is a link"):
        make_cache(tmp_path / "cache", ["10_cat"])
