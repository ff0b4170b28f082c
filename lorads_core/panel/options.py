"""Training options in the panel: the table for its form, a dataset's values, and configs of requests with their faults.

In a form and in a request, null is an option that is not set: it has its default, or the value that LoRADS chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..base_models import base_model_names, base_models
from ..errors import SettingsError
from ..export.plan import ExportOptions, sized_config
from ..networks import networks
from ..trainers import Subset, trainer
from ..trainers.checks import out_of_range, settled, unknown
from ..trainers.defaults import change_config
from ..trainers.extra import extra_lines, parse_extra
from ..trainers.presets import PRESETS, go_on_from
from ..training_fields import TRAINING_FIELDS, training_field
from ..workflow import training
from .model_files import FILE_FIELDS, ModelFiles, chosen_file, without_path
from .planning import DEFAULT_TRAINER, accepted_images, last_writing, trainer_name
from .responses import RefusedError, bad_request
from .view import config_mark, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from uuid import UUID

    from ..model import TrainingConfig
    from ..trainers import Trainer
    from ..trainers.presets import Preset
    from ..training_fields import TrainingField
    from . import json_types
    from .params import Body
    from .state import PanelState
    from .view import View

_FORM = tuple(each for each in TRAINING_FIELDS if each.kind != "file")
"""All but files, which a request names only to choose another (`model_files`)."""
_MANY = 256  # images; enough for a batch of any real graphics card
_OF_CONFIG = frozenset({"config", "extra"})


def table() -> json_types.TrainingTable:
    """Return the table of training options and the presets, as the form needs them."""
    return {
        "options": [_option(each) for each in TRAINING_FIELDS],
        "families": {base.name: base.family.name for base in base_models()},
        "presets": [_preset(each) for each in PRESETS],
    }


def _option(each: TrainingField) -> json_types.TrainingOption:
    return {
        "name": each.name,
        "label": _label(each),
        "kind": each.kind,
        "group": each.group,
        "help": each.help,
        "unit": each.unit,
        "choices": _choices(each),
        "families": list(each.when.families),
        "values": {name: list(wanted) for name, wanted in each.when.values.items()},
        "own": each.own,
    }


def _label(each: TrainingField) -> str:
    title = each.help.removesuffix(".") if each.is_part else each.title
    return title[0].upper() + title[1:]


def _choices(each: TrainingField) -> list[json_types.Named]:
    rows = {"base_model": base_models(), "network": networks()}.get(each.name, ())
    labels = {row.name: row.label for row in rows}
    return [{"name": name, "label": labels.get(name, name)} for name in each.choices()]


def _preset(preset: Preset) -> json_types.TrainingPreset:
    values = {each.name: _value(each, preset.values.get(each.name)) for each in _FORM if not each.own}
    return {"name": preset.name, "families": list(preset.families), "source": preset.source, "values": values}


def _value(each: TrainingField, value: Any) -> json_types.OptionValue:  # noqa: ANN401 - of the option's own type
    """Return an option's value as the form holds it: null for a fixed default, lists of texts for lines."""
    if value is None or (value == each.default and not each.is_automatic):
        return None
    match each.kind:
        case "lines":
            return list(value)
        case "toml":
            return extra_lines(value)
        case _:
            return value


def dataset_values(state: PanelState, dataset: UUID) -> json_types.DatasetOptions:
    """Return the options that a dataset was last exported with; before its first export none is set."""
    view, files = state.view(dataset), state.model_files
    held = {each.name: _held(each, view.config) for each in _FORM}
    return {
        "config": config_mark(view.config),
        "values": held | {each.name: files.name(each, view.config) for each in FILE_FIELDS},
        "writing": _writing(last_writing(state, view)),
        "files": files.names(),
    }


def _writing(words: Mapping[str, Any]) -> json_types.Writing:
    copied = "link" if words["link"] else "copy"
    return {
        "images": copied if words["images"] == "original" else words["images"],
        "first_frame": words["first_frame"],
        "keep_alpha": words["keep_alpha"],
        "strip": words["strip"],
    }


def _held(each: TrainingField, config: TrainingConfig) -> json_types.OptionValue:
    """Return the value of an option in a config as the form holds it."""
    value = getattr(config, each.name)
    if each.name == "base_model":
        return value  # every dataset has one
    if each.is_automatic:
        return None if each.name in config.automatic else value
    # Not compared with the default: a base model can have an option of its own, v-prediction.
    return None if value == getattr(_without(config, each), each.name) else _value(each, value)


def _without(config: TrainingConfig, each: TrainingField) -> TrainingConfig:
    return change_config(config, {each.name: None})


def check(state: PanelState, dataset: UUID, body: Body) -> json_types.OptionsCheck:
    """Return what a trainer makes of the form's values: what is used where nothing is set, and every fault.

    Raises:
        RefusedError: 400, there is no such trainer.
    """
    body.allow_only("trainer", "config")
    view = state.view(dataset)
    name = trainer_name(body.text("trainer", DEFAULT_TRAINER))
    faults: list[json_types.OptionFault] = []
    config = go_on_from(view.config, _read(body.object("config"), faults, state.model_files))
    chosen = trainer(name)
    installed = training.installed_trainer(state.settings, name)
    faults += _trainer_faults(chosen, config, installed.home if installed else None)
    return {
        "used": {each.name: used_text(each, config) for each in TRAINING_FIELDS} | _amount(view, config, name),
        "lacks": {name: instead for name, instead in chosen.lacks(config).items() if name in _NAMES},
        "faults": faults,
    }


