"""The panel's routes under ``/lorads`` as a table, and what they take and answer; light, it answers nothing itself.

All is JSON in UTF-8 unless said, gzipped where it is large. An image's ``key`` is ``library:number``, never a path; a
dataset's and a run's ``id`` is a UUID. ``revision`` is a text that is another one after every change of the dataset,
by any program; it has no order. Times are ISO 8601 with a zone.

An error is ``{"error": {"code", "message"}}``: 400 a value is wrong (``code``: ``request``, ``settings``, ``caption``,
``library``, ``export``, ``trainer``), 403 not allowed (``host``, ``origin``, ``token``, ``forbidden``), 404 it is not
there (``unknown``, ``image``), 405, 409 it is another by now (``conflict``) or there is nothing to take back
(``nothing``), 413 more than 8 MiB (``too-large``), 415 no JSON (``content-type``), 429 too many at once (``busy``),
500 our own fault (``internal``), 503 the store cannot be reached (``store``) or the server ends (``ended``).

Every request must name an allowed Host and must not come from another site (``Host``, ``Origin``, ``Sec-Fetch-Site``).
What writes or launches is a POST with ``Content-Type: application/json`` and ``X-LoRADS-Token`` from the session.

Page (``lorads panel`` only; ComfyUI serves ``web/`` itself)::

    GET  /lorads/                       index.html of web/panel
    GET  /lorads/web/...                its modules

Session and datasets::

    GET  api/session                    {token, version, where: "comfyui"|"page", command, can_export, can_launch,
                                         base_models: [{name, label, token_limit}], networks: [{name, label}],
                                         trainers: [{name, label}], trainer_profiles: [{name, label}],
                                         sources: [{name, label}], libraries: [name]}
    GET  api/datasets                   [{id, name, library, training, regularization, rejected, edited, updated_at}]
    GET  api/datasets/{id}              {id, name, library, trigger: {word, position}, concepts: [{name, trigger,
                                         repeats}], base_model, training, regularization, rejected, revision,
                                         config, can_undo: label|null, can_redo: label|null, problems: [message]}
                                        ``config`` is another text after an export with another training config;
                                        ``problems``: images that have gone from their library since
    GET  .../{id}/rows?from=0&count=2000   {total, revision, rows: [row]}; count at most 5000
         row: {key, set: "training"|"regularization", concept, file (name only), width, height, rating, bad, reason,
               text: text|null, source, edited, fixed, rejected, tokens, problems: [{code, severity}]}
    GET  .../{id}/row/{key}             the row and {prompt, tags: [{text, source, confidence}],
                                         offered: [{source, text}], bucket: {width, height}|null,
                                         history: [{label, at, undone, before, after}]}, the newest first
    GET  .../{id}/buckets               {key: "832×1216"}: the bucket that each image is trained in, by sd-scripts'
                                        rule; an image without one is not trained
    GET  .../{id}/problems              [{severity, code, message, key|null, fix: {label, text}|null}]
    GET  .../{id}/tags                  [{tag, training, regularization}], the most frequent first
    GET  api/tags?begins=lo&limit=20    [{tag, alias, count}]: tags and aliases that begin so; ``count`` is how many
                                        captions of the datasets that are open hold it
    GET  .../{id}/summary?trainer=&...  {training, regularization, rejected, buckets: [{width, height, count}], dropped,
                                         upscaled, steps_per_epoch, total_steps, seconds|null, problems, checkpoints};
                                        the query may hold fields of the training config, else it is that of the
                                        dataset's last export. A config that the trainer refuses: steps are null

Pictures::

    GET  api/thumbnail/{id}/{key}?side=256   WebP, its longer side at most the next of 128, 256, 384, 512, 768, 1024
    GET  api/picture/{id}/{key}         JPEG or WebP, its longer side at most 2048; both with an ETag

Writing::

    POST .../{id}/edits                 {label, changes: [{key, before: text|null, after: text|null}]}
                                        -> written, or 409 {error, conflicts: [{key, theirs: text|null, source}]}:
                                        nothing was written then. Texts are stored as one tidy line: the rows tell.
                                        ``after`` null takes a caption away; an empty one is refused
    POST .../{id}/undo | redo           {} -> written; 409 ``nothing``, or ``conflict`` where a text is another by now
    POST .../{id}/bulk                  {operation, arguments, keys: [key]|null, unedited_only: true, preview: false}
                                        -> written, or as preview {count, label, emptied, examples: [{key, before,
                                        after}]}, the first 50. ``emptied``: captions that stay, as nothing would be
                                        left of them, or the source has nothing
         operations: find_replace {find, replace, regex, case}, add_tags {tags, place: "front"|"back"|number},
               remove_tags {tags}, replace_tag {old, new}, sort {}, apply_source {source, trigger, position},
               prune {tags}, fix {codes}; trigger and position (prepend, append, none) are the dataset's unless given
    POST .../{id}/reject                {keys, rejected: true|false} -> written; a rejected image stays in the panel and
                                        is left out of what the graph, the command line and the panel go on with
         written: {revision, was, label, rows: [rows that changed], can_undo, can_redo};
               ``was`` is the revision before: a page that shows another has missed what others wrote

Export and training::

    POST .../{id}/export                {trainer, folder, images: "copy"|"link"|policy, config: {field: value}}
                                        -> {job}; result {folder, manifest_hash, summary: [[name, value]], problems}
    POST .../{id}/train                 {profile, folder, images, config} -> {job}; result {run, manifest_hash}
    GET  api/jobs/{job}                 {state: "waiting"|"running"|"done"|"failed", step, done, total, message, result}
    GET  api/runs?dataset={id}          [run], the newest first; of all datasets without one
         run: {id, name, dataset, trainer, profile, state: "starting"|"running"|"completed"|"failed"|"cancelled"|"lost",
               step, total_steps, epoch, loss, seconds_a_step, eta, message, started_at, ended_at, manifest_hash}
    GET  api/runs/{run}                 the run and {history: [[step, loss, learning rate|null]], log, samples: [name],
                                         loras: [name]}
    GET  api/runs/{run}/sample/{name}   the picture, WebP or JPEG
    POST api/runs/{run}/stop            {} -> {job}; result the run

What happens::

    GET  api/events?dataset={id}        Server-Sent Events, ``data`` is JSON: {kind: "edited", revision} of an edit
                                         here, with ``config`` at first and after a change elsewhere; {kind:
                                         "datasets", names}; {kind: "run", run}; {kind: "job", job, state, step,
                                         done, total, message}
"""

