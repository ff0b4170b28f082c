"""The prompts of a ComfyUI graph, found by walking back from its samplers; graphs are untrusted and nothing raises.

Only what ran for certain counts. Texts of branches of which it is not known whether they ran, and texts that were made
while the graph ran, are marked as such on the way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from .graph_nodes import action_of, branch_of, is_constant, selector_of, shows_text
from .prompt_dialects.parts import marked, parts_of, unmarked
from .prompt_dialects.texts import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .prompt_dialects.parts import Part

Side = Literal["positive", "negative"]
_DEPTH = 150  # well under Python's own limit; real graphs stay under 50
_STEPS = 5_000  # a graph of joins that use each input twice would else grow without end
_LONGEST = 100_000
_SPLITS = 3  # switches in a row of which it is not known what they took
_LONGEST_CHAIN = 20  # of constants that hand a value on
_MOST_NODES = 20_000

_SAVES = re.compile(r"save", re.IGNORECASE)
_SHOWS = re.compile(r"preview|output", re.IGNORECASE)
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
_PIPE = re.compile(r"pipe|context", re.IGNORECASE)
_SEPARATORS = ("delimiter", "separator", "delim")


def graph_prompts(graph: Mapping[str, object]) -> tuple[str, str, tuple[Part, ...]]:
    """Return the positive and the negative prompt of a graph in ComfyUI's API form, and what of it is uncertain.

    Where several samplers lead to a result, that farthest from it counts: it laid the image out, later ones refine.
    Where a graph saves several images of different prompts, none is certain: files do not say which of them they are.
    """
    if len(graph) > _MOST_NODES:
        return "", "", ()
    walk = _Walk({key: _Node.read(node) for key, value in graph.items() if (node := mapping(value))})
    found = list(dict.fromkeys(walk.results()))
    if not found:
        return "", "", ()
    positives = list(dict.fromkeys(positive for positive, _ in found if positive))
    if len(positives) > 1:
        positives = [marked(unmarked(each), "possible") for each in positives]
    positive, uncertain = _divided(positives)
    negative, _ = _divided(dict.fromkeys(negative for _, negative in found))
    return positive, negative, uncertain


def _divided(texts: Iterable[str]) -> tuple[str, tuple[Part, ...]]:
    """Join what of marked texts is certain, and return the rest beside it."""
    certain: list[str] = []
    uncertain: dict[Part, None] = {}
    for text in texts:
        parts = parts_of(text)
        found = "".join(part.text for part in parts if part.certainty == "certain")
        certain.append(found.strip(" ,") if len(parts) > 1 else found)  # nothing follows a comma that led on
        uncertain |= dict.fromkeys(part for part in parts if part.certainty != "certain")
    return ", ".join(filter(None, certain))[:_LONGEST], tuple(uncertain)


class _Node:
    """A node with its class in plain text and its inputs in order."""

    __slots__ = ("_links", "inputs", "kind")

    def __init__(self, kind: str, inputs: Mapping[str, object]) -> None:
        self.kind = kind
        self.inputs = inputs
        self._links: dict[str, str] | None = None

    @classmethod
    def read(cls, node: Mapping[str, object]) -> _Node:
        kind = node.get("class_type")
        return cls(kind if isinstance(kind, str) else "", mapping(node.get("inputs")))

    def links(self) -> dict[str, str]:
        """Return the node ids that inputs are linked to, by input."""
        if self._links is None:  # a walk needs them several times
            self._links = {name: link for name, value in self.inputs.items() if (link := _link(value)) is not None}
        return self._links


def _text_names(node: _Node, side: Side) -> list[str]:
    """Return the inputs of a node that hold text for one side, by their names."""
    names = [name for name in node.inputs if _TEXT.match(name) and not _OTHER_SIDE[side].search(name)]
    if "populated_text" in names and "wildcard_text" in names:
        names.remove("wildcard_text")  # ImpactWildcardProcessor: the text before its wildcards were drawn
    return names


def _link(value: object) -> str | None:
    match value:  # the walk spends its time here
        case [str() | int() as target, int()]:
            return str(target)
        case _:
            return None


class _Walk:
    """Walks over one graph, with a budget of steps that all its walks share."""

    def __init__(self, nodes: Mapping[str, _Node]) -> None:
        self.nodes = nodes
        self.steps = _STEPS

    def results(self) -> list[tuple[str, str]]:
        """Return the marked prompts of each image that the graph saves, or else shows, or else samples."""
        for pattern in (_SAVES, _SHOWS):
            ends = [key for key, node in self.nodes.items() if pattern.search(node.kind)]
            found = [result for end in ends for result in self._results_of(end, _SPLITS)]
            if any(positive for positive, _ in found):
                return [each for each in found if any(each)]
        found = self._result([*self._before(ends), *self.nodes])
        return [found] if any(found) else []

    def _results_of(self, end: str, splits: int) -> list[tuple[str, str]]:
        """Return the prompts that may have led to one result: several where a switch hides which images it took."""
        keys = self._before([end])
        unknown = (self.nodes[key] for key in reversed(keys) if splits and self._is_unknown(self.nodes[key]))
        for node in unknown:
            found = [each for target in node.links().values() for each in self._results_of(target, splits - 1)]
            if any(map(any, found)):
                return found
        return [self._result(keys)]

    def _is_unknown(self, node: _Node) -> bool:
        """Say whether a node chooses, of several links, one that is not known."""
        if action_of(node.kind) != "choose":
            return False
        names = [name for name in node.links() if name != selector_of(node.inputs)]
        return len(names) > 1 and not self._branch(node, names)

    def _result(self, keys: Iterable[str]) -> tuple[str, str]:
        """Return the prompts of the first sampler among nodes that has a positive one, else a negative one alone."""
        samplers = self._samplers(keys)
        for sampler in samplers:
            if positive := self.prompt(sampler, "positive"):
                return positive, self.prompt(sampler, "negative")
        return "", next(filter(None, (self.prompt(sampler, "negative") for sampler in samplers)), "")

    def _before(self, ends: Iterable[str]) -> list[str]:
        """Return the nodes that lead to some others, the farthest first."""
        order = list(dict.fromkeys(ends))
        found = set(order)
        for key in order:  # it grows while it is walked
            for target in self._ran(key):
                if target not in found and target in self.nodes:
                    found.add(target)
                    order.append(target)
        return order[::-1]

    def _ran(self, key: str) -> Iterable[str]:
        """Return the nodes that a node got its inputs from, as far as it is known which of them it used."""
        node = self.nodes[key]
        links = node.links()
        if action_of(node.kind) in {"choose", "first"} and (name := self._branch(node, list(links))):
            return [links[name], *(target for other, target in links.items() if other == selector_of(node.inputs))]
        return links.values()

    def _samplers(self, keys: Iterable[str]) -> list[_Node]:
        nodes = [self.nodes[key] for key in dict.fromkeys(keys)]
        prompted = [node for node in nodes if "positive" in node.inputs or "guider" in node.inputs]
        named = [node for node in prompted if _SAMPLER.search(node.kind)]
        if named:
            return named
        # EasyUse and ttN sample by a pipe alone, which starts at a loader with the texts.
        piped = [node for node in nodes if _SAMPLER.search(node.kind) and any(map(_PIPE.search, node.links()))]
        return piped or prompted

    def prompt(self, sampler: _Node, side: Side) -> str:
        """Return one prompt of a sampler, with marks where it is not certain."""
        links = sampler.links()
        start = links.get(side) or links.get("guider")
        texts: list[str] = []
        if start is not None:
            texts = self._conditioning(start, side, frozenset())
        elif not sampler.inputs.keys() & {"positive", "guider"}:
            for target in (target for name, target in links.items() if _PIPE.search(name)):
                texts = texts or self._piped(target, side, frozenset())
        return ", ".join(dict.fromkeys(texts))

    def _piped(self, key: str, side: Side, path: frozenset[str]) -> list[str]:
        """Follow a pipe back to the node that put the texts in, or their conditioning."""
        node = self._enter(key, path)
        if node is None:
            return []
        links = node.links()
        if side in links:
            return self._conditioning(links[side], side, path | {key}) or self._text_of(links[side], side, path | {key})
        if isinstance(text := node.inputs.get(side), str):
            return [unmarked(text)] if text.strip() else []
        pipes = [target for name, target in links.items() if _PIPE.search(name)]
        for target in pipes:
            if texts := self._piped(target, side, path | {key}):
                return texts
        return []

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
        acted = self._acted(node, side, path)
        return self._passed_on(node, side, path) if acted is None else acted

    def _passed_on(self, node: _Node, side: Side, path: frozenset[str]) -> list[str]:
        """Collect the texts of a node that makes a conditioning of text or of other conditionings."""
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
        if (acted := self._acted(node, side, path | {key})) is not None:
            return acted
        texts = self._texts(node, side, path | {key})
        separators = [value for name in _SEPARATORS if isinstance(value := node.inputs.get(name), str)]
        # Nodes that show a text hold it twice: as the link, and as what they showed.
        text = (separators[0] if separators else " ").join(dict.fromkeys(texts))
        if len(text) > _LONGEST:  # a cut could take away the end of a mark
            text = unmarked(text)[:_LONGEST]
        return [text] if text.strip() else []

    def _shown(self, node: _Node, names: list[str], side: Side, path: frozenset[str]) -> list[str]:
        """Return the text that a node is linked to show; what it showed before is of an earlier run."""
        links = [link for name in names if (link := _link(node.inputs[name])) is not None]
        linked = [text for link in links for text in self._text_of(link, side, path)]
        if all(unmarked(text) == text for text in linked):
            return linked
        earlier = [unmarked(value) for name in names if isinstance(value := node.inputs[name], str)]
        return [*linked, *(marked(text, "generated") for text in earlier)]

    # Nodes that choose, draw, generate and change

    def _acted(self, node: _Node, side: Side, path: frozenset[str]) -> list[str] | None:
        """Return the marked texts of a node that does more than pass text on, None of any other."""
        action = action_of(node.kind)
        if not action:
            return None
        if action in {"choose", "first"}:
            return self._chosen(node, side, path)
        if action == "replace":
            return self._replaced(node, side, path)
        texts = self._texts(node, side, path)
        if action == "generate":
            return [marked(f"{node.kind}: {' '.join(map(unmarked, texts))}".rstrip(": "), "generated")]
        if action == "draw" and not any("\n" in text.strip() for text in texts) and len(texts) == 1:
            return texts  # of one line there is nothing to draw
        return [marked(unmarked(text), "possible") for text in texts]

    def _chosen(self, node: _Node, side: Side, path: frozenset[str]) -> list[str]:
        names = [name for name, value in node.inputs.items() if self._is_branch(name, value)]
        branch = self._branch(node, names)
        found = [
            text for name in ([branch] if branch else names) for text in self._branch_texts(node, name, side, path)
        ]
        if branch or len(names) == 1 or len(set(found)) == 1:
            return found
        return [marked(unmarked(text), "possible") for text in found]

    def _branch(self, node: _Node, names: list[str]) -> str | None:
        """Return the input that a choosing node passed on, None where that is not known."""
        if action_of(node.kind) == "first":
            return min((name for name in names if _link(node.inputs[name])), default=None)
        selector = selector_of(node.inputs)
        if selector is None:
            return None
        value = self._constant(node.inputs[selector])
        return branch_of([name for name in names if name != selector], value)

    @staticmethod
    def _is_branch(name: str, value: object) -> bool:
        return (
            (isinstance(value, str) or _link(value) is not None)
            and not _NO_TEXT.match(name)
            and not selector_of({name: value})
        )

    def _branch_texts(self, node: _Node, name: str, side: Side, path: frozenset[str]) -> list[str]:
        value = node.inputs[name]
        if isinstance(value, str):
            return [unmarked(value)] if value.strip() else []
        link = _link(value) or ""
        return self._text_of(link, side, path) or self._conditioning(link, side, path)

    def _constant(self, value: object) -> object:
        """Return the value of an input, over a link that of a node which holds nothing else; None where unknown."""
        for _ in range(_LONGEST_CHAIN):
            link = _link(value)
            if link is None:
                return value
            node = self.nodes.get(link)
            if node is None or not is_constant(node.kind) or len(node.inputs) != 1:
                return None
            (value,) = node.inputs.values()
        return None

    def _replaced(self, node: _Node, side: Side, path: frozenset[str]) -> list[str]:
        texts = self._texts(node, side, path)
        find, replacement = node.inputs.get("find"), node.inputs.get("replace", node.inputs.get("replacement"))
        if isinstance(find, str) and find and isinstance(replacement, str):
            return [text.replace(find, replacement)[:_LONGEST] for text in texts]
        return [marked(unmarked(text), "possible") for text in texts]

    def _texts(self, node: _Node, side: Side, path: frozenset[str]) -> list[str]:
        """Return the strings that stand in a node's inputs or are linked to them, in their order."""
        names = _text_names(node, side)
        texts: list[str] = []
        if shows_text(node.kind) and (shown := self._shown(node, names, side, path)):
            return shown
        for name in names:
            value = node.inputs[name]
            link = _link(value)
            if isinstance(value, str):
                texts.append(value if value.isascii() else unmarked(value))
            elif link is not None:
                texts += self._text_of(link, side, path)
        if not names and not node.kind.lower().startswith("clip"):  # a reroute or a node of unknown words
            for name, target in node.links().items():
                if not _NO_TEXT.match(name) and not _CONDITIONING.match(name):
                    texts += self._text_of(target, side, path)
        return [text for text in texts if text.strip()]
