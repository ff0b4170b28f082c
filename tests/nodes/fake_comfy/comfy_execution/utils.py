"""ComfyUI's word on which node runs: none, until a test says so."""

from typing import NamedTuple


class ExecutionContext(NamedTuple):
    prompt_id: str
    node_id: str
    list_index: int | None


current = None


def get_executing_context():
    return current
