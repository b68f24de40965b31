"""A tokenizer that the host adds to what a stage wrote, and takes out again byte for byte."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from piece_models import model_bytes

from bertbuild.engine import executor
from bertbuild.engine.carried import carry, clean, copy_computed
from bertbuild.engine.engine import Engine
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.carrying import with_text
from bertbuild.plans.plan import File
from bertbuild.provenance import verify
from bertbuild.text.facts import Text

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "##s")
XML = """<?xml version="1.0"?>
<net name="bert" version="11">
	<layers>
	</layers>
	<rt_info>
		<bertbuild>
			<gelu value="erf" />
		</bertbuild>
	</rt_info>
</net>
"""
SIGNATURE = json.dumps({"inputs": {}, "outputs": {}, "gelu": "erf"}, indent=1, sort_keys=True) + "\n"
TEXT = Text(task="own-é", head="multi-label", labels=('very "good" & <new>', "bad\x07"), max_positions=64)


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS))
    return path


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.xml").write_text(XML)
    (out / "signature.json").write_text(SIGNATURE)
    (out / "model.bin").write_bytes(b"weights")
    return out


def sections(path):
    rt_info = ET.fromstring(path.read_text()).find("rt_info")  # noqa: S314 - ours
    return {part.tag: {value.tag: value.get("value") for value in part} for part in rt_info}


def test_an_ir_has_the_labels_as_the_model_api_reads_them(folder, vocab):
    carry(folder, TEXT.as_parameter(), vocab)
    found = sections(folder / "model.xml")
    assert found["bertbuild"] == {"gelu": "erf"}
    assert found["model_info"] == {"labels": 'very_"good"_&_<new> bad', "label_ids": "0 1", "multilabel": "True"}
    text = found["text"]
    assert json.loads(text["labels"]) == list(TEXT.labels)
    assert (text["pad_id"], text["first_id"], text["end_id"], text["mask_id"]) == ("0", "2", "3", "4")
    assert (text["do_lower_case"], text["max_seq_length"], text["task"]) == ("True", "64", "own-é")


@pytest.mark.parametrize("word", ["a\x1b[31m", "a\nb", "\ud800", "\uffff", "a\x85b", "\t"])
def test_words_that_xml_cannot_hold_leave_it_whole_and_come_out_again(folder, vocab, word):
    carry(folder, Text(task=word, head="tokens", labels=(word, "b"), max_positions=64).as_parameter(), vocab)
    found = sections(folder / "model.xml")
    assert json.loads(found["text"]["labels"]) == [word, "b"]
    assert not set(found["text"]["task"] + found["model_info"]["labels"]) & {"\x1b", "\n", "\t"}
    assert len(found["model_info"]["labels"].split()) == 2
    clean(folder)
    assert (folder / "model.xml").read_text() == XML


def test_the_folder_has_the_tokenizer_and_its_facts(folder, vocab):
    made = carry(folder, TEXT.as_parameter(), vocab)
    assert sorted(made) == ["model.xml", "signature.json", "text.json", "tokenizer.json", "vocab.txt"]
    assert [name for name, sha256 in made.items() if not sha256] == ["text.json", "vocab.txt", "tokenizer.json"]
    told = json.loads((folder / "text.json").read_text())
    assert (told["labels"], told["preprocessing"]["split_chinese"]) == (list(TEXT.labels), True)
    assert json.loads((folder / "signature.json").read_text())["text"]["labels"] == list(TEXT.labels)
    assert json.loads((folder / "tokenizer.json").read_text())["model"]["max_input_chars_per_word"] == 200
    assert (folder / "vocab.txt").read_bytes() == vocab.read_bytes()


def test_tokenizer_json_has_special_tokens_in_a_text_as_the_target_has(folder, vocab):
    carry(folder, replace(TEXT, special_tokens_in_text=True).as_parameter(), vocab)
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    assert [token["content"] for token in added] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert json.loads((folder / "text.json").read_text())["special_tokens_in_text"] is True


def test_a_saved_model_has_them_among_its_assets(tmp_path, vocab):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    carry(tmp_path, TEXT.as_parameter(), vocab)
    assert (tmp_path / "assets" / "vocab.txt").read_bytes() == vocab.read_bytes()
    assert json.loads((tmp_path / "assets" / "text.json").read_text())["task"] == "own-é"


def test_a_vocabulary_without_special_tokens_has_no_tokenizer_file(folder, tmp_path):
    (tmp_path / "other.txt").write_text("good\nbad\n")
    carry(folder, TEXT.as_parameter(), tmp_path / "other.txt")
    assert not (folder / "tokenizer.json").exists()
    assert json.loads((folder / "text.json").read_text())["tokens"] == {}


def test_a_tokenizer_file_that_the_stage_wrote_stays(folder, vocab):
    (folder / "tokenizer.json").write_text("{}")
    made = carry(folder, TEXT.as_parameter(), vocab)
    assert "tokenizer.json" not in made
    assert (folder / "tokenizer.json").read_text() == "{}"


def test_what_was_added_comes_out_again_byte_for_byte(folder, vocab, tmp_path):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    made = carry(folder, TEXT.as_parameter(), vocab)
    files = {path.name: {"sha256": "-"} for path in folder.iterdir()}
    for name, sha256 in made.items():
        files[name]["made"] = sha256
    again = tmp_path / "again"
    again.mkdir()
    assert copy_computed(files, folder, again)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == before
    assert (again / "model.bin").stat().st_ino == (folder / "model.bin").stat().st_ino
    clean(folder)
    assert (folder / "model.xml").read_bytes() == before["model.xml"]
    assert (folder / "signature.json").read_bytes() == before["signature.json"]


def test_a_signature_that_cannot_be_restored_is_no_result_to_copy(folder, vocab, tmp_path):
    made = carry(folder, TEXT.as_parameter(), vocab)
    (folder / "signature.json").write_text("{}")
    again = tmp_path / "again"
    again.mkdir()
    files = {"signature.json": {"sha256": "-", "made": made["signature.json"]}}
    assert not copy_computed(files, folder, again)


@pytest.fixture
def build(store, isolation, events, source, probes, vocab):
    """Build an IR with some labels; gives the stages that ran, and the target."""

    def again(*labels):
        isolation.runs.clear()
        plan = plan_ir(source, Ir(), probes)
        if labels:
            words = File(path=vocab, digest="0" * 64)
            plan = with_text(plan, Text(labels=labels, max_positions=64), words)
        (built,) = Engine(store, isolation, events).build(plan, probes)
        return isolation.runs.copy(), built

    return again


def test_other_labels_run_no_stage(build):
    ran, first = build("no", "yes")
    assert ran == ["tf1-infer", "ir-direct", "openvino-infer", "tokenizer"]
    ran, second = build("nein", "ja")
    assert ran == []
    assert first.stored.key != second.stored.key
    assert first.stored.digest == second.stored.digest
    assert json.loads((second.path / "text.json").read_text())["labels"] == ["nein", "ja"]
    assert json.loads((first.stored.path / "text.json").read_text())["labels"] == ["no", "yes"]


def test_what_is_copied_is_told_as_what_the_store_had(build, events):
    build("no", "yes")
    events.clear()
    build("nein", "ja")
    assert {event["state"] for event in events if event["event"] == "stage"} == {"cached"}


def test_a_target_of_before_it_carried_text_gets_it_without_a_stage(build):
    ran, _ = build()
    assert len(ran) == 3
    ran, built = build("no", "yes")
    assert ran == ["tokenizer"]
    assert (built.path / "vocab.txt").is_file()


def test_what_was_copied_is_no_measure_of_what_a_stage_takes(build, store, monkeypatch):
    monkeypatch.setattr(executor, "figures_of", lambda _stored: {"bytes": 1, "peak_memory": 1000})
    measured = store.root / "cache" / "measured.json"
    build()
    of_three = json.loads(measured.read_text())
    assert len(of_three["ir-direct"]) == 1
    build("no", "yes")
    assert json.loads(measured.read_text())["ir-direct"] == of_three["ir-direct"]


def test_one_that_carries_text_does_where_none_is_asked_for(build):
    build("no", "yes")
    ran, built = build()
    assert ran == []
    assert (built.path / "text.json").is_file()


def test_both_results_are_whole(build, store):
    _, first = build("no", "yes")
    _, second = build("nein", "ja")
    for built in (first, second):
        assert store.load(built.stored.path).digest == built.stored.digest
    (second.stored.path / "text.json").chmod(0o644)
    (second.stored.path / "text.json").write_text("{}")
    assert store.problem(second.stored.path) == "text.json changed"


def test_provenance_of_both_and_of_what_is_made_of_them_is_sound(build, store, tmp_path):
    _, first = build("no", "yes")
    _, second = build("nein", "ja")
    answers = [path.parent for path in store.objects.glob("openvino-infer/*/provenance.json")]
    for path in (first.stored.path, second.stored.path, *answers):
        found = verify.verify(path, store)
        assert [line for line in found.wrong if "lock" not in line] == []
    copy = shutil.copytree(second.stored.path, tmp_path / "copy")
    assert [line for line in verify.verify(copy, store).wrong if "lock" not in line] == []  # the isolation is a fake
    (copy / "text.json").chmod(0o644)
    (copy / "text.json").write_text("{}")
    assert any("text.json" in line for line in verify.verify(copy, store).wrong)


def test_a_note_on_what_was_added_cannot_be_left_out(build, store):
    _, built = build("no", "yes")
    path = built.stored.path / "provenance.json"
    statement = json.loads(path.read_text())
    for entry in statement["subject"]:
        entry.pop("annotations", None)
    path.chmod(0o644)
    path.write_text(json.dumps(statement))
    wrong = verify.verify(built.stored.path, store).wrong
    assert any("has other files, sizes or sha256" in line or "changed" in line for line in wrong)


def test_models_that_take_strings_have_the_labels_and_the_figures_too(folder, vocab):
    gate = {"texts": 5, "differences": {"some": 1}}
    (folder / "text_model.xml").write_text(XML)
    (folder / "text_gate.json").write_text(json.dumps(gate))
    added = carry(folder, TEXT.as_parameter(), vocab)
    assert sections(folder / "text_model.xml") == sections(folder / "model.xml")
    assert json.loads((folder / "text.json").read_text())["text_model"] == gate
    assert "text_gate.json" not in added
    clean(folder)
    assert (folder / "text_model.xml").read_text() == XML


def test_a_model_of_sentencepiece_is_carried_in_the_place_of_a_vocabulary(folder, tmp_path):
    (tmp_path / "30k-clean.model").write_bytes(model_bytes())
    (folder / "saved_model.pb").write_bytes(b"")
    made = carry(folder, TEXT.as_parameter(), tmp_path / "30k-clean.model")
    assert {"assets/spiece.model", "spiece.model", "tokenizer.json"} <= set(made)
    assert not (folder / "vocab.txt").exists()
    told = json.loads((folder / "text.json").read_text())
    assert (told["tokenizer_file"], told["do_lower_case"]) == ("spiece.model", True)
    assert {role: token["word"] for role, token in told["tokens"].items()}["pad"] == "<pad>"
    assert json.loads((folder / "tokenizer.json").read_text())["model"]["type"] == "Unigram"
    assert sections(folder / "model.xml")["text"]["unknown_id"] == "1"
    clean(folder)
    assert (folder / "model.xml").read_text() == XML
