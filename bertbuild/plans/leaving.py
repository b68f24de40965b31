"""What a target leaves out of its source, by what its request takes. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.plans.neuron import OUTPUTS, CompileRequest, ExportRequest, NeuronRequest
from bertbuild.plans.parts import CLASSIFIER, MASKED_LM, NEXT_SENTENCE, POOLER, SPAN, Part
from bertbuild.plans.plan import FreezeRequest, IrRequest, Source
from bertbuild.plans.planning import Request
from bertbuild.plans.tf2 import Tf2Request

_OF_OUTPUT = {"pooled": {POOLER}, "probabilities": {POOLER, CLASSIFIER}}
_OF_FORMAT = {
    "encoder": {POOLER},
    "keras-bert": {POOLER, CLASSIFIER, SPAN},
    "keras-names": {POOLER, CLASSIFIER, SPAN, MASKED_LM, NEXT_SENTENCE},
    "pretrainer": {POOLER, MASKED_LM, NEXT_SENTENCE},
    "savedmodel": {POOLER, CLASSIFIER},
    "hub": {POOLER},
}
_OUTPUTS = {
    POOLER: "--output pooled",
    CLASSIFIER: "--output probabilities",
    **{output: f"--output {output}" for output in OUTPUTS},
}
_FORMATS = {
    CLASSIFIER: "--format keras-bert",
    SPAN: "--format keras-bert",
    MASKED_LM: "--format pretrainer",
    NEXT_SENTENCE: "--format pretrainer",
}


def left_out(source: Source, request: Request) -> list[Part]:
    """The parts of a source that a target of it does not have, and what would take them."""
    taken = _taken(source, request)
    flags = _FORMATS if isinstance(request, Tf2Request) else _OUTPUTS
    left = [part for part in source.parts if part.kind not in taken]
    return [part if part.taken_by else replace(part, taken_by=flags.get(part.kind, "")) for part in left]


def _taken(source: Source, request: Request) -> set[str]:
    match request:
        case FreezeRequest():
            return _of_outputs(request.output)
        case IrRequest():
            return _of_outputs(request.freeze.output)
        case ExportRequest():
            return _of_export(source, request)
        case NeuronRequest():
            return _of_export(source, request.export)
        case CompileRequest():
            return _of_export(source, request.ready.export)
        case Tf2Request():
            return _OF_FORMAT[request.format]


def _of_export(source: Source, request: ExportRequest) -> set[str]:
    usual = "probabilities" if source.labels else "pooled,sequence"
    outputs = request.output or ",".join(source.outputs) or usual
    return _of_outputs(outputs) | set(outputs.split(","))


def _of_outputs(outputs: str) -> set[str]:
    return {part for output in outputs.split(",") for part in _OF_OUTPUT.get(output, set())}
