"""Sources for TensorFlow 2, converted once for all tests: the program, two runs at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from backends import run as run_script
from matrix import cells
from program import Outcome
from tiny_models import CONFIG, weights, write_google

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.crc32c import masked
from bertbuild.checkpoint.table import write_table
from bertbuild.graph.wire import encode_bytes, encode_fixed32, encode_number

WIDE = {**CONFIG, "hidden_size": 384, "num_attention_heads": 12}
"""12 heads of 32."""
FORTH = (
    ("tiny", "keras-bert"),
    ("wide", "pretrainer"),
    ("sharded", "encoder"),
    ("tiny", "savedmodel"),
    ("bare", "hub"),
    ("spans", "keras-bert"),
    ("wide", "encoder"),
    ("bare", "savedmodel"),
    ("wide", "keras-names"),
)
"""Model and format; those that share a step are not neighbours."""
FORTH = cells(
    FORTH,
    ("tiny", "keras-bert"),
    ("wide", "pretrainer"),
    ("sharded", "encoder"),
    ("tiny", "savedmodel"),
    ("bare", "hub"),  # test_tf2_heads.py has keras-names and a span head
)
CHECKPOINT = "bert_model.ckpt"


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What the conversions left."""

    sources: dict[str, Path]
    outcomes: dict[tuple[str, str], Outcome]

    def path(self, model, format_):
        """What the program printed: of a checkpoint the prefix."""
        return Path(self.outcomes[model, format_].last["path"])

    def folder(self, model, format_):
        path = self.path(model, format_)
        return path if path.is_dir() else path.parent


def heads(config, *shapes, seed=9):
    """Variables of heads by names and shapes in which H stands for the hidden size and V for the words."""
    chance = np.random.default_rng(seed)
    sizes = {"H": config["hidden_size"], "V": config["vocab_size"]}
    return {
        name: (chance.standard_normal([sizes.get(size, size) for size in shape]) * 0.2).astype(np.float32)
        for name, shape in shapes
    }


MASKED_LM = (
    ("cls/predictions/transform/dense/kernel", ("H", "H")),
    ("cls/predictions/transform/dense/bias", ("H",)),
    ("cls/predictions/transform/LayerNorm/beta", ("H",)),
    ("cls/predictions/transform/LayerNorm/gamma", ("H",)),
    ("cls/predictions/output_bias", ("V",)),
)
NEXT_SENTENCE = (("cls/seq_relationship/output_weights", (2, "H")), ("cls/seq_relationship/output_bias", (2,)))
UNTIED = (*MASKED_LM, ("cls/predictions/output_weights", ("V", "H")))
SQUAD = (("cls/squad/output_weights", (2, "H")), ("cls/squad/output_bias", (2,)))


def write_more(folder):
    """One of 12 heads of 32 with all that pretraining leaves; one with run_squad's head; `bare` in two data files."""
    wide = {
        name: value * np.float32(0.25 if name.endswith("kernel") else 1)
        for name, value in weights(WIDE, seed=3).items()
    }
    slots = {f"{name}/adam_{slot}": np.zeros_like(value) for name, value in wide.items() for slot in "mv"}
    wide |= heads(WIDE, *MASKED_LM, *NEXT_SENTENCE)
    spans = weights(seed=4) | heads(CONFIG, *SQUAD)
    return {
        "wide": write_google(folder / "wide", {**wide, **slots, "global_step": np.array(20, np.int64)}, config=WIDE),
        "spans": write_google(folder / "spans", spans),
        "sharded": write_sharded(folder / "sharded", weights(seed=2)),
    }


def write_sharded(folder, values):
    """A Google-format checkpoint whose tensors lie in two data files, by turns."""
    write_google(folder, values)
    whole = CheckpointReader(folder / CHECKPOINT)
    rows, contents = [(b"", encode_number(1, 2) + encode_bytes(3, encode_number(1, 1)))], [b"", b""]
    for number, (name, entry) in enumerate(whole.entries.items()):
        shard = number % 2
        sizes = b"".join(encode_bytes(2, encode_number(1, size)) for size in entry.shape)
        message = encode_number(1, 1) + encode_bytes(2, sizes) + encode_number(3, shard)
        message += encode_number(4, len(contents[shard])) + encode_number(5, entry.nbytes)
        rows.append((name.encode(), message + encode_fixed32(6, masked(entry.crc32c))))
        contents[shard] += values[name].tobytes()
    whole.data_file(0).unlink()
    whole.index.write_bytes(write_table(rows))
    for shard, content in enumerate(contents):
        (folder / f"{CHECKPOINT}.data-0000{shard}-of-00002").write_bytes(content)
    return folder


def together(function, calls):
    """Call with each of many arguments, two at a time; the results in their order."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda call: function(*call), calls))


def convert_all(bertbuild, sources):
    def convert(model, format_):
        return bertbuild.ok("convert-tf2", "--checkpoint", sources[model], "--format", format_)

    return Converted(sources=sources, outcomes=dict(zip(FORTH, together(convert, FORTH), strict=True)))


def garden_files(folder, checkpoint):
    """Files that the Model Garden makes from a checkpoint with a classifier's head."""
    return run_script("tf2", "garden_files", out=folder, checkpoint=checkpoint, prefix=checkpoint / CHECKPOINT)


def tensors(prefix):
    """Every variable of a checkpoint."""
    reader = CheckpointReader(prefix)
    return {name: reader.tensor(name) for name, entry in reader.entries.items() if entry.dtype != "string"}
