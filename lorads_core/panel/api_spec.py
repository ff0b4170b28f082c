"""The panel's routes under ``/lorads`` as a table: method, path, name, and the JSON type of the answer.

All is JSON in UTF-8 unless said, gzipped where it is large; `json_types` has the types. An image's ``key`` is
``library:number``, never a path; a dataset's and a run's ``id`` is a UUID. ``revision`` is a text that is another one
after every change of the dataset, here or by another program; it has no order.

An error is `json_types.ErrorResponse`: 400 a value is wrong (``code``: ``request``, ``settings``, ``caption``,
``library``, ``export``, ``trainer``), 403 not allowed (``host``, ``origin``, ``secret``, ``token``, ``forbidden``), 404
it does not exist (``unknown``, ``image``), 405, 409 it has changed meanwhile (``conflict``) or there is nothing to undo
(``nothing``), 413 more than 8 MiB (``too-large``), 415 no JSON (``content-type``), 429 too many at once (``busy``),
500 our own fault (``internal``), 503 the store cannot be reached (``store``) or the server shuts down (``ended``).

Every request must name an allowed Host and must not come from another site (``Host``, ``Origin``, ``Sec-Fetch-Site``).
With ``lorads panel`` it must bring the cookie that the page's address with its token sets (`access`).
What writes or launches is a POST with ``Content-Type: application/json`` and ``X-LoRADS-Token`` from the session.

Page (``lorads panel`` only; ComfyUI serves ``web/`` itself)::

    GET  /lorads/                       index.html of web/panel; ?token= is exchanged for the cookie
    GET  /lorads/web/...                its modules

Queries::

    GET  .../rows?from=0&count=2000     count at most 5000
    GET  .../buckets                    {key: "832×1216"}, by sd-scripts' rule; an image without one is not trained
    GET  .../summary?trainer=           sd-scripts unless given; the config is that of the dataset's last export
    GET  api/tags?begins=lo&limit=20    tags and aliases with this prefix
    GET  api/thumbnail/...?side=256     WebP, its longer side at most the next of 128, 256, 384, 512, 768, 1024
    GET  api/image/...                  JPEG or WebP, its longer side at most 2048; both with an ETag
    GET  api/runs?dataset={id}          newest first; of all datasets without one
    GET  api/events?dataset={id}        Server-Sent Events, ``data`` is a `json_types.PanelEvent`

Requests::

    POST .../edits                      {label, changes: [json_types.Change]}. On a conflict (409, ConflictResponse)
                                        nothing is written. Texts are stored as one tidy line: the answer has them.
                                        ``after`` null removes a caption; an empty one is refused
    POST .../undo | redo | stop         {}
    POST .../bulk                       {operation, arguments, keys: [key]|null, unedited_only: true, preview: false};
                                        `operations` has the arguments
    POST .../reject                     {keys, rejected: true|false}; a rejected image stays in the panel and is left
                                        out of training
    POST .../duplicates                 {}: a job that looks for near-duplicates; json_types.DuplicatesOutcome
    POST .../training-options           {trainer, config}: checks the values of the form; nothing is written
    POST .../summary                    {trainer, config, first_frame}: the summary with these; nothing is written
    POST .../export                     {trainer, folder, config, images: "copy"|"link"|policy, first_frame,
                                        keep_alpha, strip}
    POST .../train                      as export, but {profile} for {trainer}, and {resume: true|false}: go on from
                                        the last saved state of a stopped training of the same export

``config`` holds training options by name, as `json_types.OptionValue`; one that is left out stays as it was last
exported, null unsets it; how images are written stays as it was in the last export, too. What does not count for the
base model and network is not set either.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import json_types as types

PREFIX = "/lorads"
_SET = "datasets/{dataset}"
_RUN = "runs/{run}"


class Route(NamedTuple):
    """A route: ``name`` is that of its handler, ``answer`` the type of its JSON, None for an image or a stream."""

    method: str
    path: str
    name: str
    answer: Any


TABLE: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/api/session", "session", types.Session),
    Route("GET", f"{PREFIX}/api/datasets", "datasets", list[types.DatasetSummary]),
    Route("GET", f"{PREFIX}/api/{_SET}", "dataset", types.DatasetFacts),
    Route("GET", f"{PREFIX}/api/{_SET}/rows", "rows", types.RowPage),
    Route("GET", f"{PREFIX}/api/{_SET}/row/{{key}}", "row", types.RowDetails),
    Route("GET", f"{PREFIX}/api/{_SET}/buckets", "buckets", dict[str, str]),
    Route("GET", f"{PREFIX}/api/{_SET}/problems", "problems", list[types.Problem]),
    Route("GET", f"{PREFIX}/api/{_SET}/tags", "tags", list[types.TagCount]),
    Route("GET", f"{PREFIX}/api/{_SET}/summary", "summary", types.Summary),
    Route("GET", f"{PREFIX}/api/{_SET}/training-options", "dataset_options", types.DatasetOptions),
    Route("GET", f"{PREFIX}/api/training-options", "training_options", types.TrainingTable),
    Route("GET", f"{PREFIX}/api/checkpoint", "checkpoint", types.CheckpointFacts),
    Route("GET", f"{PREFIX}/api/tags", "completions", list[types.Completion]),
    Route("GET", f"{PREFIX}/api/thumbnail/{{dataset}}/{{key}}", "thumbnail", None),
    Route("GET", f"{PREFIX}/api/image/{{dataset}}/{{key}}", "image", None),
    Route("GET", f"{PREFIX}/api/jobs/{{job}}", "job", types.Job),
    Route("GET", f"{PREFIX}/api/runs", "runs", list[types.Run]),
    Route("GET", f"{PREFIX}/api/{_RUN}", "run", types.RunDetails),
    Route("GET", f"{PREFIX}/api/{_RUN}/sample/{{name}}", "sample", None),
    Route("GET", f"{PREFIX}/api/events", "events", None),
    Route("POST", f"{PREFIX}/api/{_SET}/edits", "edits", types.WriteResult),
    Route("POST", f"{PREFIX}/api/{_SET}/undo", "undo", types.WriteResult),
    Route("POST", f"{PREFIX}/api/{_SET}/redo", "redo", types.WriteResult),
    Route("POST", f"{PREFIX}/api/{_SET}/bulk", "bulk", types.WriteResult | types.Preview),
    Route("POST", f"{PREFIX}/api/{_SET}/reject", "reject", types.WriteResult),
    Route("POST", f"{PREFIX}/api/{_SET}/duplicates", "duplicates", types.JobStarted),
    Route("POST", f"{PREFIX}/api/{_SET}/training-options", "check_options", types.OptionsCheck),
    Route("POST", f"{PREFIX}/api/{_SET}/summary", "planned_summary", types.Summary),
    Route("POST", f"{PREFIX}/api/{_SET}/export", "export", types.JobStarted),
    Route("POST", f"{PREFIX}/api/{_SET}/train", "train", types.JobStarted),
    Route("POST", f"{PREFIX}/api/{_RUN}/stop", "stop", types.JobStarted),
)
