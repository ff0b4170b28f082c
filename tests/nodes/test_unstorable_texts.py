"""Every text that a node takes, with characters that PostgreSQL cannot store: no harm, or refused in our words."""

import re
from importlib import import_module

import numpy as np
import pytest

from .pack import as_lists
from .test_chain import base, call  # noqa: F401 - base is a fixture
from .test_launch import exported, make_pack  # noqa: F401 - a fixture
from .test_trained import parts

TEXTS = {"NUL": "a\0b", "half a character": "half \ud800"}
# What psycopg and PostgreSQL say of them.
FOREIGN = re.compile(r"PostgreSQL|0x00|byte sequence|Unicode escape|surrogates|codec|type json")
LEAST = 30  # inputs


def text_inputs(pack):
    """Yield each node with the ids of its text inputs."""
    for name, node in pack.nodes.items():
        schema = node.define_schema()
        yield name, [each.id for each in schema.inputs if type(each).__qualname__.startswith("io.String.")]


@pytest.fixture
def wired(make_pack):  # noqa: F811
    """Return the pack, and for each node what is wired into it."""
    pack = make_pack()
    export = exported(pack)
    run = call(pack, "LoradsLaunchTrainer", export=export).args[0]
    index, *_ = call(pack, "LoradsIndexImages", folder="mine").args
    dataset, _ = call(pack, "LoradsQueryImages", name="others", minimum_side=0, maximum_images=2, index=index).args
    captioned = call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger="landmark").args[0]
    image = import_module("torch").from_numpy(np.zeros((1, 8, 8, 3), np.float32))
    return pack, {
        "LoradsIndexImages": {"images": [image], "captions": ["a"], "folder": "drawn"},
        "LoradsRegularizationFinder": {"dataset": captioned},
        "LoradsCaptionBuilder": {"dataset": dataset},
        "LoradsCombineDatasets": {"first": captioned, "second": dataset},
        "LoradsExportDataset": {"dataset": captioned},
        "LoradsLaunchTrainer": {"export": export},
        "LoradsLoadTrainedLora": parts(),
        "LoradsLoraVariants": {**parts(), "run": run},
        "LoradsLoraTestGrid": {"images": [image], "labels": ["one"], "run": run},
        "LoradsDatasetToImages": {"dataset": captioned},
    }


def used(pack, node, given):
    """Run a node as ComfyUI does; what a config holds is exported, too, as the store has it from there."""
    made = call(pack, node, **given)
    if node == "LoradsTrainingConfig":
        yield made.args[0]
    cls = pack.nodes[node]
    if hasattr(cls, "fingerprint_inputs"):
        wanted = {each.id: None for each in cls.define_schema().inputs}
        cls.fingerprint_inputs(**as_lists(cls, {**wanted, **given}))


def outcome(pack, captioned, node, given):
    """Return what a person reads, empty where nothing is refused; anything but our own errors is what it is."""
    try:
        for config in used(pack, node, given):
            call(pack, "LoradsExportDataset", dataset=captioned, config=config)
    except pack.errors.LoradsError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"PostgreSQL or a traceback: {error!r}"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_input_of_a_node_ends_in_words_of_postgresql(wired, text):
    pack, wires = wired
    captioned = wires["LoradsExportDataset"]["dataset"]
    said = {
        f"{node}.{name}": outcome(pack, captioned, node, {**wires.get(node, {}), name: [text] if wanted else text})
        for node, names in text_inputs(pack)
        for name in names
        for wanted in [isinstance(wires.get(node, {}).get(name), list)]
    }
    assert len(said) >= LEAST
    wrong = [f"{name}: {each}" for name, each in said.items() if FOREIGN.search(each)]
    assert not wrong, "\n".join(wrong)
    assert "NUL character or half of a character" in said["LoradsQueryImages.name"]
