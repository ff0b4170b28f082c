"""ComfyUI's server, which keeps what it was told to show on nodes."""


class PromptServer:
    instance = None

    def __init__(self):
        self.said = []

    def send_progress_text(self, text, node_id):
        self.said.append((node_id, text))


PromptServer.instance = PromptServer()
