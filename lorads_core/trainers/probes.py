"""What the probes of trainers share: reading jobs, writing results, and expressions out of a trainer's source.

A probe (``probe.py`` of a trainer's package) is run by that trainer's own Python, in the trainer's folder:

    python probe.py JOBS.json RESULTS.json

LoRADS is not installed there: neither this file nor a probe imports anything of it, and a probe loads this file by its
path. ``JOBS.json`` is a list of ``{"arguments": the words that start the training, "processes": number, "epochs":
number}``; `workflow.trainer_check` says what a result is.
"""

from __future__ import annotations

import ast
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Job = dict[str, Any]
    Result = dict[str, Any]


def main(begin: Callable[[], Callable[[Job], Result]]) -> None:
    """Write the result of each job; one that the trainer refuses has its message.

    ``begin`` returns the function that reads a job; it is called once the trainer's folder is the first place for
    modules.
    """
    _, jobs, results = sys.argv
    sys.argv = sys.argv[:1]
    sys.path[0] = str(Path.cwd())  # the folder of a probe has modules of LoRADS, whose names others have too
    read, found = begin(), list[Any]()
    for number, job in enumerate(json.loads(Path(jobs).read_text(encoding="utf-8"))):
        print(f"lorads: {number}", flush=True)  # noqa: T201 - the progress that LoRADS reads
        try:
            found.append(read(job))
        except ImportError:  # it is not installed whole, which no config can change
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the trainer says is the result
            traceback.print_exc()
            found.append({"error": f"{type(error).__name__}: {error}", "of_probe": _is_of_probe(error)})
    Path(results).write_text(json.dumps(found), encoding="utf-8")


def _is_of_probe(error: BaseException) -> bool:
    """Say whether an error is none of the trainer's: a probe looked for something that this version has not."""
    if isinstance(error, SystemExit):
        return False
    last = list(traceback.walk_tb(error.__traceback__))[-1][0].f_code.co_filename
    return Path(last).name in {"probe.py", Path(__file__).name}


def assigned(source: Path, target: str, following: str) -> Any:  # noqa: ANN401 - compiled code
    """Return the expression that ``source`` assigns to ``target`` and that contains ``following``, compiled.

    For arithmetic in the midst of a function that cannot be called without a model. Exactly one must be found.
    """
    found = [
        ast.unparse(node.value)
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == target
        if following in ast.unparse(node.value)
    ]
    if len(set(found)) != 1:
        sys.exit(f"{source} does not assign {following} to {target} just once: {found}")
    return compile(found[0], str(source), "eval")


def summed(buckets: list[list[int]]) -> list[list[int]]:
    """Return the samples of each bucket (width, height, samples) of all data sets together."""
    counts: dict[tuple[int, int], int] = {}
    for width, height, count in buckets:
        counts[width, height] = counts.get((width, height), 0) + count
    return [[*size, count] for size, count in sorted(counts.items())]


class Recorder(dict[str, Any]):
    """A table that knows in ``read`` which of its keys were looked for."""

    def __init__(self, keys: dict[str, Any]) -> None:
        super().__init__(keys)
        self.read: set[object] = set()

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as of every table
        """Return the value of a key."""
        self.read.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.read.add(key)
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - as of every table
        self.read.add(key)
        return super().__getitem__(key)


def another(value: Any) -> Any:  # noqa: ANN401 - of a config
    """Return another value of the same type, to see whether a key is looked at."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list):
        return [*cast("list[Any]", value), "x"]
    return {key: another(each) for key, each in cast("dict[str, Any]", value or {}).items()} | {"x": 1}
