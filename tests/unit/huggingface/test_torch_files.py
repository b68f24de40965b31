"""Files of torch.save, both forms: tensors are read, and nothing else is done with what they hold."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
import pytest
import torch_files as made

from bertbuild.errors import CheckpointError
from bertbuild.huggingface import pickles
from bertbuild.huggingface.pickles import PickleError, read_pickle
from bertbuild.huggingface.torch_files import read_torch

FORMS = [pytest.param(False, id="zip"), pytest.param(True, id="before 1.6")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pytorch_model.bin"


def values():
    chance = np.random.default_rng(3)
    full = chance.standard_normal((3, 4)).astype(np.float32)
    return {
        "full": full,
        "half": full.astype(np.float16),
        "double": full.astype(np.float64),
        "ids": np.arange(5)[None],
        "one": np.float32(3.5).reshape(()),
    }


def refusal(path):
    with pytest.raises(CheckpointError) as raised:
        read_torch(path)
    assert raised.value.next_step
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{path} cannot be read: ")
    return str(raised.value)


@pytest.mark.parametrize("older", FORMS)
def test_tensors_are_read_with_their_own_numbers(path, older):
    made.write_torch(path, values(), older=older)
    found = read_torch(path)
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "full": "float32",
        "half": "float16",
        "double": "float64",
        "ids": "int64",
        "one": "float32",
    }
    for name, value in values().items():
        assert found[name].shape == value.shape
        if name != "ids":
            np.testing.assert_array_equal(found[name].read(), value.astype(np.float32), err_msg=name)


@pytest.mark.parametrize("older", FORMS)
def test_brain_floats_are_widened_without_a_change(path, older):
    numbers = np.array([1.5, -2.0, 3.25, 1e30], np.float32)
    brain = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    pickled = made.state_dict({"x": made.tensor("0", brain, older=older, kind="BFloat16Storage")})
    if older:
        made.write_older(path, pickled, {"0": brain})
    else:
        made.write_zip(path, pickled, {"0": brain.tobytes()})
    (found,) = read_torch(path).values()
    assert found.dtype == "bfloat16"
    np.testing.assert_array_equal(found.read(), (brain.astype(np.uint32) << 16).view(np.float32))


def test_views_of_one_storage_are_read_as_the_views_they_are(path):
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    entries = {
        "whole": made.tensor("0", base),
        "turned": made.tensor("0", base.T),
        "middle": made.tensor("0", base[1:3, 2:5], offset=8, strides=(6, 1)),
        "spread": made.tensor("0", np.broadcast_to(base[0], (3, 6)), strides=(0, 1)),
    }
    # A view says how many numbers its storage has, not how many it shows itself.
    entries = {
        name: code.replace(b"J" + struct.pack("<i", 6) + b"tQ", b"J" + struct.pack("<i", 24) + b"tQ")
        for name, code in entries.items()
    }
    made.write_zip(path, made.state_dict(entries), {"0": base.tobytes()})
    found = read_torch(path)
    wanted = {"whole": base, "turned": base.T, "middle": base[1:3, 2:5], "spread": np.broadcast_to(base[0], (3, 6))}
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name].read(), value, err_msg=name)


def test_a_state_dict_inside_a_dict_of_a_training_program_is_found(path):
    inner = made.state_dict({"x": made.tensor("0", np.ones(2, np.float32))})[2:-1]
    made.write_zip(
        path, b"\x80\x02}" + made._text("state_dict") + inner + b"s.", {"0": np.ones(2, np.float32).tobytes()}
    )
    assert list(read_torch(path)) == ["x"]


class Calling:
    """Pickled, it is a call of a function; harmless ones here, which a test would see."""

    def __init__(self, function, *arguments):
        self._call = (function, arguments)

    def __reduce__(self):
        return self._call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (print, ("called",), "print"),
        (list, ((1, 2),), "list"),
        (np.zeros, (2,), "numpy.zeros"),
        (getattr, ("a", "title"), "getattr"),
    ],
)
def test_a_pickle_that_calls_is_refused_by_the_name_of_what_it_would_call(
    path, capsys, protocol, function, arguments, named
):
    pickled = pickle.dumps({"x": Calling(function, *arguments)}, protocol=protocol)
    made.write_zip(path, pickled, {})
    assert named.split(".")[-1] in refusal(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "value", [{"x": {1, 2}}, {"x": b"bytes"}, {"x": bytearray(b"x")}, {(1, 2): 1}, {"x": 1}, [1], {}, 5, None]
)
def test_what_is_no_state_dict_is_refused(path, value):
    made.write_zip(path, pickle.dumps(value, protocol=4), {})
    refusal(path)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (b".", "damaged"),
        (b"\x80\x02", "damaged"),
        (b"0.", "POP"),
        (b"h\x05.", "damaged"),
        (b"t.", "damaged"),
        (b"}(K\x01u.", "damaged"),
        (b"]}(K\x01K\x02u0.", "POP"),
        (b"K\x01K\x02a.", "damaged"),
        (b"\x85.", "damaged"),
        (b"(\x85.", "damaged"),
        (b"K\x01K\x02Q.", "form that is not known"),
        (b"cos\nsystem\nK\x01R.", "damaged"),
        (b"K\x01)R.", "damaged"),
        (b"cos\nsystem\n)\x81.", "objects of classes"),
        (b"P1\n.", "PERSID"),
        (b"ios\nsystem\n.", "objects of classes"),
        (b"\x82\x01.", "EXT1"),
        (b"K\x01}b.", "not a dict"),
        (b"X\xff\xff\xff\x7fabc.", "damaged"),
    ],
)
def test_a_broken_pickle_is_refused(code, why):
    with pytest.raises(PickleError, match=why):
        read_pickle(io.BytesIO(code))


def test_a_pickle_longer_than_any_is_given_up(monkeypatch):
    monkeypatch.setattr(pickles, "MOST_OPERATIONS", 1000)

    with pytest.raises(PickleError, match="longer than any"):
        read_pickle(io.BytesIO(b"N" * 2000))


def test_a_tuple_that_doubles_itself_takes_no_time():
    twice = b"q\x00h\x00\x86"  # a pair of the same thing, 200 times over: a hash of it would take for ever
    with pytest.raises(PickleError, match="keys"):
        read_pickle(io.BytesIO(b"}K\x01" + twice * 200 + b"Ns."))


def storage_errors():
    ones = np.ones((2, 2), np.float32)
    yield "beyond", made.tensor("0", ones, offset=1), ones.tobytes()
    yield "beyond", made.tensor("0", ones, strides=(3, 1)), ones.tobytes()
    yield "beyond", made.tensor("0", ones), ones.tobytes()[:-1]
    yield "no archive/data/1", made.tensor("1", ones), ones.tobytes()
    yield "torch.QInt8Storage", made.tensor("0", ones, kind="QInt8Storage"), ones.tobytes()
    yield "damaged", made.tensor("0", ones, strides=(1,)), ones.tobytes()
    yield "damaged", made.tensor("0", ones, strides=(-2, 1)), ones.tobytes()


@pytest.mark.parametrize(("why", "code", "content"), list(storage_errors()))
def test_a_tensor_that_does_not_lie_in_its_storage_is_refused(path, why, code, content):
    made.write_zip(path, made.state_dict({"x": code}), {"0": content})
    assert why in refusal(path)


def test_a_storage_of_another_package_is_refused(path):
    code = made.tensor("0", np.ones(2, np.float32)).replace(b"ctorch\nFloatStorage", b"cmalicious\nFloatStorage")
    made.write_zip(path, made.state_dict({"x": code}), {"0": bytes(8)})
    assert "malicious.FloatStorage" in refusal(path)


def test_a_storage_of_two_kinds_is_refused_where_its_size_tells_where_the_next_begins(path):
    ones = np.ones(2, np.float32)
    entries = {"x": made.tensor("0", ones, older=True), "y": made.tensor("0", ones, older=True, kind="DoubleStorage")}
    made.write_older(path, made.state_dict(entries), {"0": ones})
    assert "two kinds" in refusal(path)


def test_big_endian_and_compressed_files_are_refused(path):
    pickled = made.state_dict({"x": made.tensor("0", np.ones(64, np.float32))})
    made.write_zip(path, pickled, {"0": bytes(256)}, byteorder=b"big")
    assert "big-endian" in refusal(path)
    made.write_zip(path, pickled, {"0": bytes(256)}, compressed=True)
    assert "compressed" in refusal(path)


def test_other_files_are_told_from_those_of_torch(path):
    path.write_bytes(b"hello, this is not a model at all")
    assert "not a file of torch.save" in refusal(path)
    path.write_bytes(pickle.dumps({"x": 1}))
    assert "no state dict of torch.save" in refusal(path)
    made.write_older(path, pickle.dumps({}), {}, magic=5)
    assert "no state dict of torch.save" in refusal(path)
    path.write_bytes(b"")
    refusal(path)


@pytest.mark.parametrize("older", FORMS)
def test_a_file_cut_short_anywhere_is_refused(path, older):
    made.write_torch(path, {"x": np.ones((2, 2), np.float32), "y": np.ones(3, np.float16)}, older=older)
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        refusal(path)


@pytest.mark.parametrize("older", FORMS)
def test_a_changed_byte_never_ends_in_a_traceback(path, older):
    made.write_torch(path, {"x": np.ones((2, 2), np.float32), "y": np.ones(3, np.float16)}, older=older)
    whole = path.read_bytes()
    chance = np.random.default_rng(5)
    for place in range(0, len(whole), 2):
        changed = bytearray(whole)
        changed[place] = int(chance.integers(256))
        path.write_bytes(changed)
        try:
            found = read_torch(path)
        except CheckpointError:
            continue
        for tensor in found.values():
            assert tensor.offset >= 0


def test_numbers_that_are_not_those_of_the_checksum_are_refused(path):
    value = np.arange(64, dtype=np.float32)
    made.write_torch(path, {"a": value})
    content = bytearray(path.read_bytes())
    content[content.find(value.tobytes()) + 20] ^= 1
    path.write_bytes(content)
    assert "damaged: the checksum is another one" in refusal(path)
