"""ComfyUI's progress bar, which keeps what it showed; its files of tensors, of which the headers are read."""

import json
import struct
from pathlib import Path

shown = []


class ProgressBar:
    def __init__(self, total):
        self.total = total

    def update_absolute(self, value, total=None):
        shown.append((value, total))


read = []


class Tensor:
    """A tensor of which type and sizes are known, and the file that it is from."""

    def __init__(self, file, dtype, shape):
        self.file = file
        self.dtype = dtype
        self.shape = tuple(shape)

    def __getitem__(self, rows):
        return Tensor(self.file, self.dtype, (rows.stop - rows.start, *self.shape[1:]))


def load_torch_file(ckpt, *, safe_load):
    assert safe_load
    read.append(ckpt)
    data = Path(ckpt).read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    header.pop("__metadata__", None)
    return {name: Tensor(ckpt, each["dtype"], each["shape"]) for name, each in header.items()}
