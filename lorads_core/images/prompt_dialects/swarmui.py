"""SwarmUI's ``parameters`` in JSON (``sui_image_params``), with its prompt tags ``<random:a,b>``.

Syntax: SwarmUI docs/Features/Prompt Syntax.md and src/Text2Image/T2IPromptHandling.cs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import rules
from .base import Dialect, Prompts
from .parts import from_here, marked
from .syntax import Syntax
from .texts import Texts, mapping, string

if TYPE_CHECKING:
    from collections.abc import Callable

    from .syntax import Group


def _read(texts: Texts) -> Prompts:
    wrapped = texts.fields("parameters") or texts.comment_fields
    fields = mapping(wrapped.get("sui_image_params"))
    return Prompts(string(fields.get("prompt")), string(fields.get("negativeprompt")), "swarmui")


def _options(text: str) -> list[str]:
    """Split what a tag holds as SwarmUI does: at ``||``, else at ``|``, else at commas."""
    separator = next((each for each in ("||", "|") if each in text), ",")
    return [option.strip() for option in text.split(separator)]


def _one_of(text: str) -> str:
    return marked(", ".join(_options(text)), "possible")


def _from_to(text: str) -> str:
    *before, last = _options(text)
    return marked(", ".join(before), "possible") + last


def _repeated(text: str) -> str:
    """Read ``<repeat[3]:cat>``, or ``<repeat:3,cat>`` as T2IPromptHandling.cs has it too."""
    return _COUNT.sub("", text)


_COUNT = re.compile(r"^\s*\d[\d.-]*\s*,")


def _made(text: str) -> str:
    return marked(text or "?", "generated")


def _nothing(_text: str) -> str:
    return ", "


def _words(text: str) -> str:
    return text


def _of_all(_text: str) -> str:
    """Begin a section that shapes the whole image, or a region that is there for certain."""
    return ", " + from_here("certain")


def _of_a_part(_text: str) -> str:
    """Begin a section that refines a part of the image, if that part is found at all."""
    return ", " + from_here("possible")


_TAGS: dict[str, Callable[[str], str]] = {
    "random": _one_of,
    "alternate": _one_of,
    "alt": _one_of,
    "fromto": _from_to,
    "repeat": _repeated,
    "setvar": _words,
    "setmacro": _words,
    "break": _nothing,
    "comment": _nothing,
    "lora": _nothing,
    "embed": _nothing,
    "embedding": _nothing,
    "param": _nothing,
    "clear": _nothing,
    "cid": _nothing,
    "base": _of_all,
    "region": _of_all,
    "object": _of_all,
    "segment": _of_a_part,
    "refiner": _of_a_part,
    "pixeldecoder": _of_a_part,
    "edit": _of_a_part,
    "extend": _of_a_part,
    "video": _of_a_part,
    "videoswap": _of_a_part,
}
"""What a tag leaves of what it holds; all others (wildcard, preset, var, macro …) are made when the image is."""


def _tag(group: Group) -> str:
    found = _TAG.match(group.opened)
    name, options = (found[1].lower(), found[2] or "") if found else ("", "")
    if name in _STORES and options.partition(",")[2].strip().lower() == "false":
        return ""  # stored for later, and not written here
    return _TAGS.get(name, _made)(group.text)


_TAG = re.compile(r"<([A-Za-z]+)(?:\[([^\]]*)\])?")
_STORES = {"setvar", "setmacro"}

SYNTAX = Syntax(
    rules=(rules.EMBEDDING, rules.WILDCARD),
    meanings={"<": _tag, "(": rules.weighted, "[": rules.edited, "{": rules.chosen},
    opening=r"[(\[{]|<[A-Za-z]+(?:\[[^\[\]<>\n]*\])?(?::|(?=>))",
    closing=r"[)\]}>]",
)

DIALECT = Dialect("swarmui", "SwarmUI", 24, _read, SYNTAX)
