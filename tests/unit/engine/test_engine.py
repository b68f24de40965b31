from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from host_doubles import FakeIsolation, checkpoint_source, freezing, golden, names

from bertbuild import keys
from bertbuild.engine import executor as making
from bertbuild.engine import gate as judging
from bertbuild.engine import memory
from bertbuild.engine.engine import Engine
from bertbuild.errors import BertbuildError, NoSpaceError, ParityError, StageError, StageKilledForMemoryError
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.plan import File
from bertbuild.stages import STAGES
from bertbuild.store.inputs import folder_input
from bertbuild.store.records import read_records

BOTH = Ir(route="reshapeable", precision="fp32,fp16")


@pytest.fixture
def plan(source, probes):
    return plan_ir(source, Ir(route="reshapeable"), probes)


@pytest.fixture
def build(store, isolation, events, probes):
    """Build a plan again; gives the stages that ran."""

    def again(plan):
        isolation.runs.clear()
        Engine(store, isolation, events).build(plan, probes)
        return isolation.runs.copy()

    return again


def test_stages_run_in_an_order_in_which_each_finds_its_inputs(build, plan):
    assert build(plan) == ["freeze", "tf1-infer", "ir", "openvino-infer"]


def test_a_second_build_runs_nothing(build, plan, events):
    build(plan)
    events.clear()
    assert build(plan) == []
    assert {state for _, state in events.stages()} == {"cached"}


def test_a_build_after_the_last_stage_failed_runs_only_that(build, plan, isolation):
    def fail(_run):
        raise StageError("no")

    isolation.behaviour["openvino-infer"] = fail
    with pytest.raises(StageError):
        build(plan)
    del isolation.behaviour["openvino-infer"]
    assert build(plan) == ["openvino-infer"]


def test_a_checkpoint_larger_than_the_memory_begins_no_stage(build, source, probes, isolation, monkeypatch):
    monkeypatch.setattr(memory, "whole_memory", lambda: 1)
    large = replace(source, file=replace(source.file, files=("weights",)))
    with pytest.raises(StageKilledForMemoryError, match="GB of memory here; freeze was not begun"):
        build(plan_ir(large, Ir(route="reshapeable"), probes))
    assert isolation.runs == []


@pytest.fixture
def on_disk(tmp_path, store):
    """A plan of a checkpoint that is a file on disk, and that file."""
    folder = tmp_path / "on-disk"
    folder.mkdir()
    weights = folder / "weights"
    weights.write_text("first")
    return folder_input(folder, ["weights"], store.inputs), weights


def changing(isolation, change, *, then=None):
    """Let the checkpoint be changed while freeze runs, which writes its result or fails."""

    def stage(run):
        change()
        if then is not None:
            raise then
        del isolation.behaviour["freeze"]
        isolation.run(run, lambda _: None)

    isolation.behaviour["freeze"] = stage


@pytest.mark.parametrize("then", [None, StageError("exit code 1", details="Traceback")])
def test_of_a_file_that_is_changed_while_a_stage_reads_it_no_result_is_kept(
    build, source, probes, isolation, store, on_disk, then
):
    file, weights = on_disk
    changing(isolation, lambda: weights.write_text("other"), then=then)
    with pytest.raises(StageError) as raised:
        build(plan_ir(replace(source, file=file), Ir(route="reshapeable"), probes))
    assert str(raised.value) == f"{weights} was changed while freeze read it."
    assert raised.value.details == (then.details if then else "")
    assert not list((store.objects / "freeze").glob("*"))
    assert not list(store.work.iterdir())


def test_a_file_that_is_gone_was_changed(build, source, probes, isolation, on_disk):
    file, weights = on_disk
    changing(isolation, weights.unlink, then=StageError("no"))
    with pytest.raises(StageError, match="weights was changed while freeze read it"):
        build(plan_ir(replace(source, file=file), Ir(route="reshapeable"), probes))


def test_a_file_that_is_written_again_with_the_same_bytes_was_not_changed(build, source, probes, isolation, on_disk):
    file, weights = on_disk
    changing(isolation, lambda: weights.write_text("first"))
    assert "freeze" in build(plan_ir(replace(source, file=file), Ir(route="reshapeable"), probes))


