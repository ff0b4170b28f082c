"""A ComfyUI workflow as the editor saves it, turned into the API form, as far as prompts need it.

Muted nodes go, bypassed ones hand their input on, subgraphs are unfolded, and Get takes what Set was given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .prompt_dialects.texts import items, mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_NODES = 20_000
_DEPTH = 10  # of subgraphs within each other, and of links that are handed on
_MUTED, _BYPASSED = 2, 4
_INPUTS, _OUTPUTS = -10, -20  # ids of the two nodes that stand for a subgraph's inputs and outputs
_FILE = re.compile(r"\.(safetensors|ckpt|pth?|bin|gguf|png|jpe?g|webp)$", re.IGNORECASE)
_SET, _GET = re.compile(r"^(easy )?setnode$", re.IGNORECASE), re.compile(r"^(easy )?getnode$", re.IGNORECASE)

_Source = tuple[str, int]
"""Where a link comes from: the id of a node and the number of its output."""


def workflow_graph(workflow: Mapping[str, object]) -> dict[str, object]:
    """Return a workflow's graph in API form: nodes by id, those of a subgraph as ``12:3``."""
    reader = _Reader(
        {str(each.get("id")): each for each in _mappings(mapping(workflow.get("definitions")).get("subgraphs"))}
    )
    reader.read(workflow, "", {}, 0)
    return reader.graph()


class _Reader:
    """Collects nodes and links of a workflow and its subgraphs."""

    def __init__(self, subgraphs: Mapping[str, Mapping[str, object]]) -> None:
        self._subgraphs = subgraphs
        self._nodes: dict[str, tuple[str, dict[str, object]]] = {}
        self._handed: dict[_Source, object] = {}  # by output: the link or value that is behind it
        self._set: dict[str, object] = {}

    def read(self, level: Mapping[str, object], prefix: str, outer: Mapping[int, object], depth: int) -> None:
        """Take in one level; ``outer`` are what the inputs of this subgraph are linked to."""
        links = _links(level.get("links"), prefix, outer)
        for node in _mappings(level.get("nodes")):
            if len(self._nodes) < _MOST_NODES and node.get("mode") != _MUTED:
                self._take(node, prefix, links, depth)
        for slot, link in _ends(level.get("links"), links):
            self._handed[prefix.rstrip(":"), slot] = link

    def _take(self, node: Mapping[str, object], prefix: str, links: Mapping[int, object], depth: int) -> None:
        key, kind = f"{prefix}{node.get('id')}", node.get("type")
        entries = _mappings(node.get("inputs"))
        found = [links.get(link) if isinstance(link := entry.get("link"), int) else None for entry in entries]
        if node.get("mode") == _BYPASSED:
            self._bypass(key, node, entries, found)
        elif isinstance(kind, str) and kind in self._subgraphs and depth < _DEPTH:
            widgets = _widgets(entries, node.get("widgets_values"))
            outer = {
                slot: _given(entry, link, widgets)
                for slot, (entry, link) in enumerate(zip(entries, found, strict=True))
            }
            self.read(self._subgraphs[kind], f"{key}:", outer, depth + 1)
        else:
            inputs = _widgets(entries, node.get("widgets_values"))
            for entry, link in zip(entries, found, strict=True):
                if isinstance(name := entry.get("name"), str) and link is not None:
                    inputs[name] = link
            self._nodes[key] = (kind if isinstance(kind, str) else "", inputs)

    def _bypass(
        self, key: str, node: Mapping[str, object], entries: list[Mapping[str, object]], found: list[object]
    ) -> None:
        """Hand each output the input of its type, that in the same position first, as the editor does."""
        for slot, output in enumerate(_mappings(node.get("outputs"))):
            order = sorted(range(len(entries)), key=lambda at, slot=slot: at != slot)
            wanted = [at for at in order if entries[at].get("type") == output.get("type") and found[at] is not None]
            if wanted:
                self._handed[key, slot] = found[wanted[0]]

    def graph(self) -> dict[str, object]:
        """Return all nodes, their links leading to nodes that ran."""
        for kind, inputs in self._nodes.values():
            if _SET.match(kind):
                linked = [value for value in inputs.values() if items(value)]
                names = [value for value in inputs.values() if isinstance(value, str)]
                if linked and names:
                    self._set[names[0]] = linked[0]
        return {
            key: {"class_type": kind, "inputs": {name: self._resolved(value) for name, value in inputs.items()}}
            for key, (kind, inputs) in self._nodes.items()
        }

    def _resolved(self, value: object) -> object:
        for _ in range(_DEPTH * 2):
            link = items(value)
            if len(link) != 2:  # noqa: PLR2004 - a link
                return value
            source = (str(link[0]), link[1] if isinstance(link[1], int) else 0)
            if source in self._handed:
                value = self._handed[source]
            elif (got := self._got(source[0])) is not None:
                value = got
            else:
                return value
        return None

    def _got(self, key: str) -> object:
        """Return what a Get node takes from the Set node of its name."""
        kind, inputs = self._nodes.get(key, ("", {}))
        if not _GET.match(kind):
            return None
        return next(
            (self._set[value] for value in inputs.values() if isinstance(value, str) and value in self._set), None
        )


def _given(entry: Mapping[str, object], link: object, widgets: Mapping[str, object]) -> object:
    """Return what an input of a subgraph's node holds: a link, the value of its widget, or nothing."""
    name = entry.get("name")
    return link if link is not None else widgets.get(name) if isinstance(name, str) else None


def _links(value: object, prefix: str, outer: Mapping[int, object]) -> dict[int, object]:
    """Return where each link of a level comes from, by its number; those from outside as what is there."""
    found: dict[int, object] = {}
    for number, origin, slot, _, _ in _each_link(value):
        found[number] = outer.get(slot) if origin == _INPUTS and prefix else [f"{prefix}{origin}", slot]
    return found


def _ends(value: object, links: Mapping[int, object]) -> list[tuple[int, object]]:
    """Return the links that lead out of a subgraph, by the number of its output."""
    return [(slot, links[number]) for number, _, _, target, slot in _each_link(value) if target == _OUTPUTS]


def _each_link(value: object) -> list[tuple[int, object, int, object, int]]:
    """Read links: ``[id, from node, from output, to node, to input, type]``, or objects within subgraphs."""
    found: list[tuple[int, object, int, object, int]] = []
    for link in items(value):
        named = mapping(link)
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        parts = [named.get(name) for name in names] if named else [*items(link)[:5], *([None] * 5)][:5]
        number, origin, slot, target, end = parts
        if isinstance(number, int) and isinstance(origin, str | int) and isinstance(slot, int):
            found.append((number, origin, slot, target, end if isinstance(end, int) else 0))
    return found


def _widgets(entries: list[Mapping[str, object]], widgets: object) -> dict[str, object]:
    """Return widget values by name where the editor saved names (from 2025 on); else strings stand in for text."""
    if named := mapping(widgets):
        return dict(named)
    values = items(widgets)
    names = [name for entry in entries if "widget" in entry and isinstance(name := entry.get("name"), str)]
    if names and len(names) == len(values):
        return dict(zip(names, values, strict=True))
    strings = [value for value in values if isinstance(value, str) and not _FILE.search(value)]
    return {f"text_{number}" if number else "text": text for number, text in enumerate(strings)}


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [found for item in items(value) if (found := mapping(item))]
