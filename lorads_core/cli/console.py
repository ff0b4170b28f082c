"""How the command line shows things: colours and bars on a terminal, plain lines elsewhere; it decides nothing."""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ..problems import EXAMPLES, counted, problem_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    from rich.progress import Task

    from ..model import DatasetImage, Problem, Progress, Run, Severity
    from .doctor import Finding

_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan", "good": "green"}
_MOST_FILES = 4


def _plain(value: object) -> str:
    """Return a value that JSON has no type for as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line end


def _safe(text: str) -> str:
    """Return text to be printed as it is: no markup, and no control characters, which colour or rename a terminal."""
    return escape_markup(_CONTROLS.sub(lambda control: f"\\x{ord(control[0]):02x}", text))


class _Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="cyan")


class _Console(Console):
    """Console whose broken pipe is an error like that of any other output; see `output.written_output`."""

    def on_broken_pipe(self) -> None:
        """Raise what happened."""
        raise  # noqa: PLE0704 - rich calls it while it handles the error


class Screen:
    """Where a command writes: results to standard output, progress and faults to standard error."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.verbose = verbose
        self.out = _Console(highlight=False, soft_wrap=True)
        self.err = _Console(highlight=False, soft_wrap=True, stderr=True)
        self._steps = self.out

    @contextmanager
    def progress(self) -> Generator[Progress]:
        """Yield a progress that draws a bar per step with rate and remaining time, on a terminal only."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.err, transient=True, disable=not self.err.is_terminal) as bars:
            tasks: dict[str, TaskID] = {}

            def show(step: str, done: int, total: int) -> None:
                if step not in tasks:
                    tasks[step] = bars.add_task(step, visible=False, total=None)
                bars.update(tasks[step], completed=done, total=total, visible=done < total)

            yield show

    @contextmanager
    def training(self) -> Generator[Callable[[Run], None]]:
        """Yield what shows how a run stands: a bar with loss and remaining time, elsewhere a line per saved LoRA."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[say]}"),
        )
        with Bars(*columns, console=self.err, transient=True, disable=not self.err.is_terminal) as bars:
            task = bars.add_task("train", total=None, say="")
            told: set[str] = set()

            def show(run: Run) -> None:
                loss = f"loss {run.loss:.4g}" if run.loss is not None else ""
                left = f"{run.seconds_left:,.0f} s left" if run.seconds_left is not None else run.state
                done, total = (run.cached, run.to_cache) if run.stage else (run.step, run.total_steps)
                bars.update(
                    task, description=run.stage or "train", completed=done, total=total or None, say=f"{loss}  {left}"
                )
                for name in run.loras:
                    if name not in told:
                        told.add(name)
                        bars.console.print(f"  saved {_safe(name)} at step {run.step:,}")

            yield show

    def line(self, text: str) -> None:
        """Write one line of a result."""
        self.out.print(_safe(text))

    def path(self, path: str, end: str = "\n") -> None:
        """Write a path as it is for another program; a terminal is shown no control characters of it."""
        if self.out.is_terminal:
            self.line(path)
        else:
            self.out.file.write(path + end)

    def row(self, *values: str) -> None:
        """Write values for another program, a tab between."""
        self.out.file.write("\t".join(values) + "\n")

    def json(self, value: object) -> None:
        """Write a result for another program as JSON; times are in ISO 8601, files and ids are texts."""
        # In ASCII: a pipe of another encoding would put escapes in it that are none of JSON's.
        self.out.file.write(json.dumps(value, indent=2, default=_plain) + "\n")

    def step(self, title: str, text: str) -> None:
        """Say what a step has done."""
        self._steps.print(f"[bold green]{_safe(title):<10}[/] {_safe(text)}")

    def results_only(self) -> None:
        """Say to standard error what steps have done: standard output is for another program."""
        self._steps = self.err

    def notice(self, message: str) -> None:
        """Say what goes on, to standard error."""
        self.err.print(f"[dim]{_safe(message)}[/]")

    @property
    def can_ask(self) -> bool:
        """Whether a person sits at a terminal."""
        return sys.stdin is not None and sys.stdin.isatty() and self.err.is_terminal

    def confirm(self, message: str) -> bool:
        """Ask whether to go on, on a terminal; elsewhere nobody could answer, and it is yes."""
        if not self.can_ask:
            return True
        self.err.print(_safe(message))
        self.err.print("Go on? [y/N] ", end="", markup=False)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def ask(self, question: str, default: str) -> str:
        """Ask for a line on a terminal; return the default where it is empty.

        Raises:
            EOFError: the input has ended.
        """
        self.err.print(f"{_safe(question)} [bold]\\[{_safe(default)}][/] ", end="")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.strip() or default

    def fault(self, message: str) -> None:
        """Say why a command ends without its result."""
        self.err.print(f"[bold red]error:[/] {_safe(message)}")

    def problems(self, problems: Iterable[Problem], most: int = EXAMPLES) -> None:
        """List problems, those of one kind together: a few examples of each kind, or all of them."""
        for severity, line in problem_lines(problems, sys.maxsize if self.verbose else most):
            self.err.print(f"  [{_STYLES[severity]}]{severity}[/] {_safe(line)}")

    def finding(self, severity: Severity, text: str) -> None:
        """Write a line of an audit, its severity in colour."""
        self.out.print(f"[{_STYLES[severity]}]{severity:<8}[/]{_safe(text)}")

    def findings(self, findings: Iterable[Finding]) -> list[Finding]:
        """Show each finding as it is made; return them all."""
        shown: list[Finding] = []
        for finding in findings:
            shown.append(finding)
            style = _STYLES[finding.state]
            self.out.print(f"[{style}]{finding.state:<8}[/][bold]{_safe(finding.what)}[/]  {_safe(finding.message)}")
            if finding.fix:
                self.out.print(f"        \u2192 {_safe(finding.fix)}")
        return shown

    def tree(self, folder: Path) -> None:
        """Draw a folder: each of its folders with the first few files."""
        tree = Tree(f"[bold]{_safe(str(folder))}[/]")
        for entry in sorted(folder.iterdir(), key=lambda entry: (entry.is_file(), entry.name)):
            if not entry.is_dir():
                tree.add(_safe(entry.name))
                continue
            names = sorted(file.name for file in entry.iterdir())
            branch = tree.add(f"[bold]{_safe(entry.name)}/[/]  {counted(len(names), 'file')}")
            for name in names[:_MOST_FILES]:
                branch.add(_safe(name))
            if len(names) > _MOST_FILES:
                branch.add(f"… {len(names) - _MOST_FILES} more")
        self.out.print(tree)

    def images(self, images: Sequence[DatasetImage], total: int) -> None:
        """List the first few of ``total`` images: id, size, rating, file, and why they were picked."""
        for image in images:
            record = image.record
            rating = "" if record.rating is None else f"{record.rating}/10"
            reason = f"  [cyan]{_safe(image.reason)}[/]" if image.reason else ""
            size = f"{record.width}×{record.height}"
            self.out.print(f"{record.id:>8}  {size:<11} {rating:>5}  {_safe(record.path)}{reason}")
        if total > len(images):
            self.out.print(f"… and {total - len(images):,} more")

    def captions(self, images: Sequence[DatasetImage], total: int) -> None:
        """List the captions of the first few of ``total`` images: id, source, whether by hand, file, text."""
        for image in images:
            caption = image.caption
            if caption is None:
                self.out.print(f"{image.record.id:>8}  [yellow]no caption[/]  {_safe(image.record.path)}")
                continue
            mark = "by hand" if caption.edited else "edited" if caption.fixed else ""
            file = _safe(re.split(r"[\\/]", image.record.path)[-1])
            source = f"[cyan]{_safe(caption.source):<10} {mark:<7}[/]"
            self.out.print(f"{image.record.id:>8}  {source}  [bold]{file}[/]  {_safe(caption.text)}")
        if total > len(images):
            self.out.print(f"… and {total - len(images):,} more")

    def change(self, path: str, before: str, after: str) -> None:
        """Show what becomes of a caption."""
        self.out.print(f"[bold]{_safe(path)}[/]\n  [red]- {_safe(before)}[/]\n  [green]+ {_safe(after)}[/]")

    def summary(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show figures with their names."""
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(f"[bold]{_safe(name)}[/]", _safe(value))
        self.out.print(table)
