"""why, build --dry-run, status and graph over a build file, and over what was built without one."""

from __future__ import annotations

import json
import shutil

import pytest
from small_fleet import MODELS, TARGETS, Fleet, listing, write_tiny
from tiny_models import CONFIG, huggingface_tensors, weights, write_safetensors, write_vocab

from bertbuild import keys
from bertbuild.backends import BACKENDS
from bertbuild.commands import target as single
from bertbuild.commands.session import Session
from bertbuild.engine import executor as making
from bertbuild.errors import BuildFailedError, EngineError, StageError, UsageError
from bertbuild.isolation import docker_engine
from bertbuild.kinds.frozen import Frozen
from bertbuild.plans.wanted import Wanted

META = b"\x12\x0b\x0a\x09\x0a\x01x\x12\x04NoOp"
"""A MetaGraphDef of one node."""


@pytest.fixture
def fleet(tmp_path, isolation, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    return Fleet(tmp_path)


def told(result):
    return "\n".join(result["lines"])


def test_a_dry_run_says_what_a_build_runs_in_its_order_and_writes_nothing(fleet):
    said = fleet.dry_run()
    assert listing(fleet.folder / "artifacts") == []
    steps = [row["job"] for row in said["plan"]]
    shared = {row["job"]: row["reason"] for row in said["plan"] if row["state"] != "would run"}
    assert shared == {"two/tokenizer": "as one/tokenizer"}
    assert said["counts"]["steps"] == {"would run": len(steps) - 1, "shared": 1}
    assert said["counts"]["targets"] == {"would run": 4}
    ran = fleet.build()  # models are looked at side by side, and come in any order; the first has what they share
    assert len([job for job in ran if job.endswith("/tokenizer")]) == 1
    own = [job for job in sorted(ran, key=lambda job: job.split("/")[0]) if not job.endswith("/tokenizer")]
    assert own == [job for job in steps if not job.endswith("/tokenizer")]
    again = fleet.dry_run()
    assert (again["plan"], again["counts"]["targets"]) == ([], {"up to date": 4})
    assert told(again) == f"steps: nothing would run: {len(steps)} up to date\ntargets: 4 up to date"


def test_a_dry_run_tells_the_targets_of_each_step_and_why_in_few_words(fleet):
    fleet.build()
    fleet.write(TARGETS + "[defaults.ir]\nseq_len = 8\n" + MODELS)
    rows = {row["job"]: row for row in fleet.dry_run()["plan"]}
    assert "one/freeze" not in rows
    assert rows["one/ir-s8-fp16"]["reason"] == "parameter seq-len none → 8"
    assert rows["one/ir-s8-fp16"]["targets"] == ["one/ir-fp16"]
    assert rows["one/ir-s8-fp16"]["changes"] == [{"kind": "parameter", "name": "seq-len", "old": None, "new": "8"}]


def test_a_dry_run_says_in_a_line_what_another_version_made(fleet, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(keys, "KEY_FORMAT", keys.KEY_FORMAT - 1)
        fleet.build()
    said = fleet.dry_run()
    rows = said["plan"]
    assert {row["reason"].split(";")[0] for row in rows if row["state"] != "shared"} == {"key format"}
    assert said["lines"][-3] == (
        f"another version of bertbuild made {len(rows)} results of these (key format {keys.KEY_FORMAT - 1}, now "
        f"{keys.KEY_FORMAT}): they are built again, and gc removes the old ones"
    )


def test_a_dry_run_of_a_named_target_is_of_no_other(fleet):
    assert {row["model"] for row in fleet.dry_run("two")["plan"]} == {"two"}


def test_why_says_in_a_sentence_that_nothing_would_run(fleet):
    fleet.build()
    assert told(fleet.why("one/ir-fp16")) == "nothing would run: one/ir-fp16 is up to date"
    assert told(fleet.why("one")) == "nothing would run: 3 targets of one are up to date"
    assert told(fleet.why("freeze")) == "nothing would run: 2 × freeze, all up to date"
    assert {step["state"] for step in fleet.why("one")["steps"]} == {"up to date"}


def test_why_names_the_files_of_a_checkpoint_that_changed(fleet):
    fleet.build("two")
    write_tiny(fleet.folder / "checkpoints" / "two", seed=5)
    result = fleet.why("two/frozen")
    (step,) = [step for step in result["steps"] if step["id"] == "freeze"]
    (change,) = step["changes"]
    assert change["files"] == ["bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index"]
    assert change["path"] == str(fleet.folder / "checkpoints" / "two")
    assert f"{change['old'][:12]} → {change['new'][:12]}" in told(result)
    assert "two/frozen: 2 would run, 2 may run" in told(result)


def test_why_of_a_stage_is_of_all_targets_of_the_file_and_on_record(fleet):
    write_tiny(fleet.folder / "alone", seed=7)
    fleet.run(single.build, Wanted(checkpoint="alone"), Frozen())
    fleet.build("one/frozen")
    steps = {step["job"]: step["state"] for step in fleet.why("freeze")["steps"]}
    assert steps == {"one/freeze": "up to date", "two/freeze": "would run", "alone/freeze": "up to date"}


def test_what_was_built_without_a_build_file_is_found_on_record(fleet):
    (fleet.folder / "bertbuild.toml").unlink()
    fleet.run(single.build, Wanted(checkpoint="checkpoints/one"), Frozen())
    assert told(fleet.why("frozen")) == "nothing would run: one/frozen is up to date"
    write_tiny(fleet.folder / "checkpoints" / "one", seed=5)
    steps = [step for step in fleet.why("one/frozen")["steps"] if step["kind"] != "environment"]
    assert [(step["job"].rpartition("/")[2], step["state"]) for step in steps] == [
        ("freeze", "would run"),
        ("reference", "would run"),
        ("frozen-infer", "may run"),
        ("tokenizer", "up to date"),
        ("frozen parity", "may run"),
    ]
    assert fleet.status()["one/frozen"]["state"] == "stale"


def test_a_source_that_is_gone_is_told_and_what_is_built_stays_built(fleet):
    (fleet.folder / "bertbuild.toml").unlink()
    fleet.run(single.build, Wanted(checkpoint="checkpoints/one"), Frozen())
    shutil.rmtree(fleet.folder / "checkpoints" / "one")
    assert told(fleet.why("one")) == "one/frozen: its source checkpoints/one is gone"
    fact = fleet.status()["one/frozen"]
    assert (fact["state"], fact["because"]) == ("built", ["its source checkpoints/one is gone"])


@pytest.mark.parametrize(
    ("name", "near"), [("one/forzen", "one/frozen"), ("ir-fp61", "ir-fp16"), ("tow", "two"), ("tf1-infr", "tf1-infer")]
)
def test_an_unknown_name_ends_with_the_nearest(fleet, name, near):
    with pytest.raises(UsageError, match=f'did you mean "{near}"'):
        fleet.why(name)


def test_why_takes_several_names_and_none_for_all(fleet):
    fleet.build()
    both = told(fleet.why("one/ir-fp16", "two"))
    assert both == "nothing would run: 2 targets of one/ir-fp16 two are up to date"
    assert told(fleet.why()) == "nothing would run: 4 targets are up to date"
    assert told(fleet.why("freeze", "tf1-infer")).count("nothing would run:") == 2
    with pytest.raises(UsageError, match="freeze is a stage, and one is not"):
        fleet.why("freeze", "one")


def test_where_there_is_nothing_it_is_said(fleet):
    (fleet.folder / "bertbuild.toml").unlink()
    with pytest.raises(UsageError, match="nothing is built yet"):
        fleet.why("one")
    with pytest.raises(UsageError, match="nothing is built yet"):
        fleet.why()
    with pytest.raises(UsageError, match="nothing to draw"):
        fleet.graph()
    assert fleet.status() == {}


def test_a_file_of_settings_alone_is_no_build_file(fleet):
    fleet.write('isolation = "venv"\n')
    assert fleet.status() == {}


def write_huggingface(folder):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, "model_type": "bert", "layer_norm_eps": 1e-12}))
    write_vocab(folder)
    write_safetensors(folder / "model.safetensors", huggingface_tensors(weights()))


