"""The panel's routes over the real desk and a real store, in a thread: until `lorads panel` serves.

What stands in lorads_core.panel is used as it is; only the table of routes, and what is told of summaries, exports and
runs, is made here. ``Served`` can go away and come back at the same port, as a server does that is started again.
"""

import asyncio
import dataclasses
import threading
from pathlib import Path
from uuid import UUID

from aiohttp import web

from lorads_core import build, captioning, training
from lorads_core.bases import BASE_MODELS
from lorads_core.captions.profiles import profile
from lorads_core.captions.sources import sources
from lorads_core.errors import LoradsError
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.inputs import image_policy_word
from lorads_core.panel import asked, editing
from lorads_core.panel.answers import RefusedError, as_json, dumps, picture, read_body, refused, unknown
from lorads_core.panel.bulk import bulk
from lorads_core.panel.desk import Desk, Surroundings
from lorads_core.panel.editing import Written
from lorads_core.panel.events import as_line
from lorads_core.panel.guard import check_host, check_site, check_writing
from lorads_core.panel.jobs import Outcome
from lorads_core.panel.thumbnails import LARGE, side_of
from lorads_core.panel.view import dataset_facts, file_name
from lorads_core.store import captions as kept
from lorads_core.store import datasets
from lorads_core.trainers import trainers

WEB = Path(__file__).resolve().parents[2] / "web"


