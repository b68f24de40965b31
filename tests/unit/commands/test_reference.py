"""Which TensorFlow a build is judged by: asked for, on record, had; all stages played."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from small_fleet import MODELS, TARGETS, Fleet

from bertbuild.commands import environments, offline, reference
from bertbuild.commands.entry_jobs import asked_alone, entry_of
from bertbuild.commands.session import Session
from bertbuild.commands.target import build
from bertbuild.errors import BuildFailedError, InterpreterMissingError, ParityError, UsageError
from bertbuild.gate.judges import judges
from bertbuild.gate.parity import reference_in_words
from bertbuild.isolation import docker_engine, venv
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.plans.placing import reference_of
from bertbuild.plans.plan import Plan, Step
from bertbuild.plans.wanted import Wanted
from bertbuild.store.records import read_judged, read_records

IN_1, IN_2 = "TensorFlow 1.15.5", "TensorFlow 2.20.0 in v1 mode"


@pytest.fixture
def fleet(tmp_path, isolation, monkeypatch):
    """A small fleet in the current folder; its isolation may be told that it lacks a backend."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    return Fleet(tmp_path)


@pytest.fixture
def make(fleet):
    """Build an IR of the first checkpoint; gives what the result says of its one target."""

    def run(said="", request=None, **more):
        usual = fleet.session
        fleet.session = lambda: replace(usual(), reference=said, **more)
        try:
            wanted = Wanted(checkpoint=str(fleet.folder / "checkpoints" / "one"))
            (target,) = fleet.run(build, wanted, request or Ir())["targets"]
        finally:
            fleet.session = usual
        return target

    return run


def done(fleet):
    return [event["id"] for event in fleet.events.of("stage") if event["state"] == "done"]


def test_where_1_15_can_be_had_it_judges(make, isolation):
    assert make()["references"] == [IN_1]
    assert "tf2" not in isolation.prepared


def test_where_it_cannot_2_20_judges_and_one_note_says_so(make, fleet, isolation):
    isolation.lacking = ("tf1",)
    assert make()["references"] == [IN_2]
    assert isolation.prepared == ["tf2", "openvino", "data"]
    (note,) = [text for text in fleet.events.texts("note") if "Python 3.7" in text]
    assert note.startswith(
        "TensorFlow 1.15 needs Python 3.7 or Docker, and has neither here (no tf1): TensorFlow 2.20 in v1 mode"
    )


def test_what_was_proved_by_2_20_stays_so_when_1_15_appears(make, fleet, isolation):
    isolation.lacking = ("tf1",)
    make()
    isolation.lacking = ()
    assert make()["references"] == [IN_2]
    assert done(fleet) == []
    assert fleet.events.texts("note") == []


@pytest.mark.parametrize("said", [{"said": "1.15"}, {"replace": True}])
def test_until_reference_or_replace_says_otherwise(make, fleet, isolation, said):
    isolation.lacking = ("tf1",)
    make()
    isolation.lacking = ()
    assert make(**said)["references"] == [IN_1]
    assert done(fleet)[0] == "reference"
    assert make()["references"] == [IN_1]


def test_a_target_that_was_proved_by_1_15_is_not_quietly_judged_by_2_20(make, isolation):
    make()
    isolation.lacking = ("tf1",)
    with pytest.raises(InterpreterMissingError, match=r"one is to be judged by TensorFlow 1\.15") as raised:
        make()
    assert "--reference 2.20" in raised.value.next_step
    assert make("2.20")["references"] == [IN_2]
    assert make()["references"] == [IN_2]


def test_nothing_is_looked_for_when_a_record_says_2_20(make, isolation):
    isolation.lacking = ("tf1",)
    make()
    isolation.can_have = None  # to call it would fail
    assert make()["references"] == [IN_2]


def test_both_judge_and_both_must_agree(make, fleet):
    assert make("both")["references"] == [IN_1, IN_2]
    assert {"reference", "reference-2.20"} <= set(done(fleet))
    (verdict,) = fleet.events.of("verdict")
    assert [row["probe"] for row in verdict["rows"] if "2.20.0" in row["probe"]] == [
        f"{row['probe']} with {IN_2}" for row in verdict["rows"] if not row["probe"].endswith((IN_2, "rows alone"))
    ]
    assert make()["references"] == [IN_1, IN_2]
    assert done(fleet) == []


