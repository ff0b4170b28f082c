"""The panel's routes: each method answers a line of `table`; what is done is the matter of the modules beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .. import __version__
from . import bulk, editing, exporting, guard, reading, running, watching
from .api_spec import PREFIX, TABLE
from .events import as_line
from .params import Body, dataset_id, image_key, number, run_id
from .responses import RefusedError, as_json, dumps, picture, read_body, refused, unchanged, unknown
from .state import Desk
from .thumbnails import LARGE, side_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor
    from uuid import UUID

    from ..model import ImageKey
    from .thumbnails import Small

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "_web"  # where a wheel has it (pyproject.toml); a clone has web/ where ComfyUI wants it
WEB = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "web"
_PAGE = "panel/index.html"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}  # Windows' registry may say otherwise
_BEAT = 15.0  # seconds between signs of life, so that a page notices a connection that is dead
_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class Panel:
    """The routes of one desk, whoever serves them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._watch = watching.Watch(desk)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return [web.route(method, path, self.handler(name)) for method, path, name in TABLE]

    def finish(self) -> None:
        """Wait until nothing uses the store any more, after the desk has been closed."""
        self._watch.finish()
        self.desk.finish()

    def handler(self, name: str) -> Handler:
        """Return what answers a line of the table, with its guard."""
        method = next(method for method, _, known in TABLE if known == name)
        return self._guarded(getattr(self, f"_{name}"), writing=method == "POST")

    def page(self) -> list[web.RouteDef]:
        """Return the routes of the page of its own and its modules."""
        return [
            web.get("/", self._guarded(self._to_page, opening=True)),
            web.get(PREFIX, self._guarded(self._to_page, opening=True)),
            web.get(f"{PREFIX}/", self._guarded(self._index, opening=True)),
            web.get(f"{PREFIX}/web/{{file:.+}}", self._guarded(self._module)),
        ]

    def _guarded(self, handler: Handler, *, writing: bool = False, opening: bool = False) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                guard.check_host(request.headers, self.desk.settings.panel.hosts)
                guard.check_site(request.headers, opening=opening)
                if writing:
                    guard.check_writing(request.headers, request.content_type, self.desk.token)
                return await handler(request)
            except (asyncio.CancelledError, web.HTTPException, ConnectionError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, the page gets an answer that it can show
                return refused(error)

        return handle

    async def _do(self, work: Callable[..., Any], *given: object, threads: Executor | None = None) -> Any:  # noqa: ANN401
        """Do work in a thread: the store and pictures make no other request wait."""
        if self.desk.ended.is_set():
            raise RefusedError(503, "ended", "The server is ending: what was not answered was not done.")
        threads = threads or self.desk.threads
        return await asyncio.get_running_loop().run_in_executor(threads, work, self.desk, *given)

    async def _told(self, work: Callable[..., Any], *given: object, threads: Executor | None = None) -> web.Response:
        value = await self._do(work, *given, threads=threads)
        return as_json(value if isinstance(value, str) else dumps(value))

    async def _thought(self, work: Callable[..., Any], *given: object) -> web.Response:
        """Answer what takes long for many images, one such request after another."""
        return await self._told(work, *given, threads=self.desk.thinker)

    async def _session(self, _request: web.Request) -> web.Response:
        return as_json(dumps(reading.session(self.desk, __version__)))

    async def _datasets(self, _request: web.Request) -> web.Response:
        return await self._told(reading.dataset_list)

    async def _dataset(self, request: web.Request) -> web.Response:
        return await self._told(reading.facts, _dataset(request))

    async def _rows(self, request: web.Request) -> web.Response:
        first = number(request.query, "from", 0, 0, 10**9)
        count = number(request.query, "count", 2000, 1, reading.MOST_ROWS)
        return await self._told(reading.rows, _dataset(request), first, count)

    async def _row(self, request: web.Request) -> web.Response:
        return await self._told(reading.row, _dataset(request), image_key(request.match_info["key"]))

    async def _buckets(self, request: web.Request) -> web.Response:
        return await self._told(reading.buckets, _dataset(request))

    async def _problems(self, request: web.Request) -> web.Response:
        return await self._thought(reading.problems, _dataset(request))

    async def _tags(self, request: web.Request) -> web.Response:
        return await self._thought(reading.tag_counts, _dataset(request))

    async def _completions(self, request: web.Request) -> web.Response:
        limit = number(request.query, "limit", 20, 1, 200)
        return await self._told(reading.completions, request.query.get("begins", "")[:200], limit)

    async def _summary(self, request: web.Request) -> web.Response:
        return await self._thought(exporting.summary, _dataset(request), dict(request.query))

    async def _thumbnail(self, request: web.Request) -> web.Response:
        return await self._shown(request, side_of(number(request.query, "side", 256, 1, LARGE)))

    async def _picture(self, request: web.Request) -> web.Response:
        return await self._shown(request, LARGE)

    async def _shown(self, request: web.Request, side: int) -> web.Response:
        path = await self._do(_path_of, _dataset(request), image_key(request.match_info["key"]))
        return await self._sent(request, path, side)

    async def _sent(self, request: web.Request, path: str, side: int) -> web.Response:
        mark = await self._do(_mark, path, side, threads=self.desk.painters)
        if request.headers.get("If-None-Match") == f'"{mark}"':
            return unchanged(mark)
        small = await self._do(_small, path, side, threads=self.desk.painters)
        return picture(small.data, small.content_type, small.mark)

    async def _job(self, request: web.Request) -> web.Response:
        return as_json(dumps(self.desk.jobs.job(request.match_info["job"]).values))

    async def _runs(self, request: web.Request) -> web.Response:
        word = request.query.get("dataset")
        return await self._told(running.run_list, dataset_id(word) if word else None)

    async def _run(self, request: web.Request) -> web.Response:
        return await self._told(running.run, run_id(request.match_info["run"]))

    async def _sample(self, request: web.Request) -> web.Response:
        file = await self._do(running.sample, run_id(request.match_info["run"]), request.match_info["name"])
        return await self._sent(request, str(file), LARGE)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        dataset = dataset_id(request.query.get("dataset", ""))
        listener = self.desk.events.listen(dataset)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            standing = await self._do(Desk.standing, dataset)
            self._watch.begin()
            await response.prepare(request)
            await response.write(b": hello\n\n" + as_line(watching.edited(standing)))
            while True:
                try:
                    event = await asyncio.wait_for(listener.queue.get(), _BEAT)
                except asyncio.TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if event is None:
                    break
                await response.write(as_line(event))
        except ConnectionError:
            pass  # the page has gone
        finally:
            self.desk.events.leave(listener)
        return response

    async def _written(self, request: web.Request, work: Callable[..., Any]) -> web.Response:
        body = Body(await read_body(request))
        made = await self._do(work, _dataset(request), body)
        return as_json(made.answer if isinstance(made, editing.Written) else dumps(made))

    async def _edits(self, request: web.Request) -> web.Response:
        return await self._written(request, editing.write_edits)

    async def _undo(self, request: web.Request) -> web.Response:
        return await self._written(request, _back)

    async def _redo(self, request: web.Request) -> web.Response:
        return await self._written(request, _again)

    async def _bulk(self, request: web.Request) -> web.Response:
        return await self._written(request, bulk.bulk)

    async def _reject(self, request: web.Request) -> web.Response:
        return await self._written(request, editing.reject)

    async def _export(self, request: web.Request) -> web.Response:
        return await self._started(exporting.export, _dataset(request), Body(await read_body(request)))

    async def _train(self, request: web.Request) -> web.Response:
        return await self._started(exporting.train, _dataset(request), Body(await read_body(request)))

    async def _stop(self, request: web.Request) -> web.Response:
        Body(await read_body(request)).only()
        return await self._started(running.stop, run_id(request.match_info["run"]))

    async def _started(self, work: Callable[..., Any], *given: object) -> web.Response:
        return as_json(dumps({"job": str((await self._do(work, *given)).id)}))

    async def _to_page(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{PREFIX}/")

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return _file(_PAGE, {"Content-Security-Policy": _POLICY})

    async def _module(self, request: web.Request) -> web.StreamResponse:
        return _file(request.match_info["file"], {})


def _dataset(request: web.Request) -> UUID:
    return dataset_id(request.match_info["dataset"])


def _path_of(desk: Desk, dataset: UUID, key: ImageKey) -> str:
    known = desk.kept(dataset)  # where a picture lies changes with its library alone
    row = known.rows.get(key) if known else None
    return (row or reading.row_of(desk.view(dataset), key)).image.record.path


def _mark(desk: Desk, path: str, side: int) -> str:
    return desk.thumbnails.mark(path, side)


def _small(desk: Desk, path: str, side: int) -> Small:
    return desk.thumbnails.picture(path, side)


def _back(desk: Desk, dataset: UUID, body: Body) -> editing.Written:
    body.only()
    return editing.step(desk, dataset, back=True)


def _again(desk: Desk, dataset: UUID, body: Body) -> editing.Written:
    body.only()
    return editing.step(desk, dataset, back=False)


def _file(name: str, headers: dict[str, str]) -> web.FileResponse:
    """Return a file below web/.

    Raises:
        RefusedError: 404, there is none of that name.
    """
    try:
        file = (WEB / name).resolve()
        is_there = file.is_relative_to(WEB) and file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        is_there, file = False, WEB
    if not is_there:
        raise unknown(f"There is no file {name!r:.80}.")
    safe = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    found = web.FileResponse(file, headers={**safe, **headers})
    found.content_type = _TYPES.get(file.suffix, "text/plain")
    return found
