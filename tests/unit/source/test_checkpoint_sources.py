"""What a checkpoint that is named by its prefix, or is not as google-research/bert saves it, is built from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from graph_builder import bert_graph
from small_fleet import TARGETS, TINY, Fleet, write_tiny

from bertbuild.backends import BACKENDS
from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.table import write_table
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.commands import gc as upkeep
from bertbuild.commands import models, provenance, status
from bertbuild.commands.entry_jobs import find
from bertbuild.commands.session import Session
from bertbuild.errors import BertbuildError, CheckpointError, UsageError
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron_ready import NeuronReady, plan_neuron_ready
from bertbuild.kinds.saved_model import SavedModel, plan_export
from bertbuild.kinds.tf2 import Tf2, plan_convert_tf2
from bertbuild.plans.wanted import Wanted
from bertbuild.source.resolve import model_name

NAMES = encoder_variables(config_from(TINY, name="tiny"))


def tensors(seed=0, scope=""):
    chance = np.random.default_rng(seed)
    return {scope + name: chance.standard_normal(shape).astype(np.float32) for name, shape in NAMES.items()}


@pytest.fixture
def small(tmp_path, isolation, monkeypatch):
    """A folder with small checkpoints, the folder that the program is started in; its stages are played."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    return Fleet(tmp_path)


def resolved(fleet, **named):
    """The source that is named."""
    session = fleet.session()
    try:
        return find(session, Wanted(**named))
    finally:
        session.close()
        session.report.close()


@pytest.fixture
def both(small):
    """A folder of two checkpoints without a step number that differ in gelu, head and numbers."""
    folder = small.folder / "checkpoints" / "both"
    write_tiny(folder, 1)
    head = {"output_weights": np.ones((3, 8), np.float32), "output_bias": np.ones(3, np.float32)}
    write_checkpoint(folder / "other.ckpt", tensors(2) | head)
    for name, form in (("bert_model.ckpt", "erf"), ("other.ckpt", "tanh")):
        (folder / f"{name}.meta").write_bytes(bert_graph(gelu=form)[0].meta_graph())
    return folder


def test_a_prefix_is_inspected_as_that_checkpoint(small, both):
    first = resolved(small, checkpoint=str(both / "bert_model.ckpt"), name="first").source
    other = resolved(small, checkpoint=str(both / "other.ckpt"), name="other").source
    assert (first.prefix, first.gelu, first.head) == ("bert_model.ckpt", "erf", None)
    assert (other.prefix, other.gelu, other.head.labels) == ("other.ckpt", "tanh", 3)
    with pytest.raises(CheckpointError, match="holds 2 checkpoints"):
        resolved(small, checkpoint=str(both))


def test_a_step_number_does_not_make_another_checkpoint_the_named_one(small):
    folder = small.folder / "checkpoints" / "one"
    (folder / "bert_model.ckpt.meta").write_bytes(bert_graph(gelu="erf")[0].meta_graph())
    write_checkpoint(folder / "model.ckpt-100", tensors(3))
    (folder / "model.ckpt-100.meta").write_bytes(bert_graph(gelu="tanh")[0].meta_graph())
    assert resolved(small, checkpoint=str(folder / "bert_model.ckpt"), name="a").source.gelu == "erf"
    assert resolved(small, checkpoint=str(folder / "model.ckpt-100"), name="b").source.gelu == "tanh"
    with pytest.raises(CheckpointError, match=r"holds 2 checkpoints: bert_model\.ckpt, model\.ckpt-100\.$"):
        resolved(small, checkpoint=str(folder), name="c")


def test_of_one_training_the_steps_that_are_not_taken_are_named(small):
    folder = small.folder / "checkpoints" / "one"
    for path in folder.glob("bert_model.ckpt.*"):
        path.rename(folder / path.name.replace("bert_model.ckpt", "model.ckpt-100"))
    write_checkpoint(folder / "model.ckpt-200", tensors(3))
    assert resolved(small, checkpoint=str(folder), name="a").source.prefix == "model.ckpt-200"
    why = "No file says which is meant: model.ckpt-200, of the highest step, is taken, and not model.ckpt-100."
    assert f"a: {why}" in small.events.texts("note")
    assert why in inspect_checkpoint(folder).warnings


