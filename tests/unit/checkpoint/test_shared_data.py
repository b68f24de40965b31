"""The published configurations, and the checkpoints whose weights are missing here, are inspected right."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from conftest import DATA

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.crc32c import masked
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.table import write_table
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.graph.wire import encode_bytes, encode_fixed32, encode_number

CONFIGS = sorted((DATA / "configs").rglob("*.bert_config.json"))
NAME = re.compile(r".*L-(?P<layers>\d+)_H-(?P<hidden>\d+)_A-(?P<heads>\d+)")
PUBLISHED = {"uncased_L-12_H-768_A-12": 109_482_240, "uncased_L-24_H-1024_A-16": 335_141_888}
WITHOUT_DATA = ("chinese_L-12_H-768_A-12_without_data", "uncased_L-4_H-256_A-4_without_data")


def write_empty(prefix, shapes):
    """A checkpoint of zeros that takes no room on disk; its checksums are not those of zeros."""
    entries, offset = [(b"", encode_number(1, 1) + encode_bytes(3, encode_number(1, 1)))], 0
    for name, shape in sorted(shapes.items()):
        size = 4 * int(np.prod(shape))
        sizes = b"".join(encode_bytes(2, encode_number(1, side)) for side in shape)
        place = (encode_number(4, offset) if offset else b"") + encode_number(5, size)
        entries.append(
            (name.encode(), encode_number(1, 1) + encode_bytes(2, sizes) + place + encode_fixed32(6, masked(0)))
        )
        offset += size
    prefix.with_name(f"{prefix.name}.index").write_bytes(write_table(entries))
    with prefix.with_name(f"{prefix.name}.data-00000-of-00001").open("wb") as file:
        file.truncate(offset)


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name.removesuffix(".bert_config.json") for path in CONFIGS])
def test_every_published_configuration_fits_weights_of_its_shapes(path, tmp_path):
    values = json.loads(path.read_text())
    shapes = encoder_variables(config_from(values, name=path.name))
    write_empty(tmp_path / "bert_model.ckpt", shapes)
    shutil.copyfile(path, tmp_path / "bert_config.json")
    inspection = inspect_checkpoint(tmp_path, checksums=False)
    assert inspection.sound
    assert inspection.plain
    assert inspection.warnings == ("There is no vocab.txt, so texts cannot be turned into ids for this model.",)
    found = NAME.fullmatch(path.name.removesuffix(".bert_config.json"))
    told = inspection.to_json()["encoder"]
    assert [told[key] for key in ("layers", "hidden", "attention_heads")] == [int(text) for text in found.groups()]
    assert (told["vocab"], told["intermediate"]) == (values["vocab_size"], values["intermediate_size"])
    name = path.name.removesuffix(".bert_config.json")
    assert inspection.encoder_parameters == PUBLISHED.get(name, sum(int(np.prod(shape)) for shape in shapes.values()))


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_a_checkpoint_is_sound_once_it_has_its_weights(shared, tmp_path, name):
    folder = shutil.copytree(shared / name, tmp_path / "m")
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    entries = CheckpointReader(folder / "bert_model.ckpt").entries
    shapes = {own: entry.shape for own, entry in entries.items()}
    small = sum(entry.nbytes for entry in entries.values()) < 1 << 26
    if small:
        chance = np.random.default_rng(0)
        write_checkpoint(folder / "bert_model.ckpt", {own: chance.random(s, np.float32) for own, s in shapes.items()})
    else:
        write_empty(folder / "bert_model.ckpt", shapes)
    inspection = inspect_checkpoint(folder, checksums=small)
    assert inspection.sound
    assert inspection.plain
    assert inspection.intact == (len(entries) if small else None)
    assert not inspection.optimizer_slots
    assert inspection.heads.masked_lm
