"""fetch, inspect, freeze, build-ir, export, neuron-ready, neuron-compile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bertbuild.errors import CheckpointError, UsageError
from bertbuild.judging import NO_DEVICE
from bertbuild.plan import INT8, File, FreezeRequest, IrRequest, Plan, Source, plan_freeze
from bertbuild.plan_int8 import CalibrationRequest, check_request, plan_irs
from bertbuild.plan_neuron import (
    CompileRequest,
    ExportRequest,
    NeuronRequest,
    plan_export,
    plan_neuron_compile,
    plan_neuron_ready,
)
from bertbuild.session import Session, shown
from bertbuild.sources import Wanted, checkpoint_folder, fetch_model, resolve


def fetch(session: Session, models: tuple[str, ...]) -> None:
    """Bring models of the catalogue to disk."""
    if not models:
        raise UsageError(
            "Name what to fetch: a model of the catalogue.",
            next_step="For instance --model minilm-l6; --list shows every name.",
        )
    folders = {name: str(fetch_model(name, session.settings, session.store, session.report)) for name in models}
    session.result({"folders": folders}, *(f"{name}: {shown(Path(folder))}" for name, folder in folders.items()))


def list_models(session: Session) -> None:
    """Show the catalogue."""
    from bertbuild.catalogue.models import load_models

    models = load_models().values()
    session.report(
        {
            "event": "table",
            "title": "models that --model knows",
            "columns": ["name", "also", "what it is", "licence"],
            "rows": [[model.name, ", ".join(model.aliases), model.title, model.licence] for model in models],
        }
    )


def inspect(session: Session, wanted: Wanted) -> None:
    """Show what a checkpoint is, and every problem it has.

    Raises:
        CheckpointError: it has one.
    """
    from bertbuild.checkpoint.inspection import inspect_checkpoint
    from bertbuild.report.inspection import inspection_tables

    if bool(wanted.model) == bool(wanted.checkpoint):
        raise UsageError(
            "Name what to inspect: a checkpoint or a model of the catalogue.",
            next_step="For instance: invoke inspect --checkpoint FOLDER, or invoke inspect --model minilm-l6.",
        )
    folder, _ = checkpoint_folder(wanted, session.settings, session.store, session.engine, session.report)
    inspection = inspect_checkpoint(folder)
    facts = inspection.to_json()
    for table in inspection_tables(facts):
        session.report(table)
    if not inspection.sound:
        session.report({"event": "inspection", **facts})
        raise CheckpointError(
            f"The checkpoint {inspection.files.prefix} has {len(inspection.problems)} problem(s).",
            next_step="Get a sound copy; nothing can be built from this one.",
            details="\n".join(inspection.problems),
        )
    session.result({"inspection": facts}, "sound: nothing is wrong with it")


def freeze(session: Session, wanted: Wanted, request: FreezeRequest) -> None:
    """Make the frozen graph, judge it, and name it in out/.

    Raises:
        ParityError: it does not answer like its source.
    """

    def make_plan(source: Source, probes: File) -> Plan:
        return plan_freeze(source, request, probes)

    _build(session, wanted, make_plan, main_file="/inference_graph.pb")


def build_ir(session: Session, wanted: Wanted, request: IrRequest, calibrated: CalibrationRequest) -> None:
    """Make the IR of each precision, judge it, and name it in out/; `calibrated` says what int8 is calibrated on.

    Raises:
        DataError: that cannot be used.
        ParityError: it does not answer like its source.
    """
    check_request(request, calibrated)

    def make_plan(source: Source, probes: File) -> Plan:
        calibration = None
        if INT8 in request.precisions:
            from bertbuild.calibration import find_calibration

            calibration = find_calibration(calibrated, source, request, session.store)
        return plan_irs(source, request, probes, calibration)

    _build(session, wanted, make_plan, main_file="/model.xml")


def export(session: Session, wanted: Wanted, request: ExportRequest) -> None:
    """Make the SavedModel that google-research/bert would export, judge it, and name it in out/.

    Raises:
        ParityError: it does not answer like its source.
    """
    _build(session, wanted, lambda source, probes: plan_export(source, request, probes), longest=request.seq_len)


def neuron_ready(session: Session, wanted: Wanted, request: NeuronRequest) -> None:
    """Make the SavedModel that is ready for the Neuron compiler, judge it, and name it in out/.

    Raises:
        ParityError: it does not answer like its source.
    """
    longest = request.export.seq_len
    _build(session, wanted, lambda source, probes: plan_neuron_ready(source, request, probes), longest=longest)


def neuron_compile(session: Session, wanted: Wanted, request: CompileRequest) -> None:
    """Judge what is to be compiled, compile it, and judge the compiled model where a Neuron device can run it.

    Raises:
        ParityError: one of the two does not answer like its source.
    """
    longest = request.ready.export.seq_len
    _build(session, wanted, lambda source, probes: plan_neuron_compile(source, request, probes), longest=longest)


def _build(
    session: Session,
    wanted: Wanted,
    make_plan: Callable[[Source, File], Plan],
    *,
    main_file: str = "",
    longest: int = 0,
) -> None:
    """Resolve the source, build every target of its plan, and say where they are.

    Args:
        session: of the command.
        wanted: the source.
        make_plan: from source and probes to the plan.
        main_file: what people open in a target, where it is not the folder.
        longest: the only sequence length the targets take, or 0: no probe is longer.
    """
    inspected = resolve(wanted, session.settings, session.store, session.engine, session.report)
    probes = session.probes(inspected, longest)
    plan = make_plan(inspected.source, probes)
    built = session.engine.build(plan, probes)
    targets = [
        {
            "target": target.target,
            "path": str(target.path),
            "key": target.stored.key,
            "verified": target.verdict is not None,
            "max_abs": target.verdict.worst.max_abs if target.verdict else None,
        }
        for target in built
    ]
    lines = [
        f"{shown(target.path)}{main_file}" + ("" if target.verdict else f"   NOT VERIFIED: {NO_DEVICE}")
        for target in built
    ]
    session.result({"model": plan.model, "targets": targets}, *lines)