def test_a_second_reference_that_answers_otherwise_fails_the_gate(make, isolation):
    answer = isolation.answer

    def otherwise(run, path):
        isolation.offset = 1e-3 if (run.backend, run.code) == ("tf2", "tf1") else 0.0
        answer(replace(run, code="openvino") if isolation.offset else run, path)

    isolation.answer = otherwise
    with pytest.raises(ParityError, match=r"with TensorFlow 2\.20\.0 in v1 mode differs by 0\.001"):
        make("both")


def test_both_want_what_1_15_wants(make, isolation):
    isolation.lacking = ("tf1",)
    with pytest.raises(
        InterpreterMissingError, match=r"one is to be judged by TensorFlow 1\.15; .* this machine has neither"
    ):
        make("both")


def test_the_verdict_says_when_one_tensorflow_ran_both_sides(make, fleet):
    make("2.20", Frozen())
    assert fleet.events.of("verdict")[0]["one_tensorflow"] is True
    make("2.20")
    assert fleet.events.of("verdict")[0]["one_tensorflow"] is False


def test_two_targets_that_were_proved_by_different_ones_are_not_built_together_without_a_word(make, fleet):
    make("1.15")
    make("2.20", Ir(precision="fp16"))
    both = Ir(precision="fp32,fp16")
    with pytest.raises(UsageError) as raised:
        make(request=both)
    assert str(raised.value) == f"one/ir-fp32 was proved by {IN_1}, ir-fp16 by {IN_2}."
    assert "--reference 1.15, 2.20 or both" in raised.value.next_step
    fleet.build("one/ir-*")  # each by itself


def test_what_truly_needs_1_15_says_why_and_what_to_do(make, isolation):
    isolation.lacking = ("tf1",)
    with pytest.raises(InterpreterMissingError) as raised:
        make(request=NeuronReady())
    assert str(raised.value) == (
        "A model for Neuron is proved in TensorFlow 1.15, because AWS runs it in TensorFlow 1.15; TensorFlow 1.15 "
        "needs Python 3.7 or Docker, and this machine has neither."
    )
    assert raised.value.next_step.endswith("name one in BERTBUILD_PYTHON37, or use --isolation docker.")
    assert raised.value.details == "no tf1"
    with pytest.raises(UsageError, match=r"neuron-ready runs in TensorFlow 1\.15 alone"):
        make("2.20", NeuronReady())
    assert isolation.prepared == []


def test_evaluate_may_leave_neuron_ready_out(fleet, isolation):
    isolation.lacking = ("tf1",)
    plan = Plan(model="one", steps=(Step(id="neuron-ready-float32", stage="neuron-ready", inputs={}),))
    with pytest.raises(InterpreterMissingError) as raised:
        reference.require_1(fleet.session(), plan)
    assert raised.value.next_step.endswith("; or leave neuron-ready out of --target.")


def test_the_build_file_says_which_and_the_command_line_has_the_last_word(fleet):
    fleet.write(TARGETS.replace('kind = "frozen"', 'kind = "frozen"\nreference = "2.20"') + MODELS)
    fleet.build("one")
    found = fleet.status()
    assert found["one/frozen"]["references"] == [IN_2]
    assert found["one/ir-fp32"]["references"] == [IN_1]
    session = fleet.session
    fleet.session = lambda: replace(session(), reference="1.15")
    fleet.build("one")
    fleet.session = session
    assert fleet.status()["one/frozen"]["references"] == [IN_1]


def test_defaults_of_the_build_file_leave_alone_what_has_no_reference(fleet, isolation):
    text = '[defaults]\nreference = "2.20"\n[targets.ready]\nkind = "neuron-ready"\nseq_len = 8\n'
    fleet.write(text + TARGETS + MODELS)
    isolation.lacking = ("tf1",)
    with pytest.raises(BuildFailedError, match="1 of 5 targets is not built"):
        fleet.build()
    assert fleet.status()["one/frozen"]["references"] == [IN_2]


def test_a_look_says_what_a_build_would_do_and_asks_for_nothing(fleet, isolation):
    isolation.lacking = ("tf1",)
    asked = []
    isolation.can_have = lambda backend, on_line: asked.append((backend, on_line)) or False
    would = [row["job"] for row in fleet.dry_run("one")["plan"]]
    assert asked == [("tf1", None)]
    assert "environment tf2" in would
    assert "environment tf1" not in would