def test_another_parameter_reruns_only_what_depends_on_it(build, source, probes):
    build(plan_ir(source, Ir(route="reshapeable"), probes))
    assert build(plan_ir(source, Ir(route="reshapeable", precision="fp16"), probes)) == ["ir", "openvino-infer"]
    assert build(plan_ir(source, BOTH, probes)) == []


def test_another_checkpoint_reruns_all(build, plan, tmp_path, probes):
    build(plan)
    assert build(plan_ir(checkpoint_source(tmp_path, "other"), Ir(route="reshapeable"), probes)) == [
        "freeze",
        "tf1-infer",
        "ir",
        "openvino-infer",
    ]


def test_a_checkpoint_elsewhere_with_the_same_bytes_reruns_nothing(build, plan, tmp_path, probes):
    build(plan)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert build(plan_ir(checkpoint_source(elsewhere), Ir(route="reshapeable"), probes)) == []


def test_another_file_of_probes_reruns_only_the_answers(build, plan, source, probes):
    build(plan)
    other = File(path=probes.path, digest="0" * 64)
    assert build(plan_ir(source, Ir(route="reshapeable"), other)) == ["tf1-infer", "openvino-infer"]


def test_another_environment_reruns_its_stages_and_no_further_where_the_bytes_are_the_same(build, plan, isolation):
    build(plan)
    isolation.environment = lambda backend: {"lock": "new" if backend == "tf1" else f"lock-1 of {backend}"}
    assert build(plan) == ["tf1-infer"]


def test_a_step_in_another_backend_has_that_ones_environment_and_a_result_of_its_own(build, plan, isolation, store):
    build(plan)
    seen = []
    run = isolation.run
    isolation.run = lambda stage_run, on_event: (seen.append(stage_run), run(stage_run, on_event))
    elsewhere = [replace(step, backend="tf2") if step.stage == "tf1-infer" else step for step in plan.steps]
    assert build(replace(plan, steps=tuple(elsewhere))) == ["tf1-infer"]
    assert [(stage_run.backend, stage_run.code, stage_run.stage) for stage_run in seen] == [("tf2", "tf1", "infer")]
    assert isolation.prepared == ["data", "tf1", "openvino", "tf2"]
    (record,) = read_records(store)
    assert [step.backend for step in record.plan.steps] == ["", "tf2", "", ""]
    manifest = store.load(store.objects / "tf1-infer" / record.results["reference"][1]).manifest
    assert manifest["components"]["environment"] == {"lock": "lock-1 of tf2"}


def test_two_steps_that_differ_only_in_their_backend_are_two(plan, engine):
    reference = plan.step("reference")
    both = replace(plan, steps=(reference, replace(reference, id="again", backend="tf2")))
    results = engine.run(both)
    assert results["reference"].key != results["again"].key


def test_a_step_that_is_to_be_alone_runs_with_none_beside_it(store, isolation, events, plan):
    running, seen = [], {}
    run = isolation.run

    def watched(stage_run, on_event):
        running.append(stage_run.stage)
        seen[stage_run.stage] = list(running)
        time.sleep(0.02)
        run(stage_run, on_event)
        running.remove(stage_run.stage)

    isolation.run = watched
    reference = plan.step("reference")
    steps = (reference, *(replace(plan.step("freeze"), id=name, params={"output": name}) for name in ("a", "b")))
    Engine(store, isolation, events, slots=2).run(replace(plan, steps=steps, targets=()), alone=["reference"])
    assert seen["infer"] == ["infer"]
    assert seen["freeze"] == ["freeze", "freeze"]


