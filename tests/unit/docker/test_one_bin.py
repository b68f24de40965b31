"""docker/openvino's _one_bin: several IRs over one file of weights."""

from __future__ import annotations

import importlib.util
import re

import pytest

from bertbuild.project import ROOT


@pytest.fixture(scope="module")
def one_bin():
    path = ROOT / "docker" / "openvino" / "stages" / "_one_bin.py"
    spec = importlib.util.spec_from_file_location("one_bin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, *constants):
    """An IR with constants: the lines of its .xml that lead to them, and its .bin."""
    content, lines = b"", []
    for constant in constants:
        lines.append(f'<data element_type="u8" offset="{len(content)}" size="{len(constant)}" />')
        content += constant
    path.with_suffix(".xml").write_text("\n".join(lines))
    path.with_suffix(".bin").write_bytes(content)
    return str(path)


def constants_of(path):
    content = path.with_suffix(".bin").read_bytes()
    places = re.findall(r'offset="(\d+)" size="(\d+)"', path.with_suffix(".xml").read_text())
    return [content[int(offset) : int(offset) + int(size)] for offset, size in places]


def test_each_ir_finds_its_constants_in_one_file(one_bin, tmp_path):
    model, first, second = tmp_path / "model", tmp_path / "first", tmp_path / "second"
    write(model, b"weights", b"bias")
    write(first, b"table", b"weights", b"bias")
    write(second, b"bias", b"weights", b"table", b"", b"more")
    weights = one_bin.Weights(str(model))
    for other in (first, second):
        weights.share(str(other))
    for other in (first, second):
        weights.link(str(other))
    assert constants_of(model) == [b"weights", b"bias"]
    assert constants_of(first) == [b"table", b"weights", b"bias"]
    assert constants_of(second) == [b"bias", b"weights", b"table", b"", b"more"]
    content = model.with_suffix(".bin").read_bytes()
    assert content == second.with_suffix(".bin").read_bytes()
    assert (content.count(b"weights"), content.count(b"table")) == (1, 1)
    assert content.index(b"table") == one_bin.ALIGNED
    assert model.with_suffix(".bin").stat().st_nlink == 3
