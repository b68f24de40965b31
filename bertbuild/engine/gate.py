"""The gate: a target's answers against its source's, the verdict kept, and the name it earns or loses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.engine.executor import Maker
from bertbuild.engine.order import Order
from bertbuild.engine.remote_object import NONE, RemoteObject
from bertbuild.errors import ParityError
from bertbuild.files.disk import read_json
from bertbuild.gate.answered import answered_in
from bertbuild.gate.judges import is_one_tensorflow, judges, tensorflow_of
from bertbuild.gate.parity import Verdict, compare, compare_under
from bertbuild.graph.processor import has_vnni
from bertbuild.isolation.device import neuron_device
from bertbuild.json_text import parse_json
from bertbuild.kinds import limits
from bertbuild.kinds.ir_request import VNNI
from bertbuild.plans.plan import File, Plan, Target
from bertbuild.stages import FACTS, INSTRUCTIONS, STAGES, host_code
from bertbuild.store.records import read_records, write_record
from bertbuild.store.store import StoredObject
from bertbuild.text import differences
from bertbuild.text.facts import TEXT_GATE_FILE

PARITY = "parity"
NO_DEVICE = "this machine has no Neuron device to run it on"

Results = Mapping[str, StoredObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A target that passed its gate; its verdict is None where it could not be run here, so that nothing is proved.

    `assumed` is that of its plan's target.
    """

    model: str
    target: str
    path: Path
    stored: StoredObject
    verdict: Verdict | None
    assumed: str = ""

    @property
    def told(self) -> Iterator[str]:
        """A line on a head whose kind is assumed, and one on how models that take strings read text."""
        name = f"{self.model}/{self.target}"
        if self.assumed:
            yield assumed_line(name, self.assumed)
        if (self.stored.path / TEXT_GATE_FILE).is_file():
            yield f"{name}: the tokenizer {differences.told(read_json(f'{self.stored.path}/{TEXT_GATE_FILE}'))}"


def assumed_line(name: str, kind: str) -> str:
    """The line on a target with a head whose kind nothing tells."""
    return f"{name}: nothing tells of what kind the head is; it is taken for that of {kind} (--head KIND says which)"


class Judge:
    """Judges targets whose steps have been made."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    @cached_property
    def code(self) -> str:
        """The digest of the gate's code."""
        return keys.code_digest(host_code("bertbuild.gate.parity"))

    def order(self, plan: Plan, target: Target, results: Results, told: Mapping[str, str]) -> Order:
        """The verdict on a target, as a result of its own."""
        sources = {name: results[step] for name, step in judged_from(target).items()}
        parts = keys.components(
            stage=PARITY,
            code=self.code,
            environment={},
            params=judged_by(plan, target),
            inputs={name: source.digest for name, source in sources.items()},
        )
        return Order(stage=PARITY, parts=parts, sources=sources, told=told, shared=True)

    def found(self, order: Order) -> StoredObject | None:
        """The verdict, if the store has it."""
        return self._maker.find(order)

    def found_elsewhere(self, order: Order, make: Callable[[], StoredObject]) -> RemoteObject | None:
        """The same of the remote store; `make` brings it, or judges."""
        return self._maker.found_elsewhere(order, make)

    @property
    def fetches(self) -> bool:
        """Whether a target that only the remote store has is brought here."""
        return self._maker.elsewhere is None or self._maker.elsewhere.fetch != NONE

    def judge(self, order: Order, plan: Plan, target: Target, results: Results, probes: File) -> StoredObject:
        """Compare a target's answers with its source's; the verdict is stored like any other result."""

        def write(work: Path) -> None:
            answers = {step: results[step].path / "answers.npz" for step in target.asked}
            verdict = verdict_on(plan, target, answers, probes)
            (work / "out" / "parity.json").write_text(json.dumps(verdict.as_json(), indent=1) + "\n", encoding="utf-8")

        return self._maker.make(order, write)

    def conclude(self, plan: Plan, target: Target, results: Results, judged: StoredObject) -> Built:
        """Record a verdict, and name the target if it is a good one.

        Raises:
            ParityError: the target does not answer like its source; it has no name from now on.
        """
        verdict = Verdict.from_json(read_json(f"{judged.path}/parity.json"))
        answers = results[target.answers]
        if self.fetches or not isinstance(answers, RemoteObject):
            verdict = with_processor(verdict, answers.path)
        told = verdict.as_json()
        write_record(self._maker.store, plan, target, results, told)
        return self._settled(plan, target, results[target.step], verdict, told)

    def conclude_unverified(self, plan: Plan, target: Target, results: Results) -> Built:
        """Name a target that cannot be run here, and record that nothing is proved; an earlier verdict counts."""
        store, stored = self._maker.store, results[target.step]
        known = next(read_records(store, plan.model, target.name), None)
        if known is not None and known.verdict and known.results[target.step] == (stored.stage, stored.key):
            verdict = known.verdict  # it was run elsewhere, over this store
            return self._settled(plan, target, stored, verdict, verdict.as_json())
        write_record(store, plan, target, results, None)
        link = self._named(plan.model, target.name, stored)
        self._maker.report({"event": "unverified", "model": plan.model, "target": target.name, "reason": NO_DEVICE})
        return Built(
            model=plan.model, target=target.name, path=link, stored=stored, verdict=None, assumed=target.assumed
        )

    def tell(self, target: Target, results: Results, probes: File, told: Mapping[str, str]) -> None:
        """Say how far the answers are that are compared for people to know."""
        for words, prefix in target.told.items():
            reference, answers = (results[step].path / "answers.npz" for step in (target.reference, target.answers))
            found = compare_under(prefix, reference, answers, _read(probes), limits(target.precision))
            worst = {row.output: row.max_abs for row in sorted(found, key=lambda row: row.max_abs)}
            figures = ", ".join(f"{output} max abs {value:.1e}" for output, value in worst.items())
            self._maker.report({"event": "note", "text": f"{words}: {figures}", **told})

    def _settled(
        self, plan: Plan, target: Target, stored: StoredObject, verdict: Verdict, told: Mapping[str, Any]
    ) -> Built:
        store, model = self._maker.store, plan.model
        self._maker.report({"event": "verdict", "model": model, "target": target.name, **told})
        if not verdict.passed:
            store.unlink(model, target.name)
            raise ParityError(
                f"{target.name} of {model} does not answer like its source: {verdict.worst.sentence}.",
                next_step=made_for(plan, target, verdict)
                + f"The result is kept for study, without a name in out/: {stored.path}",
            )
        link = self._named(model, target.name, stored)
        return Built(model=model, target=target.name, path=link, stored=stored, verdict=verdict, assumed=target.assumed)

    def _named(self, model: str, target: str, stored: StoredObject) -> Path:
        """The name of a target in out/; where it stays in the remote store it has none, and would be in this folder."""
        if isinstance(stored, RemoteObject) and not self.fetches:
            return stored.place
        return self._maker.store.link(model, target, stored)


