"""The commands as Invoke tasks: flags in, one call out. `invoke TASK` and `bertbuild TASK` are the same."""

from __future__ import annotations

from invoke import Collection, Context, task

from bertbuild.errors import UsageError
from bertbuild.plan import FreezeRequest, IrRequest
from bertbuild.plan_neuron import BATCH_SIZE, MIN_ON_NEURON, TIMEOUT, CompileRequest, ExportRequest, NeuronRequest
from bertbuild.running import running
from bertbuild.sources import Wanted

SOURCE_HELP = {
    "model": "a model of the catalogue, e.g. minilm-l6 or uncased_L-12_H-768_A-12 (invoke fetch --list shows all)",
    "checkpoint": "a checkpoint of your own: its folder, its zip, or a Hugging Face folder with safetensors",
    "name": "what to call the results; default: the model's or the folder's name",
    "from": "folder with downloaded zips or unpacked models; nothing is downloaded",
    "mirror": "base URL that takes the place of the models' public one",
}
COMMON_HELP = {
    "json": "print one JSON object a line instead of text; the last is the result or the error",
}
ISOLATION_HELP = {
    "isolation": "docker, venv, or auto (default): docker where an engine answers",
}
FREEZE_HELP = {
    "output": "pooled (default), sequence, all-layers, probabilities; several with commas",
    "gelu": "erf or tanh; auto (default) reads it from the checkpoint's .meta",
}
EXPORT_HELP = {
    "seq-len": "sequence length (default: 128, or what the SavedModel has)",
    "output": "probabilities, pooled, sequence; several with commas (default: by whether there is a head)",
}
NEURON_HELP = {
    "saved-model": "a SavedModel that run_classifier, an Estimator or `export` wrote, with variables or frozen",
    "dtype": "of attention and dense layers: float16 (default) or float32",
    "gelu": "exact: as the source computes it (default); tanh or sigmoid: cheaper, farther from it",
    "batch-size": f"batch to compile for (default {BATCH_SIZE}); the model takes any batch",
}


