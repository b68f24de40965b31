"""Runs a plan: each step's result is used if the store has it, else made; a target counts when it passes its gate."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild import key as keys
from bertbuild.config import ROOT
from bertbuild.disk import full_disk_told, raise_if_full
from bertbuild.errors import ParityError, StageError
from bertbuild.isolation.base import Isolation, StageRun
from bertbuild.isolation.device import neuron_device
from bertbuild.parity import Verdict, compare
from bertbuild.plan import File, Plan, Step, Target
from bertbuild.records import read_records, write_record
from bertbuild.stages import STAGES, require_locked, stage_code
from bertbuild.store import Store, StoredObject

Report = Callable[[Mapping[str, Any]], None]
PARITY = "parity"
NO_DEVICE = "this machine has no Neuron device to run it on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A target that passed its gate; its verdict is None where it could not be run here, so that nothing is proved."""

    model: str
    target: str
    path: Path
    stored: StoredObject
    verdict: Verdict | None


class Engine:
    """One store, one isolation, one listener."""

    def __init__(self, store: Store, isolation: Isolation, report: Report) -> None:
        self._store = store
        self._isolation = isolation
        self._report = report
        self._environments: dict[str, dict[str, str]] = {}

    def run(self, plan: Plan) -> dict[str, StoredObject]:
        """The results of all steps, by step id."""
        results: dict[str, StoredObject] = {}
        for step in plan.steps:
            results[step.id] = self._result(step, results)
        return results

    def build(self, plan: Plan, probes: File) -> list[Built]:
        """Make the plan's targets one after the other; each is judged, and named if it passes, before the next begins.

        Raises:
            ParityError: a target does not answer like its source; targets before it keep their names.
        """
        results: dict[str, StoredObject] = {}
        return [self._built(plan, target, results, probes) for target in plan.targets]

    def _built(self, plan: Plan, target: Target, results: dict[str, StoredObject], probes: File) -> Built:
        can_run = can_answer(plan, target)
        needed = (target.step, target.reference, target.answers, *target.told.values()) if can_run else (target.step,)
        for step in plan.needed(*needed):
            if step.id not in results:
                results[step.id] = self._result(step, results)
        return self._gate(plan, target, results, probes) if can_run else self._unverified(plan, target, results)

    def judge(self, target: Target, results: Mapping[str, StoredObject], probes: File) -> Verdict:
        """Compare a target's answers with its source's; the verdict is stored like any other result."""
        reference, answers = results[target.reference], results[target.answers]
        parts = keys.components(
            stage=PARITY,
            code=keys.code_digest([ROOT / "bertbuild" / "parity.py"], ROOT),
            environment={},
            params={"precision": target.precision},
            inputs={"reference": reference.digest, "answers": answers.digest, "target": results[target.step].digest},
        )

        def make(work: Path) -> None:
            verdict = self._compared(target, reference, answers, probes).as_json()
            (work / "out" / "parity.json").write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")

        sources = {"reference": reference, "answers": answers, "target": results[target.step]}
        stored = self.stored(PARITY, parts, make, shown_as=f"parity {target.name}", sources=sources)
        return Verdict.from_json(json.loads((stored.path / "parity.json").read_text(encoding="utf-8")))

    @staticmethod
    def _compared(target: Target, reference: StoredObject, answers: StoredObject, probes: File) -> Verdict:
        shown = json.loads(probes.path.read_text(encoding="utf-8"))["probes"]
        return compare(reference.path / "answers.npz", answers.path / "answers.npz", shown, target.precision)

    def run_again(self, step: Step, results: Mapping[str, StoredObject], destination: Path) -> None:
        """Run a step whether or not the store has its result; what it writes becomes `destination`, a new folder."""
        key = keys.digest(self._parts(step, results))
        with self._store.lock(f"again-{step.stage}", key, on_wait=self._note) as work:
            self._run_stage(step, results, key, work)
            (work / "out").rename(destination)

    def _unverified(self, plan: Plan, target: Target, results: Mapping[str, StoredObject]) -> Built:
        stored = results[target.step]
        known = next(read_records(self._store, plan.model, target.name), None)
        if known is not None and known.verdict and known.results[target.step] == (stored.stage, stored.key):
            return self._settled(plan.model, target, stored, known.verdict)  # it was run elsewhere, over this store
        write_record(self._store, plan, target, results, None)
        link = self._store.link(plan.model, target.name, stored)
        self._report({"event": "unverified", "model": plan.model, "target": target.name, "reason": NO_DEVICE})
        return Built(model=plan.model, target=target.name, path=link, stored=stored, verdict=None)

    def _gate(self, plan: Plan, target: Target, results: Mapping[str, StoredObject], probes: File) -> Built:
        verdict = self.judge(target, results, probes)
        write_record(self._store, plan, target, results, verdict)
        built = self._settled(plan.model, target, results[target.step], verdict)
        self._tell(target, results, probes)
        return built

    def _settled(self, model: str, target: Target, stored: StoredObject, verdict: Verdict) -> Built:
        """Report a verdict, and name the target if it is a good one."""
        self._report({"event": "verdict", "model": model, "target": target.name, **verdict.as_json()})
        if not verdict.passed:
            self._store.unlink(model, target.name)
            worst = verdict.worst
            raise ParityError(
                f"{target.name} of {model} does not answer like its source: {worst.sentence}.",
                next_step=f"The result is kept for study, without a name in out/: {stored.path}",
            )
        link = self._store.link(model, target.name, stored)
        return Built(model=model, target=target.name, path=link, stored=stored, verdict=verdict)

    def _tell(self, target: Target, results: Mapping[str, StoredObject], probes: File) -> None:
        """Say how far the answers are that are compared for people to know."""
        for words, step in target.told.items():
            found = self._compared(target, results[target.reference], results[step], probes)
            worst = {row.output: row.max_abs for row in sorted(found.rows, key=lambda row: row.max_abs)}
            self._note(f"{words}: " + ", ".join(f"{output} max abs {value:.1e}" for output, value in worst.items()))

    def _result(self, step: Step, results: Mapping[str, StoredObject]) -> StoredObject:
        parts = self._parts(step, results)

        def make(work: Path) -> Path:
            return self._run_stage(step, results, keys.digest(parts), work)

        sources = {
            name: source if isinstance(source, File) else results[source] for name, source in step.inputs.items()
        }
        backend = STAGES[step.stage].backend
        return self.stored(step.stage, parts, make, shown_as=step.id, sources=sources, backend=backend)

    def _parts(self, step: Step, results: Mapping[str, StoredObject]) -> dict[str, Any]:
        """What a step's key is made of; its environment is made for that, if need be."""
        spec = STAGES[step.stage]
        return keys.components(
            stage=step.stage,
            code=keys.code_digest(stage_code(spec), ROOT),
            environment=self._environment(spec.backend),
            params=step.params,
            inputs={
                name: source.digest if isinstance(source, File) else results[source].digest
                for name, source in step.inputs.items()
            },
        )

    def stored(
        self,
        stage: str,
        parts: dict[str, Any],
        make: Callable[[Path], Path | None],
        *,
        shown_as: str,
        sources: Mapping[str, File | StoredObject] | None = None,
        backend: str = "",
    ) -> StoredObject:
        """The result under the key of `parts`: the store's, or what `make` puts into the `out` of its work folder.

        Args:
            stage: the stage's name.
            parts: what the key is made of.
            make: given the work folder; gives the log of the stage that it ran, if it did.
            shown_as: what people are told of.
            sources: what it is made from, by the names that `parts` has.
            backend: of the stage; empty for what is made here.
        """
        key = keys.digest(parts)
        event = {"event": "stage", "stage": stage, "id": shown_as, "key": key}
        found = self._store.find(stage, key)
        if found is not None:
            self._report({**event, "state": "cached"})
            return found
        with self._store.lock(stage, key, on_wait=self._note) as work:
            # Another process may have built it meanwhile.
            found = self._store.find_or_set_aside(stage, key, on_damage=self._warn)
            if found is not None:
                self._report({**event, "state": "cached"})
                return found
            self._report({**event, "state": "started"})
            started, began = time.monotonic(), time.time()
            try:
                with full_disk_told(self._store.root):
                    log = make(work)

                def said(files: Mapping[str, Any]) -> Mapping[str, Any]:
                    return self._statement(parts, files, sources or {}, backend, work, log, began)

                stored = self._store.publish(stage, key, work, parts, said)
                self._store.forget_unfinished(stage, key)
            except BaseException:
                self._report({**event, "state": "failed", "seconds": round(time.monotonic() - started, 3)})
                raise
            self._report({**event, "state": "done", "seconds": round(time.monotonic() - started, 3)})
            return stored

    def _statement(
        self,
        parts: Mapping[str, Any],
        files: Mapping[str, Any],
        sources: Mapping[str, File | StoredObject],
        backend: str,
        work: Path,
        log: Path | None,
        began: float,
    ) -> Mapping[str, Any]:
        from bertbuild.provenance.sbom import materials
        from bertbuild.provenance.statement import facts_in, file_named, result_named, statement

        return statement(
            parts=parts,
            files=files,
            inputs=[
                file_named(name, source, self._store.digests)
                if isinstance(source, File)
                else result_named(name, source)
                for name, source in sources.items()
            ],
            materials=materials(backend, self._store.root) if backend else None,
            facts=facts_in(work / "out"),
            log=log,
            started=began,
            finished=time.time(),
            run=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(began))}-{os.getpid()}",
        )

    def _run_stage(self, step: Step, results: Mapping[str, StoredObject], key: str, work: Path) -> Path:
        spec = STAGES[step.stage]
        log = self._store.logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{spec.name}-{key[:12]}.log"
        run = StageRun(
            backend=spec.backend,
            stage=spec.command,
            inputs=_paths(step, results),
            params={**step.params, **step.limits, "key": key},
            work=work,
            log=log,
            device=spec.device,
            unfinished=self._store.unfinished(step.stage, key) if spec.resumable else None,
            workers=int(step.params.get("workers", 1)) if spec.distributed else 1,
        )
        refusals: list[str] = []

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "refused":
                refusals.append(event["text"])
            else:
                self._report({**event, "stage": spec.name})

        try:
            self._isolation.run(run, on_event)
        except StageError as error:
            raise_if_full(error, self._store.root)
            if refusals:  # its own sentence says more than that it failed
                end = "" if refusals[-1].endswith((".", "?")) else "."
                message = f"The stage {spec.name} stopped: {refusals[-1]}{end}"
                raise StageError(message, next_step=error.next_step, details=error.details) from error
            raise
        missing = [name for name in (*spec.outputs, "stage.json") if not (work / "out" / name).is_file()]
        if missing:
            raise StageError(
                f"The stage {spec.name} ended without an error but wrote no {missing[0]}.", next_step=f"Its log: {log}"
            )
        return log

    def prepare(self, backend: str) -> None:
        """Make a backend's environment if it is not as it should be."""
        if not self._isolation.is_ready(backend):
            require_locked(backend)
            event = {"event": "environment", "backend": backend, "isolation": self._isolation.name}
            self._report({**event, "state": "started"})
            started = time.monotonic()
            self._isolation.prepare(backend, lambda line: self._report({**event, "state": "line", "text": line}))
            self._report({**event, "state": "done", "seconds": round(time.monotonic() - started, 3)})

    def _environment(self, backend: str) -> dict[str, str]:
        if backend not in self._environments:
            self.prepare(backend)
            self._environments[backend] = self._isolation.environment(backend)
        return self._environments[backend]

    def _note(self, text: str) -> None:
        self._report({"event": "note", "text": text})

    def _warn(self, text: str) -> None:
        self._report({"event": "warning", "text": text})


def can_answer(plan: Plan, target: Target) -> bool:
    """Whether a target can be run on this machine: one that runs on a Neuron device needs such a device."""
    return not STAGES[plan.step(target.answers).stage].device or neuron_device() is not None


def _paths(step: Step, results: Mapping[str, StoredObject]) -> dict[str, Path]:
    return {
        name: source.path if isinstance(source, File) else results[source].path for name, source in step.inputs.items()
    }
