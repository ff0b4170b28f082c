"""ComfyUI's word on which node runs: none, until a test says so."""

from collections import namedtuple

ExecutionContext = namedtuple("ExecutionContext", "prompt_id node_id list_index")
current = None


def get_executing_context():
    return current