def judged_from(target: Target) -> dict[str, str]:
    """The steps that a verdict on a target is made from, by the names of its inputs."""
    steps = {"reference": target.reference, "answers": target.answers, "target": target.step}
    return steps | {f"second-{name}": step for name, step in target.second.items() if step != steps[name]}


def judged_by(plan: Plan, target: Target) -> dict[str, str]:
    """The parameters of a verdict: the row of the tolerances and what it allows, and whose answers are the source's."""
    return {
        "precision": target.precision,
        "limits": str(limits(target.precision)),
        "reference": ", ".join(filter(None, judges(plan, target))),
    }


def verdict_on(plan: Plan, target: Target, answers: Mapping[str, Path], probes: File) -> Verdict:
    """The answers of a target's steps (step → answers.npz), compared."""
    shown = _read(probes)
    held_to = limits(target.precision)
    verdict = compare(answers[target.reference], answers[target.answers], shown, target.precision, held_to)
    if target.second:
        step = next(step for name, step in target.second.items() if step != getattr(target, name))
        reference, asked = (answers[target.second[name]] for name in ("reference", "answers"))
        second = compare(reference, asked, shown, target.precision, held_to)
        verdict = verdict.and_also(second, tensorflow_of(plan.step(step)))
    names = tuple(filter(None, judges(plan, target)))
    sources = dict.fromkeys((target.reference, target.second.get("reference", target.reference)))
    return replace(
        verdict,
        references=names,
        one_tensorflow=is_one_tensorflow(plan, target),
        answered_by=answered_in(answers[step].parent for step in sources),
    )


def _read(probes: File) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = parse_json(probes.path.read_text(encoding="utf-8"))["probes"]
    return shown


def with_processor(verdict: Verdict, answers: Path) -> Verdict:
    """A verdict with what the stage that answered, into a folder, says of the processor it ran on."""
    facts = read_json(f"{answers}/{FACTS}").get("facts", {})
    return replace(
        verdict,
        instructions=facts.get(INSTRUCTIONS, ""),
        default_precision=facts.get("default_precision", ""),
    )


def made_for(plan: Plan, target: Target, verdict: Verdict) -> str:
    """The sentence that explains a bad verdict on what was made for other processors than it was judged on, or ""."""
    if plan.step(target.step).params.get("int8-for") != VNNI or has_vnni(verdict.instructions):
        return ""
    return f"It was made for processors with VNNI, and this one ({verdict.instructions}) has none: --int8-for any. "


def can_answer(plan: Plan, target: Target) -> bool:
    """Whether a target can be run on this machine: one that runs on a Neuron device needs such a device."""
    return not STAGES[plan.step(target.answers).stage].device or neuron_device() is not None
