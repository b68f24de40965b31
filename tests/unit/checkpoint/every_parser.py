"""Every reader of files that come from elsewhere: a sound small input each, and how it is read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from first_format import write_v1
from graph_builder import bert_graph
from hostile_graphs import function_message, library
from piece_models import model_bytes
from saved_model_bytes import meta_graph, saved_model
from torch_files import write_torch

from bertbuild.buildfile.load import load_build_file
from bertbuild.catalogue.archive import unpack_archive
from bertbuild.catalogue.lockfile import read_lock
from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.checksums import check_tensors
from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.data_files import check_data_files
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.object_graph import VALUE, read_variables, value_key
from bertbuild.checkpoint.snappy import decompress
from bertbuild.checkpoint.table import read_table, write_table
from bertbuild.checkpoint.v1 import V1Reader
from bertbuild.checkpoint.vocabulary import pieces_of, read_vocabulary
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.commands import predict
from bertbuild.commands.predict_texts import Predict, texts_of
from bertbuild.errors import CheckpointError
from bertbuild.gate.prediction_files import read_answers, read_scores, read_squad
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.geometry import head_size, layer_norm_epsilon
from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.head_tracing import trace_heads
from bertbuild.graph.loading import check_loading
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.roles import input_roles
from bertbuild.graph.saved_model import read_saved_model
from bertbuild.graph.wire import encode_bytes, encode_number, encode_varint
from bertbuild.huggingface.folder import find_files, read_index
from bertbuild.huggingface.safetensors import read_safetensors
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.torch_files import read_torch
from bertbuild.huggingface.vocabulary import lower_case, vocabulary
from bertbuild.json_text import parse_json
from bertbuild.provenance.shape import problems
from bertbuild.provenance.statement import BUILD_TYPE, PREDICATE, STATEMENT
from bertbuild.provenance.verify import verify
from bertbuild.source.prepared import fine_tuned
from bertbuild.store.past_runs import events_of
from bertbuild.text.asking import Asked
from bertbuild.text.character_map import character_map
from bertbuild.text.facts import Text
from bertbuild.text.pieces import PieceTokenizer
from bertbuild.text.words import WordPieces

CHANCE = np.random.default_rng(7)
TENSORS = {
    "bert/embeddings/word_embeddings": CHANCE.random((20, 4), np.float32),
    "bert/pooler/dense/bias": CHANCE.random(4, np.float32),
    "global_step": np.array(7, np.int64),
}


@dataclass(frozen=True)
class Parser:
    """A reader.

    Attributes:
        sound: an input that is read.
        read: what reads it, given a folder with nothing in it and the input; gives what came out.
        checked: whether the input has checksums of all that comes out: what is read is then what was written.
        is_json: whether the input is JSON, whose values are changed too.
    """

    sound: bytes
    read: Callable[[Path, bytes], Any]
    checked: bool = False
    is_json: bool = False


def at(name: str, read: Callable[[Path], Any], **beside: bytes) -> Callable[[Path, bytes], Any]:
    """A reader of a file, with other files beside it."""

    def run(folder: Path, content: bytes) -> Any:
        for other, bytes_of in {**beside, name: content}.items():
            (folder / other).write_bytes(bytes_of)
        return read(folder / name)

    return run


def _files(write: Callable[[Path], Any]) -> dict[str, bytes]:
    """What a writer leaves in a folder."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _tensors(path: Path) -> dict[str, Any]:
    reader = CheckpointReader(path.with_name("m"))
    found = [*check_data_files(reader).problems, *check_tensors(reader, range(reader.shards)).problems]
    if found:
        raise CheckpointError(found[0], next_step="")
    return {name: reader.tensor(name).tobytes() for name in reader.entries}


def _first(path: Path) -> dict[str, Any]:
    reader = V1Reader([path])
    return {name: reader.tensor(name).tobytes() for name in reader.entries if reader.entries[name].dtype == "float32"}


