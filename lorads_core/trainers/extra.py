"""Extra options: a trainer's own, which are passed through to it unchecked (`TrainingConfig.extra`).

They go into the trainer's main config file beside what LoRADS writes. As they can come from a stranger's workflow, an
option that names a file, a program or an account is refused; lorads.toml of one's own machine is the way for those.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard

import tomli_w

from ..errors import SettingsError
from ..model import Problem, TrainingConfig
from ..problems import did_you_mean
from ..system.files import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Options of ours that a trainer calls alike: stored configs have them as extra ones, from before they were ours.
_PASSED = {"loss_type", "huber_delta", "ema_decay", "timestep_shift", "clip_skip", "optimizer_args"}
_OUR_OPTIONS = frozenset(each.name for each in fields(TrainingConfig)) - _PASSED
_EXAMPLES = {"extra options": 'loss_type = "huber"', "optimizer arguments": "d_coef = 2.0"}
# Parts of an option's name by which it names a file, code, a service or an account.
_UNSAFE_WORDS = {
    "dir", "dirs", "directory", "path", "paths", "file", "files", "filename", "folder", "folders", "module", "modules",
    "script", "scripts", "command", "cmd", "class", "code", "custom", "extension", "plugin", "plugins", "remote", "url",
    "uri", "host", "accelerate", "webhook", "webhooks", "cloud", "token", "api", "key", "keys", "secret", "secrets",
    "password", "hub", "hf", "huggingface", "repo", "repository", "resume", "weights",
}  # fmt: skip
# A path or repository; a Python name such as torch.optim.Adam, of which trainers import the module; a model's file.
_UNSAFE_TEXT = re.compile(r"[/\\]|^\s*[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\s*$|\.(safetensors|ckpt|pt|pth|bin|py|toml|json)\b")


@dataclass(frozen=True, slots=True)
class OptionSource:
    """Where an installed trainer declares its options: files, by patterns below its folder, and a regular expression.

    ``depth`` is how many levels of nested tables hold options; deeper ones are free-form. ``names`` are options known
    without an installed trainer.
    """

    files: tuple[str, ...] = ()
    pattern: str = ""
    depth: int = 1
    names: frozenset[str] = frozenset()

    def options(self, home: Path | None) -> frozenset[str]:
        """Return the options of the trainer in ``home``; empty where they cannot be read there."""
        return self.names or (_declared(self, home) if home else frozenset())


@lru_cache(maxsize=8)
def _declared(source: OptionSource, home: Path) -> frozenset[str]:
    try:
        texts = [read_text(file) for pattern in source.files for file in home.glob(pattern)]
    except (OSError, UnicodeDecodeError):
        return frozenset()  # half of the options would refuse the other half
    return frozenset(name.replace("-", "_") for text in texts for name in re.findall(source.pattern, text))


def parse_extra(text: str, what: str = "extra options") -> dict[str, Any]:
    """Return extra options that are written as TOML, such as ``loss_type = "huber"``; a dotted key is a nested one.

    ``what`` is what messages call them, in the plural.

    Raises:
        SettingsError: it is not TOML, or holds a value that a trainer's config file cannot.
    """
    try:
        found = tomllib.loads(text)
    except RecursionError as error:
        raise SettingsError(f"The {what} are nested too deeply: write them flatter.") from error
    except ValueError as error:  # TOMLDecodeError, and that of a number of thousands of digits
        raise SettingsError(
            f"The {what} are not valid TOML: {error}. Write one per line, texts in quotes: {_EXAMPLES[what]}."
        ) from error
    _check_values(found, what.removesuffix("s"))
    return found


def format_extra(extra: Mapping[str, Any]) -> str:
    """Return extra options as TOML, the reverse of `parse_extra`."""
    return tomli_w.dumps(extra)


def extra_lines(extra: Mapping[str, Any]) -> list[str]:
    """Return extra options one per line, ``key = value``; nested ones have a dotted key. `parse_extra` reads them."""
    return [f"{key} = {value}" for key, value in _dotted(extra)]


def _dotted(extra: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in extra.items():
        key = f"{path}{_key(name)}"
        if _is_table(value) and value:
            yield from _dotted(value, f"{key}.")
        else:
            yield key, _inline(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _inline(name)


def _inline(value: Any) -> str:  # noqa: ANN401 - whatever TOML has
    """Return a value as TOML without a line end, which no writer of TOML promises for lists and tables."""
    if _is_table(value):
        return f"{{{', '.join(f'{_key(name)} = {_inline(each)}' for name, each in value.items())}}}"
    if _is_list(value):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, str):  # JSON's strings are TOML's, but for the character DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _check_values(value: Any, what: str, path: str = "") -> None:  # noqa: ANN401 - whatever TOML has
    if _is_table(value):
        for key, each in value.items():
            _check_values(each, what, f"{path}.{key}" if path else key)
    elif _is_list(value):
        for each in value:
            _check_values(each, what, path)
    elif not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingsError(f"The {what} {path} is {value}: give a number, a text, a list, or true or false.")


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)  # TOML's and JSON's keys are texts


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def merged(written: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trainer's options with extra ones: tables are merged, lists appended to, what is there stays."""
    found = {**written}
    for key, value in extra.items():
        there = found.get(key)
        if _is_table(there) and _is_table(value):
            found[key] = merged(there, value)
        elif _is_list(there) and _is_list(value):
            found[key] = [*there, *value]
        else:
            found.setdefault(key, value)
    return found


