"""An IR that cannot be written: OpenVINO says "iostream error" of a full disk, and a stage says what it is."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import types
from types import SimpleNamespace

import pytest

from bertbuild.project import ROOT

SAID = "basic_ios::clear: iostream error"


def constant(size, *shape):
    port = SimpleNamespace(get_element_type=lambda: SimpleNamespace(size=size), get_shape=lambda: shape)
    return SimpleNamespace(get_type_name=lambda: "Constant", output=lambda _index: port)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes an IR of 4 MB in float32, with so many bytes left on the disk; OpenVINO fails."""

    def save_model(_model, _path, compress_to_fp16):  # noqa: ARG001
        raise RuntimeError(SAID)

    openvino = types.ModuleType("openvino")
    openvino.save_model = save_model
    monkeypatch.setitem(sys.modules, "openvino", openvino)
    monkeypatch.syspath_prepend(str(ROOT / "docker" / "common"))
    ir_file = importlib.import_module("ir_file")
    model = SimpleNamespace(
        set_rt_info=lambda *_: None,
        get_ops=lambda: [constant(4, 1000, 1000), SimpleNamespace(get_type_name=lambda: "Add")],
    )

    def call(precision, free):
        monkeypatch.setattr(ir_file.os, "statvfs", lambda _path: SimpleNamespace(f_bavail=free, f_frsize=1))
        args = SimpleNamespace(out=str(tmp_path), model="toy", precision=precision)
        ir_file.write_ir(model, args, SimpleNamespace(packages={}, key=""), "direct", "erf")

    return call


@pytest.mark.parametrize(("precision", "free"), [("fp32", 4_500_000), ("fp16", 2_500_000)])
def test_a_disk_without_room_for_the_weights_is_called_full(write, precision, free):
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as raised:
        write(precision, free)
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(("precision", "free"), [("fp32", 6_000_000), ("fp16", 4_500_000)])
def test_where_there_is_room_its_own_words_are_left(write, precision, free):
    with pytest.raises(RuntimeError, match=SAID):
        write(precision, free)
