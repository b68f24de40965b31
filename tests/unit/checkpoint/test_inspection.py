from __future__ import annotations

import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from conftest import TINY
from small_meta import meta_of_epsilon

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.inspection import inspect_checkpoint, require_sound
from bertbuild.checkpoint.table import TableFormatError, read_table, write_table
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import encode_bytes

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 411529776\n"
DATA_NAME = "bert_model.ckpt.data-00000-of-00001"


def zeros(*shape):
    return np.zeros(shape, np.float32)


def only(problems):
    assert len(problems) == 1, problems
    return problems[0]


def test_a_sound_checkpoint(tiny):
    seen = []
    inspection = inspect_checkpoint(tiny, progress=lambda done, total: seen.append((done, total)))
    assert inspection.problems == ()
    assert inspection.warnings == ()
    assert inspection.sound
    assert inspection.intact == len(inspection.tensors) == 5 + 16 * 2 + 2
    sizes = inspection.encoder
    assert (sizes.layers, sizes.hidden, sizes.intermediate) == (2, 8, 16)
    assert (sizes.vocab, sizes.positions, sizes.token_types) == (20, 12, 2)
    assert inspection.parameters == inspection.encoder_parameters == sum(tensor.size for tensor in inspection.tensors)
    assert seen[-1] == (4 * inspection.parameters,) * 2
    assert seen == sorted(seen)
    assert inspection.vocab_lines == 20
    assert inspection.graph.gelu is None
    assert "no .meta" in only(inspection.graph.notes)
    assert require_sound(tiny) == inspection


def test_heads_and_optimizer_slots_are_told(make, tensors):
    slots = {f"{name}/{slot}": value for name, value in tensors.items() for slot in ("adam_m", "adam_v")}
    heads = {
        "cls/predictions/output_bias": zeros(20),
        "cls/seq_relationship/output_weights": zeros(2, 8),
        "cls/seq_relationship/output_bias": zeros(2),
        "cls/squad/output_weights": zeros(2, 8),
        "cls/squad/output_bias": zeros(2),
        "output_weights": zeros(3, 8),
        "output_bias": zeros(3),
    }
    step = {"global_step": np.array(343, np.int64), "beta1_power": zeros()}
    inspection = inspect_checkpoint(make(tensors | slots | heads | step))
    assert inspection.problems == ()
    assert inspection.heads.masked_lm
    assert inspection.heads.next_sentence
    assert inspection.heads.squad
    assert inspection.heads.classifier_labels == 3
    assert inspection.global_step
    assert inspection.optimizer_slots == {"adam_m": 39, "adam_v": 39, "beta1_power": 1}
    assert inspection.encoder_parameters == sum(value.size for value in tensors.values())
    assert inspection.parameters == inspection.encoder_parameters + sum(value.size for value in heads.values())


HALF_HEADS = {
    "no bias": (
        {"output_weights": zeros(3, 8)},
        "The classifier head is not whole: there is output_weights, but no output_bias.",
    ),
    "no weights": (
        {"output_bias": zeros(3)},
        "The classifier head is not whole: there is output_bias, but no output_weights.",
    ),
    "another form": (
        {"output_weights": zeros(8), "output_bias": zeros(1)},
        "output_weights of the classifier head has shape [8]; it should have 2 axes.",
    ),
    "half a span head": (
        {"cls/squad/output_bias": zeros(2)},
        "The span head is not whole: there is cls/squad/output_bias, but no cls/squad/output_weights.",
    ),
    "next sentence": (
        {"cls/seq_relationship/output_weights": zeros(2, 8)},
        (
            "The next-sentence head is not whole: there is cls/seq_relationship/output_weights, "
            "but no cls/seq_relationship/output_bias."
        ),
    ),
}


@pytest.mark.parametrize("name", HALF_HEADS)
def test_half_a_head_is_told(make, tensors, name):
    head, sentence = HALF_HEADS[name]
    inspection = inspect_checkpoint(make(tensors | head))
    assert inspection.sound
    assert inspection.heads.classifier_labels is None
    assert inspection.warnings == (sentence,)


