"""Rules of prompt syntax that several programs share: rows of their tables.

Sources: AUTOMATIC1111 1.10 `modules/prompt_parser.py` and its wiki page Features; sd-dynamic-prompts' docs/SYNTAX.md;
sd-webui-regional-prompter; ComfyUI `comfy/sd1_clip.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .parts import marked, unmarked
from .syntax import Rule, literal

if TYPE_CHECKING:
    from .syntax import Group

NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
# Every pattern is a fixed start, a class without its own end, and that end: no text makes them backtrack far.
_NUMBER = re.compile(rf"\s*({NUMBER})\s*")
_LARGEST_WEIGHT = 10  # what is more is a time or a ratio: `clock (12:30)`
_CHOICE = re.compile(rf"^\s*(?:[~@])?\s*(?:\d+(?:-\d+)?|-\d+|\d+-)?\$\$(?:[^$]*\$\$)?|^\s*{NUMBER}::")


def number(text: str) -> float | None:
    """Return the number that a text is, None if it is none."""
    found = _NUMBER.fullmatch(text)
    return float(found[1]) if found else None


def weight(text: str, of: str) -> float | None:
    """Return the weight that stands behind a colon, None where it is a time or a ratio, as in ``(12:30)``."""
    value = number(text)
    if value is None or abs(value) > _LARGEST_WEIGHT or re.fullmatch(r"\s*0\d\s*", text):
        return None
    return None if of.strip().isdigit() else value


# Meanings of brackets


def weighted(group: Group) -> str:
    """``(text)``, ``(text:1.2)``: text; a weight of nothing or below excludes it."""
    *head, last = group.split(":")
    text = ":".join(head)
    value = weight(last, text) if head else None
    if value is None:
        return group.text
    return text if value > 0 else marked(text, "excluded")


def edited(group: Group) -> str:
    """``[from:to:when]``, ``[to:when]``, ``[from::when]``, ``[a|b]`` or a weaker ``[text]``.

    The image ends as ``to`` says. What was there for some steps, or every other one, may be in it.
    """
    if group.has("|"):
        return marked(", ".join(group.split("|")), "possible")
    *texts, when = group.split(":")
    if not texts or number(when) is None:
        return weighted(group)
    *before, last = texts
    return marked(" ".join(before), "possible") + last


def chosen(group: Group) -> str:
    """``{a|b}``, ``{2$$a|b}``, ``{0.5::a|b}``: one of several; ``{text}`` alone is text, stronger in some programs."""
    options = group.split("|")
    if len(options) == 1:
        return _CHOICE.sub("", options[0]) if "$$" in options[0] else weighted(group)
    return marked(", ".join(_CHOICE.sub("", option).strip() for option in options), "possible")


def permuted(group: Group) -> str:
    r"""``{a, b}``, with ``\,`` for a comma that is meant: an image of each, and not known of which this one is.

    Midjourney's documentation, Permutations; Easy Diffusion's wiki, Writing prompts.
    """
    several = "," in group.text.replace("\\,", "") or group.has("|")
    text = group.text.replace("\\,", ",")
    return marked(text, "possible") if several else text


def variable(group: Group) -> str:
    """``${x}``, ``${x:default}``, ``${x={a|b}}``: what it stands for was chosen when the image was made.

    sd-dynamic-prompts, docs/SYNTAX.md, Variables.
    """
    return marked(literal("${") + unmarked(group.text) + literal("}"), "generated")


OPENING_WITH_VARIABLES = r"\$\{|[(\[{]"


# Rules


def gone(what: str, pattern: str, flags: int = 0) -> Rule:
    """Make a rule for what says nothing of the image: it ends the part that it stands in."""
    return Rule(what, re.compile(pattern, flags), ", ")


def later(what: str, pattern: str) -> Rule:
    """Make a rule for what stands for a text that was made when the image was."""
    return Rule(what, re.compile(pattern), lambda match: marked(literal(match[0]), "generated"))


END = Rule("negative prompt and parameters", re.compile(r"(?is)negative prompt:.*|(?:^|\n)[ \t]*steps: \d+,.*"), "")
COMMENT = Rule("comment", re.compile(r"^[ \t]*#[^\n]*$", re.MULTILINE), "")
LORA = gone("LoRA, hypernetwork", r"<[a-z]+:[^<>]*>", re.IGNORECASE)
OPEN_LORA = gone("LoRA that was cut off", r"<(?:lora|lyco|hypernet):[^<>,\n]*", re.IGNORECASE)
EMBEDDING = gone("embedding", r"\bembedding:[^\s,()\[\]{}]+", re.IGNORECASE)
WILDCARD = later("wildcard", r"__[~@]?[\w/.*-]{1,100}?(?:\([^()\n]*\))?__")
KEYWORD = gone("keyword of regions and chunks", r"\b(?:BREAK|ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b")


_AND = re.compile(r"\bAND(?:_PERP|_SALT|_TOPK|_ALIGN[_\d]*)?\b")


def _composed(match: re.Match[str]) -> str:
    """Read the prompts around ``AND``, each with its weight: ``a cat :1.2``; a negative one keeps it out."""
    texts = _AND.split(match[0])
    return ", ".join(map(_joined, texts)) if len(texts) > 1 else match[0]


def _joined(text: str) -> str:
    *head, last = text.split(":")
    value = number(last) if head else None
    if value is None:
        return text
    return ":".join(head) if value > 0 else marked(":".join(head), "excluded")


COMPOSITION = Rule("prompts joined by AND", re.compile(r"(?s)\A.*\bAND.*\Z"), _composed)
WEIGHT_IN_FRONT = Rule(
    "weight in front",
    re.compile(rf"(?<![\d.\w])({NUMBER})::((?:[^:|{{}}]|:(?!:))*)(?:::|$)"),
    lambda match: match[2] if float(match[1]) > 0 else marked(match[2], "excluded"),
)
DOUBLE_COLON = Rule("end of a weight in front", re.compile(rf"(?<![\d.]){NUMBER}::|::"), "")