def whole_number(flag: str, text: str) -> int:
    """A flag's whole number. Invoke reads them too, and answers a wrong one with a traceback.

    Raises:
        UsageError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{flag} {text!r} is no whole number.", next_step=f"--help explains --{flag}.") from None


def _neuron_request(seq_len: str, output: str, dtype: str, gelu: str, batch_size: str) -> NeuronRequest:
    return NeuronRequest(
        export=ExportRequest(seq_len=whole_number("seq-len", seq_len), output=output),
        dtype=dtype,
        gelu=gelu,
        batch_size=whole_number("batch-size", batch_size),
    )


@task(auto_shortflags=False, help=COMMON_HELP | ISOLATION_HELP)
def doctor(_context: Context, json: bool = False, isolation: str = "") -> None:
    """Look at this machine: what builds need, what is missing, what to do."""
    from bertbuild.commands import diagnosis

    with running(json=json, isolation=isolation) as session:
        diagnosis.doctor(session)


@task(
    auto_shortflags=False,
    help=COMMON_HELP
    | ISOLATION_HELP
    | {"backend": "only these, with commas: tf1, openvino, mo, neuron (default: all but neuron)"},
)
def images(_context: Context, backend: str = "", json: bool = False, isolation: str = "") -> None:
    """Build what stages run in: Docker images, or virtual environments with --isolation venv."""
    from bertbuild.commands import environments

    with running(json=json, isolation=isolation) as session:
        environments.images(session, tuple(filter(None, backend.split(","))))


@task(
    auto_shortflags=False,
    help=COMMON_HELP
    | {"check": "write nothing; fail where a lock file drifted", "upgrade": "take the newest versions allowed"},
)
def lock(_context: Context, check: bool = False, upgrade: bool = False, json: bool = False) -> None:
    """Resolve each docker/*/requirements.in into its lock file, every package with its hashes."""
    from bertbuild.commands import locks

    with running(json=json) as session:
        locks.lock(session, check=check, upgrade=upgrade)


@task(
    auto_shortflags=False,
    iterable=["model"],
    help=COMMON_HELP
    | {
        "model": "which; may be given more than once",
        "list": "show all models and fetch nothing",
        "from": SOURCE_HELP["from"],
        "mirror": SOURCE_HELP["mirror"],
    },
)
def fetch(
    _context: Context,
    model: list[str],
    list: bool = False,  # noqa: A002 - the flag's name
    from_: str = "",
    mirror: str = "",
    json: bool = False,
) -> None:
    """Download models of the catalogue; every file is checked against the hash on record."""
    from bertbuild.commands import build

    with running(json=json, local=from_, mirror=mirror) as session:
        if list:
            build.list_models(session)
        else:
            build.fetch(session, tuple(model))


@task(
    auto_shortflags=False,
    help=COMMON_HELP | ISOLATION_HELP | {name: SOURCE_HELP[name] for name in ("model", "checkpoint", "from", "mirror")},
)
def inspect(
    _context: Context,
    checkpoint: str = "",
    model: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    json: bool = False,
) -> None:
    """Say what a checkpoint holds and what is wrong with it, without TensorFlow."""
    from bertbuild.commands import build

    with running(json=json, isolation=isolation, local=from_, mirror=mirror) as session:
        build.inspect(session, Wanted(model=model, checkpoint=checkpoint))


@task(auto_shortflags=False, help=COMMON_HELP | ISOLATION_HELP | SOURCE_HELP | FREEZE_HELP)
def freeze(
    _context: Context,
    model: str = "",
    checkpoint: str = "",
    name: str = "",
    output: str = "pooled",
    gelu: str = "auto",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    json: bool = False,
) -> None:
    """Make a frozen TensorFlow graph over free batch and sequence length."""
    from bertbuild.commands import build

    with running(json=json, isolation=isolation, local=from_, mirror=mirror) as session:
        build.freeze(
            session,
            Wanted(model=model, checkpoint=checkpoint, name=name),
            FreezeRequest(output=output, gelu=gelu),
        )


@task(
    auto_shortflags=False,
    help=COMMON_HELP
    | ISOLATION_HELP
    | SOURCE_HELP
    | FREEZE_HELP
    | {
        "frozen": "a graph frozen earlier (.pb), also one fed by an input pipeline (IteratorGetNext)",
        "precision": "of the stored weights: fp32 (default), fp16, or fp32,fp16 for both",
        "route": "reshapeable (default): batch and sequence length free; static: straight from the .meta, its shapes",
        "converter": "ovc (default), or mo: the Model Optimizer with the flags of OpenVINO's page (slow; to match it)",
        "batch": "fix the batch size",
        "seq-len": "fix the sequence length",
    },
)
def build_ir(
    _context: Context,
    model: str = "",
    checkpoint: str = "",
    frozen: str = "",
    name: str = "",
    precision: str = "fp32",
    output: str = "pooled",
    gelu: str = "auto",
    route: str = "",
    converter: str = "ovc",
    batch: str = "0",
    seq_len: str = "0",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    json: bool = False,
) -> None:
    """Make an OpenVINO IR that is proved to answer like its source."""
    from bertbuild.commands import build

    with running(json=json, isolation=isolation, local=from_, mirror=mirror) as session:
        build.build_ir(
            session,
            Wanted(model=model, checkpoint=checkpoint, frozen=frozen, name=name),
            IrRequest(
                precisions=tuple(precision.split(",")),
                route=route,
                converter=converter,
                batch=whole_number("batch", batch),
                seq_len=whole_number("seq-len", seq_len),
                freeze=FreezeRequest(output=output, gelu=gelu),
            ),
        )


@task(auto_shortflags=False, help=COMMON_HELP | ISOLATION_HELP | SOURCE_HELP | EXPORT_HELP)
def export(
    _context: Context,
    model: str = "",
    checkpoint: str = "",
    name: str = "",
    seq_len: str = "0",
    output: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    json: bool = False,
) -> None:
    """Make the SavedModel that run_classifier exports, proved to answer like its source."""
    from bertbuild.commands import build

    with running(json=json, isolation=isolation, local=from_, mirror=mirror) as session:
        build.export(
            session,
            Wanted(model=model, checkpoint=checkpoint, name=name),
            ExportRequest(seq_len=whole_number("seq-len", seq_len), output=output),
        )


@task(auto_shortflags=False, help=COMMON_HELP | ISOLATION_HELP | SOURCE_HELP | EXPORT_HELP | NEURON_HELP)
def neuron_ready(
    _context: Context,
    model: str = "",
    checkpoint: str = "",
    saved_model: str = "",
    name: str = "",
    seq_len: str = "0",
    dtype: str = "float16",
    gelu: str = "exact",
    output: str = "",
    batch_size: str = str(BATCH_SIZE),
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    json: bool = False,
) -> None:
    """Make the SavedModel that the Neuron compiler takes, proved on the CPU to answer like its source."""
    from bertbuild.commands import build

    with running(json=json, isolation=isolation, local=from_, mirror=mirror) as session:
        build.neuron_ready(
            session,
            Wanted(model=model, checkpoint=checkpoint, saved_model=saved_model, name=name),
            _neuron_request(seq_len, output, dtype, gelu, batch_size),
        )


@task(
    auto_shortflags=False,
    help=COMMON_HELP
    | ISOLATION_HELP
    | SOURCE_HELP
    | EXPORT_HELP
    | NEURON_HELP
    | {
        "standard": "compile the exported SavedModel as it is, encoder and pooler forced on the device; fixed batch",
        "neuroncore-pipeline-cores": "NeuronCores that one model is spread over (default: 1)",
        "compiler-args": "more arguments for neuron-cc, in one string",
        "timeout": f"seconds that the compiler may take (default: {TIMEOUT})",
        "min-on-neuron": f"smallest share of operators on the device (default: {MIN_ON_NEURON})",
        "min-memory": "GB that must be free to start (default: by size, 32 for BERT-Large; 0: start anyway)",
    },
)
def neuron_compile(
    _context: Context,
    model: str = "",
    checkpoint: str = "",
    saved_model: str = "",
    name: str = "",
    standard: bool = False,
    seq_len: str = "0",
    dtype: str = "float16",
    gelu: str = "exact",
    output: str = "",
    batch_size: str = str(BATCH_SIZE),
    neuroncore_pipeline_cores: str = "1",
    compiler_args: str = "",
    timeout: str = str(TIMEOUT),
    min_on_neuron: str = MIN_ON_NEURON,
    min_memory: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    json: bool = False,
) -> None:
    """Compile a model for Inferentia with AWS Neuron, once it is proved on the CPU."""
    from bertbuild.commands import build

    with running(json=json, isolation=isolation, local=from_, mirror=mirror) as session:
        ready = _neuron_request(seq_len, output, dtype, gelu, batch_size)
        build.neuron_compile(
            session,
            Wanted(model=model, checkpoint=checkpoint, saved_model=saved_model, name=name),
            CompileRequest(
                ready=ready,
                standard=standard,
                cores=whole_number("neuroncore-pipeline-cores", neuroncore_pipeline_cores),
                compiler_args=compiler_args,
                timeout=whole_number("timeout", timeout),
                min_on_neuron=min_on_neuron,
                min_memory=min_memory,
            ),
        )


@task(
    auto_shortflags=False,
    help=COMMON_HELP | ISOLATION_HELP | {"model": "only this model", "target": "only this target, e.g. ir-fp32"},
)
def verify(_context: Context, model: str = "", target: str = "", isolation: str = "", json: bool = False) -> None:
    """Hash every byte of what is built, and compare its answers with its source's once more."""
    from bertbuild.commands import results

    with running(json=json, isolation=isolation) as session:
        results.verify(session, model, target)


@task(auto_shortflags=False, help=COMMON_HELP)
def status(_context: Context, json: bool = False) -> None:
    """Show what is built: state, size, parity figure, path."""
    from bertbuild.commands import results

    with running(json=json) as session:
        results.status(session)


@task(
    auto_shortflags=False,
    help=COMMON_HELP
    | {"suite": "unit: no network, no engine; integration: unit, and real backends; docker; all (default)"},
)
def test(_context: Context, suite: str = "all", json: bool = False) -> None:
    """Run the tests."""
    from bertbuild.commands import checks

    with running(json=json) as session:
        checks.test(session, suite)


@task(auto_shortflags=False, help=COMMON_HELP)
def lint(_context: Context, json: bool = False) -> None:
    """Run ruff and mypy."""
    from bertbuild.commands import checks

    with running(json=json) as session:
        checks.lint(session)


namespace = Collection(
    doctor,
    images,
    lock,
    fetch,
    inspect,
    freeze,
    build_ir,
    export,
    neuron_ready,
    neuron_compile,
    verify,
    status,
    test,
    lint,
)