def _asked(graph: Any) -> None:
    """All that the host asks a graph, each with its own refusals."""
    for ask in (input_roles, head_size, layer_norm_epsilon, gelu_form, trace_heads):
        with contextlib.suppress(GraphFormatError):
            ask(graph)


def _saved(path: Path) -> None:
    check_loading(path.parent)
    _asked(read_saved_model(path.parent).graph)


def _stored(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: (stored.offset, stored.dtype, stored.shape) for name, stored in tensors.items()}


def _unpacked(path: Path) -> dict[str, bytes]:
    out = path.parent / "out"
    return {name: (out / name).read_bytes() for name in unpack_archive(path, out)}


def _objects() -> dict[str, bytes]:
    child = encode_bytes(1, encode_number(1, 1) + encode_bytes(2, b"a"))
    value = b"".join(encode_bytes(at, text.encode()) for at, text in enumerate((VALUE, "v", value_key(("a",))), 1))
    message = b"".join(encode_bytes(1, node) for node in (child * 3, encode_bytes(2, value)))
    return _files(lambda folder: write_checkpoint(folder / "m", {OBJECT_GRAPH_KEY: message, **TENSORS}))


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/bert_config.json", '{"hidden_size": 2}')
        archive.writestr("m/data", bytes(range(256)) * 4)
    return held.getvalue()


def _tar(mode: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in {"m/bert_config.json": b'{"hidden_size": 2}', "m/data": bytes(range(256)) * 4}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def _safetensors() -> bytes:
    header, numbers = {}, b""
    for name, value in TENSORS.items():
        code = {"float32": "F32", "int64": "I64"}[str(value.dtype)]
        places = [len(numbers), len(numbers) + value.nbytes]
        header[name] = {"dtype": code, "shape": list(value.shape), "data_offsets": places}
        numbers += value.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def _statement() -> bytes:
    external = {"stage": "ir", "params": {}, "inputs": ["frozen"]}
    internal = {"key": "k", "keyFormat": 2, "code": "c", "isolation": "venv", "environment": {}}
    needs = [{"name": "frozen", "digest": {"bertbuild": "d"}}]
    definition = {"buildType": BUILD_TYPE, "externalParameters": external, "internalParameters": internal}
    run = {"builder": {"id": "https://bertbuild.org/builder/venv"}, "metadata": {"startedOn": "2026-11-21T13:44:11Z"}}
    predicate = {"buildDefinition": {**definition, "resolvedDependencies": needs}, "runDetails": run}
    subject = [{"name": "model.bin", "digest": {"sha256": "0" * 64}}]
    whole = {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": predicate}
    return json.dumps(whole).encode()


CONFIG = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 9, "hidden_act": "gelu"}
CONFIG |= {"intermediate_size": 8, "max_position_embeddings": 16, "type_vocab_size": 2, "initializer_range": 0.02}
BUILD_FILE = b"""artifacts = "artifacts"
[targets.ir]
kind = "ir"
matrix = { precision = ["fp32", "fp16"] }
[models.one]
checkpoint = "checkpoints/one"
targets = ["ir"]
"""
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "##s")
TOKENIZER = {"model": {"type": "WordPiece", "vocab": {word: number for number, word in enumerate(WORDS)}}}
TOKENIZER |= {"added_tokens": [{"id": 2, "content": "[CLS]"}], "normalizer": {"lowercase": True}}
HUGGING_FACE = {**CONFIG, "model_type": "bert", "id2label": {"0": "no", "1": "yes"}, "architectures": ["BertModel"]}
TASK = {"task": "own", "head": "classifier", "labels": ["no", "yes"], "do_lower_case": True, "max_seq_length": 16}
SQUAD = {"data": [{"paragraphs": [{"context": "a b", "qas": [{"id": "1", "question": "q", "answers": []}]}]}]}


