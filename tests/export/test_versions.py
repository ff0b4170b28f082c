"""Versions of an export, and how two of them differ."""

from dataclasses import replace

import pytest

from lorads_core.errors import ExportError
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.versions import compare, find_version, list_versions, read_current
from lorads_core.export.write import write_export
from lorads_core.model import Caption, Trigger

from .conftest import CONFIG, dataset_image, export


def test_every_version_is_kept_and_the_newest_comes_first(dataset, root, picture):
    first = export(dataset, root).export.manifest_hash
    assert [each.hash for each in list_versions(root, "Tom")] == [first]
    more = replace(dataset, training=(*dataset.training, dataset_image(9, picture("in/9.png", (64, 64)), "tom")))
    second = export(more, root).export.manifest_hash
    assert {each.hash: each.images for each in list_versions(root, "Tom")} == {first: 5, second: 6}
    assert find_version(root, "Tom", first[:8]) != find_version(root, "Tom", second[:8]) == read_current(root / "Tom")
    export(dataset, root)
    assert {each.hash for each in list_versions(root, "Tom")} == {first, second}  # the same again is no third


def test_how_two_versions_differ(dataset, root, picture):
    first = export(dataset, root).export.manifest_hash
    one, two, _ = dataset.training
    new = replace(
        dataset,
        training=(
            replace(one, caption=Caption("tom, changed", "custom")),
            two,
            dataset_image(9, picture("in/9.png", (64, 64)), "tom"),
        ),
        trigger=Trigger("tom", "append"),
    )
    write_export(plan_export(new, replace(CONFIG, network_dim=32), ExportOptions()), root)
    found = compare(find_version(root, "Tom", first), read_current(root / "Tom"))
    assert [file.rpartition("/")[2][:6] for file in found.added] == ["000009"]
    assert [file.rpartition("/")[2][:6] for file in found.removed] == ["000003"]
    assert found.changed == ()
    assert [(old, new) for _, old, new in found.captions] == [("tom, cat 1", "tom, changed")]
    assert found.settings == (("network_dim", 16, 32), ("trigger position", "prepend", "append"))
    for word in ("+ image", "- image", "~ caption", "~ setting network_dim: 16 \u2192 32", "+ tom, changed"):
        assert word in found.text
    assert not compare(read_current(root / "Tom"), read_current(root / "Tom"))
    assert compare(read_current(root / "Tom"), read_current(root / "Tom")).text == "no difference"


def test_a_picture_that_became_another_is_told(dataset, root, picture):
    first = export(dataset, root).export.manifest_hash
    changed = dataset_image(1, picture("in/1.png", (320, 240)), "tom, cat 1")
    export(replace(dataset, training=(changed, *dataset.training[1:])), root)
    found = compare(find_version(root, "Tom", first), read_current(root / "Tom"))
    assert len(found.changed) == 1
    assert not found.added + found.removed


def test_what_is_no_version_is_refused(dataset, root, tmp_path):
    export(dataset, root)
    with pytest.raises(ExportError, match="has no version 'beef'; known are"):
        find_version(root, "Tom", "beef")
    with pytest.raises(ExportError, match="no version ''"):
        find_version(root, "Tom", "")
    with pytest.raises(ExportError, match="is not an export"):
        read_current(tmp_path)
    assert list_versions(root, "Jerry") == ()


def test_an_export_called_like_our_own_folders_harms_no_version(dataset, root):
    first = export(dataset, root).export.manifest_hash
    write_export(plan_export(replace(dataset, name=".versions"), CONFIG), root)
    write_export(plan_export(dataset, CONFIG), root, "versions")
    assert list_versions(root, "Tom")[0].hash == first
