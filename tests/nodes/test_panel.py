"""The panel's routes on ComfyUI's server, served for real by aiohttp; the fake host keeps them in its table."""

import asyncio
import http.client
import json
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from aiohttp import web

from lorads_core.panel.api_spec import TABLE

from .pack import FAKE, ROOT, loaded
from .test_chain import base, build  # noqa: F401 - base is a fixture
from .test_launch import exported, make_pack  # noqa: F401 - make_pack is a fixture

LOAD = """
import asyncio, sys
from importlib import util
{before}
spec = util.spec_from_file_location("lorads_pack", sys.argv[1])
pack = sys.modules["lorads_pack"] = util.module_from_spec(spec)
spec.loader.exec_module(pack)
extension = asyncio.run(pack.comfy_entrypoint())
asyncio.run(extension.on_load())
print([name for name in {heavy!r} if name in sys.modules])
"""


@pytest.fixture
def pack(base, store_settings):  # noqa: F811
    with loaded(base, store_settings) as found:
        yield found


@pytest.fixture
def mount():
    """Return a function that loads a pack's routes as ComfyUI does and serves them at a port."""
    ends = []

    def served(pack):
        loop, found = asyncio.new_event_loop(), []

        async def serve():
            app = web.Application()
            app.add_routes(sys.modules["server"].PromptServer.instance.routes)
            runner = web.AppRunner(app, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            found.append((runner, runner.addresses[0][1]))

        extension = asyncio.run(pack.root.comfy_entrypoint())
        asyncio.run(extension.on_load())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(serve(), loop).result(20)

        def end():
            asyncio.run_coroutine_threadsafe(found[0][0].cleanup(), loop).result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()

        ends.append(end)
        return found[0][1]

    yield served
    for end in ends:
        end()


def asked(port, method, path, body=None, **headers):
    data = None if body is None else json.dumps(body)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, f"/lorads/api/{path}", data, {"Content-Type": "application/json", **given})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_its_routes_are_on_comfyuis_server(pack, mount):
    port = mount(pack)
    routes = sys.modules["server"].PromptServer.instance.routes
    assert sorted((each.method, each.path) for each in routes) == sorted((each.method, each.path) for each in TABLE)
    assert pack.host.store.cache_info().currsize == 0, "nothing was opened"
    status, session = asked(port, "GET", "session")
    assert (status, session["where"], session["can_export"]) == (200, "comfyui", True)
    assert pack.host.store.cache_info().currsize == 0, "a session needs no store"
    assert asked(port, "GET", "datasets") == (200, [])
    assert pack.host.store.cache_info().currsize == 1


def test_what_comfyui_would_answer_is_refused_here(pack, mount):
    port = mount(pack)
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert asked(port, "GET", "session", **headers)[0] == 403
    token = asked(port, "GET", "session")[1]["token"]
    path = "datasets/00000000-0000-0000-0000-000000000001/undo"
    assert asked(port, "POST", path, {})[1]["error"]["code"] == "token"
    assert asked(port, "POST", path, {}, X_LoRADS_Token=token)[1]["error"]["code"] == "unknown"
    assert asked(port, "GET", "session")[1]["token"] == token, "one panel for all requests"


@pytest.mark.slow
def test_a_dataset_of_the_graph_is_edited_and_trained(make_pack, mount):  # noqa: F811
    pack = make_pack()
    exported(pack)
    port = mount(pack)
    session = asked(port, "GET", "session")[1]
    assert (session["can_launch"], [each["name"] for each in session["trainer_profiles"]]) == (True, ["local"])
    (dataset,) = asked(port, "GET", "datasets")[1]
    rows = asked(port, "GET", f"datasets/{dataset['id']}/rows")[1]["rows"]
    token = {"X_LoRADS_Token": session["token"]}
    change = {"key": rows[0]["key"], "before": rows[0]["text"], "after": "oldlandmark, from the panel"}
    assert asked(port, "POST", f"datasets/{dataset['id']}/edits", {"changes": [change]}, **token)[0] == 200
    status, begun = asked(
        port, "POST", f"datasets/{dataset['id']}/train", {"profile": "local", "folder": "mine"}, **token
    )
    assert status == 200
    waiting = threading.Event()
    while (job := asked(port, "GET", f"jobs/{begun['job']}")[1])["state"] in {"waiting", "running"}:
        waiting.wait(0.05)
    assert job["state"] == "done", job
    assert pack.interruption.freed == ["models", "cache"], "the trainer gets the GPU's memory"
    run = job["result"]["run"]
    while (found := asked(port, "GET", f"runs/{run}")[1])["state"] in {"starting", "running"}:
        waiting.wait(0.05)
    assert found["state"] == "completed", found


@pytest.mark.slow
def test_a_trainer_that_the_server_allows_no_graph_is_not_started_from_the_panel(make_pack, mount):  # noqa: F811
    pack = make_pack(allowed="false")
    exported(pack)
    port = mount(pack)
    session = asked(port, "GET", "session")[1]
    assert not session["can_launch"]
    (dataset,) = asked(port, "GET", "datasets")[1]
    token = {"X_LoRADS_Token": session["token"]}
    status, refused = asked(port, "POST", f"datasets/{dataset['id']}/train", {"profile": "local"}, **token)
    assert (status, refused["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "before",
    ["", "import server; server.PromptServer.instance = None", "import server; del server.PromptServer.instance"],
)
def test_loading_costs_nothing_of_the_panel_and_needs_no_server(before):
    heavy = ["psycopg", "PIL", "lorads_pack.lorads_core.panel.routes", "lorads_pack.lorads_core.panel.state"]
    command = [sys.executable, "-c", LOAD.format(before=before, heavy=heavy), str(ROOT / "__init__.py")]
    environment = {"PYTHONPATH": str(FAKE)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[]"