def test_a_model_that_is_not_here_yet_is_told_with_what_comes_first(fleet):
    write_huggingface(fleet.folder / "hf")
    write_huggingface(fleet.folder / "broken")
    (fleet.folder / "broken" / "model.safetensors").write_text("{}")
    shutil.make_archive(str(fleet.folder / "zipped"), "zip", fleet.folder / "checkpoints" / "one")
    fleet.write(
        TARGETS
        + '[models.fetched]\nmodel = "minilm-l6"\n[models.hf]\nhuggingface = "hf"\n[models.zipped]\n'
        + 'checkpoint = "zipped.zip"\n[models.gone]\ncheckpoint = "nowhere"\n'
        + '[models.tuned]\nfinetune = { from = "hf", prepared = "data" }\n[models.broken]\nhuggingface = "broken"\n'
    )
    rows = {row["job"]: row for row in fleet.dry_run()["plan"]}
    reasons = {name: row["reason"] for name, row in rows.items() if row["kind"] == "model"}
    assert reasons.pop("gone") == f"There is no folder or checkpoint {fleet.folder / 'nowhere'}."
    assert "model.safetensors cannot be read" in reasons.pop("broken")  # as the build would say before its import
    assert reasons == {
        "fetched": "fetched first; its 3 targets are known only then",
        "hf": "imported first; its 3 targets are known only then",
        "zipped": "unpacked first; its 3 targets are known only then",
        "tuned": "trained first, after hf is imported; its 3 targets are known only then",
    }
    assert rows["hf/import"]["state"] == "would run"
    assert {fact["state"] for fact in fleet.status().values()} == {"missing"}
    assert not list((fleet.folder / "artifacts").glob("downloads/*/*"))
    assert "not known before hf is imported" in told(fleet.why("hf/frozen"))


