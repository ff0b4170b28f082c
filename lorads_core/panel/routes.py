"""The panel's HTTP routes: one request handler for each row of `api_spec.TABLE`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .. import __version__
from . import bulk, duplicates, editing, exporting, guard, options, reading, running, watching
from .api_spec import PREFIX, TABLE
from .events import as_line
from .model_files import checkpoint_facts
from .params import Body, dataset_id, image_key, number, run_id
from .responses import (
    RefusedError,
    dumps,
    error_response,
    image_response,
    json_response,
    not_found,
    not_modified,
    read_body,
)
from .state import PanelState
from .thumbnails import LARGE, thumbnail_side

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor
    from uuid import UUID

    from ..model import ImageKey
    from .access import Access
    from .json_types import CheckpointFacts
    from .thumbnails import EncodedImage

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "_web"  # where a wheel has it (pyproject.toml); a clone has web/ where ComfyUI wants it
WEB = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "web"
_PAGE = "panel/index.html"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}  # Windows' registry may say otherwise
_BEAT = 15.0  # seconds between keep-alive comments, so that a page notices a dead connection
_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class Panel:
    """The request handlers of the panel, served by ComfyUI, without ``access``, or by `serve`."""

    def __init__(self, state: PanelState, access: Access | None = None) -> None:
        self.state = state
        self._access = access
        self._watch = watching.Watch(state)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return [web.route(method, path, self.handler(name)) for method, path, name, _ in TABLE]

    def finish(self) -> None:
        """Wait until no thread uses the store, after the state was closed."""
        self._watch.finish()
        self.state.finish()

    def handler(self, name: str) -> Handler:
        """Return the handler of a route by its name, with the request checks in front."""
        method = next(route.method for route in TABLE if route.name == name)
        return self._guarded(getattr(self, f"_{name}"), writing=method == "POST")

    def page(self) -> list[web.RouteDef]:
        """Return the routes of the standalone page and its modules."""
        return [
            web.get("/", self._guarded(self._redirect_to_page, opening=True)),
            web.get(PREFIX, self._guarded(self._redirect_to_page, opening=True)),
            web.get(f"{PREFIX}/", self._guarded(self._index, opening=True)),
            web.get(f"{PREFIX}/web/{{file:.+}}", self._guarded(self._module)),
        ]

    def _guarded(self, handler: Handler, *, writing: bool = False, opening: bool = False) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                guard.check_host(request.headers, self.state.settings.panel.hosts)
                guard.check_site(request.headers, opening=opening)
                if opening and self._access and (entrance := self._access.entrance(request)):
                    return entrance
                if self._access:
                    self._access.check(request)
                if writing:
                    guard.check_writing(request.headers, request.content_type, self.state.token)
                return await handler(request)
            except (asyncio.CancelledError, web.HTTPException, ConnectionError):
                raise
            except Exception as error:  # noqa: BLE001 - the page shows every error
                return error_response(error)

        return handle

    async def _in_pool(self, work: Callable[..., Any], *given: object, threads: Executor | None = None) -> Any:  # noqa: ANN401
        """Run work in a thread pool, so that the store and image decoding do not block other requests."""
        if self.state.ended.is_set():
            raise RefusedError(503, "ended", "The server is shutting down: unanswered requests were not carried out.")
        threads = threads or self.state.store_pool
        return await asyncio.get_running_loop().run_in_executor(threads, work, self.state, *given)

    async def _json(self, work: Callable[..., Any], *given: object, threads: Executor | None = None) -> web.Response:
        value = await self._in_pool(work, *given, threads=threads)
        return json_response(value if isinstance(value, str) else dumps(value))

    async def _json_slow(self, work: Callable[..., Any], *given: object) -> web.Response:
        """Answer a CPU-bound request; these run one after another."""
        return await self._json(work, *given, threads=self.state.cpu_pool)

    async def _session(self, _request: web.Request) -> web.Response:
        return json_response(dumps(reading.session(self.state, __version__)))

    async def _datasets(self, _request: web.Request) -> web.Response:
        return await self._json(reading.dataset_list)

    async def _dataset(self, request: web.Request) -> web.Response:
        return await self._json(reading.facts, _dataset(request))

    async def _rows(self, request: web.Request) -> web.Response:
        first = number(request.query, "from", 0, 0, 10**9)
        count = number(request.query, "count", 2000, 1, reading.MAX_ROWS)
        return await self._json(reading.rows, _dataset(request), first, count)

    async def _row(self, request: web.Request) -> web.Response:
        return await self._json(reading.row, _dataset(request), image_key(request.match_info["key"]))

    async def _buckets(self, request: web.Request) -> web.Response:
        return await self._json(reading.buckets, _dataset(request))

    async def _problems(self, request: web.Request) -> web.Response:
        return await self._json_slow(reading.problems, _dataset(request))

    async def _tags(self, request: web.Request) -> web.Response:
        return await self._json_slow(reading.tag_counts, _dataset(request))

    async def _completions(self, request: web.Request) -> web.Response:
        limit = number(request.query, "limit", 20, 1, 200)
        return await self._json(reading.completions, request.query.get("begins", "")[:200], limit)

    async def _summary(self, request: web.Request) -> web.Response:
        return await self._json_slow(exporting.summary, _dataset(request), dict(request.query))

    async def _planned_summary(self, request: web.Request) -> web.Response:
        return await self._json_slow(exporting.planned_summary, _dataset(request), Body(await read_body(request)))

    async def _training_options(self, _request: web.Request) -> web.Response:
        return json_response(dumps(options.table()))

    async def _dataset_options(self, request: web.Request) -> web.Response:
        return await self._json(options.dataset_values, _dataset(request))

    async def _check_options(self, request: web.Request) -> web.Response:
        return await self._json(options.check, _dataset(request), Body(await read_body(request)))

    async def _checkpoint(self, request: web.Request) -> web.Response:
        name, base = request.query.get("name", ""), request.query.get("base_model", "")
        return await self._json(_checkpoint_facts, name, base)

    async def _thumbnail(self, request: web.Request) -> web.Response:
        return await self._image_of_side(request, thumbnail_side(number(request.query, "side", 256, 1, LARGE)))

    async def _image(self, request: web.Request) -> web.Response:
        return await self._image_of_side(request, LARGE)

    async def _image_of_side(self, request: web.Request, side: int) -> web.Response:
        path = await self._in_pool(_path_of, _dataset(request), image_key(request.match_info["key"]))
        return await self._send_image(request, path, side)

    async def _send_image(self, request: web.Request, path: str, side: int) -> web.Response:
        mark = await self._in_pool(_etag, path, side, threads=self.state.image_pool)
        if request.headers.get("If-None-Match") == f'"{mark}"':
            return not_modified(mark)
        small = await self._in_pool(_encoded_image, path, side, threads=self.state.image_pool)
        return image_response(small.data, small.content_type, small.mark)

    async def _job(self, request: web.Request) -> web.Response:
        return json_response(dumps(self.state.jobs.job(request.match_info["job"]).values))

    async def _runs(self, request: web.Request) -> web.Response:
        word = request.query.get("dataset")
        return await self._json(running.run_list, dataset_id(word) if word else None)

    async def _run(self, request: web.Request) -> web.Response:
        return await self._json(running.run, run_id(request.match_info["run"]))

    async def _sample(self, request: web.Request) -> web.Response:
        file = await self._in_pool(running.sample, run_id(request.match_info["run"]), request.match_info["name"])
        return await self._send_image(request, str(file), LARGE)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        dataset = dataset_id(request.query.get("dataset", ""))
        listener = self.state.events.subscribe(dataset)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            standing = await self._in_pool(PanelState.standing, dataset)
            self._watch.begin()
            await response.prepare(request)
            await response.write(b": hello\n\n" + as_line(watching.edited_event(standing)))
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
            pass  # the page was closed
        finally:
            self.state.events.unsubscribe(listener)
        return response

    async def _write(self, request: web.Request, work: Callable[..., Any]) -> web.Response:
        body = Body(await read_body(request))
        made = await self._in_pool(work, _dataset(request), body)
        return json_response(made.answer if isinstance(made, editing.WriteResult) else dumps(made))

    async def _edits(self, request: web.Request) -> web.Response:
        return await self._write(request, editing.write_edits)

    async def _undo(self, request: web.Request) -> web.Response:
        return await self._write(request, _undo_step)

    async def _redo(self, request: web.Request) -> web.Response:
        return await self._write(request, _redo_step)

    async def _bulk(self, request: web.Request) -> web.Response:
        return await self._write(request, bulk.bulk)

    async def _reject(self, request: web.Request) -> web.Response:
        return await self._write(request, editing.reject)

    async def _duplicates(self, request: web.Request) -> web.Response:
        return await self._start_job(duplicates.find, _dataset(request), Body(await read_body(request)))

    async def _export(self, request: web.Request) -> web.Response:
        return await self._start_job(exporting.export, _dataset(request), Body(await read_body(request)))

    async def _train(self, request: web.Request) -> web.Response:
        return await self._start_job(exporting.train, _dataset(request), Body(await read_body(request)))

    async def _stop(self, request: web.Request) -> web.Response:
        Body(await read_body(request)).allow_only()
        return await self._start_job(running.stop, run_id(request.match_info["run"]))

    async def _start_job(self, work: Callable[..., Any], *given: object) -> web.Response:
        return json_response(dumps({"job": str((await self._in_pool(work, *given)).id)}))

    async def _redirect_to_page(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{PREFIX}/")

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return _file(_PAGE, {"Content-Security-Policy": _POLICY})

    async def _module(self, request: web.Request) -> web.StreamResponse:
        return _file(request.match_info["file"], {})


def _dataset(request: web.Request) -> UUID:
    return dataset_id(request.match_info["dataset"])


def _path_of(state: PanelState, dataset: UUID, key: ImageKey) -> str:
    known = state.last_view(dataset)  # an image's path changes only with its library
    row = known.rows.get(key) if known else None
    return (row or reading.row_of(state.view(dataset), key)).image.record.path


def _checkpoint_facts(state: PanelState, name: str, base: str) -> CheckpointFacts:
    return checkpoint_facts(state.model_files, name, base)


def _etag(state: PanelState, path: str, side: int) -> str:
    return state.thumbnails.mark(path, side)


def _encoded_image(state: PanelState, path: str, side: int) -> EncodedImage:
    return state.thumbnails.image(path, side)


def _undo_step(state: PanelState, dataset: UUID, body: Body) -> editing.WriteResult:
    body.allow_only()
    return editing.undo_or_redo(state, dataset, back=True)


def _redo_step(state: PanelState, dataset: UUID, body: Body) -> editing.WriteResult:
    body.allow_only()
    return editing.undo_or_redo(state, dataset, back=False)


def _file(name: str, headers: dict[str, str]) -> web.FileResponse:
    """Return a file below web/.

    Raises:
        RefusedError: 404, there is no such file.
    """
    try:
        file = (WEB / name).resolve()
        is_there = file.is_relative_to(WEB) and file.is_file()
    except (OSError, ValueError):  # not a valid file name
        is_there, file = False, WEB
    if not is_there:
        raise not_found(f"There is no file {name!r:.80}.")
    safe = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    found = web.FileResponse(file, headers={**safe, **headers})
    found.content_type = _TYPES.get(file.suffix, "text/plain")
    return found
