"""ComfyUI's server, which keeps what it was told to show on nodes, and the routes that it was given."""

from aiohttp import web


class PromptServer:
    instance = None

    def __init__(self):
        self.said = []
        self.routes = web.RouteTableDef()

    def send_progress_text(self, text, node_id):
        self.said.append((node_id, text))


PromptServer.instance = PromptServer()