def test_where_a_place_has_turns_a_step_that_measures_begins_beside_others_and_its_waiting_is_not_counted(
    store, isolation, events, plan
):
    order, began = [], threading.Barrier(2)
    run = isolation.run

    def watched(stage_run, on_event):
        began.wait(60)
        if stage_run.turn:
            stage_run.turn()
        else:
            time.sleep(0.5)
        run(stage_run, on_event)
        order.append(stage_run.stage)

    isolation.run, isolation.has_turns = watched, True
    steps = (plan.step("reference"), plan.step("freeze"))
    Engine(store, isolation, events, slots=2).run(replace(plan, steps=steps, targets=()), alone=["reference"])
    assert order == ["freeze", "infer"]
    (done,) = (event for event in events if event.get("state") == "done" and event.get("stage") == "tf1-infer")
    assert done["seconds"] < 0.5
    assert "waited" not in done


def test_a_record_of_before_steps_had_a_backend_is_read_as_it_was(build, plan, store):
    build(plan)
    (path,) = (store.root / "targets").glob("*/*.json")
    value = json.loads(path.read_text())
    for step in value["steps"]:
        del step["backend"]
    path.write_text(json.dumps(value))
    (record,) = read_records(store)
    assert record.plan.steps == plan.steps


@pytest.fixture
def code(monkeypatch, tmp_path):
    """A folder with one file of code for each stage."""
    for name in (*STAGES, "parity"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(making, "stage_code", lambda spec: {"stage.py": tmp_path / f"{spec.name}.py"})
    monkeypatch.setattr(judging, "host_code", lambda _module: {"parity.py": tmp_path / "parity.py"})
    return tmp_path


def test_another_code_reruns_its_stage_and_no_further_where_the_bytes_are_the_same(build, plan, code):
    assert len(build(plan)) == 4
    (code / "freeze.py").write_text("changed")
    assert build(plan) == ["freeze"]
    assert build(plan) == []


def test_a_store_of_a_version_with_other_keys_is_read_and_told_of(build, plan, store, events, monkeypatch):
    monkeypatch.setattr(keys, "KEY_FORMAT", keys.KEY_FORMAT - 1)
    build(plan)
    monkeypatch.undo()
    events.clear()
    assert len(build(plan)) == 4
    (told,) = (event["text"] for event in events if event["event"] == "note")
    assert told == (
        f"another version of bertbuild made results in this store (key format {keys.KEY_FORMAT - 1}, now "
        f"{keys.KEY_FORMAT}): what is asked for is built again, and gc removes the old results"
    )
    events.clear()
    assert build(plan) == []
    assert not [event for event in events if event["event"] == "note"]
    assert len(list((store.objects / "freeze").iterdir())) == 2


def test_it_is_told_where_that_version_gave_its_stages_other_parameters_and_less_to_read(
    build, plan, events, monkeypatch
):
    steps = list(plan.steps)
    steps[0] = replace(steps[0], params={**steps[0].params, "then": "other"})
    monkeypatch.setattr(keys, "KEY_FORMAT", keys.KEY_FORMAT - 1)
    build(replace(plan, steps=tuple(steps)))
    monkeypatch.undo()
    events.clear()
    build(plan)
    first = next(event for event in events if event["event"] == "stage" and event["state"] == "started")
    (told,) = (event for event in events if event["event"] == "note")
    assert events.index(told) < events.index(first)


def test_another_code_that_writes_other_bytes_reruns_all_that_is_made_of_them(build, plan, code, isolation):
    def write_otherwise(run):
        for name in ("inference_graph.pb", "signature.json", "stage.json"):
            (run.work / "out" / name).write_text("other")

    build(plan)
    (code / "freeze.py").write_text("changed")
    isolation.behaviour["freeze"] = write_otherwise
    assert build(plan) == ["freeze", "ir", "openvino-infer"]


def test_code_that_changes_while_its_stage_runs_publishes_nothing(build, plan, code, isolation, store):
    def edit(run):
        (code / "freeze.py").write_text("edited meanwhile")
        FakeIsolation().run(run, lambda _: None)

    isolation.behaviour["freeze"] = edit
    with pytest.raises(StageError, match="The code of the stage freeze was changed while it ran"):
        build(plan)
    assert not (store.objects / "freeze").exists()
    del isolation.behaviour["freeze"]
    assert "freeze" in build(plan)


def test_another_judge_judges_again_and_runs_no_stage(build, plan, code, events):
    build(plan)
    (code / "parity.py").write_text("stricter")
    events.clear()
    assert build(plan) == []
    assert events.done() == ["parity ir-reshapeable-fp32"]


def test_a_stage_gets_its_inputs_its_parameters_and_its_key(engine, source, isolation, store):
    seen = []
    isolation.behaviour["freeze"] = lambda run: seen.append(run) or FakeIsolation().run(run, lambda _: None)
    made = engine.run(freezing(source, output="sequence"))["freeze"]
    run = seen[0]
    assert run.inputs == {"checkpoint": source.file.path}
    assert run.params == {"output": "sequence", "prefix": "bert_model.ckpt", "gelu": "erf", "key": made.key}
    assert run.work == store.work / f"freeze-{made.key}"
    assert run.log.parent == store.logs
    assert run.log.name.endswith(f"-freeze-{made.key[:12]}.log")
    assert made.manifest["components"]["params"] == {"output": "sequence", "prefix": "bert_model.ckpt", "gelu": "erf"}


@pytest.mark.parametrize("missing", ["inference_graph.pb", "signature.json", "stage.json"])
def test_a_stage_that_ends_well_without_its_output_has_failed(engine, source, isolation, store, events, missing):
    def forget(run):
        for name in {"inference_graph.pb", "signature.json", "stage.json"} - {missing}:
            (run.work / "out" / name).write_text("{}")

    isolation.behaviour["freeze"] = forget
    with pytest.raises(StageError, match=f"The stage freeze ended without an error but wrote no {missing}") as raised:
        engine.run(freezing(source))
    assert str(store.logs) in raised.value.next_step
    assert events.stages() == [("freeze", "started"), ("freeze", "failed")]
    assert list(store.objects.rglob("*.pb")) == list(store.work.iterdir()) == []


@pytest.mark.parametrize("error", [StageError("no"), KeyboardInterrupt(), RuntimeError("bug"), NoSpaceError("full")])
def test_a_failing_stage_publishes_nothing_says_so_and_stops_the_rest(
    engine, plan, probes, isolation, store, events, error
):
    def fail(run):
        (run.work / "out" / "model.xml").write_text("half")
        raise error

    isolation.behaviour["ir"] = fail
    with pytest.raises(type(error)):
        engine.build(plan, probes)
    assert isolation.runs == ["freeze", "tf1-infer", "ir"]
    ended = [(name, state) for name, state in events.stages() if state in {"failed", "interrupted", "skipped"}]
    after = [("ir-reshapeable-fp32-infer", "skipped")] if isinstance(error, BertbuildError) else []
    assert ended == [("ir-reshapeable-fp32", "failed"), *after]
    assert not (store.objects / "ir").exists()
    assert list(store.work.iterdir()) == []
    assert names(store) == []


def test_what_passes_its_gate_gets_a_name_and_a_record(engine, plan, probes, store):
    (built,) = engine.build(plan, probes)
    assert (built.model, built.target, built.verdict.passed) == ("toy", "ir-reshapeable-fp32", True)
    assert built.path == store.root / "out" / "toy" / "ir-reshapeable-fp32"
    assert built.path.resolve() == built.stored.path
    (record,) = read_records(store)
    assert record.plan.steps == plan.steps
    assert record.target == plan.targets[0]
    assert record.results["ir-reshapeable-fp32"] == ("ir", built.stored.key)
    assert record.verdict == built.verdict


@pytest.mark.parametrize("offset", [1e-3, float("nan")])
def test_what_fails_its_gate_gets_no_name_and_its_figures_are_kept(
    engine, plan, probes, isolation, store, events, offset
):
    isolation.offset = offset
    with pytest.raises(ParityError) as raised:
        engine.build(plan, probes)
    assert raised.value.exit_code == 20
    assert str(raised.value).startswith(
        "ir-reshapeable-fp32 of toy does not answer like its source: pooled_output of probe b2_s4"
    )
    (record,) = read_records(store)
    stage, key = record.results["ir-reshapeable-fp32"]
    assert raised.value.next_step.endswith(str(store.objects / stage / key))
    assert (store.objects / stage / key / "model.xml").exists()
    assert names(store) == []
    assert not record.verdict.passed
    assert events.of("verdict")[0]["passed"] is False


def test_a_name_given_earlier_is_taken_away_by_a_failed_gate(build, plan, isolation, store):
    build(plan)
    assert names(store) == ["ir-reshapeable-fp32"]
    isolation.lock = "lock-2"
    isolation.offset = 1e-3
    with pytest.raises(ParityError):
        build(plan)
    assert names(store) == []


def test_a_verdict_that_failed_fails_again_without_running_anything(build, plan, isolation):
    isolation.offset = 1e-3
    for expected in (4, 0):
        isolation.runs.clear()
        with pytest.raises(ParityError):
            build(plan)
        assert len(isolation.runs) == expected


def test_targets_before_the_one_that_fails_keep_their_names(engine, source, probes, isolation, store):
    def answer(run, path):
        precision = (
            json.loads((run.inputs["ir"] / "model.xml").read_text())[2]["precision"] if "ir" in run.inputs else ""
        )
        isolation.offset = 1.0 if precision == "fp16" else 0.0
        FakeIsolation.answer(isolation, run, path)

    isolation.answer = answer
    with pytest.raises(ParityError, match="ir-reshapeable-fp16 of toy"):
        engine.build(plan_ir(source, BOTH, probes), probes)
    assert names(store) == ["ir-reshapeable-fp32"]


def test_rounding_that_fp16_allows_is_not_allowed_to_fp32(build, source, probes, isolation):
    isolation.offset = 1e-3
    build(plan_ir(source, Ir(route="reshapeable", precision="fp16"), probes))
    with pytest.raises(ParityError):
        build(plan_ir(source, Ir(route="reshapeable"), probes))


def test_a_damaged_result_is_built_again_with_a_warning(build, plan, store, events):
    build(plan)
    model = next(store.objects.glob("ir/*/model.xml"))
    model.chmod(0o644)
    model.write_text("spoilt")
    assert build(plan) == ["ir"]
    (warning,) = events.texts("warning")
    assert "model.xml changed" in warning
    assert build(plan) == []


def test_running_a_step_again_leaves_the_store_as_it_is(engine, plan, isolation, store, events, tmp_path):
    results = engine.run(plan)
    before = {path: path.stat().st_mtime_ns for path in store.objects.rglob("*")}
    isolation.runs.clear()
    engine.run_again(plan.steps[-1], results, tmp_path / "again", {"job": "toy/again"})
    assert isolation.runs == ["openvino-infer"]
    assert [(event["job"], event["state"]) for event in events.of("stage")[-2:]] == [
        ("toy/again", "started"),
        ("toy/again", "done"),
    ]
    assert np.load(tmp_path / "again" / "answers.npz")["b2_s4/pooled_output"].shape == (2, 2)
    assert {path: path.stat().st_mtime_ns for path in store.objects.rglob("*")} == before
    assert list(store.work.iterdir()) == []


def test_environments_are_made_once_and_only_those_that_are_needed(engine, source, isolation, events):
    engine.run(freezing(source))
    engine.run(freezing(source, output="sequence"))
    assert isolation.prepared == ["data"]
    assert [event["state"] for event in events.of("environment")] == ["started", "line", "done"]


def test_the_same_checkpoint_under_another_name_shares_all_but_the_ir_that_holds_it(build, source, plan, probes):
    build(plan)
    assert build(plan_ir(replace(source, model="other"), Ir(route="reshapeable"), probes)) == ["ir", "openvino-infer"]


def test_the_events_of_a_build(engine, plan, probes, events):
    """tests/golden/build_events.jsonl; what differs from run to run is left out."""
    engine.build(plan, probes)
    engine.build(plan, probes)
    changing = {"key", "seconds", "bytes", "run", "command", "version", "host", "memory", "path"}
    kept = [{name: value for name, value in event.items() if name not in changing} for event in events]
    for row in (row for event in events.of("verdict") for row in event["rows"]):
        row["cosine"] = round(row["cosine"], 6)
    golden("build_events.jsonl", "".join(json.dumps(event, sort_keys=True) + "\n" for event in kept))
