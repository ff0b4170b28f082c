"""Ten images captioned for every base model from every source, as they were looked at and found right.

To write the files anew after a change that is meant: ``python tests/captions/test_golden.py``; then look at the diff.
"""

import sys
from pathlib import Path
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from golden_images import IMAGES

from lorads_core.base_models import base_models
from lorads_core.captions.caption import caption_dataset
from lorads_core.captions.profiles import profile, trial_prompt
from lorads_core.captions.sources import source_names
from lorads_core.model import Dataset, DatasetImage
from lorads_core.workflow.parse import caption_settings

FOLDER = Path(__file__).parent / "golden"


def rendered(base):
    """Return a line per image and source: set, image, caption; the first image's trial prompt at the end."""
    lines = [f"# {base}: what the ten images of golden_images.py are captioned with"]
    for name in source_names():
        settings = caption_settings(name, (), "tom", "prepend", base)
        images = tuple(DatasetImage(material.record) for material in IMAGES)
        lines += ["", f"[{name}]"]
        for kind, dataset in (
            ("training", Dataset(UUID(int=1), "golden", "pictures", images)),
            ("regularization", Dataset(UUID(int=1), "golden", "pictures", (), images)),
        ):
            done, _ = caption_dataset(dataset, IMAGES, settings)
            lines += [
                f"{kind} {image.record.id:2}: {image.caption.text if image.caption else '-'}" for image in done.images
            ]
            if kind == "training" and done.images[0].caption:
                lines.append(f"trial prompt: {trial_prompt(done.images[0].caption.text, profile(base))}")
    return "\n".join(lines) + "\n"


# Those that share another's caption profile share its captions.
BASES = [base.name for base in base_models() if not base.captions]


@pytest.mark.parametrize("base", BASES)
def test_ten_images_for_every_base_model_from_every_source(base):
    assert rendered(base) == (FOLDER / f"{base}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for each in BASES:
        (FOLDER / f"{each}.txt").write_text(rendered(each), encoding="utf-8")
