"""A manifest of a stranger: whatever its values are, reading it ends in a sentence."""

import copy
import json

import pytest

from lorads_core.errors import LoradsError
from lorads_core.export.layout import parsed_manifest
from lorads_core.export.manifest import is_manifest
from lorads_core.export.versions import compare, read_current
from lorads_core.runs.read_export import read_export

from .conftest import export

WRONG = (
    None,
    True,
    5,
    -1,
    2**70,
    0.5,
    float("nan"),
    float("inf"),
    "",
    "a\0b",
    "\ud800",
    [],
    [None],
    [[]],
    {},
    {"a": {}},
)


@pytest.fixture
def manifest(dataset, root):
    export(dataset, root)
    return json.loads((root / "Tom" / "manifest.json").read_text(encoding="utf-8"))


def paths(value, path=()):
    """Yield the path of each value in a manifest; of lists and of the rows of images the first is enough."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from paths(value[0], (*path, 0))


def changed(manifest, path, value):
    changed = copy.deepcopy(manifest)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


def test_a_manifest_that_was_written_here_has_the_shape(manifest):
    assert is_manifest(manifest)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("training",), 5),
        (("config",), None),
        (("dataset", "trigger"), None),
        (("training", "total_steps"), 2**31),
        (("training", "checkpoints"), "a.safetensors"),
        (("config", "learning_rate"), float("nan")),
        (("config", "network_dim"), "16"),
        (("images", 0, "width"), 0.5),
        (("name",), "a\0b"),
        (("dataset", "id"), "tom"),
    ],
)
def test_a_value_of_the_wrong_type_is_a_damaged_manifest(manifest, path, value):
    assert parsed_manifest(json.dumps(manifest)) is not None
    assert parsed_manifest(json.dumps(changed(manifest, path, value))) is None


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1e400", "9" * 10_000, "", "\ud800"])
def test_absurd_json_is_no_manifest(text):
    assert parsed_manifest(text) is None


def read(folder, manifest):
    compare(read_current(folder), manifest)
    found = read_export(folder)
    return found.triggers, found.output, found.speed_key


@pytest.mark.slow
def test_no_value_of_a_manifest_makes_reading_it_fail(manifest, root):
    """Every field with every wrong value, as `lorads train` and `lorads versions` read them."""
    folder, tried, failed = root / "Tom", 0, []
    for path in paths(manifest):
        for value in WRONG:
            text = json.dumps(changed(manifest, path, value))
            tried += 1
            if parsed_manifest(text) is None:
                continue
            (folder / "manifest.json").write_text(text, encoding="utf-8")
            try:
                read(folder, manifest)
            except LoradsError:
                continue
            except Exception as error:  # noqa: BLE001 - this is what is looked for
                failed.append(f"{path} = {value!r}: {error!r}")
    assert failed == []
    assert tried > 1000
