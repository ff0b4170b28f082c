"""Prompts that generators write into image files, from their texts; pure, and on untrusted texts never raising."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from .graphs import graph_prompts, workflow_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of an image, empty where none is known; ``source`` names the program that wrote them."""

    positive: str = ""
    negative: str = ""
    source: str = ""


NO_PROMPTS = Prompts()

_LONGEST_JSON = 32 * 1024 * 1024
_LONGEST = 100_000
_LONGEST_LINE = 2_000  # that is searched for parameters, which takes time by its square

# AUTOMATIC1111 1.10, modules/infotext_utils.py: re_param, and that the last line holds at least three of them.
_PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_NEGATIVE = "Negative prompt:"
_DREAM_OPTIONS = re.compile(r"\s-[A-Za-z]")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_LABELLED = re.compile(r"\s*(prompt|workflow|parameters)\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)


def read_prompts(texts: Mapping[str, str], exif_texts: Sequence[str] = (), comment: str = "") -> Prompts:
    """Find the prompts in an image's texts.

    Args:
        texts: PNG text chunks by keyword.
        exif_texts: the texts of EXIF's main directory; ComfyUI's WebP and others write ``prompt:{…}`` there.
        comment: EXIF's UserComment, decoded.
    """
    found: dict[str, object] = dict(texts)
    for text in exif_texts:
        if label := _LABELLED.match(text):
            found.setdefault(label[1].lower(), label[2])
    if comment:
        _add_comment(found, comment)
    for read in _READERS:
        prompts = read(found)
        if prompts.positive or prompts.negative:
            return Prompts(_clean(prompts.positive), _clean(prompts.negative), prompts.source)
    return NO_PROMPTS


def _add_comment(found: dict[str, object], comment: str) -> None:
    """File a UserComment under what it holds: A1111's parameters, or JSON that wraps fields or is one itself."""
    fields = _json(comment)
    if not fields:
        if "Steps: " in comment or _NEGATIVE in comment:  # else it is what cameras and editors write there
            found.setdefault("parameters", comment)
    elif _is_graph(fields):
        found.setdefault("prompt", fields)
    else:
        wrapped = {name: value for name, value in fields.items() if name != "prompt" or _json(value)}
        for name, value in ({"Comment": fields, "parameters": fields} | wrapped).items():
            found.setdefault(name, value)


def _clean(text: str) -> str:
    """Take out what PostgreSQL and UTF-8 cannot hold: NUL and half surrogate pairs."""
    return text[:_LONGEST].replace("\0", "").encode(errors="ignore").decode().strip()


def _json(text: object) -> Mapping[str, object]:
    """Return a JSON object, read from text where it is not already; empty for all else.

    NaN, which ComfyUI writes, is read as Python does.
    """
    if not isinstance(text, str):
        return _object(text)
    if len(text) > _LONGEST_JSON or not text.lstrip().startswith("{"):
        return {}
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return _object(value)


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _a1111(found: Mapping[str, object]) -> Prompts:
    """Read ``parameters`` of AUTOMATIC1111, Forge and all that write as they do."""
    text = _string(found.get("parameters")).strip()
    if not text or text.startswith("{"):
        return NO_PROMPTS
    *lines, last = text.split("\n")
    if len(_PARAMETER.findall(last[:_LONGEST_LINE])) < 3:  # noqa: PLR2004 - A1111's own rule
        lines.append(last)
    positive: list[str] = []
    negative: list[str] = []
    part = positive
    for line in lines:
        if line.strip().startswith(_NEGATIVE):
            part = negative
            part.append(line.strip()[len(_NEGATIVE) :].strip())
        elif line.startswith("Steps: ") and "," in line:
            break
        else:
            part.append(line.strip())
    return Prompts("\n".join(positive), "\n".join(negative), "a1111")


def _fooocus(found: Mapping[str, object]) -> Prompts:
    """Read ``parameters`` in JSON: Fooocus, SwarmUI (under ``sui_image_params``)."""
    fields = _json(found.get("parameters"))
    swarm = _object(fields.get("sui_image_params"))
    if swarm:
        return Prompts(_string(swarm.get("prompt")), _string(swarm.get("negativeprompt")), "swarmui")
    if "uc" in fields:
        return NO_PROMPTS
    return Prompts(_string(fields.get("prompt")), _string(fields.get("negative_prompt")), "fooocus")


def _is_graph(fields: Mapping[str, object]) -> bool:
    return any("class_type" in _object(node) for node in fields.values())


def _comfyui(found: Mapping[str, object]) -> Prompts:
    """Read ComfyUI's ``prompt``, the graph that ran, or else ``workflow``, the graph as it was drawn."""
    positive, negative = graph_prompts(_json(found.get("prompt")))
    if not positive and not negative and "workflow" in found:
        workflow = _json(found["workflow"])
        positive, negative = graph_prompts(workflow if _is_graph(workflow) else workflow_graph(workflow))
    return Prompts(positive, negative, "comfyui")


def _invokeai(found: Mapping[str, object]) -> Prompts:
    """Read InvokeAI's ``invokeai_metadata`` (3 on), ``sd-metadata`` (2) and ``Dream`` (1–2)."""
    fields = _json(found.get("invokeai_metadata"))
    if fields:
        return Prompts(_string(fields.get("positive_prompt")), _string(fields.get("negative_prompt")), "invokeai")
    prompt = _object(_json(found.get("sd-metadata")).get("image")).get("prompt")
    if isinstance(prompt, list):
        parts = (_string(_object(part).get("prompt")) for part in cast("list[object]", prompt))
        prompt = ", ".join(filter(None, parts))
    text = _string(prompt) or _dream(_string(found.get("Dream")))
    # InvokeAI 2 keeps the negative prompt in brackets within the positive one.
    positive = " ".join(_BRACKETS.sub(" ", text).split())
    return Prompts(positive, ", ".join(part.strip() for part in _BRACKETS.findall(text)), "invokeai")


def _dream(line: str) -> str:
    """Return the prompt of a command line: ``"a cat" -s 50 -S 1``."""
    line = line.strip()
    if line.startswith('"') and (end := line.rfind('"')) > 0:
        return line[1:end]
    return _DREAM_OPTIONS.split(line, maxsplit=1)[0]


def _novelai(found: Mapping[str, object]) -> Prompts:
    """Read NovelAI's ``Comment`` in JSON, from version 4 on with a caption for each character, or ``Description``."""
    fields = _json(found.get("Comment"))
    if not fields.keys() & {"uc", "v4_prompt"} and "NovelAI" not in _string(found.get("Software")):
        return NO_PROMPTS
    positive = (
        _v4_caption(fields.get("v4_prompt")) or _string(fields.get("prompt")) or _string(found.get("Description"))
    )
    negative = _v4_caption(fields.get("v4_negative_prompt")) or _string(fields.get("uc"))
    return Prompts(positive, negative, "novelai")


def _v4_caption(value: object) -> str:
    caption = _object(_object(value).get("caption"))
    characters = caption.get("char_captions")
    parts = [_string(caption.get("base_caption"))]
    if isinstance(characters, list):
        parts += [_string(_object(item).get("char_caption")) for item in cast("list[object]", characters)]
    return ", ".join(part for part in parts if part)


def _plain(found: Mapping[str, object]) -> Prompts:
    """Read ``prompt`` and ``negative_prompt`` as plain texts: Easy Diffusion and many scripts."""
    prompt = _string(found.get("prompt"))
    if prompt.lstrip().startswith(("{", "[")):
        return NO_PROMPTS
    return Prompts(prompt, _string(found.get("negative_prompt")), "plain")


_READERS: tuple[Callable[[Mapping[str, object]], Prompts], ...] = (
    _a1111,
    _comfyui,
    _invokeai,
    _novelai,
    _fooocus,
    _plain,
)
