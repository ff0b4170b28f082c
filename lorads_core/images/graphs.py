"""The prompts of a ComfyUI graph, found by walking back from its samplers; graphs are untrusted and nothing raises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Side = Literal["positive", "negative"]
_DEPTH = 150  # well under Python's own limit; real graphs stay under 50
_STEPS = 5_000  # a graph of joins that use each input twice would else grow without end
_LONGEST = 100_000
_MOST_NODES = 20_000

_ENDS = re.compile(r"(save|preview|output)", re.IGNORECASE)
_SAMPLER = re.compile(r"sampler|detailer|upscale", re.IGNORECASE)
_CONDITIONING = re.compile(r"^(cond(itioning)?(_?\d+|_to|_from|_[a-z])?|guider)$", re.IGNORECASE)
_TEXT = re.compile(
    r"^(text|string|str|prompt|value|wildcard_text|populated_text|clip_[gl]|t5xxl|llama|qwen\w*|tags|lyrics"
    r"|(text|string|prompt|str)_?([a-z]|\d+|positive|negative)|(positive|negative)(_prompt|_text)?|input)$",
    re.IGNORECASE,
)
_OTHER_SIDE = {"positive": re.compile("negative", re.IGNORECASE), "negative": re.compile("positive", re.IGNORECASE)}
_NO_TEXT = re.compile(
    r"^(model|clip|vae|images?|latents?(_image)?|samples|pixels|mask|control_net|clip_vision(_output)?|style_model"
    r"|noise|sampler|sigmas|seed|width|height|steps|cfg|denoise|guidance|strength)$",
    re.IGNORECASE,
)
_FILE = re.compile(r"\.(safetensors|ckpt|pth?|bin|gguf|png|jpe?g|webp)$", re.IGNORECASE)
_SEPARATORS = ("delimiter", "separator", "delim")


def graph_prompts(graph: Mapping[str, object]) -> tuple[str, str]:
    """Return the positive and the negative prompt of a graph in ComfyUI's API form, empty where none is found.

    Where several samplers lead to a result, that farthest from it counts: it laid the image out, later ones refine.
    """
    if len(graph) > _MOST_NODES:
        return "", ""
    walk = _Walk({key: _Node.read(node) for key, value in graph.items() if (node := _mapping(value))})
    samplers = walk.samplers()
    for sampler in samplers:
        if positive := walk.prompt(sampler, "positive"):
            return positive, walk.prompt(sampler, "negative")
    return "", next(filter(None, (walk.prompt(sampler, "negative") for sampler in samplers)), "")


class _Node:
    """A node with its class in plain text and its inputs in order."""

    __slots__ = ("inputs", "kind")

    def __init__(self, kind: str, inputs: Mapping[str, object]) -> None:
        self.kind = kind
        self.inputs = inputs

    @classmethod
    def read(cls, node: Mapping[str, object]) -> _Node:
        kind = node.get("class_type")
        return cls(kind if isinstance(kind, str) else "", _mapping(node.get("inputs")))

    def links(self) -> dict[str, str]:
        """Return the node ids that inputs are linked to, by input."""
        return {name: link for name, value in self.inputs.items() if (link := _link(value)) is not None}


def _link(value: object) -> str | None:
    parts = _list(value)
    if len(parts) == 2:  # noqa: PLR2004 - a link
        target, output = parts
        if isinstance(target, str | int) and isinstance(output, int):
            return str(target)
    return None


class _Walk:
    """Walks over one graph, with a budget of steps that all its walks share."""

    def __init__(self, nodes: Mapping[str, _Node]) -> None:
        self.nodes = nodes
        self.steps = _STEPS

    def samplers(self) -> list[_Node]:
        """Return the nodes that sample, the farthest from a result first; those that lead to none come last."""
        ends = [key for key, node in self.nodes.items() if _ENDS.search(node.kind)]
        order: dict[str, None] = dict.fromkeys(ends)
        waiting = list(order)
        while waiting:
            found = [target for key in waiting for target in self.nodes[key].links().values() if target in self.nodes]
            waiting = [target for target in dict.fromkeys(found) if target not in order]
            order |= dict.fromkeys(waiting)
        reached = [*reversed(order), *(key for key in self.nodes if key not in order)]
        prompted = [self.nodes[key] for key in reached if self.nodes[key].inputs.keys() & {"positive", "guider"}]
        named = [node for node in prompted if _SAMPLER.search(node.kind)]
        return named or prompted

    def prompt(self, sampler: _Node, side: Side) -> str:
        links = sampler.links()
        start = links.get(side) or links.get("guider")
        if start is None:
            return ""
        texts = self._conditioning(start, side, frozenset())
        return ", ".join(dict.fromkeys(texts))[:_LONGEST]

    def _enter(self, key: str, path: frozenset[str]) -> _Node | None:
        """Return a node to be walked through, None where the walk ends: missing, a cycle, too deep, too long."""
        self.steps -= 1
        if self.steps < 0 or key in path or len(path) >= _DEPTH:
            return None
        return self.nodes.get(key)

    def _conditioning(self, key: str, side: Side, path: frozenset[str]) -> list[str]:
        """Collect the texts that a conditioning is made of."""
        node = self._enter(key, path)
        # A zeroed conditioning hangs on a prompt and says nothing of it: Flux graphs use it as the negative one.
        if node is None or "zeroout" in node.kind.lower():
            return []
        path |= {key}
        links = node.links()
        if "guider" in node.kind.lower() and side == "negative" and "negative" not in links:
            return []
        if side in links:
            return self._conditioning(links[side], side, path) or self._text_of(links[side], side, path)
        before = [target for name, target in links.items() if _CONDITIONING.match(name)]
        if side == "positive" and "negative" in links and before:
            before = before[:1]  # DualCFGGuider: cond1 is the prompt
        if before:
            return [text for target in before for text in self._conditioning(target, side, path)]
        if texts := self._texts(node, side, path):
            return list(dict.fromkeys(texts))
        onward = [target for name, target in links.items() if not _NO_TEXT.match(name)]
        return [text for target in onward for text in self._conditioning(target, side, path)]

    def _text_of(self, key: str, side: Side, path: frozenset[str]) -> list[str]:
        """Return the one string that a node gives out, as a list that is empty where it is."""
        node = self._enter(key, path)
        if node is None:
            return []
        texts = self._texts(node, side, path | {key})
        separators = [value for name in _SEPARATORS if isinstance(value := node.inputs.get(name), str)]
        # Nodes that show a text hold it twice: as the link, and as what they showed.
        text = (separators[0] if separators else " ").join(dict.fromkeys(texts))[:_LONGEST]
        return [text] if text.strip() else []

    def _texts(self, node: _Node, side: Side, path: frozenset[str]) -> list[str]:
        """Return the strings that stand in a node's inputs or are linked to them, in their order."""
        names = [name for name in node.inputs if _TEXT.match(name) and not _OTHER_SIDE[side].search(name)]
        if "populated_text" in names and "wildcard_text" in names:
            names.remove("wildcard_text")  # ImpactWildcardProcessor: the text before its wildcards were drawn
        texts: list[str] = []
        for name in names:
            value = node.inputs[name]
            link = _link(value)
            if isinstance(value, str):
                texts.append(value)
            elif link is not None:
                texts += self._text_of(link, side, path)
        if not names and not node.kind.lower().startswith("clip"):  # a reroute or a node of unknown words
            for name, target in node.links().items():
                if not _NO_TEXT.match(name) and not _CONDITIONING.match(name):
                    texts += self._text_of(target, side, path)
        return [text for text in texts if text.strip()]


