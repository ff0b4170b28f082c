"""The memory that threads share while they encode."""

import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import pytest

from lorads_core.export.budget import Budget, needed
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import ImageRecord

RECORD = ImageRecord("pictures", 1, "/a.webp", 6000, 4000, 1000, 1, "", "webp")


def test_what_is_too_large_for_all_of_it_runs_alone():
    budget, order, begun = Budget(100), [], threading.Event()

    def large():
        begun.set()
        with budget.of(1000):
            order.append("large")

    with budget.of(10):
        thread = threading.Thread(target=large)
        thread.start()
        begun.wait(5)
        thread.join(0.05)
        order.append("small")
    thread.join(5)
    assert order == ["small", "large"]


def test_what_fits_runs_at_once():
    budget, together = Budget(100), threading.Barrier(3)

    def one():
        with budget.of(30):
            together.wait(5)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert not together.broken


def test_a_fault_gives_back_what_it_held():
    budget = Budget(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), budget.of(80):
            raise ValueError("broken")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_large_picture_has_freed_goes_back_to_the_system():
    """In a process of its own: what others have done to its memory would show."""
    program = textwrap.dedent("""
        from concurrent.futures import ThreadPoolExecutor
        from PIL import Image
        from lorads_core.export.budget import Budget

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096

        def picture(budget):
            with budget.of(100 * 1024**2):
                Image.new("RGB", (6000, 4000), (1, 2, 3)).resize((3000, 2000)).load()

        before = resident()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(picture, [Budget()] * 8))
            print((resident() - before) // 1024**2)
    """)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 60


def test_a_picture_that_is_shrunk_needs_less():
    small, whole = ImagePolicy("max_area", 1024), ImagePolicy("normalised")
    assert needed(RECORD, small) < needed(RECORD, whole)
    assert needed(replace(RECORD, format="jpeg"), small) < needed(RECORD, small)
    assert needed(replace(RECORD, width=0, height=0), small) == 0