def test_json_is_stable(tiny):
    found = json.loads(json.dumps(inspect_checkpoint(tiny).to_json()))
    assert list(found) == [
        "format",
        "prefix",
        "sound",
        "problems",
        "warnings",
        "family",
        "files",
        "config",
        "reading",
        "encoder",
        "heads",
        "parameters",
        "encoder_parameters",
        "optimizer_slots",
        "global_step",
        "graph",
        "imported",
        "vocab_lines",
        "vocab_words",
        "vocab_duplicates",
        "vocab_reading",
        "intact_tensors",
        "not_finite",
        "tensors",
    ]
    assert found["format"] == 1
    assert found["encoder"]["attention_heads"] == 2
    assert set(found["files"]) == {DATA_NAME, "bert_model.ckpt.index", "bert_config.json", "vocab.txt"}
    assert found["tensors"][0]["name"] == "bert/embeddings/LayerNorm/beta"
    assert found["tensors"][0]["shape"] == [8]
    assert re.fullmatch("[0-9a-f]{8}", found["tensors"][0]["crc32c"])


def test_without_checksums_only_sizes_are_looked_at(tiny):
    path = tiny / DATA_NAME
    path.write_bytes(bytes(path.stat().st_size))
    inspection = inspect_checkpoint(tiny, checksums=False)
    assert inspection.sound
    assert inspection.intact is None
    assert len(inspect_checkpoint(tiny).problems) == 39
    path.write_bytes(bytes(path.stat().st_size - 1))
    problem = only(inspect_checkpoint(tiny, checksums=False).problems)
    assert "is cut off" in problem
    assert "1 of 39 tensors are not wholly there, the first being bert/pooler/dense/kernel" in problem


def test_a_flipped_bit_is_named_by_tensor_and_offset(tiny):
    path = tiny / DATA_NAME
    target = CheckpointReader(tiny / "bert_model.ckpt").entries["bert/encoder/layer_1/output/dense/kernel"]
    content = bytearray(path.read_bytes())
    content[target.offset + target.nbytes - 1] ^= 1
    path.write_bytes(content)
    inspection = inspect_checkpoint(tiny)
    assert f"bert/encoder/layer_1/output/dense/kernel at offset {target.offset} " in only(inspection.problems)
    assert inspection.intact == 38


def test_require_sound_names_the_first_problem_and_lists_all(make, tensors):
    folder = make(tensors, config=TINY | {"max_position_embeddings": 13})
    (folder / DATA_NAME).unlink()
    with pytest.raises(CheckpointError, match=r"is missing\. \(and 1 more problem\)") as raised:
        require_sound(folder)
    assert raised.value.details.splitlines() == [
        f"The data file {DATA_NAME} is missing.",
        "bert/embeddings/position_embeddings has shape [12, 8]; the configuration asks for [13, 8].",
    ]
    assert raised.value.next_step


def test_bytes_after_the_last_tensor_are_a_warning(tiny):
    with (tiny / DATA_NAME).open("ab") as file:
        file.write(b"more")
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    assert "4 bytes after its last tensor" in only(inspection.warnings)


@pytest.mark.parametrize(
    "name", [DATA_NAME, "bert_model.ckpt.index", "bert_model.ckpt.meta", "bert_config.json", "vocab.txt"]
)
def test_a_git_lfs_pointer_under_the_real_name(tiny, name):
    (tiny / name).write_text(POINTER)
    problem = only(inspect_checkpoint(tiny).problems)
    assert problem.startswith(f"{name} is a git-lfs pointer")
    assert "git lfs pull" in problem


def test_a_git_lfs_pointer_beside_its_file_is_nothing(tiny):
    (tiny / f"{DATA_NAME}.LFS_POINTER").write_text(POINTER)
    assert inspect_checkpoint(tiny).sound