def _amount(view: View, config: TrainingConfig, name: str) -> dict[str, str]:
    """Return the repeats and epochs that are used where none are set: they follow the number of images."""
    dataset, options = accepted_images(view), ExportOptions(name)

    def used(field: str) -> str:
        return str(getattr(sized_config(dataset, change_config(config, {field: None}), options), field))

    return {"repeats": used("repeats"), "epochs": used("epochs")}


_NAMES = frozenset(each.name for each in _FORM)


def read_config(known: TrainingConfig, given: Body, files: ModelFiles | None = None) -> TrainingConfig:
    """Return a dataset's config with the options of a request; null unsets one, ``files`` are those that it may name.

    Raises:
        RefusedError: 400, a value is of the wrong type or out of range.
    """
    faults: list[json_types.OptionFault] = []
    config = go_on_from(known, _read(given, faults, files or ModelFiles()))
    if faults:
        raise bad_request(" ".join(each["message"] for each in faults))
    return config


def _read(given: Body, faults: list[json_types.OptionFault], files: ModelFiles) -> dict[str, Any]:
    """Return the options of a request; those with a fault are not set."""
    given.allow_only(*(each.name for each in TRAINING_FIELDS))
    found: dict[str, Any] = {}
    for name in given.values:
        each = training_field(name)
        try:
            found[name] = None if given.values[name] is None else _given(each, given, files)
        except (RefusedError, SettingsError) as error:
            found[name] = None
            faults.append({"name": name, "message": str(error)})
    return found


def _given(each: TrainingField, given: Body, files: ModelFiles) -> object:
    """Return the value of an option in a request.

    Raises:
        RefusedError: 400, it is of the wrong type or out of range, or a file that is not offered.
        SettingsError: what is written as TOML is none.
    """
    match each.kind:
        case "flag" | "switch":
            return given.flag(each.name)
        case "whole" | "number":
            return _number(each, given.values[each.name])
        case "lines":
            return tuple(given.texts(each.name))
        case "toml":
            return _table(given.texts(each.name), each.title)
        case "choice" | "file":
            return _named(each, given.text(each.name), files)
        case _:
            return given.text(each.name)


def _table(lines: list[str], what: str) -> dict[str, Any]:
    """Return extra options or others that are written as TOML; ``what`` they are called, in the plural."""
    one = what.removesuffix("s")
    for line in lines:
        name, _, value = line.partition("=")
        if not name.strip() or not value.strip():
            part = (
                f"{one} {name.strip()!r:.40} has no value"
                if name.strip()
                else f"value {value.strip()!r:.40} of the {what} has no name"
            )
            raise bad_request(f"The {part}: write it, or remove the line.")
    return parse_extra("\n".join(lines), what)


def _number(each: TrainingField, value: object) -> float:
    if isinstance(value, int if each.kind == "whole" else (int, float)) and not isinstance(value, bool):
        number = cast("float", value)
        if _is_in_range(each, number):
            # JSON has 8 for 8.0, which would be another config to the hash of an export.
            return number if each.kind == "whole" else float(number)
    raise bad_request(out_of_range(each, f"{value!r:.40}"))


def _is_in_range(each: TrainingField, value: float) -> bool:
    return each.low <= value <= each.high or (bool(each.zero) and not value)


def _named(each: TrainingField, name: str, files: ModelFiles) -> str:
    return files.path(each, name) if each.kind == "file" else _choice(each, name)


def _choice(each: TrainingField, value: str) -> str:
    for message in unknown("LoRADS", each.title, value, base_model_names() if each.is_open else each.choices()):
        raise bad_request(message)
    return value


def _trainer_faults(chosen: Trainer, config: TrainingConfig, home: Path | None) -> list[json_types.OptionFault]:
    """Return what the trainer would refuse, each with the option that it goes away with; "" where there is none."""

    def refused(one: TrainingConfig) -> list[str]:
        found = chosen.problems(one, (_standin(one),), home)
        errors = [each.message for each in found if each.severity == "error" and each.code in _OF_CONFIG]
        return [without_path(message, config.checkpoint) for message in errors]

    messages = refused(config)
    if not messages:
        return []
    without = {each.name: refused(_without(config, each)) for each in _set_options(config)}
    return [
        {"name": next((name for name, left in without.items() if message not in left), ""), "message": message}
        for message in messages
    ]


def _standin(config: TrainingConfig) -> Subset:
    """Return a subset with which nothing is wrong: a trainer without images does not get as far as extra options."""
    side = settled(config).resolution
    return Subset("images", 1, is_regularization=False, sizes=((side, side),) * min(config.batch_size, _MANY))


def _set_options(config: TrainingConfig) -> Iterable[TrainingField]:
    """Yield the options that are set, files first: a checkpoint that contradicts its base model is what to change."""
    yield from (each for each in FILE_FIELDS if chosen_file(each, config))
    yield from (each for each in _FORM if _held(each, config) is not None)


def used_text(each: TrainingField, config: TrainingConfig) -> str:
    """Return what is used where an option is not set, as text; of a file, the name of the one that is set."""
    if each.kind == "file":
        return file_name(chosen_file(each, config))
    plain = _without(config, each)
    value = getattr(settled(plain), each.name)
    if value is None or (value == 0 and each.zero):
        return each.unset or each.zero
    match value:
        case bool():
            return "on" if value else "off"
        case float():
            return _decimal(value)
        case int() | str():
            return str(value)
        case _:  # no lines, no extra options
            return "none"


def _decimal(value: float) -> str:
    """Return a number without an exponent where that is short: 0.0001 is easier to compare with 0.00008."""
    return f"{value:.8f}".rstrip("0").rstrip(".") if value >= _LEAST or not value else f"{value:g}"


_LEAST = 1e-6
