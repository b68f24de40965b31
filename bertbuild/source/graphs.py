"""Frozen graphs and SavedModels as sources: traced, so that what cannot be built from is refused before any stage."""

from __future__ import annotations

from pathlib import Path

from bertbuild.checkpoint.user_files import read_regular
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.files.digests import DigestCache
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import Graph, read_graph
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.outputs import Output, Outputs, UnknownOutputsError, find_outputs, written
from bertbuild.graph.roles import input_roles
from bertbuild.graph.saved_model import read_saved_model
from bertbuild.graph.served import Known, known_outputs
from bertbuild.graph.sizes import EmbeddingSizes, computes_in_half, embedding_sizes, input_sizes
from bertbuild.heads.answers import ANSWERS
from bertbuild.heads.found import FoundHead
from bertbuild.json_text import parse_json
from bertbuild.plans.parts import Part
from bertbuild.plans.plan import Source
from bertbuild.store.inputs import file_input, folder_input

SIGNATURE = "signature.json"


def frozen_source(path: Path, name: str, wanted: str, digests: DigestCache) -> tuple[Source, EmbeddingSizes]:
    """A frozen graph as a source.

    Args:
        path: the .pb.
        name: what the results are called.
        wanted: the outputs as they were named, "NODE[:port][:name],…"; empty: as the signature beside the graph says,
            where it is one of freeze's or extract's, else those that the graph tells.
        digests: of files.

    Raises:
        CheckpointError: it is not a frozen BERT graph.
        UsageError: it does not tell its outputs, or what was named is none of its nodes.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file.", next_step="Give the path of a frozen graph (.pb).")
    try:
        graph = read_graph(path)
        _require_frozen(graph, path)
        roles = input_roles(graph)
        sizes, (batch, seq_len) = embedding_sizes(graph), input_sizes(graph, roles)
        found = find_outputs(graph, roles, wanted or _recorded(path.with_name(SIGNATURE), graph))
    except UnknownOutputsError as error:
        raise UsageError(
            f"{path}: {error}",
            next_step=_next_step(error),
            details="\n".join(["It could give:", *error.candidates] if error.candidates else []),
        ) from error
    except GraphFormatError as error:
        raise CheckpointError(
            str(error), next_step="Give a frozen BERT graph, or build from the checkpoint with --checkpoint."
        ) from error
    source = Source(
        model=name,
        kind="frozen",
        file=file_input(path, digests),
        batch=batch,
        seq_len=seq_len,
        tensors=written(found.taken),
        chosen="+".join(output.name for output in found.taken) if wanted else "",
        half=computes_in_half(graph),
        max_positions=sizes.positions,
        parts=_parts(found),
    )
    return source, sizes


def _next_step(error: UnknownOutputsError) -> str:
    if not error.candidates:
        return "Build from the checkpoint with --checkpoint."
    return "Name what it is to give: --outputs NODE[:name],… with nodes of the list above."


def _recorded(signature: Path, graph: Graph) -> str:
    """The outputs on record beside a graph, as they are typed; empty where there is no record of this graph."""
    try:
        ports = parse_json(read_regular(signature))["outputs"]
        tensors = {name: str(port["tensor"]) for name, port in ports.items()}
    except (CheckpointError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    if not all(tensor.rpartition(":")[0] in graph.nodes for tensor in tensors.values()):
        return ""
    return ",".join(f"{tensor}:{name}" for name, tensor in tensors.items())


def _parts(found: Outputs) -> tuple[Part, ...]:
    return tuple(_part(output) for output in found.left)


def _part(output: Output) -> Part:
    what = output.name or "an output of no known kind"
    lacks = f", which needs {', '.join(output.lacks)}" if output.lacks else ""
    how = "" if output.lacks else f"--outputs {output.tensor.node if output.tensor.port == 0 else output.tensor}"
    return Part(kind=output.name or str(output.tensor), what=what + lacks, names=(str(output.tensor),), taken_by=how)


def _require_frozen(graph: Graph, path: Path) -> None:
    variables = [node.name for node in graph.nodes.values() if node.op in ("Variable", "VariableV2", "VarHandleOp")]
    if variables:
        raise CheckpointError(
            f"{path} is not frozen: {variables[0]} is a variable, and {len(variables) - 1} more are.",
            next_step="Build from its checkpoint (--checkpoint FOLDER), or freeze it with its weights first.",
        )


def saved_model_source(folder: Path, name: str, digests: DigestCache) -> tuple[Source, EmbeddingSizes]:
    """A SavedModel of TensorFlow 1 as a source.

    Raises:
        CheckpointError: it is none of a BERT, or gives nothing that is known.
    """
    try:
        model = read_saved_model(folder)
        sizes, known, gelu, seq_len = (
            embedding_sizes(model.graph),
            known_outputs(model),
            gelu_form(model.graph),
            model.fixed_size(1),
        )
    except GraphFormatError as error:
        raise CheckpointError(
            str(error), next_step="Give the folder that holds saved_model.pb, or build from the checkpoint."
        ) from error
    variables = [f"variables/{path.name}" for path in (folder / "variables").glob("variables.*")]
    source = Source(
        model=name,
        kind="saved-model",
        file=folder_input(folder, ["saved_model.pb", *variables], digests),
        gelu=gelu,
        heads=_heads(known),
        seq_len=seq_len,
        outputs=tuple(known.taken),
        tensors=",".join(f"{output.tensor}:{ANSWERS[name].tensor}" for name, output in known.taken.items()),
        max_positions=sizes.positions,
        parts=(
            *(
                Part(kind=name, what=f"output {output.name}", names=(output.tensor,))
                for name, output in known.taken.items()
            ),
            *(
                Part(kind=model.outputs[name].tensor, what=f"output {name}, {why}", names=(model.outputs[name].tensor,))
                for name, why in known.left.items()
            ),
        ),
    )
    return source, sizes


def _heads(known: Known) -> tuple[FoundHead, ...]:
    """The heads that the outputs of a SavedModel are of, each once; the names of their tables are the graph's."""
    found: dict[str, FoundHead] = {}
    for output in known.taken.values():
        head, kind = output.answer.head, output.answer.kind
        if head is not None:
            found[kind] = FoundHead(
                kind=kind, weights=head.weights, bias=head.bias, labels=head.columns, why=output.answer.why
            )
    return tuple(found.values())