def test_status_tells_each_state(fleet):
    assert {name: fact["state"] for name, fact in fleet.status().items()} == dict.fromkeys(
        ["one/frozen", "one/ir-fp32", "one/ir-fp16", "two/frozen"], "missing"
    )
    fleet.build()
    built = fleet.status()
    assert {fact["state"] for fact in built.values()} == {"built"}
    assert all(fact["because"] == [] and fact["seconds"] is not None and fact["bytes"] for fact in built.values())
    store = fleet.folder / "artifacts"
    (store / "out" / "one" / "frozen").unlink()
    damaged = next((store / "out" / "one" / "ir-fp16").resolve().glob("model.bin"))
    damaged.chmod(0o644)
    damaged.write_text("x")
    write_tiny(fleet.folder / "checkpoints" / "two", seed=5)
    facts = fleet.status()
    assert {name: fact["state"] for name, fact in facts.items()} == {
        "one/frozen": "unnamed",
        "one/ir-fp32": "built",
        "one/ir-fp16": "damaged",
        "two/frozen": "stale",
    }
    assert facts["two/frozen"]["because"][0] == "freeze: input checkpoint"


def test_a_target_whose_last_run_failed_is_reported_until_it_is_fixed(fleet, isolation):
    def fail(_run):
        raise StageError("The stage freeze is out of sorts.")

    isolation.behaviour["freeze"] = fail
    with pytest.raises(BuildFailedError):
        fleet.build("two")
    facts = fleet.status()
    assert facts["two/frozen"]["state"] == "failed"
    assert facts["two/frozen"]["because"][0] == "last run: two/freeze failed"
    assert facts["one/frozen"]["state"] == "missing"
    del isolation.behaviour["freeze"]
    fleet.build("two")
    assert fleet.status()["two/frozen"]["state"] == "built"


