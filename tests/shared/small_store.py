"""A store filled by hand: targets made of four small results, their verdict, inspection, record and name."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from host_doubles import exit_code, in_child

from bertbuild.keys import components, digest
from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.store.records import write_record
from bertbuild.store.store import Store

DAY = 86400


def make(store, stage, content, *, inputs=None, params=None, code="c", slow=None, statement=None):
    """A result as the engine makes it: found, or built under its lock. `slow` is done while it is made.

    `statement`: the results that its provenance.json names.
    """
    parts = components(stage=stage, code=code, environment={}, params=params or {}, inputs=inputs or {})
    key = digest(parts)
    if (found := store.find(stage, key)) is not None:
        return found
    with store.lock(stage, key, on_wait=len) as work:
        if (found := store.find_or_set_aside(stage, key, on_damage=pytest.fail)) is not None:
            return found
        (work / "out" / "content").write_text(content)
        (work / "out" / "stage.json").write_text("{}")
        if slow is not None:
            slow()
        named = [{"annotations": {"stage": other.stage, "key": other.key}} for other in statement or ()]
        said = {"predicate": {"buildDefinition": {"resolvedDependencies": named}}}
        return store.publish(stage, key, work, parts, None if statement is None else lambda _: said)


def build(store, target="ir-fp32", *, model="toy", name=True, code="c", download="", of=None, slow=None):
    """A target with all that belongs to it, `of` a result whose folder is its checkpoint; gives its results by step."""
    source = "sources of " + model
    probes = store.root / "probes" / f"{model}.json"
    store.use(probes)
    probes.parent.mkdir(exist_ok=True)
    probes.write_text("{}")
    make(store, "inspect", "sound", inputs={"checkpoint": source}, params={"prefix": "p"}, code=code)
    frozen = make(store, "freeze", model, inputs={"checkpoint": source}, code=code, slow=slow)
    made = make(store, "ir", f"{model} {target}", inputs={"frozen": frozen.digest}, params={"p": target}, code=code)
    assert (frozen.path / "content").read_text() == model  # it is still there
    reference = make(store, "tf1-infer", f"answers of {model}", inputs={"checkpoint": source, "probes": "p"}, code=code)
    answers = make(
        store, "openvino-infer", f"answers of {target}", inputs={"ir": made.digest, "probes": "p"}, code=code
    )
    asked = {"reference": reference.digest, "answers": answers.digest, "target": made.digest}
    make(store, "parity", "passed", inputs=asked, params={"precision": target}, code=code)
    results = {"freeze": frozen, target: made, "reference": reference, "answers": answers}
    place = store.root.resolve() / "downloads" / download if download else Path("/else")
    checkpoint = File(path=of.path if of else place, digest=source)
    asked_with = File(path=probes.resolve(), digest="p")
    steps = (
        Step(id="freeze", stage="freeze", inputs={"checkpoint": checkpoint}),
        Step(id=target, stage="ir", inputs={"frozen": "freeze"}),
        Step(id="reference", stage="tf1-infer", inputs={"checkpoint": checkpoint, "probes": asked_with}),
        Step(id="answers", stage="openvino-infer", inputs={"ir": target, "probes": asked_with}),
    )
    goal = Target(name=target, step=target, reference="reference", answers="answers", precision="fp32")
    write_record(store, Plan(model=model, steps=steps, targets=(goal,)), goal, results, None)
    if name:
        store.link(model, target, made)
    else:
        store.unlink(model, target)  # as the engine does with what fails its gate
    return results


def built(root, *args, **more):
    """The same by a process that has ended, so that it uses nothing any more."""
    assert exit_code(in_child(lambda: build(Store(root), *args, **more))) == 0


def aged(root, days):
    """All that is in a store was used that long ago."""
    then = time.time() - days * DAY
    for path in root.rglob("*"):
        if path.name not in ("in-use", "manifest.json"):
            os.utime(path, (then, then), follow_symlinks=False)


def listing(root, *, without=("cache", "locks")):
    """Everything in a store: path → what it points at, or what it holds."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.split("/", maxsplit=1)[0] not in without:
            found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


def objects(root):
    """How many results each stage has."""
    found = {}
    for path in (root / "objects").glob("*/*"):
        found[path.parent.name] = found.get(path.parent.name, 0) + 1
    return found


@contextlib.contextmanager
def while_it_runs(work):
    """A process that does `work` and then goes on until the end of the block."""
    told, tell = os.pipe()
    end, go_on = os.pipe()

    def play():
        os.close(go_on)
        kept = work()  # noqa: F841 - held until the end
        os.write(tell, b".")
        os.read(end, 1)

    child = in_child(play)
    os.close(tell)
    os.close(end)
    try:
        assert os.read(told, 1) == b"."
        yield child
    finally:
        with contextlib.suppress(BrokenPipeError):  # it was killed
            os.write(go_on, b".")
        os.close(go_on)
        os.close(told)
        exit_code(child)