class Routes:
    """What each route does; all but the events run in a thread of the desk's."""

    def __init__(self, desk):
        self.desk = desk

    def session(self, _):
        settings = self.desk.settings
        named = lambda each: {"name": each.name, "label": each.label}  # noqa: E731
        return {
            "token": self.desk.token,
            "version": "0.1.0",
            "where": "page",
            "can_export": settings.panel.export,
            "can_launch": settings.panel.train,
            "base_models": [{**named(each), "token_limit": profile(each.name).limits[0]} for each in BASE_MODELS],
            "networks": [],
            "trainers": [named(each) for each in trainers().values()],
            "trainer_profiles": [{"name": each.name, "label": each.name} for each in settings.trainers],
            "sources": [named(each) for each in sources().values()],
            "libraries": [each.name for each in settings.libraries],
        }

    def datasets(self, _):
        with self.desk.store.connection() as connection:
            found = datasets.draft_list(connection)
        return [
            {**dataclasses.asdict(each), "id": str(each.id), "updated_at": each.updated_at.isoformat()}
            for each in found
        ]

    def dataset(self, request):
        view = self.view(request)
        with self.desk.store.connection() as connection:
            return dataset_facts(view, kept.next_steps(connection, view.dataset.id))

    def rows(self, request):
        view = self.view(request)
        start = asked.number(request.query, "from", 0, 0, 2**31)
        count = asked.number(request.query, "count", 2000, 1, 5000)
        rows = self.desk.made(view, "rows", lambda: list(view.rows.values()))[start : start + count]
        head = dumps({"total": len(view.rows), "revision": view.revision})
        return f'{head[:-1]},"rows":[{",".join(row.text for row in rows)}]}}'

    def row(self, request):
        view, row = self.row_of(request)
        one = dataclasses.replace(view.dataset, training=(row.image,), regularization=())
        [material] = captioning.caption_materials(self.desk.store, self.desk.settings, one)
        plan = plan_export(one, view.config)
        with self.desk.store.connection() as connection:
            past = kept.image_history(connection, view.dataset.id, row.image.key)
        text = lambda caption: caption.text if caption else None  # noqa: E731
        return {
            **row.values,
            "prompt": getattr(material.record, "prompt", "") or "",
            "tags": [{"text": tag.text, "source": tag.source, "confidence": tag.confidence} for tag in material.tags],
            "offered": [
                {"source": each.label, "text": text_of}
                for each in sources().values()
                if (text_of := each.text(material, view.captions.rules))
            ],
            "bucket": dict(zip(("width", "height"), plan.schedule.buckets[0][0], strict=True))
            if plan.schedule
            else None,
            "history": [
                {
                    "label": each.label,
                    "at": each.made_at.isoformat(),
                    "undone": each.undone,
                    "before": text(each.before),
                    "after": text(each.after),
                }
                for each in past
            ],
        }

    def tags(self, request):
        begins = request.query.get("begins", "")
        counts = {}
        for view in self.desk.open_views():
            for row in view.rows.values():
                for tag in (row.values["text"] or "").split(", "):
                    if tag.startswith(begins):
                        counts[tag] = counts.get(tag, 0) + 1
        return [{"tag": tag, "alias": "", "count": count} for tag, count in sorted(counts.items())][:20]

    def summary(self, request):
        view = self.view(request)
        plan = plan_export(captioning.without_rejected(view.dataset, view.rejected), view.config)
        schedule = plan.schedule
        problems = [*plan.problems, *captioning.lint_dataset(self.desk.store, view.dataset, view.captions)]
        return {
            "training": len(plan.dataset.training),
            "regularization": len(plan.dataset.regularization),
            "rejected": len(view.rejected),
            "buckets": [{"width": w, "height": h, "count": count} for (w, h), count in schedule.buckets],
            "dropped": schedule.dropped,
            "upscaled": sum(bool(each.placement and each.placement.upscaled) for each in plan.images),
            "steps_per_epoch": schedule.steps_per_epoch,
            "total_steps": schedule.total_steps,
            "seconds": None,
            "problems": [self.problem(view, each) for each in problems],
            "checkpoints": [],
        }

    def problem(self, view, found):
        change = next((each for each in found.fix.changes if each.after), None) if found.fix else None
        name = file_name(view.rows[found.image].image.record.path) if found.image in view.rows else ""
        return {
            "severity": found.severity,
            "code": found.code,
            "message": f"{name}: {found.message}" if name else found.message,
            "key": asked.key_word(found.image) if name else None,
            "fix": {"label": found.fix.label, "text": change.after.text} if change and name else None,
        }

    def thumbnail(self, request):
        _, row = self.row_of(request)
        side = side_of(asked.number(request.query, "side", 256, 1, 4096))
        found = self.desk.thumbnails.picture(row.image.record.path, side)
        return picture(found.data, found.content_type, found.mark)

    def picture(self, request):
        _, row = self.row_of(request)
        found = self.desk.thumbnails.picture(row.image.record.path, LARGE)
        return picture(found.data, found.content_type, found.mark)

    def edits(self, request, body):
        return editing.write_edits(self.desk, self.id(request), body)

    def undo(self, request, _):
        return editing.step(self.desk, self.id(request), back=True)

    def redo(self, request, _):
        return editing.step(self.desk, self.id(request), back=False)

    def bulk(self, request, body):
        return bulk(self.desk, self.id(request), body)

    def reject(self, request, body):
        return editing.reject(self.desk, self.id(request), body)

    def export(self, request, body):
        view = self.view(request)

        def work(progress):
            result = self.exported(view, body, body.text("trainer"), progress)
            done = {"folder": str(result.export.folder), "manifest_hash": result.export.manifest_hash}
            message = f"{result.export.training_images:,} images written to {result.export.folder}."
            return Outcome(message, {**done, "summary": build.summary(result), "problems": []})

        return {"job": str(self.desk.jobs.start("export", view.dataset.id, work).id)}

    def train(self, request, body):
        view = self.view(request)
        chosen = training.profile_of(self.desk.settings, body.text("profile"))

        def work(progress):
            result = self.exported(view, body, chosen.kind, progress)
            run = training.train(self.desk.store, chosen, result.export.folder)
            done = {"run": str(run.id), "manifest_hash": result.export.manifest_hash}
            return Outcome(f"{run.name} is {run.state}.", done)

        return {"job": str(self.desk.jobs.start("export", view.dataset.id, work).id)}

    def exported(self, view, body, trainer, progress):
        images = body.text("images", "copy")
        policy = image_policy_word("original" if images in {"copy", "link"} else images)
        options = ExportOptions(trainer, policy, link=images == "link")
        dataset = captioning.without_rejected(view.dataset, view.rejected)
        root = self.desk.around.exports()
        name = body.text("folder")
        return build.export(self.desk.store, dataset, view.config, options, root, name, progress)

    def job(self, request):
        return self.desk.jobs.job(request.match_info["job"]).values

    def runs(self, request):
        dataset = UUID(request.query["dataset"]) if "dataset" in request.query else None
        return [self.told(run) for run in training.runs(self.desk.store, dataset)]

    def run(self, request):
        run = training.run_by_id(self.desk.store, UUID(request.match_info["run"]))
        points = training.history(run.folder)
        return {
            **self.told(run),
            "history": [[each.step, each.loss, each.learning_rate] for each in points if each.loss is not None],
            "log": "\n".join(training.log_tail(run)),
            "samples": [path.name for path in training.samples(run)],
            "loras": list(run.loras),
        }

    def stop(self, request, _):
        run = training.run_by_id(self.desk.store, UUID(request.match_info["run"]))

        def work(_):
            return Outcome("Stopped.", self.told(training.stop(self.desk.store, run)))

        return {"job": str(self.desk.jobs.start("stop", run.dataset_id, work).id)}

    def told(self, run):
        time = lambda at: at.isoformat() if at else None  # noqa: E731
        names = ("name", "trainer", "profile", "state", "step", "total_steps", "epoch", "loss", "seconds_a_step")
        return {
            "id": str(run.id),
            "dataset": str(run.dataset_id),
            **{name: getattr(run, name) for name in (*names, "message", "manifest_hash")},
            "eta": run.seconds_left,
            "started_at": time(run.started_at),
            "ended_at": time(run.ended_at),
        }

    def id(self, request):
        return asked.dataset_id(request.match_info["id"])

    def view(self, request):
        return self.desk.view(self.id(request))

    def row_of(self, request):
        view = self.view(request)
        key = asked.image_key(request.match_info["key"])
        if key not in view.rows:
            raise unknown(f"There is no image {asked.key_word(key)} in {view.dataset.name!r}.")
        return view, view.rows[key]


