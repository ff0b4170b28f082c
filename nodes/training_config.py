"""Training Config: how to train, apart from any trainer; its inputs are the rows of `training_fields`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..lorads_core.base_models import base_models
from ..lorads_core.trainers.checkpoint_checks import checkpoint_problems
from ..lorads_core.trainers.defaults import make_config
from ..lorads_core.trainers.extra import format_extra, parse_extra
from ..lorads_core.trainers.presets import PRESETS, fitted, preset_names, preset_values
from ..lorads_core.training_fields import TRAINING_FIELDS, TrainingField, training_field
from . import host
from .sockets import CATEGORY, ConfigSocket

if TYPE_CHECKING:
    from collections.abc import Mapping

_CUSTOM = "(custom)"
_NO_FILE = {"checkpoint": "(choose later)"}
_NONE = "(none)"
_AUTOMATIC, _ON, _OFF = "automatic", "on", "off"
_SWITCH = {_ON: True, _OFF: False}


class TrainingConfigNode(io.ComfyNode):
    """The training options that people set; what a trainer calls them is the trainer's module's business."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsTrainingConfig",
            display_name="Training Config",
            category=CATEGORY,
            description="How to train the LoRA: base model, network, resolution, steps and learning rate.",
            search_aliases=["lora", "locon", "loha", "lokr", "dora", "train", "learning rate"],
            inputs=[_preset(), *(_input(each) for each in TRAINING_FIELDS)],
            outputs=[ConfigSocket.Output("config", "config", tooltip="For Export Dataset.")],
        )

    @classmethod
    def validate_inputs(cls, preset: str, base_model: str | None = None, checkpoint: str | None = None) -> bool | str:  # noqa: ARG003 - below
        """Refuse a checkpoint that contradicts the base model, before anything of the graph runs.

        Inputs that are named here are no longer checked by ComfyUI. Any preset is accepted, also one that another
        version had: its values are in the other inputs. One that is wired in is not known yet.
        """
        if base_model is None or checkpoint is None:
            return True
        if base_model not in host.base_model_names():
            return f"There is no base model {base_model!r:.80}: choose one of the list."
        return _contradiction(base_model, checkpoint) or True

    @classmethod
    def execute(cls, **widgets: Any) -> io.NodeOutput:  # noqa: ANN401 - ComfyUI passes a widget's value by name
        """Make the config; the preset counts no more, as the browser has filled in its values."""
        given = {
            each.name: _value(each, widgets[each.name])
            for each in TRAINING_FIELDS
            if each.name in widgets and not _is_unset(each, widgets[each.name])
        }
        return io.NodeOutput(fitted(make_config(given)))


def _contradiction(base_model: str, checkpoint: str) -> str:
    """Return why a checkpoint cannot be one of a base model; empty where it can."""
    row = training_field("checkpoint")
    try:
        file = _value(row, checkpoint)
    except FileNotFoundError:
        return f"There is no checkpoint {checkpoint!r:.120} any more: choose one of the list."
    found = checkpoint_problems(make_config({"base_model": base_model, "checkpoint": file}))
    return " ".join(each.message for each in found if each.severity == "error")


def _is_unset(each: TrainingField, widget: object) -> bool:
    return bool(each.unset) and widget == _widget(each, None)


def _value(each: TrainingField, widget: Any) -> Any:  # noqa: ANN401 - of the field's own type
    """Return the value in a config of a widget's."""
    match each.kind:
        case "file":
            return "" if widget == _NO_FILE.get(each.name, _NONE) else host.model_path(each.folders, widget)
        case "lines":
            return tuple(line.strip() for line in widget.splitlines() if line.strip())
        case "switch":
            return _SWITCH[widget]
        case "toml":
            return parse_extra(widget, each.title)
        case _:
            return widget


def _widget(each: TrainingField, value: Any) -> Any:  # noqa: ANN401 - of the widget's own type
    """Return the widget's value of one in a config, None for one that is not set."""
    match each.kind:
        case "file":
            return value or _NO_FILE.get(each.name, _NONE)
        case "lines":
            return "\n".join(value)
        case "toml":
            return format_extra(value)
        case "switch":
            return _AUTOMATIC if value is None else (_ON if value else _OFF)
        case "whole" | "number" if value is None:
            return int(each.blank) if each.kind == "whole" else each.blank
        case _:
            return value


def _form() -> dict[str, Any]:
    """Return what the browser needs to fill in a preset, and to show only what counts (web/training_config.js)."""
    host.base_model_names()  # with those of lorads.toml
    families = {base.name: base.family.name for base in base_models()}
    only = {
        each.name: {"families": each.when.families, "values": {**each.when.values}}
        for each in TRAINING_FIELDS
        if not each.when.is_always
    }
    presets = [
        {"name": each.name, "families": each.families, "values": _widgets(preset_values(each)), "source": each.source}
        for each in PRESETS
    ]
    return {"families": families, "only": only, "presets": presets}


def _widgets(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _widget(training_field(name), value) for name, value in values.items()}


def _preset() -> io.Input:
    return io.Combo.Input(
        "preset",
        options=[_CUSTOM, *preset_names()],
        default=_CUSTOM,
        tooltip="Fills in values from a trainer's guide for the base model; change any of them afterwards.",
    )


def _input(each: TrainingField) -> io.Input:
    """Return the input of a row; what is not set is one of its values."""
    default = _widget(each, None if each.unset else each.default)
    common: dict[str, Any] = {"tooltip": _tooltip(each), "advanced": each.advanced, "optional": each.added}
    match each.kind:
        case "flag":
            return io.Boolean.Input(each.name, default=default, **common)
        case "whole":
            return io.Int.Input(each.name, default=default, **_range(each, int), **common)
        case "number":
            # Without round=False ComfyUI would round a rate to the widget's step.
            return io.Float.Input(each.name, default=default, round=False, **_range(each, float), **common)
        case "lines":
            return io.String.Input(each.name, default=default, multiline=True, placeholder="one per line", **common)
        case "text" | "toml":
            return io.String.Input(each.name, default=default, multiline=each.kind == "toml", **common)
        case "choice" | "switch" | "file":
            if each.name == "base_model":
                common["extra_dict"] = {"lorads": _form()}
            return io.Combo.Input(each.name, options=_options(each), default=default, **common)


def _range(each: TrainingField, number: type[int | float]) -> dict[str, Any]:
    found: dict[str, Any] = {"min": number(each.lowest), "max": number(each.high), "step": number(each.step)}
    # ComfyUI would change a seed after each run otherwise, by the input's name alone.
    return found | {"control_after_generate": False} if each.name == "seed" else found


def _options(each: TrainingField) -> list[str]:
    match each.kind:
        case "switch":
            return [_AUTOMATIC, _ON, _OFF]
        case "file":
            return [_NO_FILE.get(each.name, _NONE), *host.model_names(each.folders)]
        case _:
            return list(each.choices())


def _tooltip(each: TrainingField) -> str:
    """Return the help of a row, with what its value for "not set" means."""
    if each.unset:
        return f"{each.help} {_widget(each, None)} for the default: {each.unset}."
    return f"{each.help} 0: {each.zero}." if each.zero else each.help
