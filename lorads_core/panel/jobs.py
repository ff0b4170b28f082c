"""Background jobs: queued, run one after another by a worker thread, polled by id."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from ..errors import LoradsError
from .responses import RefusedError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model import Progress
    from . import json_types
    from .events import Events
    from .json_types import JobResult, JobState

_MAX_JOBS = 100
_MAX_WAITING = 20
_log = logging.getLogger(__name__)


class CancelledError(Exception):
    """The server is shutting down; the work resumes from here when it is started again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a job: a message, and a value for the page."""

    message: str
    result: JobResult = None


@dataclass(frozen=True, slots=True)
class Job:
    """The status of a job; ``result`` is set when it is done."""

    id: UUID
    dataset: UUID | None
    state: JobState = "waiting"
    step: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    result: JobResult = None

    @property
    def status(self) -> json_types.JobStatus:
        """How far it has come, as JSON values."""
        return {
            "state": self.state,
            "step": self.step,
            "done": self.done,
            "total": self.total,
            "message": self.message,
        }

    @property
    def values(self) -> json_types.Job:
        """The job as JSON values."""
        return {**self.status, "result": self.result}


class Jobs:
    """The job queue of this server; each lane runs its jobs one after another."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._jobs: OrderedDict[UUID, Job] = OrderedDict()
        self._lanes: dict[str, queue.Queue[tuple[Job, Callable[[Progress], Outcome]]]] = {}
        self._closed = threading.Event()

    def start(self, lane: str, dataset: UUID | None, work: Callable[[Progress], Outcome]) -> Job:
        """Queue work; it receives a progress callback, which raises when the server shuts down.

        Raises:
            RefusedError: 429, too many jobs are waiting.
        """
        with self._lock:
            waiting = sum(job.state == "waiting" for job in self._jobs.values())
            if waiting >= _MAX_WAITING:
                raise RefusedError(429, "busy", f"{waiting} jobs are waiting already: wait until some are done.")
            job = Job(uuid4(), dataset)
            self._jobs[job.id] = job
            while len(self._jobs) > _MAX_JOBS:
                self._jobs.popitem(last=False)
            if lane not in self._lanes:
                self._lanes[lane] = queue.Queue()
                # An interrupted export resumes, so the server need not wait for it when it shuts down.
                threading.Thread(
                    target=self._work, args=[self._lanes[lane]], name=f"lorads-{lane}", daemon=True
                ).start()
        self._lanes[lane].put((job, work))
        return job

    def job(self, word: str) -> Job:
        """Return a job by its id.

        Raises:
            RefusedError: 404, there is no such job, or it is too old.
        """
        try:
            with self._lock:
                return self._jobs[UUID(word)]
        except (ValueError, KeyError):
            raise not_found(f"There is no job {word!r:.80}: it is too old, or the server was restarted.") from None

    def close(self) -> None:
        """Cancel running jobs at their next step."""
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
            self._show(job.id, state="failed", message="The server was shut down. Start this again to resume.")
        except (LoradsError, RefusedError) as error:
            self._show(job.id, state="failed", message=str(error))
        except Exception:  # noqa: BLE001 - the page shows every failure
            _log.exception("A job of the panel failed")
            self._show(job.id, state="failed", message="Internal error of LoRADS; see the server log for the cause.")
        else:
            self._show(job.id, state="done", message=outcome.message, result=outcome.result)

    def _show(self, job_id: UUID, **now: Any) -> None:  # noqa: ANN401 - fields of a job
        with self._lock:
            before = self._jobs.get(job_id)
            if before is None:
                return
            job = self._jobs[job_id] = dataclasses.replace(before, **now)
        self._events.publish(job.dataset, {"kind": "job", "job": str(job_id), **job.status})