def test_a_target_that_does_not_answer_like_its_source_is_failed(fleet, isolation):
    isolation.offset = 1.0
    with pytest.raises(BuildFailedError):
        fleet.build("one")
    facts = fleet.status()
    assert {name: fact["state"] for name, fact in facts.items()} == {
        "one/frozen": "built",
        "one/ir-fp32": "failed",
        "one/ir-fp16": "failed",
        "two/frozen": "missing",
    }
    assert "does not answer like its source" in told(fleet.why("one/ir-fp32"))


def test_status_works_where_no_engine_can_be_asked(fleet, isolation, monkeypatch):
    fleet.build()

    def refuse(_backend):
        raise EngineError("No Docker engine runs here.")

    monkeypatch.setattr(isolation, "is_ready", refuse)
    facts = fleet.status().values()
    assert {fact["state"] for fact in facts} == {"not checked"}
    assert all(fact["because"] == ["No Docker engine runs here."] for fact in facts)
    assert fleet.events.texts("warning") == ["what is stale cannot be determined: No Docker engine runs here."]


@pytest.fixture
def engine_is_down(fleet, isolation, monkeypatch):
    """A fleet that was built in Docker, whose engine does not answer any more."""
    isolation.name = "docker"
    fleet.build()
    isolation.name, isolation.lock = "venv", "another"
    isolation.prepared.clear()
    monkeypatch.setattr(docker_engine, "engine_answers", lambda: False)
    return fleet


NOT_ASKED = "the last build of this store used Docker, and no Docker engine answers: its results are not checked"


def test_results_of_an_engine_that_is_down_are_not_checked_and_one_line_says_why(engine_is_down):
    facts = engine_is_down.status()
    assert {fact["state"] for fact in facts.values()} == {"not checked"}
    assert engine_is_down.events.texts("note") == [NOT_ASKED]
    assert set(facts["one/frozen"]["because"]) >= {"freeze: Docker cannot be asked", "tf1: Docker cannot be asked"}
    said = engine_is_down.dry_run()
    assert said["counts"]["targets"] == {"not checked": 4}
    assert engine_is_down.events.texts("note") == [NOT_ASKED]


def test_what_else_changed_is_stale_though_the_engine_is_down(engine_is_down):
    engine_is_down.write(TARGETS + "[defaults.ir]\nseq_len = 8\n" + MODELS)
    states = {name: fact["state"] for name, fact in engine_is_down.status().items()}
    assert states == {
        "one/frozen": "not checked",
        "one/ir-fp32": "stale",
        "one/ir-fp16": "stale",
        "two/frozen": "not checked",
    }


def test_what_virtual_environments_made_is_asked_of_them_where_they_are_named(engine_is_down, monkeypatch):
    monkeypatch.setenv("BERTBUILD_ISOLATION", "venv")
    assert {fact["state"] for fact in engine_is_down.status().values()} == {"stale"}
    assert engine_is_down.events.texts("note") == []


def test_a_target_that_left_the_build_file_is_still_told(fleet):
    fleet.build()
    fleet.write(TARGETS + MODELS.partition("[models.two]")[0])
    facts = fleet.status()
    assert facts["two/frozen"]["state"] == "built"
    assert [row["job"] for row in fleet.graph("two/frozen")["jobs"]][-1] == "two/frozen parity"


