"""Configs and pictures that were fed to ComfyUI 0.26.0 itself; what its nodes made of them lies in golden/comfyui.

Seen there for every case, with Load Image-Text (from Folder) on a folder of pictures cropped to their placements, the
crop of its VAE, Resolution Bucket, and the drawing of batches in ``TrainSampler``: every caption read from its file, each
picture as often as its folder says, and the buckets. ``shown`` is how often each picture was shown on average in as many
steps as we ask for, over twenty seeds. ``widgets.json`` is what the widgets of Train LoRA take.
"""

from pathlib import Path

from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset

from .cases_simpletuner import PICTURES

GOLDEN = Path(__file__).parent / "golden" / "comfyui"
SETS = {**PICTURES, "square": ((1024, 1024),) * 5, "alike": ((1216, 832),) * 7 + ((832, 1216),) * 4 + ((1024, 1024),)}
VARIANTS = {
    "usual": {},
    "one by one": {"batch_size": 1, "repeats": 1},
    "large batches": {"batch_size": 6, "repeats": 3},
    "accumulated": {"batch_size": 3, "gradient_accumulation_steps": 4, "repeats": 5},
}


def _cases():
    for pictures, sizes in SETS.items():
        for name, changes in VARIANTS.items():
            config = TrainingConfig(**{"repeats": 2, "epochs": 10, **changes})
            yield f"{pictures} {name}", (config, (Subset(f"{config.repeats}_tomcat", config.repeats, False, sizes),))


CASES = dict(_cases())
