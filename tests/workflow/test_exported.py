"""An export named on the command line: by its name in the folder of all exports, or by its path."""

import pytest

from lorads_core.errors import TrainerError
from lorads_core.workflow.training import exported

from ..export.conftest import dataset, export, root  # noqa: F401 - fixtures


@pytest.fixture
def written(dataset, root):  # noqa: F811
    return export(dataset, root).export.folder


@pytest.mark.parametrize("name", ["Tom", "exports/Tom", "./exports/Tom", "exports/../exports/Tom/"])
def test_an_export_is_found_by_its_name_or_its_relative_path(written, root, tmp_path, monkeypatch, name):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    assert exported(root if name == "Tom" else tmp_path / "other", name) == written.resolve()


def test_a_bare_name_is_no_folder_of_the_current_one(written, tmp_path, monkeypatch):
    monkeypatch.chdir(written.parent)
    with pytest.raises(TrainerError, match="There is no export 'Tom'"):
        exported(tmp_path / "other", "Tom")
