"""From what is wanted of AWS Neuron to the stages that make it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import dataclass, field

from bertbuild.errors import UsageError
from bertbuild.keys import digest
from bertbuild.plans.plan import File, Plan, Source, Step, Target, check_choice, check_output, check_seq_len

OUTPUTS = ("probabilities", "pooled", "sequence")
DTYPES = ("float16", "float32")
EXACT = "exact"
NEURON_GELU_FORMS = (EXACT, "tanh", "sigmoid")
SEQ_LEN = 128
BATCH_SIZE = 4
TIMEOUT = 36000
MIN_ON_NEURON = "0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What an exported SavedModel is to be like.

    Attributes:
        seq_len: sequence length; 0 is 128, or for a SavedModel its own.
        output: some of `OUTPUTS` with commas; empty is what the source is made for.
    """

    seq_len: int = 0
    output: str = ""

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("output", tuple(filter(None, self.output.split(","))), OUTPUTS)
        if self.seq_len < 0:
            raise UsageError("A sequence length below 0 means nothing.", next_step="Give 1 or more, or leave it out.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronRequest:
    """What a Neuron-ready SavedModel is to be like."""

    export: ExportRequest = field(default_factory=ExportRequest)
    dtype: str = "float16"
    gelu: str = EXACT
    batch_size: int = BATCH_SIZE

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("dtype", (self.dtype,), DTYPES)
        check_choice("gelu", (self.gelu,), NEURON_GELU_FORMS)
        if self.batch_size < 1:
            raise UsageError("A batch size below 1 means nothing.", next_step="Give 1 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileRequest:
    """What is to be compiled, and how; the rest is the compiler's.

    Attributes:
        standard: compile the exported SavedModel as it is instead of the Neuron-ready one.
        cores: NeuronCores that one model is spread over.
        compiler_args: more arguments for neuron-cc, as a shell would split them.
        timeout: seconds.
        min_on_neuron: share of the operators that must be on the device, "0" to "1".
        min_memory: GB that must be free; empty: by the model's size.
    """

    ready: NeuronRequest = field(default_factory=NeuronRequest)
    standard: bool = False
    cores: int = 1
    compiler_args: str = ""
    timeout: int = TIMEOUT
    min_on_neuron: str = MIN_ON_NEURON
    min_memory: str = ""

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        for flag, value, lowest in (
            ("neuroncore-pipeline-cores", self.cores, 1),
            ("timeout", self.timeout, 1),
        ):
            if value < lowest:
                raise UsageError(f"--{flag} {value} means nothing.", next_step=f"Give {lowest} or more.")
        _check_number("min-on-neuron", self.min_on_neuron, highest=1.0)
        if self.min_memory:
            _check_number("min-memory", self.min_memory)
        if self.standard and (self.ready.dtype, self.ready.gelu) != ("float16", EXACT):
            raise UsageError(
                "--standard compiles the exported SavedModel as it is; --dtype and --gelu do not apply.",
                next_step="Leave them out, or leave --standard out.",
            )


def plan_export(source: Source, request: ExportRequest, probes: File) -> Plan:
    """Checkpoint → SavedModel of modeling.py's own graph, which answers like the checkpoint.

    Raises:
        UsageError: the request contradicts the source, or the source is no checkpoint.
    """
    _check(source, request)
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be exported.", next_step="Give --model or --checkpoint.")
    export, reference = _export_step(source, request), _reference_step(source, request, probes)
    answers = Step(id="export-infer", stage="tf1-infer", inputs={"saved-model": export.id, "probes": probes})
    target = Target(
        name=_name("saved-model", source, request),
        step=export.id,
        reference=reference.id,
        answers=answers.id,
        precision="fp32",
    )
    return Plan(model=source.model, steps=(export, reference, answers), targets=(target,))


def plan_neuron_ready(source: Source, request: NeuronRequest, probes: File) -> Plan:
    """Checkpoint or SavedModel → SavedModel in a host part and a device part, which answers like its source.

    Raises:
        UsageError: the request contradicts the source.
    """
    export = request.export
    _check(source, export)
    suffix = _gelu_suffix(source, request)
    params = {"dtype": request.dtype, "gelu": suffix[0] if suffix else EXACT, "batch-size": str(request.batch_size)}
    if export.output or not source.pooler:
        params["output"] = _output(source, export)
    if source.kind == "checkpoint":
        params |= {"seq-len": str(_seq_len(source, export)), "prefix": source.prefix}
    ready = Step(id="neuron-ready", stage="neuron-ready", inputs={source.kind: source.file}, params=params)
    reference = _reference_step(source, export, probes)
    answers = Step(id="neuron-ready-infer", stage="tf1-infer", inputs={"saved-model": ready.id, "probes": probes})
    target = Target(
        name=_name("neuron-ready", source, export, *suffix, request.dtype, *_batch_suffix(request)),
        step=ready.id,
        reference=reference.id,
        answers=answers.id,
        precision="-".join([request.dtype, *suffix]),
    )
    return Plan(model=source.model, steps=(ready, reference, answers), targets=(target,))


def plan_neuron_compile(source: Source, request: CompileRequest, probes: File) -> Plan:
    """Checkpoint or SavedModel → SavedModel compiled for Inferentia.

    What is compiled has a gate of its own on the CPU, in front of the compiler; the compiled model's needs a device.

    Raises:
        UsageError: the request contradicts the source.
    """
    export = request.ready.export
    params = {
        "batch-size": str(request.ready.batch_size),
        "neuroncore-pipeline-cores": str(request.cores),
        "min-on-neuron": request.min_on_neuron,
    }
    if request.compiler_args:
        params["compiler-args"] = request.compiler_args
    if request.standard:
        base = _standard_base(source, export, probes)
        inputs: dict[str, File | str] = {"saved-model": base.targets[0].step if base.targets else source.file}
        parts: tuple[str, ...] = ("standard",)
        precision = "float16"
    else:
        # The batch is the compiler's: one Neuron-ready model serves every batch that is tried.
        ready = NeuronRequest(export=export, dtype=request.ready.dtype, gelu=request.ready.gelu)
        base = plan_neuron_ready(source, ready, probes)
        inputs = {"neuron-ready": base.targets[0].step}
        suffix = _gelu_suffix(source, request.ready)
        parts = (*suffix, request.ready.dtype)
        precision = "-".join(["float16", *suffix])  # products are cast for the device, whatever the weights are
    limits = {"timeout": str(request.timeout), **({"min-memory": request.min_memory} if request.min_memory else {})}
    compiled = Step(id="neuron-compile", stage="neuron-compile", inputs=inputs, params=params, limits=limits)
    answers = Step(id="neuron-infer", stage="neuron-infer", inputs={"compiled": compiled.id, "probes": probes})
    target = Target(
        name=_name("neuron", source, export, *parts, *_compile_suffix(request)),
        step=compiled.id,
        reference="reference",
        answers=answers.id,
        precision=precision,
    )
    return Plan(model=source.model, steps=(*base.steps, compiled, answers), targets=(*base.targets, target))


def _standard_base(source: Source, request: ExportRequest, probes: File) -> Plan:
    """What the standard way compiles: the exported SavedModel, or the given one as it is."""
    if source.kind == "checkpoint":
        return plan_export(source, request, probes)
    _check(source, request)
    return Plan(model=source.model, steps=(_reference_step(source, request, probes),))


def _export_step(source: Source, request: ExportRequest) -> Step:
    params = {"seq-len": str(_seq_len(source, request)), "prefix": source.prefix, "output": _output(source, request)}
    if source.gelu:
        params["gelu"] = source.gelu
    return Step(id="export", stage="export", inputs={"checkpoint": source.file}, params=params)


def _reference_step(source: Source, request: ExportRequest, probes: File) -> Step:
    params = {"output": request.output} if request.output else {}
    if source.kind == "checkpoint":
        params = {"prefix": source.prefix, "output": _output(source, request)}
        if source.gelu:
            params["gelu"] = source.gelu
    return Step(id="reference", stage="tf1-infer", inputs={source.kind: source.file, "probes": probes}, params=params)


def _output(source: Source, request: ExportRequest) -> str:
    made_for = "probabilities" if source.labels else "pooled,sequence" if source.pooler else "sequence"
    return request.output or made_for


def _seq_len(source: Source, request: ExportRequest) -> int:
    return request.seq_len or source.seq_len or min(SEQ_LEN, source.max_positions)


def _gelu_suffix(source: Source, request: NeuronRequest) -> tuple[str, ...]:
    """The form of gelu where it is not the source's own: it has tolerances, and a name, of its own."""
    return () if request.gelu in (EXACT, source.gelu) or source.gelu is None else (request.gelu,)


def _batch_suffix(request: NeuronRequest) -> tuple[str, ...]:
    return (f"b{request.batch_size}",) if request.batch_size != BATCH_SIZE else ()


def _compile_suffix(request: CompileRequest) -> tuple[str, ...]:
    suffix = [f"b{request.ready.batch_size}"]
    if request.cores > 1:
        suffix.append(f"c{request.cores}")
    if request.compiler_args:
        suffix.append(f"args-{digest(request.compiler_args)[:8]}")
    return tuple(suffix)


def _name(kind: str, source: Source, request: ExportRequest, *parts: str) -> str:
    names = [kind]
    if _seq_len(source, request) != SEQ_LEN:
        names.append(f"s{_seq_len(source, request)}")
    if request.output:
        names.append(request.output.replace(",", "+"))
    return "-".join([*names, *parts])


def _check(source: Source, request: ExportRequest) -> None:
    if source.kind == "frozen":
        raise UsageError(
            "A frozen graph cannot be made ready for Neuron.",
            next_step="Give its checkpoint (--checkpoint) or a SavedModel (--saved-model).",
        )
    check_output(source, _output(source, request) if source.kind == "checkpoint" else request.output)
    check_seq_len(source, request.seq_len)
    if source.kind == "saved-model":
        if request.seq_len and source.seq_len and request.seq_len != source.seq_len:
            raise UsageError(
                f"--seq-len {request.seq_len}, but the SavedModel is exported for {source.seq_len}.",
                next_step="Leave --seq-len out, or export it again with the other length.",
            )
        missing = sorted(set(filter(None, request.output.split(","))) - set(source.outputs))
        if missing:
            raise UsageError(
                f"The SavedModel gives {', '.join(source.outputs)}, so {missing[0]} cannot be compared with it.",
                next_step="Leave --output out, or build from the checkpoint.",
            )


def _check_number(flag: str, text: str, *, highest: float | None = None) -> None:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= (number if highest is None else highest):
        limits = "0 or more" if highest is None else f"a number from 0 to {highest:g}"
        raise UsageError(f"--{flag} {text!r} means nothing.", next_step=f"Give {limits}.")