def parsers() -> dict[str, Parser]:
    """All of them, by name."""
    plain = _files(lambda folder: write_checkpoint(folder / "m", TENSORS))
    index, data = plain["m.index"], plain["m.data-00000-of-00001"]
    objects = _objects()
    graph = bert_graph(gelu="tanh", norms=True)[0]
    functions = graph.graph_def() + library(function_message("f", ("x", "Identity", ())))
    block = encode_varint(300) + b"\x0cabcd" + b"\xfe\x04\x00" * 4 + bytes([39 << 2 | 2, 4, 0])
    zipped = _files(lambda folder: write_torch(folder / "t", TENSORS))["t"]
    older = _files(lambda folder: write_torch(folder / "t", TENSORS, older=True))["t"]
    shards = json.dumps({"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    lock = {"version": 1, "files": {"m/f": {"bytes": 1, "sha256": "0" * 64, "url": "https://host/f"}}}
    event = json.dumps({"event": "run", "run": "1", "time": 1.5}) + "\n"
    return {
        "table": Parser(index, lambda _, content: read_table(content), checked=True),
        "table of blocks": Parser(write_table([(b"%04d" % n, b"v" * 99) for n in range(300)]), _table, checked=True),
        "index": Parser(index, at("m.index", _tensors, **{"m.data-00000-of-00001": data}), checked=True),
        "data": Parser(data, at("m.data-00000-of-00001", _tensors, **{"m.index": index}), checked=True),
        "object graph": Parser(
            objects["m.data-00000-of-00001"],
            at("m.data-00000-of-00001", _variables, **{"m.index": objects["m.index"]}),
            checked=True,
        ),
        "first format": Parser(_files(lambda folder: write_v1(folder / "v1", _floats()))["v1"], at("v1", _first), True),
        "snappy": Parser(block, lambda _, content: decompress(content, limit=1 << 28)),
        "GraphDef": Parser(functions, at("graph.pb", lambda path: _asked(read_graph(path)))),
        ".meta": Parser(graph.meta_graph(), at("m.meta", lambda path: _asked(read_meta_graph(path)))),
        "SavedModel": Parser(saved_model(meta_graph()), at("saved_model.pb", _saved)),
        "safetensors": Parser(_safetensors(), at("m.safetensors", lambda path: _stored(read_safetensors(path)))),
        "PyTorch's zip": Parser(zipped, at("t", lambda path: _stored(read_torch(path)))),
        "PyTorch's older form": Parser(older, at("t", lambda path: _stored(read_torch(path)))),
        "index of shards": Parser(shards.encode(), at("m.json", read_index), is_json=True),
        "zip": Parser(_zip(), at("m.zip", _unpacked), checked=True),
        "tar": Parser(_tar("w:"), at("m.tar", _unpacked)),
        "tar.gz": Parser(_tar("w:gz"), at("m.tar.gz", _unpacked), checked=True),
        "tar.xz": Parser(_tar("w:xz"), at("m.tar.xz", _unpacked), checked=True),
        "bert_config.json": Parser(json.dumps(CONFIG).encode(), at("bert_config.json", read_config), is_json=True),
        "vocab.txt": Parser("[PAD]\n[UNK]\né\n##x\n".encode(), lambda _, content: read_vocabulary(content).words),
        "JSON": Parser(json.dumps([CONFIG, 1.5, [None] * 5]).encode(), lambda _, text: parse_json(text), is_json=True),
        "TOML": Parser(BUILD_FILE, at("bertbuild.toml", load_build_file)),
        "statement": Parser(_statement(), lambda _, text: problems(parse_json(text)), is_json=True),
        "statement of a result": Parser(_statement(), at("provenance.json", _verified), is_json=True),
        "models.lock.json": Parser(json.dumps(lock).encode(), at("l.json", read_lock), is_json=True),
        "log of a run": Parser((event * 5).encode(), at("1.jsonl", events_of)),
        "SQuAD": Parser(json.dumps(SQUAD).encode(), at("dev.json", read_squad), is_json=True),
        "answers": Parser(b'{"1": "a", "2": ""}', at("answers.json", read_answers), is_json=True),
        **_of_text(),
        "scores": Parser(b"0.5\t0.5\n0.25\t0.75\n", at("test_results.tsv", read_scores)),
    }


def _of_text() -> dict[str, Parser]:
    """What goes with a model that reads text, and texts."""
    content = "".join(f"{word}\n" for word in WORDS).encode()
    how = {"stage": "openvino-infer", "flag": "ir", "params": {}}
    sizes = {"max_positions": 32, "max_seq_length": 16, "doc_stride": 4, "max_query_length": 4}
    text = Text(task="own", head="span", asked=how, do_lower_case=True, **sizes)
    digest = hashlib.sha256(content).hexdigest()
    facts = json.dumps({**text.as_json(WordPieces(WORDS)), "vocab_sha256": digest}).encode()
    ports = {"inputs": {"input_ids": {"shape": [-1, -1]}}, "outputs": {"start_logits": {}, "end_logits": {}}}
    signature = json.dumps(ports).encode()
    folder: dict[str, Any] = {"text.json": facts, "signature.json": signature, "vocab.txt": content}
    theirs = json.dumps(HUGGING_FACE).encode()
    beside = {"config.json": theirs, "model.safetensors": b""}
    return {
        "text.json": Parser(facts, at("text.json", _question, **folder), is_json=True),
        "spiece.model": Parser(model_bytes(charsmap=character_map({"\u2019": "'"})), at("spiece.model", _pieces)),
        "signature.json": Parser(signature, at("signature.json", _question, **folder), is_json=True),
        "task.json": Parser(
            json.dumps(TASK).encode(), at("task.json", lambda path: fine_tuned(path.parent, "m")), is_json=True
        ),
        "config.json": Parser(theirs, at("config.json", read_settings), is_json=True),
        "tokenizer.json": Parser(json.dumps(TOKENIZER).encode(), at("tokenizer.json", _words, **beside), is_json=True),
        "tokenizer_config.json": Parser(
            b'{"do_lower_case": true}',
            at("tokenizer_config.json", _words, **beside, **{"tokenizer.json": json.dumps(TOKENIZER).encode()}),
            is_json=True,
        ),
        "texts (.csv)": Parser(b'text,text_pair\n"a ""b""",c\nd,e\n', at("t.csv", _texts)),
        "texts (.tsv)": Parser(b"text\ttext_pair\na\tb\n", at("t.tsv", _texts)),
        "texts (.jsonl)": Parser(b'{"text": "a"}\n\n{"text": "b"}\n', at("t.jsonl", _texts)),
    }


def _pieces(path: Path) -> Any:
    """The pieces of a text by a model of SentencePiece."""
    return PieceTokenizer(pieces_of(path), lower_case=True).ids("Good films (tom\u2019s) in 1999, x")


def _question(path: Path) -> Any:
    """A question as `predict` asks the target in a folder."""
    folder, asked = path.parent, Predict(target="t", question="good", context="film " * 9)
    facts = predict.facts_of(folder)
    kind = predict._kind(folder, facts, asked)
    reading = predict.reading_of(folder, facts, kind, asked)
    texts = [Asked("good film", "film bad " * 20)]
    return predict._asked(kind, texts, reading).arrays()["input_ids"].shape


def _words(path: Path) -> Any:
    files = find_files(path.parent)
    return vocabulary(files), lower_case(files)


def _texts(path: Path) -> Any:
    return texts_of(Predict(target="t", file=str(path)))


def _table(_: Path, content: bytes) -> list[tuple[bytes, bytes]]:
    return read_table(content)


def _floats() -> dict[str, Any]:
    return {name: value for name, value in TENSORS.items() if value.dtype == np.float32}


def _variables(path: Path) -> Any:
    return read_variables(CheckpointReader(path.with_name("m")))


def _verified(path: Path) -> int:
    return len(verify(path.parent, None).wrong)


def crafted(sound: bytes, chance: random.Random) -> bytes:
    """An input whose numbers are large: lengths, offsets and counts of the binary forms."""
    place = chance.randrange(len(sound))
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice((0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, (1 << 63) - 1, (1 << 64) - 1))
    number = struct.pack("<Q", value)[:width] if chance.random() < 0.5 else encode_varint(value)
    return sound[:place] + number + sound[place + len(number) * chance.randrange(2) :]
