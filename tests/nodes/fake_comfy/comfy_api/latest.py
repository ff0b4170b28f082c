"""As much of ComfyUI's V3 node API as our nodes use, written by hand: it records what it is given."""


class _Socket:
    def __init__(self, id=None, display_name=None, **options):  # noqa: A002 (ComfyUI's name)
        self.id = id
        self.display_name = display_name
        self.options = options
        self.optional = options.get("optional", False)
        self.tooltip = options.get("tooltip")


class _Type:
    class Input(_Socket):
        pass

    class Output(_Socket):
        pass


class io:  # noqa: N801 (ComfyUI's name)
    class Hidden:
        unique_id = "UNIQUE_ID"
        prompt = "PROMPT"

    class ComfyNode:
        class hidden:  # noqa: N801 (ComfyUI's name)
            unique_id = "7"
            prompt = {"7": {"class_type": "one of ours", "inputs": {"seed": 5}}}  # noqa: RUF012 (read only)

    class Image(_Type):
        class Input(_Socket):
            link = "IMAGE"

    class Model(_Type):
        class Input(_Socket):
            link = "MODEL"

    class Clip(_Type):
        class Input(_Socket):
            link = "CLIP"

    class ClipVision(_Type):
        class Input(_Socket):
            link = "CLIP_VISION"

    class Boolean(_Type):
        class Input(_Socket):
            pass

    class Int(_Type):
        class Input(_Socket):
            pass

    class Float(_Type):
        class Input(_Socket):
            pass

    class String(_Type):
        class Input(_Socket):
            pass

    class Combo(_Type):
        class Input(_Socket):
            pass

    @staticmethod
    def Custom(io_type):  # noqa: N802 (ComfyUI's name)
        class Input(_Socket):
            link = io_type

        class Output(_Socket):
            link = io_type

        return type(io_type, (), {"Input": Input, "Output": Output})

    class Schema:
        def __init__(self, **fields):
            self.__dict__.update(fields)

    class NodeOutput:
        def __init__(self, *args, ui=None, block_execution=None):
            self.args = args
            self.ui = ui
            self.block_execution = block_execution


class ui:  # noqa: N801 (ComfyUI's name)
    class PreviewText:
        def __init__(self, value):
            self.value = value

        def as_dict(self):
            return {"text": (self.value,)}

    class PreviewImage:
        def __init__(self, image):
            self.image = image

        def as_dict(self):
            return {"images": [self.image]}


class ComfyExtension:
    pass