def test_a_record_of_before_references_counts_as_1_15(make, fleet):
    make()
    (path,) = (fleet.folder / "artifacts" / "targets").glob("*/*.json")
    value = json.loads(path.read_text())
    for step in value["steps"]:
        del step["backend"]
    del value["target"]["second"]
    del value["verdict"]["references"]
    del value["verdict"]["one_tensorflow"]
    path.write_text(json.dumps(value))
    (record,) = read_records(fleet.session().store)
    assert record.verdict.references == ()
    assert reference_in_words(record.verdict.as_json()) == ""
    assert reference.reference_of(record.plan, record.target) == "1.15"
    assert make()["references"] == [IN_1]
    assert done(fleet) == []


@pytest.fixture
def without_python_3_7(tmp_path, monkeypatch):
    """Virtual environments on a machine that has no Python 3.7, and what uv says when it is to fetch one."""
    told = {"barred": "", "fetched": "no network"}
    monkeypatch.setattr(venv.Fetcher, "barred", lambda _self, _version: told["barred"])
    monkeypatch.setattr(venv.Fetcher, "offered_by", lambda _self, _version: "uv 0.6.17")

    def find(version, fetcher=None):
        told["asked"] = (version, fetcher is not None)
        if fetcher is None or told["fetched"]:
            raise InterpreterMissingError("no", details=told["fetched"] if fetcher else "")
        return "python3.7", "3.7.9"

    monkeypatch.setattr(venv, "find_interpreter", find)
    return VenvIsolation(tmp_path), told


def test_a_build_has_python_3_7_fetched_before_it_does_without(without_python_3_7):
    isolation, told = without_python_3_7
    assert not isolation.can_have("tf1", print)
    assert told["asked"] == ("3.7", True)
    assert isolation.why_not("tf1") == "no network"
    told["fetched"] = ""
    assert isolation.can_have("tf1", print)


def test_a_look_fetches_nothing_and_goes_by_what_could_be_fetched(without_python_3_7):
    isolation, told = without_python_3_7
    assert isolation.can_have("tf1", None)
    assert told["asked"] == ("3.7", False)
    told["barred"] = "offline"
    assert not isolation.can_have("tf1", None)


def test_what_is_there_is_not_looked_for(without_python_3_7, monkeypatch):
    isolation, told = without_python_3_7
    monkeypatch.setattr(isolation, "is_ready", lambda _backend: True)
    assert isolation.can_have("tf1", print)
    assert "asked" not in told


def test_docker_can_have_every_backend():
    assert ComposeIsolation().can_have("tf1", None)


def test_offline_a_missing_image_moves_no_reference_and_is_named_itself(monkeypatch):
    monkeypatch.setattr(docker_engine, "image", lambda _name: None)
    docker = ComposeIsolation(offline=True)
    assert docker.can_have("tf1", None)
    assert [thing.what for thing in docker.lacks("tf1")] == ["image bertbuild/tf1:local"]


def test_without_the_network_what_is_asked_for_beforehand_is_what_the_build_will_run_in(fleet, isolation, monkeypatch):
    asked = []
    session = fleet.session()
    monkeypatch.setattr(session.engine, "require", asked.extend)
    monkeypatch.setattr(offline, "_model", lambda *_: None)
    isolation.lacking = ("tf1",)
    offline.require_stages(session, ["tf1-infer", "examples"])
    entry = entry_of(session, Wanted(model="uncased_L-2_H-128_A-2"), asked_alone(Ir()))
    offline.require_for(session, [entry])
    assert set(asked) == {"tf2", "data", "openvino"}


def test_environments_are_made_but_for_the_one_that_cannot_be(fleet, isolation):
    isolation.lacking = ("tf1",)
    made = fleet.run(environments.images, ())["environments"]
    assert {"tf2", "openvino", "mo", "data"} <= set(made)
    assert "tf1" not in made
    assert len(fleet.events.texts("note")) == 1
    isolation.lacking = ()
    assert "tf1" in fleet.run(environments.images, ())["environments"]


@pytest.mark.parametrize("said", ["1.15", "2.20", "both"])
def test_who_judged_a_target_is_read_as_from_its_whole_record(make, fleet, said):
    make(said)
    store = fleet.session().store
    (record,) = read_records(store, "one")
    ((asked, target),) = read_judged(store, "one")
    assert target == record.target
    assert reference_of(asked, target) == reference_of(record.plan, target) == said
    assert judges(asked, target) == judges(record.plan, target)