def problems(
    label: str, extra: Mapping[str, Any], written: Mapping[str, Any], source: OptionSource, home: Path | None
) -> Iterator[Problem]:
    """Yield what is wrong with extra options for a trainer, or that they were not checked."""
    known = source.options(home)
    refused = [*_refusals(label, extra, written), *_unknown(label, extra, known, source.depth)]
    yield from (Problem("error", "extra", message) for message in refused)
    if not refused:
        listed = ", ".join(f"{path} = {value!r}" for path, value in _leaves(extra))
        names = "; their names were compared with those of the installed trainer" if known else ""
        yield Problem("info", "extra", f"Passed through to {label}, not checked by LoRADS{names}: {listed}.")


def _refusals(label: str, extra: Mapping[str, Any], written: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in extra.items():
        name, there = f"{path}{key}", written.get(key)
        if is_unsafe(key, value):
            yield (
                f"The extra option {name} names a file, code or an account, which no workflow may choose: start"
                f" {label} yourself by the printed command, with that option added to it."
            )
        elif not path and key in _OUR_OPTIONS and not _is_table(value):
            yield f"LoRADS has the option {key} itself: set that instead of the extra option."
        elif _is_table(value) and (there is None or _is_table(there)):
            yield from _refusals(label, value, there or {}, f"{name}.")
        elif key in written and not (_is_list(value) and _is_list(there)):
            yield f"LoRADS writes {label}'s option {name} itself ({there!r}): leave it out of the extra options."


def is_unsafe(key: str, value: object) -> bool:
    """Whether an option, or one in a list of tables, names a file, code, a service or an account."""
    if _UNSAFE_WORDS & set(re.split(r"[\W_]+", key.lower())):
        return True
    if _is_list(value):
        return any(is_unsafe(key, each) for each in value)
    if _is_table(value):
        return any(is_unsafe(name, each) for name, each in value.items())
    return isinstance(value, str) and bool(_UNSAFE_TEXT.search(value))


def _unknown(label: str, extra: Mapping[str, Any], known: frozenset[str], depth: int, path: str = "") -> Iterator[str]:
    if not known or not depth:
        return
    for key, value in extra.items():
        if key not in known:
            hint = did_you_mean(key, known) or "check its spelling."
            yield f"{label} has no option {path}{key}: {hint} Leave it out of the extra options, or update {label}."
        elif _is_table(value):
            yield from _unknown(label, value, known, depth - 1, f"{path}{key}.")


def _leaves(extra: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in extra.items():
        if _is_table(value):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
