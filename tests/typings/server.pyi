from aiohttp import web

class PromptServer:
    instance: PromptServer
    routes: web.RouteTableDef
    def send_progress_text(self, text: str, node_id: str) -> None: ...