def test_a_damaged_neighbour_is_no_hindrance_and_a_damaged_named_one_is_refused(small, both):
    data = both / "other.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-100])
    assert resolved(small, checkpoint=str(both / "bert_model.ckpt"), name="first").source.gelu == "erf"
    with pytest.raises(
        CheckpointError, match=r"other\.ckpt cannot be used: other\.ckpt\.data-00000-of-00001 is cut off"
    ):
        resolved(small, checkpoint=str(both / "other.ckpt"), name="other")


@pytest.mark.parametrize("ending", ["tar.gz", "tgz", "zip", "tar", "tar.bz2", "tar.xz"])
def test_an_archive_is_taken_like_its_folder(small, ending):
    folder = small.folder / "checkpoints" / "one"
    format_ = {"zip": "zip", "tar": "tar", "tar.bz2": "bztar", "tar.xz": "xztar"}.get(ending, "gztar")
    made = shutil.make_archive(str(small.folder / "packed"), format_, folder.parent, "one")
    archive = Path(made).rename(small.folder / f"mine.{ending}")
    found, plain = resolved(small, checkpoint=str(archive)), resolved(small, checkpoint=str(folder))
    assert found.source.model == "mine"
    assert found.source.file.digest == plain.source.file.digest


def test_an_archive_of_two_checkpoints_is_to_be_unpacked_by_its_owner(small, both):
    archive = shutil.make_archive(str(small.folder / "two"), "gztar", both)
    with pytest.raises(CheckpointError) as raised:
        resolved(small, checkpoint=archive)
    assert str(raised.value) == f"{archive} holds 2 checkpoints: bert_model.ckpt, other.ckpt."
    assert raised.value.next_step.endswith("by its prefix: --checkpoint FOLDER/bert_model.ckpt")


def test_a_checkpoint_of_the_first_format_is_called_as_its_folder(small):
    folder = small.folder / "checkpoints" / "old"
    write_tiny(folder)
    for path in folder.glob("bert_model.*"):
        path.unlink()
    shutil.copyfile(folder / "vocab.txt", folder / "bert_model.ckpt")
    assert resolved_name(small, folder / "bert_model.ckpt") == "bert_model.ckpt"
    (folder / "bert_model.ckpt").write_bytes(write_table([(b"", b"")]))
    assert resolved_name(small, folder / "bert_model.ckpt") == "old"


def resolved_name(fleet, path):
    """What the model at a path is called."""
    session = fleet.session()
    session.close()
    session.report.close()
    return model_name(path, session.store)


def test_a_plain_checkpoint_is_built_from_as_it_lies(small):
    folder = small.folder / "checkpoints" / "one"
    assert resolved(small, checkpoint=str(folder)).source.file.path == folder.resolve()
    assert not small.events.of("note")[:-1]


def test_another_form_is_written_anew_once_and_said_each_time(small):
    folder = small.folder / "checkpoints" / "one"
    write_checkpoint(folder / "bert_model.ckpt", tensors(5, "module/"))
    (folder / "bert_model.ckpt.meta").write_bytes(bert_graph(gelu="tanh")[0].meta_graph())
    for made in (True, False):
        found = resolved(small, checkpoint=str(folder))
        source = found.source
        assert "one: The encoder's variables lie under module/bert/… and are taken for bert/…." in [
            event["text"] for event in small.events.of("note")
        ]
        states = [event["state"] for event in small.events.of("stage") if event["stage"] == "normalise"]
        assert ("done" in states) == made
        assert source.file.path.parent == small.folder.resolve() / "artifacts" / "objects" / "normalise"
        assert (source.prefix, source.gelu, source.published) == ("bert_model.ckpt", "tanh", False)
    reader = CheckpointReader(source.file.path / "bert_model.ckpt")
    assert reader.entries.keys() == NAMES.keys()
    assert json.loads((source.file.path / "bert_config.json").read_text())["hidden_act"] == "gelu_new"
    assert inspect_checkpoint(source.file.path).plain
    assert "normalised.json" not in source.file.files


