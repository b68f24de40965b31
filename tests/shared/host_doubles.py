"""Doubles of the host's tests: an isolation that runs nothing, a listener that remembers, children by fork."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bertbuild.engine.order import Order
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.plans.plan import File, Plan, Source
from bertbuild.stages import STAGES

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
PROBES = [
    {
        "name": "b2_s4",
        "input_ids": [[5, 6, 7, 8], [9, 10, 0, 0]],
        "input_mask": [[1, 1, 1, 1], [1, 1, 0, 0]],
        "segment_ids": [[0, 0, 1, 1], [0, 1, 0, 0]],
    }
]


def golden(name: str, text: str) -> None:
    """Compare with a file of tests/golden; BERTBUILD_UPDATE_GOLDEN=1 writes it instead."""
    path = GOLDEN / name
    if os.environ.get("BERTBUILD_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"not what {path} holds; BERTBUILD_UPDATE_GOLDEN=1 rewrites it"


def facts_of(plan: Any) -> dict[str, Any]:
    """A plan, or what holds one, without what nobody asked of the disk."""
    return asdict(plan, dict_factory=lambda pairs: {name: value for name, value in pairs if name != "stamps" or value})


def golden_plan(name: str, plan: Any) -> None:
    """Compare a plan, or what holds one, with a file of tests/golden: a line for the rest, one a step, one a target."""
    facts = facts_of(plan)
    held = facts.get("plan", facts)
    steps, targets = held.pop("steps"), held.pop("targets")
    where_told = ("assumed", "tokenizer")
    targets = [{name: value for name, value in one.items() if name not in where_told or value} for one in targets]
    lines = [facts, *({"step": step} for step in steps), *({"target": target} for target in targets)]
    golden(f"{name}.jsonl", "".join(json.dumps(line, default=str) + "\n" for line in lines))


class Events(list):
    """A listener that remembers."""

    def __call__(self, event):
        from event_schema import check  # found by pytest alone, and a host_program has no use for it

        check(json.loads(json.dumps(event)))  # what cannot be printed as JSON is not an event
        self.append(dict(event))

    def of(self, kind):
        return [event for event in self if event["event"] == kind]

    def stages(self):
        return [(event["id"], event["state"]) for event in self.of("stage")]

    def done(self):
        return [name for name, state in self.stages() if state == "done"]

    def texts(self, kind):
        return [event["text"] for event in self.of(kind)]


class FakeIsolation:
    """Writes each stage's outputs, made of nothing but its inputs' bytes and its parameters, and counts the runs.

    `behaviour` takes the place of a stage's program: stage name → function of the run.
    """

    name = "fake"
    has_turns = False

    def __init__(self):
        self.runs = []
        self.backends = []  # of each run
        self.prepared = []
        self.expected = []
        self.lacking = ()
        self.lock = "lock-1"
        self.behaviour = {}
        self.ended = False
        self.offset = 0.0  # how far the target's answers are from the source's

    def require(self):
        """Stages can be played anywhere."""

    def is_ready(self, backend):
        return backend in self.prepared

    def can_have(self, backend, on_line):  # noqa: ARG002 - the protocol's
        return backend not in self.lacking

    def why_not(self, backend):
        return f"no {backend}" if backend in self.lacking else ""

    def lacks(self, backend):  # noqa: ARG002 - the protocol's
        return ()

    def require_obtainable(self, backend):
        """All can be had."""

    def prepare(self, backend, on_line):
        on_line(f"making {backend}")
        self.prepared.append(backend)

    def expect(self, backend, code, stage):
        self.expected.append((backend, code, stage))

    def sweep(self, works, locks):
        """Nothing of it outlives its process."""

    def end(self):
        self.ended = True

    def environment(self, backend):
        return {"lock": f"{self.lock} of {backend}"}

    def by_hand(self):
        return []

    def dependencies(self, backend):
        return [{"name": "fake", "uri": f"fake:{backend}"}]

    def run(self, run, on_event):
        spec = next(spec for spec in STAGES.values() if (spec.backend, spec.command) == (run.code, run.stage))
        self.runs.append(spec.name)
        self.backends.append(run.backend)
        on_event({"event": "step", "text": f"doing {spec.name}"})
        run.log.write_text(f"log of {spec.name}\n")
        if spec.name in self.behaviour:
            self.behaviour[spec.name](run)
            return
        for name in spec.outputs:
            path = run.work / "out" / name
            if name == "answers.npz":
                self.answer(run, path)
            else:
                path.write_text(_told(run, name))
        (run.work / "out" / "stage.json").write_text(json.dumps({"stage": spec.name, "now": time.time_ns()}))

    def answer(self, run, path):
        import numpy as np  # not loaded by a build that has nothing to do

        offset = self.offset if run.code == "openvino" else 0.0
        arrays = {}
        for probe in json.loads(run.inputs["probes"].read_text())["probes"]:
            pooled = np.array([[0.25, row / 8 - 0.5] for row in range(len(probe["input_ids"]))], np.float32)
            arrays[f"{probe['name']}/pooled_output"] = pooled + np.float32(offset)
            if run.code == "openvino" and len(pooled) > 1:
                arrays[f"{probe['name']}/alone/pooled_output"] = pooled + np.float32(offset)
        np.savez(path, **arrays)


def _told(run, name):
    inputs = {flag: _content(path) for flag, path in sorted(run.inputs.items())}
    params = {flag: value for flag, value in run.params.items() if flag != "key"}
    return json.dumps([name, inputs, params], sort_keys=True)


def _content(path):
    files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.is_file()]
    kept = [file.read_bytes() for file in files if file.name not in {"stage.json", "manifest.json", "provenance.json"}]
    return hashlib.sha256(b"".join(kept)).hexdigest()


def freezing(source, **asked):
    """The plan of a frozen graph, before anybody asks it."""
    plan = plan_freeze(source, Frozen(**asked), File(path=Path(), digest=""))
    return Plan(model=plan.model, steps=plan.steps[:1])


def ir_order(parts):
    """An IR that is wanted, made of these parts."""
    return Order(stage="ir", parts=parts, sources={}, told={"id": "ir"})


def checkpoint_source(tmp_path, content="weights", **facts):
    """A Source whose checkpoint is a folder with one file."""
    folder = tmp_path / "checkpoint"
    folder.mkdir(exist_ok=True)
    (folder / "weights").write_text(content)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Source(model="toy", kind="checkpoint", file=File(path=folder, digest=digest), **{"gelu": "erf"} | facts)


def probes_file(tmp_path):
    """The probes as the session writes them."""
    path = tmp_path / "probes.json"
    text = json.dumps({"probes": PROBES})
    path.write_text(text)
    return File(path=path, digest=hashlib.sha256(text.encode()).hexdigest())


def in_child(work):
    """Run a function in a forked child of this process; gives the child's id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def exit_code(child):
    """Wait for a child of `in_child`: its exit code, negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_until(true, seconds=60.0):
    """Wait until a function gives something true; gives that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(0.005)
    raise AssertionError(f"{true} did not come true within {seconds} s")


def alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def names(store):
    """The targets that have a name in out/, whatever it points at."""
    return sorted(link.name for link in (store.root / "out").glob("*/*"))