def test_a_missing_variable(make, tensors):
    del tensors["bert/pooler/dense/bias"]
    problem = only(inspect_checkpoint(make(tensors)).problems)
    assert problem == "1 of the 39 encoder variables is missing: bert/pooler/dense/bias."


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"num_hidden_layers": 1}, "The checkpoint has 2 layers, the configuration num_hidden_layers 1."),
        ({"num_hidden_layers": 3}, "16 of the 55 encoder variables are missing: bert/encoder/layer_2/"),
        ({"max_position_embeddings": 13}, "position_embeddings has shape [12, 8]; the configuration asks for [13, 8]."),
        ({"hidden_size": 10}, "word_embeddings has shape [20, 8]; the configuration asks for [20, 10]."),
        ({"hidden_size": 9}, "hidden_size 9, which num_attention_heads 2 does not divide"),
        ({"hidden_act": "swish"}, 'hidden_act "swish"'),
    ],
)
def test_a_configuration_that_does_not_fit(make, tensors, change, why):
    tiny = json.loads((make(tensors) / "bert_config.json").read_text())
    assert why in inspect_checkpoint(make(tensors, config=tiny | change)).problems[0]


def test_variables_that_bert_does_not_have(make, tensors):
    problem = only(inspect_checkpoint(make(tensors | {"bert/encoder/adapter/kernel": zeros(3)})).problems)
    assert "1 variable that BERT does not have: bert/encoder/adapter/kernel" in problem


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_precisions_are_cast_and_told_in_one_line(make, tensors, dtype):
    other = {name: value.astype(dtype) for name, value in tensors.items()}
    inspection = inspect_checkpoint(make(other))
    assert inspection.sound
    assert not inspection.plain
    assert only(inspection.warnings) == f"39 variables of dtype {dtype} are cast to float32."


def test_a_dtype_that_is_no_number_of_a_model_is_one_problem(make, tensors):
    whole = {name: value.astype(np.int32) for name, value in tensors.items()}
    assert "39 variables have dtype int32" in only(inspect_checkpoint(make(whole)).problems)


def test_a_checkpoint_of_another_model(make):
    assert "no BERT encoder" in only(inspect_checkpoint(make({"resnet/kernel": zeros(3, 3)})).problems)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\n" * 20, 20),
        (b"a\n" * 19 + b"a", 20),
        ("a\u2028b\u0085\x0b\x0c\x1c\r\n".encode() * 20, 20),
        (b"", 0),
        (b"a\n" * 21, 21),
    ],
)
def test_lines_of_the_vocabulary_are_ended_by_lf_alone(tiny, content, lines):
    (tiny / "vocab.txt").write_bytes(content)
    inspection = inspect_checkpoint(tiny)
    assert inspection.vocab_lines == lines
    assert inspection.sound  # a table is padded, or words are added to a vocabulary
    assert any("the model" in text for text in inspection.warnings) == (lines != 20)


@pytest.mark.parametrize(
    ("extra", "reading", "sentence"),
    [
        ([], "lines", "rows are numbers of lines"),
        (["z"], "bert-tensorflow", "numbers of words, as bert-tensorflow 1.0.4 counts them"),
        (["y", "z"], None, "the word table's 20 rows do not tell"),
    ],
)
def test_duplicate_lines_are_named_with_both_counts(tiny, extra, reading, sentence):
    words = [*(f"w{number}" for number in range(19)), *extra]
    words.insert(7, "w4")
    (tiny / "vocab.txt").write_text("".join(word + "\n" for word in words))
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    found = inspection.to_json()
    assert (found["vocab_lines"], found["vocab_words"]) == (20 + len(extra), 19 + len(extra))
    assert found["vocab_duplicates"] == {"w4": [5, 8]}
    assert found["vocab_reading"] == reading
    warning = inspection.warnings[0]
    assert len(inspection.warnings) == (1 if reading else 2)  # 22 lines are more than 20 rows, too
    assert f"w4 at 5 and 8): {20 + len(extra)} lines, {19 + len(extra)} different" in warning
    assert sentence in warning


