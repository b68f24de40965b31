"""What `inspect` says of the form of gelu and of heads, which few checkpoints tell by themselves."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from small_fleet import TINY, write_tiny

from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.report.inspection import _group, _verdict, inspection_tables


def told(folder, row):
    summary, *_ = inspection_tables(inspect_checkpoint(folder).to_json())
    return dict(summary["rows"])[row]


def gelu(folder):
    return told(folder, "gelu")


def record(folder, stage, facts):
    (folder / "stage.json").write_text(json.dumps({"stage": stage, "facts": facts}))


def test_of_a_checkpoint_alone_it_is_not_known(tmp_path):
    write_tiny(tmp_path)
    assert gelu(tmp_path) == "not known; taken as erf, the form of the published graphs"


def test_of_a_hugging_face_folder_it_is_known_wherever_the_import_lies(tmp_path):
    write_tiny(tmp_path)
    record(tmp_path, "import", {"gelu": "erf", "left_out": {}})
    assert gelu(tmp_path) == "erf, as Hugging Face's gelu is"


def test_the_record_of_an_import_tells_of_no_other_checkpoint_in_its_folder(tmp_path):
    write_tiny(tmp_path)
    record(tmp_path, "import", {"gelu": "erf", "left_out": {}})
    for ending in ("index", "data-00000-of-00001"):
        other = tmp_path / f"model.ckpt-100.{ending}"
        other.write_bytes((tmp_path / f"bert_model.ckpt.{ending}").read_bytes())
    assert gelu(tmp_path / "bert_model.ckpt") == "erf, as Hugging Face's gelu is"
    assert gelu(tmp_path / "model.ckpt-100") == "not known; taken as erf, the form of the published graphs"


@pytest.mark.parametrize("same", [True, False])
def test_the_record_of_an_import_tells_of_the_index_in_its_manifest_alone(tmp_path, same):
    write_tiny(tmp_path)
    record(tmp_path, "import", {"gelu": "erf", "left_out": {}})
    index = (tmp_path / "bert_model.ckpt.index").read_bytes() if same else b"of another checkpoint"
    listed = {"bert_model.ckpt.index": {"bytes": len(index), "sha256": hashlib.sha256(index).hexdigest()}}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": listed}))
    assert gelu(tmp_path).startswith("erf, as Hugging Face's" if same else "not known")


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"files": []}', '{"files": {"bert_model.ckpt.index": 1}}'])
def test_what_is_no_manifest_takes_nothing_from_the_record(tmp_path, text):
    write_tiny(tmp_path)
    record(tmp_path, "import", {"gelu": "erf", "left_out": {}})
    (tmp_path / "manifest.json").write_text(text)
    assert gelu(tmp_path) == "erf, as Hugging Face's gelu is"


@pytest.mark.parametrize(
    "text", ["[", "[" * 100_000, "[]", '{"stage": "import"}', '{"stage": "finetune", "facts": {}}']
)
def test_what_is_no_record_of_an_import_tells_nothing(tmp_path, text):
    write_tiny(tmp_path)
    (tmp_path / "stage.json").write_text(text)
    assert gelu(tmp_path).startswith("not known")


@pytest.mark.parametrize("name", ["relu", "tanh", "linear", ""])
def test_where_none_is_computed_nothing_is_unknown(tmp_path, name):
    write_tiny(tmp_path)
    (tmp_path / "bert_config.json").write_text(json.dumps({**TINY, "hidden_act": name}))
    assert gelu(tmp_path) == f"none, hidden_act is {name or 'linear'}"


def test_a_form_that_is_named_is_known(tmp_path):
    write_tiny(tmp_path)
    (tmp_path / "bert_config.json").write_text(json.dumps({**TINY, "hidden_act": "gelu_new"}))
    assert gelu(tmp_path) == "tanh"


SPAN = "cls/squad/output_"


def head(columns, scope=""):
    return {
        f"{scope}output_weights": np.ones((columns, 8), np.float32),
        f"{scope}output_bias": np.ones(columns, np.float32),
    }


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        ({}, "none"),
        (
            head(3),
            "classifier of 3 columns (output_weights, which is assumed): nothing tells what output_weights is of",
        ),
        (head(1), "none of output_weights: Nothing tells of what kind the head is: output_weights has 1 row"),
        (
            head(2, "cls/squad/"),
            f"span of 2 columns ({SPAN}weights): the variables are called {SPAN}weights and {SPAN}bias",
        ),
    ],
)
def test_each_head_is_told_with_its_kind_and_the_reason(tmp_path, heads, words):
    write_tiny(tmp_path, heads=heads)
    assert told(tmp_path, "heads") == words


def test_the_record_of_an_import_tells_the_kind_of_its_head(tmp_path):
    write_tiny(tmp_path, heads=head(3))
    record(tmp_path, "import", {"head": {"kind": "tokens", "why": "config.json says BertForTokenClassification"}})
    assert told(tmp_path, "heads") == (
        "tokens of 3 columns (output_weights): config.json says BertForTokenClassification"
    )


def tables(folder, **more):
    return list(inspection_tables(inspect_checkpoint(folder).to_json(), **more))


def test_the_verdict_comes_first_and_tensors_by_group(tmp_path):
    write_tiny(tmp_path)
    summary, groups = tables(tmp_path)
    assert summary["rows"][0] == ["verdict", "sound"]
    assert groups["title"].endswith("; --all shows each")
    facts = inspect_checkpoint(tmp_path).to_json()
    assert sum(int(row[1]) for row in groups["rows"]) == len(facts["tensors"]) > len(groups["rows"])
    numbers = sum(int(row[2].replace(",", "")) for row in groups["rows"])
    assert numbers == sum(int(np.prod(tensor["shape"])) for tensor in facts["tensors"])
    assert any(row[0].startswith("bert/encoder/layer_0") for row in groups["rows"])


def test_all_shows_every_tensor(tmp_path):
    write_tiny(tmp_path)
    _, every = tables(tmp_path, every=True)
    facts = inspect_checkpoint(tmp_path).to_json()
    assert [row[0] for row in every["rows"]] == [tensor["name"] for tensor in facts["tensors"]]
    assert every["columns"] == ["name", "dtype", "shape", "crc32c"]


def test_problems_and_warnings_follow_the_verdict():
    facts = {"problems": ["a.", "b."], "warnings": ["c."]}
    assert list(_verdict(facts)) == [
        ["verdict", "2 problems, with 1 warning"],
        ["problem", "a."],
        ["problem", "b."],
        ["warning", "c."],
    ]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("bert/encoder/layer_11/attention/self/query/kernel", "bert/encoder/layer_*"),
        ("bert/encoder/layer_11/output/dense/kernel/adam_m", "bert/encoder/layer_* (adam_m)"),
        ("bert/embeddings/word_embeddings", "bert/embeddings"),
        ("bert/pooler/dense/bias", "bert/pooler"),
        ("cls/predictions/transform/dense/kernel", "cls/predictions"),
        ("output_weights", "output_weights"),
        ("output_weights/adam_m", "output_weights (adam_m)"),
        ("global_step", "global_step"),
    ],
)
def test_the_group_of_a_tensor(name, group):
    assert _group(name, {"adam_m"}) == group