GETS = {
    "session": "session",
    "datasets": "datasets",
    "datasets/{id}": "dataset",
    "datasets/{id}/rows": "rows",
    "datasets/{id}/row/{key}": "row",
    "datasets/{id}/summary": "summary",
    "tags": "tags",
    "thumbnail/{id}/{key}": "thumbnail",
    "picture/{id}/{key}": "picture",
    "jobs/{job}": "job",
    "runs": "runs",
    "runs/{run}": "run",
}
POSTS = {
    **{f"datasets/{{id}}/{name}": name for name in ("edits", "undo", "redo", "bulk", "reject", "export", "train")},
    "runs/{run}/stop": "stop",
}


def answered(value):
    if isinstance(value, web.StreamResponse):
        return value
    if isinstance(value, Written):
        return as_json(value.answer)
    return as_json(value if isinstance(value, str) else dumps(value))


def application(desk, wrote):  # noqa: C901 - a handler is a function in it
    """Return the application; ``wrote`` is told the path of each writing request that was let through."""
    routes = Routes(desk)

    def getting(name):
        async def handle(request):
            check_site(request.headers)
            return await run(getattr(routes, name), request)

        return handle

    def posting(name):
        async def handle(request):
            check_site(request.headers)
            check_writing(request.headers, request.content_type, desk.token)
            body = asked.Body(await read_body(request))
            wrote.append(request.path.removeprefix("/lorads/api/"))
            return await run(getattr(routes, name), request, body)

        return handle

    async def run(work, *values):
        threads = desk.painters if work.__name__ in {"thumbnail", "picture"} else desk.threads
        return answered(await asyncio.get_running_loop().run_in_executor(threads, work, *values))

    async def events(request):
        listener = desk.events.listen(asked.dataset_id(request.query["dataset"]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            await response.write(b": hello\n\n")
            while (event := await listener.queue.get()) is not None:
                await response.write(as_line(event))
        finally:
            desk.events.leave(listener)
        return response

    @web.middleware
    async def refusals(request, handler):
        try:
            check_host(request.headers, desk.settings.panel.hosts)
            return await handler(request)
        except (RefusedError, LoradsError) as error:
            return refused(error)

    async def index(_):
        return web.FileResponse(WEB / "panel" / "index.html")

    app = web.Application(middlewares=[refusals])
    app.router.add_get("/lorads/", index)
    app.router.add_static("/lorads/web/", WEB)
    app.router.add_get("/lorads/api/events", events)
    for path, name in GETS.items():
        app.router.add_get(f"/lorads/api/{path}", getting(name))
    for path, name in POSTS.items():
        app.router.add_post(f"/lorads/api/{path}", posting(name))
    return app


class Served:
    """A server in a thread of its own; ``away`` takes it off its port, and a new one with a new token comes back."""

    def __init__(self, settings, store, folder):
        self.around = Surroundings(
            "page", lambda: settings, lambda: store, lambda: folder / "exports", folder / "thumbnails"
        )
        self.wrote = []
        self.port = 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.runner = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/lorads/"

    @property
    def away(self):
        return self.runner is None

    @away.setter
    def away(self, away):
        if away and self.runner:
            self.stop()
        elif not away and not self.runner:
            self.start()

    def start(self):
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result()

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result()

    async def _start(self):
        self.desk = Desk(self.around)
        self.runner = web.AppRunner(application(self.desk, self.wrote), shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def _stop(self):
        runner, self.runner = self.runner, None
        self.desk.close()
        await runner.cleanup()

    def close(self):
        self.away = True
        self.loop.call_soon_threadsafe(self.loop.stop)
