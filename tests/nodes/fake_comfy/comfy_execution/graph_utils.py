"""ComfyUI's value that keeps whatever takes it from running."""


class ExecutionBlocker:
    def __init__(self, message):
        self.message = message