def test_scope_and_averages_are_chosen_for_one_model(small):
    folder = small.folder / "checkpoints" / "one"
    averages = {f"{name}/ExponentialMovingAverage": value for name, value in tensors(8, "doc/").items()}
    write_checkpoint(folder / "bert_model.ckpt", tensors(6, "query/") | tensors(7, "doc/") | averages)
    with pytest.raises(CheckpointError, match=r"2 encoders \(doc/bert, query/bert\)"):
        resolved(small, checkpoint=str(folder))
    for scope, ema, seed in (("query", False, 6), ("doc/bert", False, 7), ("doc/bert", True, 8)):
        found = resolved(small, checkpoint=str(folder), name="m", scope=scope, ema=ema)
        reader = CheckpointReader(found.source.file.path / "bert_model.ckpt")
        for name, value in tensors(seed).items():
            assert np.array_equal(reader.tensor(name), value)
        assert found.named.endswith(f"--scope {scope}" + " --ema" * ema)
    with pytest.raises(UsageError, match="no checkpoint is named"):
        resolved(small, frozen="graph.pb", scope="query")


def test_a_build_file_chooses_for_its_models(small):
    folder = small.folder / "checkpoints" / "one"
    write_checkpoint(folder / "bert_model.ckpt", tensors(6, "query/") | tensors(7, "doc/"))
    small.write(TARGETS + '[models.q]\ncheckpoint = "checkpoints/one"\nscope = "query"\ntargets = ["frozen"]\n')
    assert "q/freeze" in small.build()
    assert small.build() == []
    small.write(TARGETS + '[models.q]\nmodel = "minilm-l6"\nema = true\n')
    with pytest.raises(UsageError, match=r'"ema" of .* says how a checkpoint is read'):
        small.build()


def test_inspect_reads_as_it_is_told(small):
    folder = small.folder / "checkpoints" / "one"
    write_checkpoint(folder / "bert_model.ckpt", tensors(6, "query/") | tensors(7, "doc/"))
    with pytest.raises(CheckpointError) as raised:
        small.run(models.inspect, Wanted(checkpoint=str(folder)))
    assert "choose one with --scope doc/bert" in raised.value.details
    told = small.run(models.inspect, Wanted(checkpoint=str(folder), scope="doc"))["inspection"]["reading"]
    assert (told["scope"], told["scopes"]) == ("doc/bert", ["doc/bert", "query/bert"])


REQUESTS = {
    "pooled": (plan_freeze, Frozen(output="pooled")),
    "pooled and sequence": (plan_freeze, Frozen(output="sequence,pooled")),
    "ir": (plan_ir, Ir(output="pooled")),
    "static": (plan_ir, Ir(route="static", output="pooled")),
    "savedmodel": (plan_ir, Ir(route="savedmodel", output="sequence")),
    "export": (plan_export, SavedModel(output="pooled")),
    "tf2": (plan_convert_tf2, Tf2()),
}


@pytest.fixture
def headless(small):
    """A source without a pooler, and its probes."""
    folder = small.folder / "checkpoints" / "one"
    write_checkpoint(folder / "bert_model.ckpt", {n: v for n, v in tensors().items() if "pooler" not in n})
    source = resolved(small, checkpoint=str(folder)).source
    assert not source.pooler
    return source, source.file


@pytest.mark.parametrize("name", REQUESTS)
def test_what_needs_a_pooler_is_refused_without_one(headless, name):
    plan, request = REQUESTS[name]
    with pytest.raises(UsageError, match="has no pooler") as raised:
        plan(headless[0], request, headless[1])
    assert "--output sequence" in raised.value.next_step


@pytest.mark.parametrize("output", ["sequence", "all-layers", "sequence,all-layers"])
def test_what_needs_no_pooler_is_planned_without_one(headless, output):
    source, probes = headless
    assert plan_freeze(source, Frozen(output=output), probes).targets
    assert plan_ir(source, Ir(output=output), probes).targets