PREFIX = "/lorads"
_SET = "datasets/{dataset}"
_RUN = "runs/{run}"

TABLE: tuple[tuple[str, str, str], ...] = (
    ("GET", f"{PREFIX}/api/session", "session"),
    ("GET", f"{PREFIX}/api/datasets", "datasets"),
    ("GET", f"{PREFIX}/api/{_SET}", "dataset"),
    ("GET", f"{PREFIX}/api/{_SET}/rows", "rows"),
    ("GET", f"{PREFIX}/api/{_SET}/row/{{key}}", "row"),
    ("GET", f"{PREFIX}/api/{_SET}/buckets", "buckets"),
    ("GET", f"{PREFIX}/api/{_SET}/problems", "problems"),
    ("GET", f"{PREFIX}/api/{_SET}/tags", "tags"),
    ("GET", f"{PREFIX}/api/{_SET}/summary", "summary"),
    ("GET", f"{PREFIX}/api/tags", "completions"),
    ("GET", f"{PREFIX}/api/thumbnail/{{dataset}}/{{key}}", "thumbnail"),
    ("GET", f"{PREFIX}/api/picture/{{dataset}}/{{key}}", "picture"),
    ("GET", f"{PREFIX}/api/jobs/{{job}}", "job"),
    ("GET", f"{PREFIX}/api/runs", "runs"),
    ("GET", f"{PREFIX}/api/{_RUN}", "run"),
    ("GET", f"{PREFIX}/api/{_RUN}/sample/{{name}}", "sample"),
    ("GET", f"{PREFIX}/api/events", "events"),
    ("POST", f"{PREFIX}/api/{_SET}/edits", "edits"),
    ("POST", f"{PREFIX}/api/{_SET}/undo", "undo"),
    ("POST", f"{PREFIX}/api/{_SET}/redo", "redo"),
    ("POST", f"{PREFIX}/api/{_SET}/bulk", "bulk"),
    ("POST", f"{PREFIX}/api/{_SET}/reject", "reject"),
    ("POST", f"{PREFIX}/api/{_SET}/export", "export"),
    ("POST", f"{PREFIX}/api/{_SET}/train", "train"),
    ("POST", f"{PREFIX}/api/{_RUN}/stop", "stop"),
)
"""Method, path, and the name of what answers."""
