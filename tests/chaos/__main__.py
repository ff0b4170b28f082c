"""`python -m tests.chaos [--short] [--only ATTACK]`: attacks on LoRADS, and a table of what they cost.

Programs are killed, disks fill up, rights are missing, files and requests are hostile; the real commands run with real
stores in temporary folders. A kill counts if it hits the program at work. It ends with 0 if nothing was lost, nothing
got stuck and no traceback was seen.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from . import (
    backends,
    caption_kills,
    editors,
    export_kills,
    forged,
    full_disks,
    hostile,
    index_kills,
    migration_kills,
    missing_rights,
    training_kills,
)
from .tally import LostError, StuckError, Tally
from .world import World

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("tried", "survived", "lost", "stuck", "tracebacks")


class Attack(NamedTuple):
    """A row of the table of attacks: rounds of a whole run, and of a short one."""

    name: str
    run: Callable[[World, Tally], None]
    rounds: int
    short: int


ATTACKS = (
    Attack("kills in export", export_kills.attack, 100, 3),
    Attack("kills in index", index_kills.attack, 100, 4),
    Attack("kills in caption edits", caption_kills.attack, 100, 4),
    Attack("kills in migration", migration_kills.attack, 30, 2),
    Attack("kills of a watcher", training_kills.watchers, 20, 1),
    Attack("kills of a launcher", training_kills.launchers, 10, 1),
    Attack("kills of a trainer", training_kills.trainers, 10, 1),
    Attack("kills of a lone backend", backends.attack, 50, 2),
    Attack("hostile files", hostile.attack, 1000, 120),
    Attack("forged requests", forged.attack, 400, 150),
    Attack("concurrent editors", editors.attack, 500, 20),
    Attack("full disks", full_disks.attack, 15, 3),
    Attack("missing rights", missing_rights.attack, 12, 4),
)


def main() -> int:
    """Attack, and print what came of it."""
    options = arguments().parse_args()
    if sys.platform == "win32":
        print("== the attacks need POSIX: signals, FIFOs, file limits")
        return 2
    attacks = [each for each in ATTACKS if not options.only or any(word in each.name for word in options.only)]
    if not attacks:
        names = ", ".join(each.name for each in ATTACKS)
        print(f"== there is no attack {options.only}: choose among {names}")
        return 2
    print(f"== seed {options.seed}", flush=True)
    begun = time.monotonic()
    with ThreadPoolExecutor(options.lanes) as pool:
        tallies = list(pool.map(lambda each: attacked(each, options), attacks))
    print(f"\n{table(tallies)}\n\n{time.monotonic() - begun:.0f} s")
    return 1 if any(tally.failed for tally in tallies) else 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few rounds of each attack")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="attacks whose names contain it")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="of moments and files")
    parser.add_argument("--rounds-scale", type=float, default=1.0, metavar="X", help="so many times the rounds")
    parser.add_argument("--minutes", type=float, default=30.0, help="after which an attack begins no further round")
    parser.add_argument("--lanes", type=int, default=min(4, 1 + (os.cpu_count() or 1)), help="attacks at once")
    return parser


def attacked(attack: Attack, options: argparse.Namespace) -> Tally:
    """Run an attack in a world of its own; say how it went as soon as it is over."""
    rounds = attack.short if options.short else attack.rounds
    begun = time.monotonic()
    tally = Tally(attack.name, max(1, round(rounds * options.rounds_scale)), begun + 60 * options.minutes)
    world = World(tally, options.seed)
    try:
        attack.run(world, tally)
    except (LostError, StuckError) as error:
        tally.fail("at its beginning", error)
    except Exception:  # noqa: BLE001 - the other attacks go on
        tally.crash("the attack itself", traceback.format_exc())
    finally:
        world.close()
    seconds = time.monotonic() - begun
    verdict = "FAILED" if tally.failed else "good"
    lines = [f"== {attack.name}: {tally.survived} of {tally.tried} survived in {seconds:.0f} s, {verdict}"]
    lines += [f"   {each}" for each in (*tally.notes, *tally.why)]
    print("\n".join(lines), flush=True)
    return tally


def table(tallies: list[Tally]) -> str:
    """Return the table, in Markdown."""
    head = [f"| attack | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    rows = (f"| {each.name} | {' | '.join(f'{getattr(each, name):,}' for name in COLUMNS)} |" for each in tallies)
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    sys.exit(main())
