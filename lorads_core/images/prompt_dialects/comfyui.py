"""ComfyUI's ``prompt``, the graph that ran, or else ``workflow``, the graph as it was drawn."""

from __future__ import annotations

from ..graphs import graph_prompts
from ..workflow_graph import workflow_graph
from . import rules
from .base import Dialect, Prompts
from .syntax import Syntax
from .texts import Texts, is_graph


def _read(texts: Texts) -> Prompts:
    fields = texts.fields("prompt")
    if not fields and is_graph(texts.comment_fields):
        fields = texts.comment_fields
    positive, negative, uncertain = graph_prompts(fields)
    if not (positive or negative or uncertain) and "workflow" in texts:
        workflow = texts.fields("workflow")
        graph = workflow if is_graph(workflow) else workflow_graph(workflow)
        positive, negative, uncertain = graph_prompts(graph)
    return Prompts(positive, negative, "comfyui", uncertain)


# comfy/sd1_clip.py knows round brackets and `embedding:`; packs of nodes add A1111's syntax, wildcards and regions
# (comfyui-prompt-control, doc/schedules.md and doc/regional_prompts.md).
_REGION = rules.gone(
    "region or mask",
    r"\b(?:COUPLE\b[ :]*)?(?:I?MASK(?:_SIZE|W)?|AREA|FEATHER|FILL|STYLE|SDXL|NOISE|SHUFFLE|SHIFT|ATTN|TE(?:_WEIGHT)?)"
    r"\([^()\n]*\)|\bCOUPLE\b",
)
SYNTAX = Syntax(
    rules=(
        rules.END,
        rules.COMMENT,
        rules.LORA,
        rules.OPEN_LORA,
        rules.EMBEDDING,
        rules.WILDCARD,
        _REGION,
        rules.KEYWORD,
        rules.COMPOSITION,
        rules.WEIGHT_IN_FRONT,
    ),
    meanings={"(": rules.weighted, "[": rules.edited, "{": rules.chosen, "$": rules.variable},
    opening=rules.OPENING_WITH_VARIABLES,
    last=(rules.DOUBLE_COLON,),
)

DIALECT = Dialect("comfyui", "ComfyUI", 20, _read, SYNTAX)