def test_a_missing_vocabulary_is_a_warning(make, tensors):
    inspection = inspect_checkpoint(make(tensors, words=None))
    assert inspection.sound
    assert inspection.vocab_lines is None
    assert "no vocab.txt" in only(inspection.warnings)


def test_a_damaged_meta_is_a_problem(tiny):
    (tiny / "bert_model.ckpt.meta").write_bytes(b"\x0a\xff\xff\x01")
    assert "bert_model.ckpt.meta is damaged" in only(inspect_checkpoint(tiny).problems)


def test_a_meta_without_a_bert_is_a_warning(tiny):
    node = encode_bytes(1, b"x") + encode_bytes(2, b"NoOp")
    info = encode_bytes(1, encode_bytes(5, b"1.15.5"))
    (tiny / "bert_model.ckpt.meta").write_bytes(info + encode_bytes(2, encode_bytes(1, node)))
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    assert inspection.graph.tensorflow_version == "1.15.5"
    assert inspection.graph.inputs is None
    assert "no gelu" in inspection.warnings[0]
    assert "No sum of word and token-type embeddings" in inspection.warnings[1]


def test_an_epsilon_of_the_meta_alone_is_taken_and_told(tiny):
    (tiny / "bert_model.ckpt.meta").write_bytes(meta_of_epsilon(1e-5))
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    assert inspection.to_json()["graph"]["layer_norm_epsilon"] == 1e-5
    assert any("add 1e-05 to the variance, modeling.py's 1e-12; the .meta's" in text for text in inspection.warnings)


@pytest.mark.parametrize(("stated", "computed"), [(1e-12, 1e-5), (1e-5, 1e-12)])
def test_an_epsilon_that_is_not_the_metas_is_refused(make, tensors, stated, computed):
    folder = make(tensors, config=TINY | {"layer_norm_eps": stated})
    (folder / "bert_model.ckpt.meta").write_bytes(meta_of_epsilon(computed))
    problem = only(inspect_checkpoint(folder).problems)
    assert f"add {computed:g} to the variance, but bert_config.json has layer_norm_eps {stated:g}" in problem


def test_one_epsilon_in_both_places_is_nothing_to_tell(make, tensors):
    folder = make(tensors, config=TINY | {"layer_norm_eps": 1e-12})
    (folder / "bert_model.ckpt.meta").write_bytes(meta_of_epsilon(1e-12))
    inspection = inspect_checkpoint(folder)
    assert inspection.sound
    assert not any("variance" in text for text in inspection.warnings)


def test_a_form_of_gelu_that_is_not_the_graphs_is_refused(genuine):
    path = genuine / "bert_config.json"
    path.write_text(path.read_text().replace('"gelu"', '"gelu_new"'))
    assert "computes gelu by erf" in only(inspect_checkpoint(genuine).problems)
    path.write_text(path.read_text().replace('"gelu_new"', '"gelu_python"'))
    assert inspect_checkpoint(genuine).sound


def test_an_activation_that_is_not_the_graphs_is_a_warning(genuine):
    path = genuine / "bert_config.json"
    path.write_text(path.read_text().replace('"gelu"', '"relu"'))
    assert "computes gelu" in only(inspect_checkpoint(genuine).warnings)


def test_an_object_based_checkpoint_is_refused(make):
    with pytest.raises(CheckpointError, match="object-based"):
        inspect_checkpoint(make({"_CHECKPOINTABLE_OBJECT_GRAPH": zeros(1)}))


def test_unreadable_data_is_never_passed_over(tiny, monkeypatch):
    opened = pathlib.Path.open

    def refuse(self, *args, **kwargs):
        if self.name == DATA_NAME:
            raise PermissionError(13, "not for you")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    inspection = inspect_checkpoint(tiny)
    assert "cannot be read" in only(inspection.problems)
    assert inspection.intact == 0


def test_a_partitioned_variable_without_its_parts_is_damage(tiny):
    index = tiny / "bert_model.ckpt.index"
    entries = [
        (key, value + b"\x3a\x00" * 2 if key.endswith(b"word_embeddings") else value)
        for key, value in read_table(index.read_bytes())
    ]
    index.write_bytes(write_table(entries))
    assert "is damaged: an entry is malformed: a part" in only(inspect_checkpoint(tiny).problems)


