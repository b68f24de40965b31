"""The tars of the ALBERTs: unpacked by their own names of files, and found on disk and behind a mirror."""

from __future__ import annotations

import tarfile

import family_models
import pytest
from family_models import ALBERT_CONFIG, values, write_family

from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.models import find_model
from bertbuild.catalogue.sources import Sources
from bertbuild.checkpoint.inspection import inspect_checkpoint


@pytest.fixture
def archive(tmp_path):
    """A tar of a small ALBERT with the names of the published files, where a mirror would have it."""
    folder = write_family(tmp_path / "albert_base", values(family_models.albert_shapes()), ALBERT_CONFIG, vocab=False)
    (folder / "vocab_chinese.txt").write_text("".join(f"w{index}\n" for index in range(family_models.V)))
    path = tmp_path / "mirror" / "albert_models" / "albert_base_zh.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, arcname="albert_base")
    return path


@pytest.mark.parametrize("by", ["mirror", "from"])
def test_an_albert_of_the_catalogue_is_a_checkpoint_like_any_other(tmp_path, archive, by):
    root = archive.parents[1]
    sources = Sources(mirror=root.as_uri()) if by == "mirror" else Sources(local=archive.parent)
    model = find_model("albert-base-zh")
    found = fetch(model, downloads=tmp_path / "downloads", sources=sources, lock=tmp_path / "models.lock.json")
    assert f"{model.name}/albert_config.json" in found.recorded
    inspected = inspect_checkpoint(found.folder)
    assert (inspected.problems, inspected.family, inspected.vocab_lines) == ((), "albert", family_models.V)