def test_graph_draws_what_is_shared_once(fleet):
    fleet.build("one/frozen")
    lines = fleet.graph("one")["lines"]
    assert lines == [
        "one",
        "├─ target frozen     up to date",
        "│  ├─ freeze         up to date",
        "│  ├─ reference      up to date",
        "│  ├─ frozen-infer   up to date",
        "│  │  └─ freeze      as above",
        "│  └─ tokenizer      up to date",
        "├─ target ir-fp32    would run",
        "│  ├─ ir-fp32        would run",
        "│  ├─ reference      as above",
        "│  ├─ ir-fp32-infer  would run",
        "│  │  └─ ir-fp32     as above",
        "│  └─ tokenizer      as above",
        "└─ target ir-fp16    would run",
        "   ├─ ir-fp16        would run",
        "   ├─ reference      as above",
        "   ├─ ir-fp16-infer  would run",
        "   │  └─ ir-fp16     as above",
        "   └─ tokenizer      as above",
    ]


def test_graph_prints_nothing_but_the_drawing(fleet):
    result = fleet.graph(form="dot")
    assert [event["event"] for event in fleet.events] == ["result"]
    assert (result["lines"][0], result["lines"][-1]) == ("digraph bertbuild {", "}")
    json.dumps(result)
    with pytest.raises(UsageError, match='did you mean "dot"'):
        fleet.graph(form="dto")


def test_a_target_that_is_made_on_the_way_to_another_is_as_the_build_file_has_it(fleet, monkeypatch):
    monkeypatch.setattr(making, "require_locked", lambda _backend: None)  # no lock file holds AWS's packages
    text = '[targets.compiled]\nkind = "neuron"\n[models.one]\ncheckpoint = "checkpoints/{}"\n'
    fleet.write(text.format("one"))
    fleet.build()
    states = {"one/compiled": "not verified", "one/neuron-ready-s12-float16": "built"}
    assert {name: fact["state"] for name, fact in fleet.status().items()} == states
    shutil.copytree(fleet.folder / "checkpoints" / "one", fleet.folder / "checkpoints" / "copy")
    fleet.write(text.format("copy"))
    facts = fleet.status()
    assert {name: (fact["state"], fact["because"]) for name, fact in facts.items()} == {
        name: (state, []) for name, state in states.items()
    }


def test_a_trained_model_is_told_with_its_training_and_its_targets_with_it(fleet, isolation):
    def train(run):
        write_tiny(run.work / "out", seed=3)
        (run.work / "out" / "bert_model.ckpt.meta").write_bytes(META)
        for name in ("task.json", "stage.json"):
            (run.work / "out" / name).write_text("{}")

    isolation.behaviour["finetune"] = train
    data = fleet.folder / "data"
    data.mkdir()
    (data / "prepared.json").write_text('{"task": "MRPC", "max_seq_length": 8}')
    for name in ("train", "eval", "test"):
        (data / f"{name}.tf_record").write_text(name)
    text = (
        '[targets.frozen]\nkind = "frozen"\n[models.one]\ncheckpoint = "checkpoints/one"\n'
        '[models.tuned]\nfinetune = {{ from = "one", prepared = "data", learning_rate = "{}" }}\n'
    )
    fleet.write(text.format("3e-5"))
    plan = {row["job"]: row for row in fleet.dry_run("tuned")["plan"]}
    assert (plan["tuned/finetune"]["state"], plan["tuned/finetune"]["reason"]) == ("would run", "new")
    assert plan["tuned"]["reason"] == "trained first; its target is known only then"
    assert "tuned/frozen parity" in fleet.build("tuned")
    assert fleet.dry_run("tuned")["plan"] == []
    fleet.write(text.format("5e-5"))
    (row, model) = fleet.dry_run("tuned")["plan"]
    assert (row["job"], row["reason"]) == ("tuned/finetune", "parameter learning_rate 3e-05 → 5e-05")
    assert model["targets"] == ["tuned/frozen"]
    fact = fleet.status()["tuned/frozen"]
    assert fact["state"] == "stale"
    assert fact["because"] == [
        "not known before tuned is trained",
        "finetune: parameter learning_rate 3e-05 → 5e-05",
    ]
    assert [job["job"] for job in fleet.graph("tuned")["jobs"]] == ["one", "tuned/finetune", "tuned", "tuned/frozen"]
