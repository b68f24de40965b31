"""One result at a time: the store's, if it has it, else what its stage makes in its isolation."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bertbuild import keys
from bertbuild.backends import require_locked
from bertbuild.engine.memory import Measured, Phases, require_room
from bertbuild.engine.order import Inputs, Order, figures_of, input_bytes, made_by
from bertbuild.engine.remote_object import ALL, RemoteObject
from bertbuild.errors import BertbuildError, Interrupted, NoSpaceError, StageError
from bertbuild.files.disk import full_disk_told, no_space, raise_if_full
from bertbuild.graph.processor import instruction_set
from bertbuild.isolation.base import Isolation, StageRun
from bertbuild.plans.carrying import TEXT, VOCAB, carries_text, seen_by_stage
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File, Step
from bertbuild.stages import FACTS, INSTRUCTIONS, PROVENANCE, STAGES, StageSpec, is_by_processor, stage_code
from bertbuild.store.inputs import changed_since
from bertbuild.store.other_keys import OtherKeys
from bertbuild.store.store import Store, StoredObject, remove_tree

if TYPE_CHECKING:
    from bertbuild.engine.dispatch import Dispatcher
    from bertbuild.engine.elsewhere import Elsewhere
    from bertbuild.provenance.statement import Input
    from bertbuild.remote.statement import Statement

Report = Callable[[Mapping[str, Any]], None]
Looked = TypeVar("Looked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What there is to say of a result that was just written.

    Attributes:
        log: of the stage that wrote it, if one did.
        made: of the files that the host added to, their sha256 as the stage wrote them.
        linked: files of another result that have become files of this one too, and their sha256.
        waited: seconds that the stage waited for its turn.
    """

    log: Path | None = None
    made: Mapping[str, str] = field(default_factory=dict)
    linked: Mapping[Path, str] = field(default_factory=dict)
    waited: float = 0.0


NOTHING_TO_SAY = Written()
Write = Callable[[Path], Written | None]
"""Makes a result in the `out` of its work folder."""

CHECKPOINT = {"checkpoint"}
"""What a stage calls the one input that it holds in memory, or makes what it holds of."""