def test_what_a_model_without_a_pooler_is_made_for_is_its_sequence(headless):
    source, probes = headless
    assert plan_export(source, SavedModel(), probes).step("export").params["output"] == "sequence"
    assert plan_neuron_ready(source, NeuronReady(), probes).step("neuron-ready").params["output"] == "sequence"


def test_a_vocabulary_with_more_words_than_the_model_is_refused_where_words_are_read(small):
    from bertbuild.commands.data import Asked, planned

    folder = small.folder / "checkpoints" / "one"
    (folder / "vocab.txt").write_text("".join(f"w{i}\n" for i in range(21)))
    assert resolved(small, checkpoint=str(folder))
    session = small.session()
    try:
        with pytest.raises(BertbuildError, match="21 lines, but the model knows 20 words"):
            planned(session, Asked(task="MRPC", data=str(small.folder), checkpoint=str(folder)))
    finally:
        session.close()
        session.report.close()


def test_what_was_written_anew_stays_with_the_target_and_is_followed_back(small):
    folder = small.folder / "checkpoints" / "one"
    write_checkpoint(folder / "bert_model.ckpt", tensors(5, "module/"))
    small.write(TARGETS + '[models.m]\ncheckpoint = "checkpoints/one"\ntargets = ["frozen"]\n')
    assert "m/normalise" in small.build()
    kept = {path.name for path in (small.folder / "artifacts" / "objects" / "normalise").iterdir()}
    small.run(upkeep.gc, "targets", dry_run=False)
    assert {path.name for path in (small.folder / "artifacts" / "objects" / "normalise").iterdir()} == kept
    small.run(upkeep.verify_store)
    written = small.folder / "artifacts" / "objects" / "normalise" / kept.pop()
    small.run(provenance.verify_provenance, path=str(written))
    assert small.run(status.status, "bertbuild.toml")["targets"][0]["state"] == "built"
    assert small.build() == []
    write_checkpoint(folder / "bert_model.ckpt", tensors(6, "module/"))
    assert small.run(status.status, "bertbuild.toml")["targets"][0]["state"] == "stale"
    assert "m/freeze" in small.build()


@pytest.mark.parametrize(("stage", "told"), [("import", False), ("finetune", True)])
def test_the_gelu_of_an_imported_folder_is_known(small, stage, told):
    folder = small.folder / "checkpoints" / "hf"
    write_tiny(folder)
    (folder / "stage.json").write_text(json.dumps({"stage": stage, "facts": {"gelu": "erf", "left_out": {}}}))
    assert resolved(small, checkpoint=str(folder), name="mine").source.gelu == "erf"
    assert any("gelu taken as erf" in text for text in small.events.texts("note")) == told


@pytest.mark.parametrize(("prefix", "imported"), [("bert_model.ckpt", True), ("model.ckpt-100", False)])
def test_an_import_tells_nothing_of_another_checkpoint_in_its_folder(small, prefix, imported):
    folder = small.folder / "checkpoints" / "hf"
    write_tiny(folder)
    facts = {"gelu": "erf", "left_out": {"lm_head.decoder.bias": "not of a BERT"}}
    (folder / "stage.json").write_text(json.dumps({"stage": "import", "facts": facts}))
    for ending in ("index", "data-00000-of-00001"):
        shutil.copyfile(folder / f"bert_model.ckpt.{ending}", folder / f"model.ckpt-100.{ending}")
    source = resolved(small, checkpoint=str(folder / prefix), name="mine").source
    assert ("import" in {part.kind for part in source.parts}) == imported
    assert any("gelu taken as erf" in text for text in small.events.texts("note")) != imported


def test_weights_that_are_no_numbers_are_told_by_the_build_that_reads_them_first(small):
    folder = small.folder / "checkpoints" / "one"
    spoilt = tensors(3)
    spoilt["bert/pooler/dense/bias"][2] = np.nan
    write_checkpoint(folder / "bert_model.ckpt", spoilt)
    resolved(small, checkpoint=str(folder), name="a")
    assert small.events.texts("warning") == [
        "a: 1 variable holds numbers that are not finite (NaN or infinite): bert/pooler/dense/bias."
    ]
