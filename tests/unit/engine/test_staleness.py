"""What would run is told before it runs, and why: for every kind of change, and for random ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from host_doubles import Events, FakeIsolation, checkpoint_source, probes_file
from hypothesis import given, settings
from hypothesis import strategies as st

from bertbuild import keys
from bertbuild.engine import staleness as checking
from bertbuild.engine.engine import Engine
from bertbuild.engine.executor import Maker
from bertbuild.engine.history import changed_files
from bertbuild.engine.staleness import (
    BLOCKED,
    FAILED,
    GONE,
    MAY_RUN,
    NEW,
    NOT_THERE,
    SHARED,
    UP_TO_DATE,
    WOULD_RUN,
    Checker,
)
from bertbuild.errors import ParityError
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.planning import named
from bertbuild.report.checks import as_json, in_full, in_short
from bertbuild.store.inputs import folder_input
from bertbuild.store.store import Store

IR = [
    "toy/freeze",
    "toy/reference",
    "toy/ir-reshapeable-fp32",
    "toy/ir-reshapeable-fp32-infer",
    "toy/ir-reshapeable-fp32 parity",
]


@pytest.fixture
def build(engine, events, probes):
    """Builds a plan; gives the jobs that ran."""

    def run(plan):
        events.clear()
        engine.build(plan, probes)
        return ran(events)

    return run


def ran(events):
    return [event["job"] for event in events.of("stage") if event["state"] == "done"]


@pytest.fixture
def look(store, isolation, probes):
    """Checks plans as a new process would; gives the checks of steps and gates by job."""

    def check(*plans):
        engine = Engine(store, isolation, Events())
        checker = Checker(engine.jobs(), store, isolation.name)
        jobs = [job for plan in plans for job in checker.add_targets(plan, probes)]
        return {job: checker.check(job) for job in jobs}

    return check


def states(checks):
    return {job: check.state for job, check in checks.items() if check.kind != checking.ENVIRONMENT}


def ir(source, probes, **asked):
    return plan_ir(source, Ir(route="reshapeable", **asked), probes)


def test_before_the_first_build_all_is_new_and_its_environments_are_not_there(look, source, probes):
    checks = look(ir(source, probes))
    assert states(checks) == dict.fromkeys(IR, WOULD_RUN)
    assert {checks[job].reason for job in IR} == {NEW}
    assert all(checks[job].key is None for job in IR)
    assert checks["environment data"].reason == NOT_THERE
    assert ("environment", "environment data") in checks["toy/freeze"].awaits


def test_after_it_all_is_up_to_date_under_the_very_keys(look, build, engine, source, probes):
    plan = ir(source, probes)
    build(plan)
    checks = look(plan)
    assert states(checks) == dict.fromkeys(IR, UP_TO_DATE)
    results = engine.run(plan)
    assert {checks[f"toy/{name}"].key for name in results} == {stored.key for stored in results.values()}


def test_a_parameter_is_told_with_its_old_and_new_value_though_the_step_has_another_name(look, build, source, probes):
    build(named(ir(source, probes), "ir"))
    checks = look(named(ir(source, probes, precision="fp16"), "ir"))
    assert states(checks) == {
        "toy/freeze": UP_TO_DATE,
        "toy/reference": UP_TO_DATE,
        "toy/ir-reshapeable-fp16": WOULD_RUN,
        "toy/ir-reshapeable-fp16-infer": MAY_RUN,
        "toy/ir parity": WOULD_RUN,
    }
    assert in_short(checks["toy/ir-reshapeable-fp16"]) == "parameter precision fp32 → fp16"
    assert in_short(checks["toy/ir-reshapeable-fp16-infer"]) == "input ir made again"
    assert in_short(checks["toy/ir parity"]).startswith("parameter precision fp32 → fp16")


def test_an_input_is_told_with_its_digests_and_what_is_made_from_it_with_its_maker(
    look, build, source, probes, tmp_path
):
    build(ir(source, probes))
    changed = checkpoint_source(tmp_path, "other weights")
    checks = look(ir(changed, probes))
    (change,) = checks["toy/freeze"].changes
    assert (change.kind, change.name) == ("input", "checkpoint")
    assert (change.old, change.new) == (source.file.digest, changed.file.digest)
    assert checks["toy/ir-reshapeable-fp32"].awaits == (("frozen", "toy/freeze"),)
    assert list(in_full(checks["toy/ir-reshapeable-fp32"], lambda *_: ())) == [
        "input frozen: made again first, by toy/freeze"
    ]


def test_an_input_that_was_made_anew_meanwhile_is_told_with_both_digests(look, build, source, probes):
    build(ir(source, probes))
    other = replace(source, prefix="model.ckpt")
    build(plan_freeze(other, Frozen(), probes))
    (change,) = look(ir(other, probes))["toy/ir-reshapeable-fp32"].changes
    assert (change.name, change.made_by) == ("frozen", "toy/freeze")
    assert change.old != change.new


def test_of_a_folder_the_files_are_told_that_changed(look, build, store, tmp_path, probes):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("weights", "config", "vocab"):
        (folder / name).write_text(name)

    def source():
        names = [path.name for path in folder.iterdir()]
        return replace(checkpoint_source(tmp_path), file=folder_input(folder, names, store.inputs))

    build(ir(source(), probes))
    (folder / "config").write_text("mended")
    (folder / "vocab").unlink()
    (folder / "labels").write_text("new")
    check = look(ir(source(), probes))["toy/freeze"]
    (change,) = check.changes
    assert changed_files(check.past, change.name, change.file, store.digests) == ("config", "labels", "vocab")
    (check.past.place / "provenance.json").unlink()
    assert changed_files(check.past, change.name, change.file, store.digests) == ()


def test_other_code_of_a_stage_is_told(look, build, source, probes, monkeypatch):
    build(ir(source, probes))
    code = Maker.code
    monkeypatch.setattr(Maker, "code", lambda self, stage: "new" if stage == "ir" else code(self, stage))
    checks = look(ir(source, probes))
    assert [job for job, state in states(checks).items() if state == WOULD_RUN] == ["toy/ir-reshapeable-fp32"]
    assert in_short(checks["toy/ir-reshapeable-fp32"]) == "code"
    assert "code of the stage" in next(in_full(checks["toy/ir-reshapeable-fp32"], lambda *_: ()))


def test_another_key_format_is_told_in_the_place_of_code_and_environment(look, build, source, probes, monkeypatch):
    monkeypatch.setattr(keys, "KEY_FORMAT", keys.KEY_FORMAT - 1)
    build(ir(source, probes))
    monkeypatch.undo()
    checks = look(ir(source, probes))
    assert states(checks)["toy/freeze"] == WOULD_RUN
    assert in_short(checks["toy/freeze"]) == "key format"
    old, new = keys.KEY_FORMAT - 1, keys.KEY_FORMAT
    told = list(in_full(checks["toy/freeze"], lambda *_: ()))
    assert told == [f"key format: {old} → {new}, another version of bertbuild made it"]


def test_of_another_key_format_a_parameter_that_was_not_known_then_is_no_change(
    look, build, source, probes, store, monkeypatch
):
    monkeypatch.setattr(keys, "KEY_FORMAT", keys.KEY_FORMAT - 1)
    build(ir(source, probes))
    monkeypatch.undo()
    for path in (store.root / "objects" / "parity").glob("*/manifest.json"):
        facts = json.loads(path.read_text())
        del facts["components"]["params"]["limits"]
        path.parent.chmod(0o755)
        path.chmod(0o644)
        path.write_text(json.dumps(facts))
    told = in_short(look(ir(source, probes))["toy/ir-reshapeable-fp32 parity"])
    assert told == "key format; input reference made again; input answers made again; input target made again"


def test_another_environment_is_told_fact_by_fact(look, build, source, probes, isolation):
    build(ir(source, probes))
    isolation.lock = "lock-2"
    (change,) = look(ir(source, probes))["toy/freeze"].changes
    assert (change.kind, change.name) == ("environment", "lock")
    assert (change.old, change.new) == ("lock-1 of data", "lock-2 of data")


def test_another_isolation_is_told_even_before_its_environment_is_there(look, build, source, probes, isolation):
    build(ir(source, probes))
    isolation.prepared.clear()
    isolation.name = "docker"
    checks = look(ir(source, probes))
    assert checks["toy/freeze"].state == WOULD_RUN
    assert in_short(checks["toy/freeze"]) == "environment"
    (change,) = checks["toy/freeze"].changes
    assert (change.name, change.old, change.new) == ("isolation", "fake", "docker")


def test_where_only_the_environment_is_gone_the_results_may_still_do(look, build, source, probes, isolation):
    build(ir(source, probes))
    isolation.prepared.clear()
    checks = look(ir(source, probes))
    assert states(checks) == dict.fromkeys(IR, MAY_RUN)
    assert list(in_full(checks["toy/freeze"], lambda *_: ())) == ["environment: made first"]


def test_a_result_that_is_gone_and_one_that_is_damaged_are_told(look, build, store, source, probes):
    build(ir(source, probes))
    before = look(ir(source, probes))
    frozen = store.objects / "freeze" / before["toy/freeze"].key
    made = store.objects / "ir" / before["toy/ir-reshapeable-fp32"].key
    (made / "model.xml").chmod(0o644)
    (made / "model.xml").write_text("broken")
    checks = look(ir(source, probes))
    assert checks["toy/ir-reshapeable-fp32"].reason == "its result is damaged: model.xml changed"
    assert checks["toy/ir-reshapeable-fp32"].key == made.name
    shutil.rmtree(frozen)
    checks = look(ir(source, probes))
    assert (checks["toy/freeze"].state, checks["toy/freeze"].reason) == (WOULD_RUN, GONE)
    assert made.exists()  # who looks sets nothing aside


def test_a_result_that_is_gone_is_compared_as_far_as_its_record_tells(look, build, store, source, probes):
    build(ir(source, probes))
    shutil.rmtree(store.objects / "freeze")
    check = look(plan_ir(replace(source, prefix="model.ckpt"), Ir(route="reshapeable"), probes))["toy/freeze"]
    assert in_short(check) == "parameter prefix bert_model.ckpt → model.ckpt"


def test_what_comes_out_as_before_may_let_the_last_result_be_used(look, build, source, probes, isolation, tmp_path):
    def frozen_alike(run):
        for name in ("inference_graph.pb", "signature.json", "stage.json"):
            (run.work / "out" / name).write_text("{}")

    isolation.behaviour["freeze"] = frozen_alike
    build(ir(source, probes))
    plan = ir(checkpoint_source(tmp_path, "other weights"), probes)
    assert states(look(plan)) == {
        "toy/freeze": WOULD_RUN,
        "toy/reference": WOULD_RUN,
        "toy/ir-reshapeable-fp32": MAY_RUN,
        "toy/ir-reshapeable-fp32-infer": MAY_RUN,
        "toy/ir-reshapeable-fp32 parity": MAY_RUN,
    }
    assert build(plan) == ["toy/freeze", "toy/reference"]


def test_a_new_target_is_compared_with_what_is_most_like_it(look, build, source, probes):
    build(ir(source, probes))
    checks = look(named(ir(source, probes, seq_len=8), "short"))
    check = checks["toy/ir-reshapeable-s8-fp32"]
    assert (check.state, check.reason, check.own) == (WOULD_RUN, NEW, False)
    assert list(in_full(check, lambda *_: ()))[1:] == [
        f"most like it is ir {check.past.key[:12]}, but for:",
        "parameter seq-len: none → 8",
    ]
    told = as_json(check)
    assert (told["past"], told["nearest"]) == (None, check.past.key)


def test_two_models_that_are_the_same_are_made_once(look, source, probes):
    elsewhere = replace(source.file, path=source.file.path.parent)
    first = plan_freeze(replace(source, model="one"), Frozen(), probes)
    second = plan_freeze(replace(source, model="two", file=elsewhere), Frozen(), probes)
    checks = look(first, second)
    assert checks["two/freeze"].state == SHARED
    assert checks["two/freeze"].reason == "as one/freeze"
    assert checks["two/frozen-infer"].state == SHARED  # though its key is not known yet


def test_a_verdict_that_is_no_good_one_is_told_and_nothing_would_run(look, engine, source, probes, isolation):
    isolation.offset = 1.0
    plan = ir(source, probes)
    with pytest.raises(ParityError):
        engine.build(plan, probes)
    checks = look(plan)
    assert checks["toy/ir-reshapeable-fp32 parity"].state == FAILED
    assert {state for job, state in states(checks).items() if job != "toy/ir-reshapeable-fp32 parity"} == {UP_TO_DATE}


def test_what_waits_for_a_gate_that_failed_would_not_run(store, engine, source, probes, isolation):
    isolation.offset = 1.0
    plan = ir(source, probes)
    with pytest.raises(ParityError):
        engine.build(plan, probes)
    jobs = engine.jobs()
    checker = Checker(jobs, store, isolation.name)
    checker.add_targets(plan, probes)
    _, made = jobs.of_steps(plan_freeze(source, Frozen(output="sequence"), probes))
    made["frozen-infer"].needs += ("toy/ir-reshapeable-fp32 parity",)
    check = checker.check(made["frozen-infer"].id)
    assert (check.state, check.reason) == (BLOCKED, "after toy/ir-reshapeable-fp32 parity, which has failed")


class World:
    """A model, what is asked of it, and what a random hand does to both."""

    def __init__(self, folder):
        self.folder = folder
        self.store, self.isolation, self.events = Store(folder / "store"), FakeIsolation(), Events()
        self.probes = probes_file(folder)
        self.weights, self.code, self.lossy = "a", "c", False
        self.asked = [("fp32", 0)]
        self.isolation.behaviour["freeze"] = self.freeze

    def freeze(self, run):
        content = "all alike" if self.lossy else (run.inputs["checkpoint"] / "weights").read_text()
        for name in ("inference_graph.pb", "signature.json", "stage.json"):
            (run.work / "out" / name).write_text(content)

    def plans(self):
        source = checkpoint_source(self.folder, self.weights)
        for precision, length in self.asked:
            plan = plan_ir(source, Ir(route="reshapeable", precision=precision, seq_len=length), self.probes)
            yield named(plan, f"ir-{precision}-{length}")

    def jobs(self):
        return Engine(self.store, self.isolation, self.events)

    def look(self):
        checker = Checker(self.jobs().jobs(), self.store, self.isolation.name)
        added = [job for plan in self.plans() for job in checker.add_targets(plan, self.probes)]
        return [checker.check(job) for job in dict.fromkeys(added)]

    def build(self):
        from bertbuild.engine.events import Asked

        self.events.clear()
        engine = self.jobs()
        jobs = engine.jobs()
        new = [job for plan in self.plans() for job in jobs.of_targets(plan, self.probes)[0]]
        assert engine.execute(new, Asked(models=["toy"]), keep_going=False) == []
        return set(ran(self.events))

    def do(self, deed, choice):
        objects = sorted(path for path in self.store.objects.glob("*/*"))
        match deed:
            case "weights":
                self.weights = "ab"[choice % 2]
            case "ask":
                self.asked = [("fp32", 0), ("fp16", 0), ("fp32", 8)][: 1 + choice % 3]
            case "lock":
                self.isolation.lock = f"lock-{choice % 2}"
            case "forget the environment":
                self.isolation.prepared = self.isolation.prepared[: choice % 2]
            case "lossy":
                self.lossy = not self.lossy
            case "remove" if objects:
                shutil.rmtree(objects[choice % len(objects)])
            case "damage" if objects:
                path = next(path for path in objects[choice % len(objects)].iterdir() if path.name != "manifest.json")
                path.chmod(0o644)
                path.write_text("damaged")


DEEDS = ["weights", "ask", "lock", "forget the environment", "lossy", "remove", "damage"]


@settings(max_examples=8)
@given(deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 100)), min_size=2, max_size=5))
def test_what_is_said_to_run_is_what_runs(deeds):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for deed, choice in [("ask", 0), *deeds]:
            world.do(deed, choice)
            files = list(world.store.objects.rglob("*"))
            checks = [check for check in world.look() if check.kind != checking.ENVIRONMENT]
            assert files == list(world.store.objects.rglob("*"))
            done = world.build()
            would = {check.job for check in checks if check.state == WOULD_RUN}
            may = {check.job for check in checks if check.state == MAY_RUN}
            assert would <= done <= would | may
            assert not any(check.awaits for check in checks if check.state == UP_TO_DATE)
            assert all(check.awaits for check in checks if check.state == MAY_RUN)
            assert all(check.key for check in checks if not check.awaits)
            if not any(check.awaits for check in checks):
                assert would == done
        assert {check.state for check in world.look()} == {UP_TO_DATE}


def test_the_digest_of_an_input_is_that_of_its_bytes(source):
    """What the other tests take for granted of their doubles."""
    assert source.file.digest == hashlib.sha256(b"weights").hexdigest()
