# What LoRADS uses of ComfyUI's V3 node API (0.26.0), for the type checker; ours to keep in step.
from abc import ABC
from typing import Any

class io:
    class Input: ...
    class Output: ...

    class ComfyTypeIO:
        class Input(io.Input):
            def __init__(
                self, id: str, display_name: str | None = ..., *, optional: bool = ..., tooltip: str | None = ...
            ) -> None: ...

        class Output(io.Output):
            def __init__(
                self,
                id: str | None = ...,
                display_name: str | None = ...,
                *,
                tooltip: str | None = ...,
                is_output_list: bool = ...,
            ) -> None: ...

    class Image(ComfyTypeIO): ...
    class Model(ComfyTypeIO): ...
    class Clip(ComfyTypeIO): ...
    class ClipVision(ComfyTypeIO): ...

    class Boolean(ComfyTypeIO):
        class Input(io.Input):
            def __init__(
                self, id: str, *, default: bool, optional: bool = ..., tooltip: str, advanced: bool = ...
            ) -> None: ...

    class Int(ComfyTypeIO):
        class Input(io.Input):
            def __init__(
                self,
                id: str,
                *,
                default: int,
                min: int,
                max: int,
                step: int = ...,
                control_after_generate: bool = ...,
                optional: bool = ...,
                tooltip: str,
                advanced: bool = ...,
            ) -> None: ...

    class Float(ComfyTypeIO):
        class Input(io.Input):
            def __init__(
                self,
                id: str,
                *,
                default: float,
                min: float,
                max: float,
                step: float,
                round: float | bool = ...,
                optional: bool = ...,
                tooltip: str,
                advanced: bool = ...,
            ) -> None: ...

    class String(ComfyTypeIO):
        class Input(io.Input):
            def __init__(
                self,
                id: str,
                *,
                default: str = ...,
                multiline: bool = ...,
                placeholder: str = ...,
                force_input: bool = ...,
                optional: bool = ...,
                tooltip: str,
                advanced: bool = ...,
            ) -> None: ...

    class Combo(ComfyTypeIO):
        class Input(io.Input):
            def __init__(
                self,
                id: str,
                *,
                options: list[str],
                default: str = ...,
                optional: bool = ...,
                tooltip: str,
                advanced: bool = ...,
                extra_dict: dict[str, Any] = ...,
            ) -> None: ...

    @staticmethod
    def Custom(io_type: str) -> type[ComfyTypeIO]: ...

    class Schema:
        node_id: str
        display_name: str
        category: str
        description: str
        inputs: list[io.Input]
        outputs: list[io.Output]
        def __init__(
            self,
            *,
            node_id: str,
            display_name: str,
            category: str,
            description: str,
            inputs: list[io.Input],
            outputs: list[io.Output],
            hidden: list[io.Hidden] = ...,
            search_aliases: list[str] = ...,
            is_input_list: bool = ...,
            is_output_node: bool = ...,
            has_intermediate_output: bool = ...,
        ) -> None: ...

    class NodeOutput:
        def __init__(self, *args: object, ui: object = ..., block_execution: str | None = ...) -> None: ...

    class Hidden:
        unique_id: io.Hidden
        prompt: io.Hidden

    class ComfyNode(ABC):
        hidden: io.Hidden
        @classmethod
        def define_schema(cls) -> io.Schema: ...
        @classmethod
        def execute(cls, *args: Any, **kwargs: Any) -> io.NodeOutput: ...
        @classmethod
        def fingerprint_inputs(cls, *args: Any, **kwargs: Any) -> object: ...

class ui:
    class PreviewText:
        def __init__(self, value: str) -> None: ...
        def as_dict(self) -> dict[str, object]: ...

    class PreviewImage:
        def __init__(self, image: object) -> None: ...
        def as_dict(self) -> dict[str, object]: ...

class ComfyExtension(ABC):
    async def on_load(self) -> None: ...
    async def get_node_list(self) -> list[type[io.ComfyNode]]: ...
