"""`python -m tests.wine [--short] [FILE…] [pytest's arguments]`: the tests on Windows' own Python under wine.

On Debian, as root, it sets up what it needs (a few minutes, once), drives the command as a person does
(tests/platforms), then runs the test files one by one; ``--short``: a dozen quick ones. It ends with 0 where all
passed, 1 where something failed, 2 where wine cannot be set up on this machine or by this user.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .differences import DIFFERENCES, LEFT_OUT, reason_for
from .runner import Result, Wine, run_file, windows_path
from .set_up import ROOT, NotHereError, SetUpError, set_up

CHECKS = "tests/platforms/test_platforms.py"
SHORT = (
    "tests/library/test_pathmap.py",
    "tests/system/test_command.py",
    "tests/system/test_files.py",
    "tests/test_buckets.py",
    "tests/workflow/test_parse.py",
    "tests/test_packaging.py",
    "tests/system/test_paths.py",
    "tests/trainers/test_presets.py",
    "tests/test_settings.py",
    "tests/test_tags.py",
    "tests/test_web.py",
    "tests/captions/test_golden.py",
    "tests/captions/test_dictionaries.py",
    "tests/trainers/test_sd_scripts_golden.py",
)
NOT_HERE = 2  # exit code
LIMIT = 2400.0  # seconds for a file


def main() -> int:
    """Set up, run, and say what came of it."""
    options, words = arguments().parse_known_args()
    try:
        folder = set_up()
    except NotHereError as error:
        print(f"== NOT TESTED ON WINDOWS' PYTHON: {error}", flush=True)
        return NOT_HERE
    except SetUpError as error:
        print(f"== wine: the set-up failed: {error}", flush=True)
        return 1
    files = [word for word in words if (ROOT / word.partition("::")[0]).exists()]
    rest = tuple(word for word in words if word not in files)
    temporary = Path(tempfile.mkdtemp(prefix="lorads-wine-")).resolve()
    try:
        return report(run_all(folder, temporary, files or chosen(short=options.short), rest, options))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of our own arguments; all others are pytest's."""
    parser = argparse.ArgumentParser(prog="python -m tests.wine", description=__doc__, allow_abbrev=False)
    parser.add_argument("--short", action="store_true", help="the checks and a dozen quick test files")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="files at once")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for a file")
    return parser


def chosen(*, short: bool) -> list[str]:
    """Return the files to run, the checks first."""
    if short:
        return [CHECKS, *(name for name in SHORT if (ROOT / name).exists())]
    found = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/test_*.py"))
    return [CHECKS, *(name for name in found if name != CHECKS)]


def run_all(
    folder: Path, temporary: Path, files: list[str], words: tuple[str, ...], options: argparse.Namespace
) -> list[Result]:
    """Run files, several at once, and say how each went as soon as it is over."""
    (temporary / "lorads.toml").write_text(
        f"[embedded]\nfolder = '{windows_path(temporary / 'store')}'\n", encoding="utf-8"
    )
    wine = Wine(folder, temporary)
    wine.start()
    wine.make_store()

    def run(name: str) -> Result:
        reason = reason_for(name)
        result = Result(name, skipped={name: reason}) if reason else run_file(wine, name, options.limit, words)
        show(result)
        return result

    with ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(run, files))


def show(result: Result) -> None:
    """Say how a file went; all that pytest printed where something failed."""
    counts = f"{result.passed} passed, {len(result.failed)} failed, {len(result.skipped)} skipped"
    text = f"== {result.name}: {counts} in {result.seconds:.0f} s\n"
    print((result.output if result.failed else "") + text, end="", flush=True)


def report(results: list[Result]) -> int:
    """Print what was skipped and why, what failed, and the sum in one line; return the exit code."""
    print("\n== known differences of wine (tests/wine/differences.py)")
    for pattern, reason in (*DIFFERENCES, *LEFT_OUT):
        print(f"   {pattern}: {reason}")
    reasons = Counter(reason for result in results for reason in result.skipped.values())
    print("== skipped")
    for reason, count in reasons.most_common():
        print(f"   {count} × {reason}")
    failed = {test: reason for result in results for test, reason in result.failed.items()}
    if failed:
        print("== failed")
        for test, reason in failed.items():
            print(f"   {test}: {reason}")
    print(f"{sum(result.passed for result in results)} passed, {len(failed)} failed, {reasons.total()} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
