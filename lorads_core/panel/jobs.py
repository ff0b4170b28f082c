"""Work that takes longer than an answer may: queued, done one after another by a thread, looked at by id."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

from ..errors import LoradsError
from .responses import RefusedError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model import Progress
    from .events import Events

JobState = Literal["waiting", "running", "done", "failed"]

_MOST_KEPT = 100
_MOST_WAITING = 20
_log = logging.getLogger(__name__)


class CancelledError(Exception):
    """The server ends; what was being done goes on from there another time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job: a sentence, and a value for the page."""

    message: str
    result: object = None


@dataclass(frozen=True, slots=True)
class Job:
    """How a job stands; ``result`` is there when it is done."""

    id: UUID
    dataset: UUID | None
    state: JobState = "waiting"
    step: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    result: object = None

    @property
    def values(self) -> dict[str, Any]:
        """What the page gets."""
        names = ("state", "step", "done", "total", "message", "result")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """All jobs of this server; a lane does its own one after another."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._jobs: OrderedDict[UUID, Job] = OrderedDict()
        self._lanes: dict[str, queue.Queue[tuple[Job, Callable[[Progress], Outcome]]]] = {}
        self._closed = threading.Event()

    def start(self, lane: str, dataset: UUID | None, work: Callable[[Progress], Outcome]) -> Job:
        """Have work done; it is given a progress, which raises when the server ends.

        Raises:
            RefusedError: 429, too many wait.
        """
        with self._lock:
            waiting = sum(job.state == "waiting" for job in self._jobs.values())
            if waiting >= _MOST_WAITING:
                raise RefusedError(429, "busy", f"{waiting} jobs are waiting already: let them end first.")
            job = Job(uuid4(), dataset)
            self._jobs[job.id] = job
            while len(self._jobs) > _MOST_KEPT:
                self._jobs.popitem(last=False)
            if lane not in self._lanes:
                self._lanes[lane] = queue.Queue()
                # An export that is cut off goes on from there: the server need not wait for it at its end.
                threading.Thread(
                    target=self._work, args=[self._lanes[lane]], name=f"lorads-{lane}", daemon=True
                ).start()
        self._lanes[lane].put((job, work))
        return job

    def job(self, word: str) -> Job:
        """Return a job by its id.

        Raises:
            RefusedError: 404, there is none, or it was long ago.
        """
        try:
            with self._lock:
                return self._jobs[UUID(word)]
        except (ValueError, KeyError):
            raise unknown(f"There is no job {word!r:.80}: it ended long ago, or with the server.") from None

    def close(self) -> None:
        """Cancel what goes on at its next step."""
        self._closed.set()

    def _work(self, lane: queue.Queue[tuple[Job, Callable[[Progress], Outcome]]]) -> None:
        while not self._closed.is_set():
            job, work = lane.get()
            self._do(job, work)

    def _do(self, job: Job, work: Callable[[Progress], Outcome]) -> None:
        self._show(job.id, state="running")

        def progress(step: str, done: int, total: int) -> None:
            if self._closed.is_set():
                raise CancelledError
            self._show(job.id, step=step, done=done, total=total)

        try:
            outcome = work(progress)
        except CancelledError:
            self._show(job.id, state="failed", message="The server was ended: start it again, it goes on from there.")
        except (LoradsError, RefusedError) as error:
            self._show(job.id, state="failed", message=str(error))
        except Exception:  # noqa: BLE001 - whatever it was, the page must hear of it
            _log.exception("A job of the panel failed")
            self._show(job.id, state="failed", message="LoRADS failed at this; the server's log says why.")
        else:
            self._show(job.id, state="done", message=outcome.message, result=outcome.result)

    def _show(self, job_id: UUID, **now: Any) -> None:  # noqa: ANN401 - fields of a job
        with self._lock:
            before = self._jobs.get(job_id)
            if before is None:
                return
            job = self._jobs[job_id] = dataclasses.replace(before, **now)
        told = {name: value for name, value in job.values.items() if name != "result"}
        self._events.tell(job.dataset, {"kind": "job", "job": str(job_id), **told})