class Maker:
    """One store, one isolation, one listener. Several threads may ask it for different results at once."""

    def __init__(
        self,
        store: Store,
        isolation: Isolation,
        report: Report,
        run: str,
        elsewhere: Elsewhere | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        """`run` is the id of the command's run; `elsewhere` the remote store, where there is one; `dispatcher` has
        other machines run stages, with a remote store alone.
        """
        self.store, self.elsewhere, self.dispatcher = store, elsewhere, dispatcher
        self.look_ahead: Callable[[], None] = _look_at_nothing
        self._run_id = run
        self.report = report
        self.measured = Measured(store.root / "cache" / "measured.json")
        self._isolation = isolation
        self._ending = threading.Event()
        self._full = threading.Event()
        self._environments: dict[str, dict[str, str]] = {}
        self._codes: dict[str, str] = {}
        self._told_of_other_keys, self._other_keys = False, OtherKeys(store)

    def end(self) -> None:
        """End all that is being made in other threads."""
        self._ending.set()
        if self.dispatcher is not None:
            self.dispatcher.end()
        self._isolation.end()

    @property
    def is_ending(self) -> bool:
        """Whether `end` was called."""
        return self._ending.is_set()

    @property
    def run_id(self) -> str:
        """The id of the command's run."""
        return self._run_id

    @property
    def used_isolation(self) -> bool:
        """Whether a backend's environment was ready and asked for its facts."""
        return bool(self._environments)

    @property
    def fetches_all(self) -> bool:
        """Whether every result that only the remote store has is brought here."""
        return self.elsewhere is not None and self.elsewhere.fetch == ALL

    def is_ready(self, backend: str) -> bool:
        """Whether a backend's environment is as it should be."""
        return self._isolation.is_ready(backend)

    def require_obtainable(self, backend: str) -> None:
        """See `Isolation.require_obtainable`."""
        self._isolation.require_obtainable(backend)

    def prepare(self, backend: str) -> None:
        """Make a backend's environment."""
        require_locked(backend)
        event = {"event": "environment", "backend": backend, "isolation": self._isolation.name}
        event["job"] = f"environment {backend}"
        record = f"{self._isolation.name} {backend}"
        self.report({**event, "state": "started", **expects(self.measured.seconds(record))})
        started = time.monotonic()
        self._isolation.prepare(backend, lambda line: self.report({**event, "state": "line", "text": line}))
        seconds = round(time.monotonic() - started, 3)
        self.measured.remember(record, 0, 0, seconds)
        self.report({**event, "state": "done", "seconds": seconds})

    def order(self, step: Step, inputs: Inputs, told: Mapping[str, str]) -> Order:
        """What a step makes of these inputs; its environment must be ready."""
        backend = backend_of(step)
        parts = keys.components(
            stage=step.stage,
            code=self.code(step.stage),
            environment=self.environment(backend, made_by(inputs)),
            params=step.params,
            inputs={name: source.digest for name, source in inputs.items()},
        )
        return Order(stage=step.stage, parts=parts, sources=inputs, told=told, backend=backend, shared=True)

    def environment(self, backend: str, made_by: Iterable[str] = ()) -> dict[str, str]:
        """The facts that pin a backend's environment, which must be ready.

        Where what a step reads was made by a stage whose results depend on the processor, its instruction set is one.
        """
        if backend not in self._environments:
            self._environments[backend] = self._isolation.environment(backend)
        facts = self._environments[backend]
        return facts | {INSTRUCTIONS: instruction_set()} if is_by_processor(made_by) else facts

    def code(self, stage: str) -> str:
        """The digest of a stage's code."""
        if stage not in self._codes:
            self._codes[stage] = keys.code_digest(stage_code(STAGES[stage]))
        return self._codes[stage]

    def find(self, order: Order) -> StoredObject | None:
        """The store's result, if it has one that is whole."""
        found = self.store.find(order.stage, order.key)
        if found is None and order.backend and TEXT not in order.parts["params"]:
            found = self.store.alike(order.stage, order.parts)
        if found is not None:
            self.tell(order, "cached")
        return found

    def found_elsewhere(self, order: Order, make: Callable[[], StoredObject]) -> RemoteObject | None:
        """The remote store's result, whose files are not here yet; `make` is to bring them, or to make them."""
        statement = self.stated_elsewhere(order)
        if statement is None or self.elsewhere is None:
            return None
        self.elsewhere.keep(statement)
        self.tell(order, "cached", remote=self.elsewhere.address)
        return RemoteObject(statement, self.store.objects / order.stage / order.key, make)

    def stated_elsewhere(self, order: Order) -> Statement | None:
        """What the remote store says of a result; None where it has none to be used."""
        if self.elsewhere is None or not order.shared:
            return None
        if not self.elsewhere.asked(order.stage, order.key):
            self.look_ahead()  # all others whose keys are known are asked for with it
            self.elsewhere.ask([(order.stage, order.key)])
        return self.elsewhere.statement(order.stage, order.key)

    def make(self, order: Order, write: Write, copy: Callable[[Path], Written | None] | None = None) -> StoredObject:
        """What `write` puts into the `out` of its work folder, published; or what another process made meanwhile.

        `copy` is asked first: where it gives something, the store had what is wanted, and nothing runs.
        """
        from concurrent.futures import ThreadPoolExecutor

        note, warn = (partial(self._say, kind, order) for kind in ("note", "warning"))
        with self.store.lock(order.stage, order.key, on_wait=note) as work:
            found = self.store.find_or_set_aside(order.stage, order.key, on_damage=warn)
            if found is not None:
                self.tell(order, "cached")
                return found
            brought = self._brought(order, work)
            if brought is not None:
                return brought
            try:
                with full_disk_told(self.store.root):
                    copied = copy(work) if copy else None
            except NoSpaceError:
                self._full.set()  # as in `_telling`
                raise
            if copied is None:
                self._tell_of_other_keys(order)
            began = time.time()
            with self._telling(order, runs=copied is None) as figures:
                with ThreadPoolExecutor(max_workers=1) as pool, full_disk_told(self.store.root):
                    naming = pool.submit(self._named, order)  # files are hashed while the stage runs, which reads them
                    written = copied or self._written(order, write, work)
                    named = naming.result()

                def said(files: Mapping[str, Any]) -> Mapping[str, Any]:
                    return self._statement(order, named, files, work / "out", written.log, began)

                stored = self.store.publish(
                    order.stage,
                    order.key,
                    work,
                    order.parts,
                    said,
                    isolation=self._place(order),
                    made=written.made,
                )
                for path, sha256 in written.linked.items():  # a new link is news to `stat`
                    self.store.digests.remember(path, sha256)
                self.store.forget_unfinished(order.stage, order.key)
                figures.update(figures_of(stored), waited=written.waited)
        if self.elsewhere is not None and order.shared:
            self.elsewhere.push(stored, order.told)
        return stored

    def _written(self, order: Order, write: Write, work: Path) -> Written:
        """What `write` says of what it made, if it made it from the bytes that the key was made of.

        Raises:
            StageError: a file of the source was changed meanwhile; what that made of the stage is its detail.
        """
        try:
            written = write(work) or NOTHING_TO_SAY
        except (NoSpaceError, Interrupted):
            raise
        except BertbuildError as error:
            self._require_unchanged(order, error.details or str(error))
            raise
        self._require_unchanged(order)
        return written

    def _require_unchanged(self, order: Order, details: str = "") -> None:
        for source in order.sources.values():
            changed = changed_since(source, self.store.inputs) if isinstance(source, File) else None
            if changed is not None:
                raise StageError(
                    f"{changed} was changed while {order.stage} read it.",
                    next_step="Run the same command again once nothing writes there.",
                    details=details,
                )

    def _brought(self, order: Order, work: Path) -> StoredObject | None:
        """The result, brought from the remote store into the work folder and published; None where it has none."""
        if self.elsewhere is None or not order.shared:
            return None
        with full_disk_told(self.store.root):
            found = self.elsewhere.bring(order.stage, order.key, work, order.told)
        if found is not None:
            self.tell(order, "cached", remote=self.elsewhere.address)
        return found

    @contextlib.contextmanager
    def _telling(self, order: Order, *, runs: bool) -> Iterator[dict[str, Any]]:
        """Tell that something is begun and how it ended; what is put into the dictionary is told at the end.

        Where nothing runs, it is told as what the store had.
        """
        if runs:
            before = self.measured.seconds(order.stage, input_bytes(order.sources)) if order.backend else None
            memory = {"memory": self.expected_memory(order)} if order.backend else {}
            self.tell(order, "started", **memory, **expects(before))
        started = time.monotonic()
        figures: dict[str, Any] = {}
        try:
            yield figures
        except BaseException as error:
            if isinstance(error, NoSpaceError):
                self._full.set()  # before the work folder goes, and others find space again
            state = "interrupted" if self._ending.is_set() else "failed"
            self.tell(order, state, seconds=round(time.monotonic() - started, 3), message=str(error))
            raise
        seconds = time.monotonic() - started - figures.pop("waited", 0.0)
        if runs:
            self.tell(order, "done", seconds=round(seconds, 3), **figures)
        else:
            self.tell(order, "cached")

    def stored(self, order: Order, write: Write) -> StoredObject:
        """The store's result, or else what `make` makes."""
        return self.find(order) or self.make(order, write)

    def made(self, order: Order, step: Step, turn: Callable[[], None] | None = None) -> StoredObject:
        """The result of a step that the store does not have; `turn`: see `StageRun`."""
        took: list[float] = []

        def write(work: Path) -> Written:
            began = time.monotonic()
            written = self._run(order, step, work, turn)
            took.append(time.monotonic() - began - written.waited)
            return written

        stored = self.make(order, write, lambda work: self._with_other_text(order, step, work))
        peak = figures_of(stored).get("peak_memory")
        if took and peak:  # its stage ran here
            self.measured.remember(step.stage, input_bytes(order.sources), peak, took[0])
        return stored

    def again(self, step: Step, inputs: Inputs, told: Mapping[str, str], look: Callable[[Path], Looked]) -> Looked:
        """Run a step whether or not the store has its result; gives what `look` sees in the folder that it wrote."""
        order = self.order(step, inputs, told)
        with self.store.lock(f"again-{step.stage}", order.key, on_wait=partial(self._say, "warning", order)) as work:
            self._written(order, lambda there: self._run(order, step, there), work)
            return look(work / "out")

    def asked_again(self, step: Step, inputs: Inputs, told: Mapping[str, str], destination: Path) -> None:
        """The same; what the step wrote becomes `destination`, and its beginning and end are told."""
        order = self.order(step, inputs, told)
        with (
            self.store.lock(f"again-{step.stage}", order.key, on_wait=partial(self._say, "warning", order)) as work,
            self._telling(order, runs=True),
        ):
            self._written(order, lambda there: self._run(order, step, there), work)
            (work / "out").rename(destination)

    def expected_memory(self, order: Order) -> int:
        """Bytes that a stage is expected to take while it makes this."""
        return self.measured.expected(STAGES[order.stage], input_bytes(order.sources))

    def _named(self, order: Order) -> list[Input]:
        from bertbuild.provenance.statement import file_named, result_named

        try:
            return [
                file_named(name, source, self.store.digests) if isinstance(source, File) else result_named(name, source)
                for name, source in order.sources.items()
            ]
        except FileNotFoundError as error:
            raise StageError(
                f"{error.filename} went away while {order.stage} was made from it.",
                next_step="Bring it back, and run the same command again.",
            ) from error

    def _statement(
        self, order: Order, inputs: list[Input], files: Mapping[str, Any], out: Path, log: Path | None, began: float
    ) -> Mapping[str, Any]:
        """How a result was made, for provenance.json."""
        from bertbuild.provenance.sbom import materials
        from bertbuild.provenance.statement import facts_in, statement

        return statement(
            parts=order.parts,
            files=files,
            inputs=inputs,
            isolation=self._place(order),
            environment=self._isolation.dependencies(order.backend) if order.backend else (),
            materials=materials(order.backend, self.store.root) if order.backend else None,
            facts=facts_in(out),
            log=log,
            started=began,
            finished=time.time(),
            run=self._run_id,
        )

    def _place(self, order: Order) -> str:
        """The name of the place where a result is made; "" for what the host makes itself."""
        return self._isolation.name if order.backend else ""

    def _with_other_text(self, order: Order, step: Step, work: Path) -> Written | None:
        """What a step makes, where the store has it with other text or none; its stage is not run."""
        alike = self.store.alike(order.stage, order.parts) if carries_text(step) else None
        if alike is None:
            return None
        from bertbuild.engine.carried import copy_computed

        files, out = alike.manifest["files"], work / "out"
        theirs = {name: entry for name, entry in files.items() if name != PROVENANCE}
        if not copy_computed(theirs, alike.path, out):
            remove_tree(out)
            out.mkdir()
            return None
        linked = {alike.path / name: entry["sha256"] for name, entry in theirs.items() if "made" not in entry}
        return Written(made=self._carried(order, step, out), linked=linked)

    def _carried(self, order: Order, step: Step, out: Path) -> Mapping[str, str]:
        """Add the text that a step's result carries; gives what was there before."""
        from bertbuild.engine.carried import carry, clean

        if not carries_text(step):
            clean(out)
            return {}
        return carry(out, step.params[TEXT], order.sources[VOCAB].path)

    def stage_log(self, order: Order) -> Path:
        """The file for what a stage that begins now says."""
        return self.store.logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{order.stage}-{order.key[:12]}.log"

    def _run(self, order: Order, step: Step, work: Path, turn: Callable[[], None] | None = None) -> Written:
        """Run a step."""
        waited: list[float] = []

        def wait(turn: Callable[[], None]) -> None:
            began = time.monotonic()
            turn()
            waited.append(time.monotonic() - began)

        spec = STAGES[step.stage]
        require_room(spec.name, input_bytes({name: order.sources[name] for name in CHECKPOINT & order.sources.keys()}))
        log = self.stage_log(order)
        run = StageRun(
            backend=order.backend,
            stage=spec.command,
            code=spec.backend,
            inputs={name: source.path for name, source in seen_by_stage(order.sources, step).items()},
            params={**seen_by_stage(step.params, step), **step.limits, "key": order.key},
            work=work,
            log=log,
            device=spec.device,
            unfinished=self.store.unfinished(step.stage, order.key) if spec.resumable else None,
            workers=int(step.params.get("workers", 1)) if spec.distributed else 1,
            turn=partial(wait, turn) if turn else None,
        )
        self._run_in_isolation(order, spec, run)
        if keys.code_digest(stage_code(spec)) != order.parts["code"]:  # the key would tell of other code
            raise StageError(
                f"The code of the stage {spec.name} was changed while it ran.", next_step="Run the same command again."
            )
        missing = [name for name in (*spec.outputs, FACTS) if not (work / "out" / name).is_file()]
        if missing:
            raise StageError(
                f"The stage {spec.name} ended without an error but wrote no {missing[0]}.", next_step=f"Its log: {log}"
            )
        return Written(log=log, made=self._carried(order, step, work / "out"), waited=sum(waited))

    def _run_in_isolation(self, order: Order, spec: StageSpec, run: StageRun) -> None:
        refusals: list[str] = []
        told = {name: value for name, value in order.told.items() if name != "id"}

        phases = Phases(self.measured, spec.name, input_bytes(order.sources))

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "refused":
                refusals.append(event["text"])
            else:
                self.report({**event, **phases.expects(event), "stage": spec.name, **told})

        try:
            self._isolation.run(run, on_event)
            phases.end()
        except StageError as error:
            raise_if_full(error, self.store.root)
            if self._full.is_set():
                raise no_space(self.store.root, error.details) from error
            if refusals:  # its own sentence says more than that it failed
                end = "" if refusals[-1].endswith((".", "?")) else "."
                message = f"The stage {spec.name} stopped: {refusals[-1]}{end}"
                raise StageError(message, next_step=error.next_step, details=error.details) from error
            raise

    def tell(self, order: Order, state: str, **figures: Any) -> None:
        """Report a state that an order came to."""
        event = {"event": "stage", "stage": order.stage, "key": order.key, "state": state}
        self.report({**event, **order.told, **figures})

    def _tell_of_other_keys(self, order: Order) -> None:
        """Say once why what another version of bertbuild made is made again."""
        if self._told_of_other_keys:
            return
        found = self._other_keys.format(order.stage, order.parts)
        if found is not None:
            self._told_of_other_keys = True
            self._say(
                "note",
                order,
                f"another version of bertbuild made results in this store (key format {found}, now {keys.KEY_FORMAT}): "
                "what is asked for is built again, and gc removes the old results",
            )

    def _say(self, kind: str, order: Order, text: str) -> None:
        """A note or a warning, with the job and the model that it is about."""
        told = {name: value for name, value in order.told.items() if name in ("job", "model")}
        self.report({"event": kind, "text": text, **told})


def _look_at_nothing() -> None:
    """Ask the remote store of nothing more."""


def expects(seconds: float | None) -> dict[str, float]:
    """How long something took before, as its events tell it; nothing where no record does."""
    return {} if seconds is None else {"expects": seconds}