def workflow_graph(workflow: Mapping[str, object]) -> dict[str, object]:
    """Turn a workflow as the editor saves it into the API form, as far as prompts need it."""
    links = _workflow_links(workflow.get("links"))
    graph: dict[str, object] = {}
    for node in _mappings(workflow.get("nodes"))[:_MOST_NODES]:
        if node.get("mode") in (2, 4):  # muted, bypassed
            continue
        entries = _mappings(node.get("inputs"))
        inputs = _widgets(entries, node.get("widgets_values"))
        for entry in entries:
            name, link = entry.get("name"), entry.get("link")
            if isinstance(name, str) and isinstance(link, int) and link in links:
                inputs[name] = links[link]
        graph[str(node.get("id"))] = {"class_type": node.get("type"), "inputs": inputs}
    return graph


def _widgets(entries: list[Mapping[str, object]], widgets: object) -> dict[str, object]:
    """Return widget values by name where the editor saved names (from 2025 on); else strings stand in for text."""
    if named := _mapping(widgets):
        return dict(named)
    values = _list(widgets)
    names = [name for entry in entries if "widget" in entry and isinstance(name := entry.get("name"), str)]
    if names and len(names) == len(values):
        return dict(zip(names, values, strict=True))
    strings = [value for value in values if isinstance(value, str) and not _FILE.search(value)]
    return {f"text_{number}" if number else "text": text for number, text in enumerate(strings)}


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [mapping for item in _list(value) if (mapping := _mapping(item))]


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object, empty for all else."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _workflow_links(value: object) -> dict[int, list[object]]:
    """Return where each link comes from; a link is ``[id, from node, from output, to node, to input, type]``."""
    found: dict[int, list[object]] = {}
    for link in _list(value):
        parts = _list(link)
        if len(parts) >= 3:  # noqa: PLR2004 - see above
            number, node, output = parts[:3]
            if isinstance(number, int):
                found[number] = [node, output]
    return found
