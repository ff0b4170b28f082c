"""Paths in a manifest that a stranger wrote: each is held to its form and its folder, and named when it is not."""

import copy
import json
import re

import pytest

from lorads_core.errors import ExportError, TrainerError
from lorads_core.export.layout import read_manifest
from lorads_core.export.manifest_paths import PATH_FIELDS, Where, field_values, path_fault
from lorads_core.runs.read_export import read_export
from lorads_core.trainers import trainers

from .conftest import export

MANIFEST = {
    "name": "Tom",
    "files": ["10_tom/1.png", "10_tom/1.txt", "config.toml"],
    "texts": {"10_tom/1.txt": "00", "config.toml": "00"},
    "masks": ["10_tom_masks/1.png"],
    "mask_hashes": {"10_tom_masks/1.png": "00"},
    "images": [{"file": "10_tom/1.png", "source": {"path": "C:\\pictures\\1.png"}}],
    "training": {"output": "Tom_lora/0123456789ab", "checkpoints": ["save/Tom-*-save-2-1-0.safetensors"]},
    "config": {"checkpoint": "/models/base.safetensors", "model_files": {"vae": "../vae.safetensors"}},
}
BAD = [
    "", ".", "..", "../x", "a/../../x", "/etc/passwd", "//server/share/x", "a//b", "a/./b", "a/",
    "C:/x", "C:x", "c:\\x", "\\\\server\\share\\x", "\\\\?\\C:\\x", "a\\..\\b", "file.txt:stream",
    "CON", "10_tom/nul.txt", "a/com1 ", "lpt\u00b9.png", "a/b.", "a /b", "a\0b", "a\nb", 5, None, ["x"],
]  # fmt: skip


def with_value(name, value):
    """Return the manifest with a value (or key) at the first such field."""
    manifest = copy.deepcopy(MANIFEST)
    owner, steps = manifest, re.findall(r"[^.\[\]{}=]+|\[\]|\{\}", name)
    for step in steps[:-1]:
        owner = owner[0 if step == "[]" else step]
    if steps[-1] == "{}":
        owner[value] = "00"
    else:
        owner[0 if steps[-1] == "[]" else steps[-1]] = value
    return manifest


CONTAINED = [field for field in PATH_FIELDS if field.where is not Where.ANYWHERE]


@pytest.mark.parametrize("field", CONTAINED, ids=lambda field: field.name)
def test_no_path_field_takes_what_leads_elsewhere_on_any_system(field):
    assert not path_fault(MANIFEST)
    for value in BAD:
        if field.name.endswith("{}") and not isinstance(value, str):
            continue  # JSON has no such keys
        fault = path_fault(with_value(field.name, value))
        assert re.match(re.escape(field.name.partition("[")[0].partition("{")[0]), fault), (value, fault)
        assert field.where.value in fault


@pytest.mark.parametrize("output", ["Tom", "Tom_lora", "other/0123456789ab", "Tom_lora/x", "Tom_lora/0123456789ab/x"])
def test_a_training_saves_only_into_a_folder_of_trained_loras(output):
    assert path_fault(with_value("training.output", output)).startswith("training.output is ")


def strings(value, name=""):
    """Yield every string of a manifest, keys too, with its full name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{name}[{key!r:.80}]", key
            yield from strings(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from strings(item, f"{name}[{number}]")
    elif isinstance(value, str):
        yield name, value


@pytest.mark.parametrize("name", sorted(trainers()))
def test_the_table_has_every_string_of_a_manifest_that_is_a_path(dataset, root, name):
    if name == "comfyui":  # it trains without regularization images
        dataset = dataset.__class__(dataset.id, dataset.name, dataset.library, dataset.training)
    folder = export(dataset, root, trainer=name).export.folder
    manifest = read_manifest(folder)
    known = {found for field in PATH_FIELDS for found, _ in field_values(manifest, field.name)}
    paths = {
        where
        for where, text in strings(manifest)
        if "/" in text or "\\" in text or text.endswith((".safetensors", ".txt", ".png")) or (folder / text).is_file()
    }
    paths -= {where for where in paths if re.match(r"images\[\d+\]\.key|config\.extra", where)}
    assert paths - known == set()
    assert any(where.startswith("training.output") for where in paths)


@pytest.mark.parametrize("output", ["../victim", "/victim", "Tom_lora/../victim"])
def test_an_export_that_would_train_into_another_folder_is_refused_by_name(dataset, root, tmp_path, output):
    folder = export(dataset, root).export.folder
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["training"]["output"] = output.replace("/victim", f"{tmp_path}/victim") if output[0] == "/" else output
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for read, error in ((read_export, TrainerError), (read_manifest, ExportError)):
        with pytest.raises(error, match=r"Tom.manifest\.json is refused: training\.output is '"):
            read(folder)


@pytest.mark.posix
def test_a_link_that_leads_out_of_an_export_is_refused(dataset, root, tmp_path):
    folder = export(dataset, root).export.folder
    picture = folder / "10_tom/000002-2.png"
    picture.rename(tmp_path / "elsewhere.png")
    picture.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(TrainerError, match=r"files\[\d\] is '10_tom/000002-2\.png', which leads out of"):
        read_export(folder)
    picture.unlink()
    (tmp_path / "elsewhere.png").rename(picture)
    read_export(folder)
    (folder / "10_tom").rename(tmp_path / "elsewhere")
    (folder / "10_tom").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrainerError, match="leads out of"):
        read_export(folder)
    (folder / "10_tom").unlink()
    (tmp_path / "elsewhere").rename(folder / "10_tom")
    (root / "Tom_lora").symlink_to(tmp_path)
    with pytest.raises(TrainerError, match=r"training\.output is .* which leads out of"):
        read_export(folder)
