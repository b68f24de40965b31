"""The commands on the way to AWS Neuron as Invoke tasks."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP, ISOLATION_HELP, REFERENCE_HELP, REPLACE_HELP, SOURCE_HELP, whole_number
from bertbuild.cli.frame import running
from bertbuild.cli.task import task
from bertbuild.kinds.neuron import Neuron
from bertbuild.kinds.neuron_ready import BATCH_SIZE, NeuronReady
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.source.resolve import Wanted

EXPORT_HELP = {
    "seq-len": "sequence length (default: 128, or what the SavedModel has)",
    "output": "probabilities, pooled, sequence; several with commas (default: by whether there is a head)",
}
NEURON_HELP = {
    "saved-model": "a SavedModel that run_classifier, an Estimator or `export` wrote, with variables or frozen",
    "dtype": "what attention and dense layers compute in: float16 (default) or float32",
    "gelu": "exact: as the source computes it (default); tanh or sigmoid: cheaper, farther from it",
    "batch-size": f"batch to compile for (default {BATCH_SIZE}); the model takes any batch",
}


def _neuron_request(seq_len: str, output: str, dtype: str, gelu: str, batch_size: str) -> NeuronReady:
    return NeuronReady(
        seq_len=whole_number("seq-len", seq_len),
        output=output,
        dtype=dtype,
        gelu=gelu,
        batch_size=whole_number("batch-size", batch_size),
    )


@task(help=COMMON_HELP | REPLACE_HELP | REFERENCE_HELP | ISOLATION_HELP | SOURCE_HELP | EXPORT_HELP)
def export(
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    seq_len: str = "0",
    output: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    reference: str = "",
    json: bool = False,
) -> None:
    """Make the SavedModel that run_classifier exports, proved to answer like its source."""
    from bertbuild.commands import target as command

    with running(
        json=json,
        reference=reference,
        replace=replace,
        isolation=isolation,
        offline=offline,
        local=from_,
        mirror=mirror,
    ) as session:
        command.build(
            session,
            Wanted(model=model, checkpoint=checkpoint, name=name, scope=scope, ema=ema, config=config, vocab=vocab),
            SavedModel(seq_len=whole_number("seq-len", seq_len), output=output),
        )


@task(help=COMMON_HELP | REPLACE_HELP | ISOLATION_HELP | SOURCE_HELP | EXPORT_HELP | NEURON_HELP)
def neuron_ready(
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    saved_model: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    seq_len: str = "0",
    dtype: str = "float16",
    gelu: str = "exact",
    output: str = "",
    batch_size: str = str(BATCH_SIZE),
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    json: bool = False,
) -> None:
    """Make the SavedModel that the Neuron compiler takes, proved on the CPU to answer like its source."""
    from bertbuild.commands import target as command

    with running(
        json=json, replace=replace, isolation=isolation, offline=offline, local=from_, mirror=mirror
    ) as session:
        command.build(
            session,
            Wanted(
                model=model,
                checkpoint=checkpoint,
                saved_model=saved_model,
                name=name,
                scope=scope,
                ema=ema,
                config=config,
                vocab=vocab,
            ),
            _neuron_request(seq_len, output, dtype, gelu, batch_size),
        )


@task(
    help=COMMON_HELP
    | REPLACE_HELP
    | ISOLATION_HELP
    | SOURCE_HELP
    | EXPORT_HELP
    | NEURON_HELP
    | {
        "output-dir": "also copy the compiled SavedModel to this folder",
        "standard": "compile the exported SavedModel as it is, encoder and pooler forced on the device; fixed batch",
        "neuroncore-pipeline-cores": "NeuronCores that one model is spread over (default: 1)",
        "compiler-args": "more arguments for neuron-cc, in one string",
        "timeout": f"seconds that the compiler may take (default: {36000})",
        "min-on-neuron": f"smallest share of operators on the device (default: {'0.5'})",
        "min-memory": "GB that must be free to start (default: by size, 32 for BERT-Large; 0: start anyway)",
    },
)
def neuron_compile(
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    saved_model: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    output_dir: str = "",
    standard: bool = False,
    seq_len: str = "0",
    dtype: str = "float16",
    gelu: str = "exact",
    output: str = "",
    batch_size: str = str(BATCH_SIZE),
    neuroncore_pipeline_cores: str = "1",
    compiler_args: str = "",
    timeout: str = str(36000),
    min_on_neuron: str = "0.5",
    min_memory: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    json: bool = False,
) -> None:
    """Compile a model for Inferentia with AWS Neuron, once it is proved on the CPU."""
    from bertbuild.commands import target as command

    with running(
        json=json, replace=replace, isolation=isolation, offline=offline, local=from_, mirror=mirror
    ) as session:
        command.build(
            session,
            Wanted(
                model=model,
                checkpoint=checkpoint,
                saved_model=saved_model,
                name=name,
                scope=scope,
                ema=ema,
                config=config,
                vocab=vocab,
            ),
            Neuron(
                seq_len=whole_number("seq-len", seq_len),
                output=output,
                dtype=dtype,
                gelu=gelu,
                batch_size=whole_number("batch-size", batch_size),
                standard=standard,
                neuroncore_pipeline_cores=whole_number("neuroncore-pipeline-cores", neuroncore_pipeline_cores),
                compiler_args=compiler_args,
                timeout=whole_number("timeout", timeout),
                min_on_neuron=min_on_neuron,
                min_memory=min_memory,
            ),
            output_dir=output_dir,
        )