def test_a_missing_shard_does_not_hide_damage_in_another(tiny):
    index, data = tiny / "bert_model.ckpt.index", tiny / DATA_NAME
    header, *entries = read_table(index.read_bytes())
    index.write_bytes(write_table([(header[0], b"\x08\x02" + header[1][2:]), *entries]))
    data.rename(tiny / "bert_model.ckpt.data-00000-of-00002")
    assert "data-00001-of-00002 is missing" in only(inspect_checkpoint(tiny).problems)
    with (tiny / "bert_model.ckpt.data-00000-of-00002").open("r+b") as file:
        file.write(b"\xff\xff\xff\xff")
    problems = inspect_checkpoint(tiny).problems
    assert len(problems) == 2
    assert "LayerNorm/beta at offset 0 " in problems[1]


SHARED = {
    "chinese_L-12_H-768_A-12_without_data": (12, 21128, f"The data file {DATA_NAME} is missing."),
    "git_lfs_pointer_as_data": (
        12,
        21128,
        "LFS_POINTER is a git-lfs pointer in place of the data file of 411529776 bytes",
    ),
    "pretraining_step20_L-2_H-4": (2, 15, None),
    "uncased_L-4_H-256_A-4_without_data": (4, 30522, f"The data file {DATA_NAME} is missing."),
}


@pytest.mark.parametrize("name", SHARED)
def test_every_shared_checkpoint(shared, name):
    layers, vocab, why = SHARED[name]
    inspection = inspect_checkpoint(shared / name)
    assert (inspection.encoder.layers, inspection.encoder.vocab, inspection.vocab_lines) == (layers, vocab, vocab)
    assert inspection.heads.masked_lm
    assert inspection.heads.next_sentence
    assert inspection.graph.gelu == (None if name.startswith("uncased") else "erf")
    assert inspection.graph.published == ((1, 128) if name.startswith("chinese") else None)
    if why is None:
        assert inspection.sound
        assert inspection.intact == 139
        assert inspection.optimizer_slots == {"adam_m": 46, "adam_v": 46}
    else:
        assert why in only(inspection.problems)


def test_every_bit_of_a_genuine_index_and_every_length_matters(genuine):
    """Any single flipped bit and any truncation is told, and nothing else is ever raised."""
    index = genuine / "bert_model.ckpt.index"
    content = index.read_bytes()

    def refused(damaged):
        try:
            read_table(damaged)
        except TableFormatError:
            return True
        return False

    assert not refused(content)
    assert all(refused(content[:length]) for length in range(len(content)))
    damaged = bytearray(content)
    for place in range(len(content)):
        for bit in range(8):
            damaged[place] ^= 1 << bit
            assert refused(damaged), (place, bit)
            damaged[place] ^= 1 << bit
    (genuine / "bert_model.ckpt.meta").unlink()
    for length, why in (
        (len(content) - 1, "magic number"),
        (10, "less than the 48 of a table's footer"),
        (0, "0 bytes"),
    ):
        index.write_bytes(content[:length])
        assert why in only(inspect_checkpoint(genuine).problems)


def test_every_byte_of_genuine_data_and_every_length_matters(genuine):
    (genuine / "bert_model.ckpt.meta").unlink()
    data = genuine / DATA_NAME
    content = data.read_bytes()
    for place in range(0, len(content), 97):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        data.write_bytes(damaged)
        assert "is damaged" in only(inspect_checkpoint(genuine).problems)
    for length in range(0, len(content), 499):
        data.write_bytes(content[:length])
        assert f"it has {length} of 8420 bytes" in only(inspect_checkpoint(genuine).problems)


def test_a_folder_that_cannot_be_written_is_no_hindrance(shared, tmp_path):
    shutil.copytree(shared / "pretraining_step20_L-2_H-4", tmp_path / "around" / "inner")
    assert inspect_checkpoint(tmp_path / "around").sound
