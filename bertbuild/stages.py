"""The table of stages: which backend runs each, what goes in, what comes out. Data, not code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bertbuild.backends import BACKENDS
from bertbuild.closure import PACKAGE, closure, image_files, stage_files
from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.project import PACKAGE_FOLDER, ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a stage is expected to need before it has ever been measured.

    Attributes:
        base: MB that it takes whatever it reads.
        factor: of its inputs' bytes.
    """

    base: int
    factor: float = 3.0

    def of(self, input_bytes: int) -> int:
        """Bytes needed to work on inputs of so many bytes."""
        return self.base * 10**6 + int(self.factor * input_bytes)


TF1 = Memory(base=500)
TF2 = Memory(base=1100, factor=4.0)
OPENVINO = Memory(base=300)
DATA = Memory(base=400, factor=1.5)
IMPORT = Memory(base=200, factor=1.0)
TRAINING = Memory(base=3000, factor=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One stage.

    Attributes:
        name: what it is called in plans, in the store and on its command line.
        backend: the environment it runs in, a name in `backends.BACKENDS`; its code lies in the backend's folder.
        also: other backends that can run it, besides other versions of its own; a step says so (`Step.backend`), else
            its own does.
        memory: what it is expected to need.
        outputs: files that must be there for the stage to have succeeded (besides stage.json).
        device: whether it runs on a Neuron device.
        resumable: whether it takes --unfinished: a folder that outlives a killed run, from which the next one goes on.
        distributed: whether it takes --workers: how many processes run it together.
        by_processor: whether what it makes computes otherwise on a processor with another instruction set.
        may_differ: files that need not be the same in two runs, a pattern each, and what is in them.
        weight: how long it takes beside others, on a small model: the shortest have 1.
    """

    name: str
    backend: str
    memory: Memory
    outputs: tuple[str, ...]
    also: tuple[str, ...] = ()
    device: bool = False
    resumable: bool = False
    distributed: bool = False
    by_processor: bool = False
    may_differ: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1

    @property
    def command(self) -> str:
        """The stage's name inside its own backend, where `infer` needs no backend before it."""
        return self.name.removeprefix(f"{self.backend}-")


CHECKPOINT_FILES = (CONFIG_FILE, "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001")
CHECKPOINT = (*CHECKPOINT_FILES, VOCAB_FILE)
CONVERTED = (*CHECKPOINT_FILES, "mapping.json")
FINETUNED = (*CHECKPOINT, "bert_model.ckpt.meta", "task.json")
FROZEN = ("inference_graph.pb", "signature.json")
SAVED_MODEL = ("saved_model.pb", "signature.json")
ONNX = ("model.onnx", "signature.json")
HUGGING_FACE = ("config.json", "tokenizer.json", "tokenizer_config.json", "signature.json")
"""And model.safetensors, or its shards; vocab.txt or spiece.model."""
IR = ("model.xml", "model.bin", "signature.json")
TEXT_MODELS = tuple(
    f"{name}.{ending}"
    for name in ("tokenizer", "tokenizer_pair", "text_model", "text_pair_model")
    for ending in ("xml", "bin")
)

TENSORBOARD = {"events/*": "TensorBoard's names and times"}

ALSO_TF2 = ("tf2",)
"""TensorFlow 2 in v1 mode (docker/tf1/stages/_tensorflow.py)."""

STAGES = {
    spec.name: spec
    for spec in (
        StageSpec(name="import", backend="data", memory=IMPORT, outputs=CHECKPOINT_FILES),
        StageSpec(name="freeze", backend="data", memory=Memory(base=100, factor=1.3), outputs=FROZEN),
        StageSpec(name="extract", backend="tf1", also=ALSO_TF2, memory=TF1, outputs=FROZEN),
        StageSpec(name="metagraph", backend="tf1", also=ALSO_TF2, memory=TF1, outputs=("bert_model.ckpt.meta",)),
        StageSpec(name="tf1-infer", backend="tf1", also=ALSO_TF2, memory=TF1, outputs=("answers.npz",)),
        StageSpec(name="export", backend="tf1", also=ALSO_TF2, memory=TF1, outputs=SAVED_MODEL),
        StageSpec(name="neuron-ready", backend="tf1", memory=TF1, outputs=SAVED_MODEL, weight=3),
        StageSpec(name="ir", backend="openvino", memory=OPENVINO, outputs=IR),
        StageSpec(name="ir-direct", backend="openvino", memory=Memory(base=150, factor=1.3), outputs=IR),
        StageSpec(name="onnx-direct", backend="onnx", memory=Memory(base=150, factor=1.3), outputs=ONNX),
        StageSpec(
            name="onnx-quantize",
            backend="onnx",
            memory=Memory(base=700, factor=8.0),
            outputs=ONNX,
            by_processor=True,
            weight=6,
        ),
        StageSpec(name="onnx-infer", backend="onnx", memory=OPENVINO, outputs=("answers.npz",)),
        StageSpec(name="mo", backend="mo", memory=Memory(base=1000, factor=4.0), outputs=IR),
        StageSpec(
            name="quantize",
            backend="openvino",
            memory=Memory(base=700, factor=8.0),
            outputs=IR,
            by_processor=True,
            weight=12,
        ),
        StageSpec(name="compress", backend="openvino", memory=Memory(base=700, factor=4.0), outputs=IR),
        StageSpec(name="text", backend="openvino", memory=Memory(base=500, factor=4.0), outputs=(*IR, *TEXT_MODELS)),
        StageSpec(name="openvino-infer", backend="openvino", memory=OPENVINO, outputs=("answers.npz",)),
        StageSpec(name="convert-tf2", backend="tf2", memory=TF2, outputs=(*CONVERTED, "checkpoint")),
        StageSpec(name="convert-tf1", backend="tf2", memory=TF2, outputs=CONVERTED),
        StageSpec(
            name="complete",
            backend="tf1",
            also=ALSO_TF2,
            memory=TF1,
            outputs=(*CHECKPOINT_FILES, "bert_model.ckpt.meta"),
        ),
        StageSpec(name="tf2-saved-model", backend="tf2", memory=TF2, outputs=SAVED_MODEL, weight=4),
        StageSpec(name="tf2-infer", backend="tf2", memory=TF2, outputs=("answers.npz",)),
        StageSpec(name="tokenizer", backend="data", memory=Memory(base=150), outputs=("text_gate.json",)),
        StageSpec(name="convert-hf", backend="data", memory=IMPORT, outputs=HUGGING_FACE),
        StageSpec(name="hf-weights", backend="data", memory=IMPORT, outputs=("config.json", "signature.json")),
        StageSpec(name="hf-tf-infer", backend="hf-tf", memory=TF2, outputs=("answers.npz",)),
        StageSpec(name="hf-torch-infer", backend="hf-torch", memory=TF2, outputs=("answers.npz",)),
        StageSpec(
            name="finetune",
            backend="tf1",
            memory=TRAINING,
            outputs=FINETUNED,
            resumable=True,
            may_differ={"history.json": "examples a second, beside the losses", **TENSORBOARD},
        ),
        StageSpec(
            name="tf2-train",
            backend="tf2",
            memory=TRAINING,
            outputs=("task.json",),
            resumable=True,
            distributed=True,
            may_differ=TENSORBOARD,
        ),
        StageSpec(name="prepare-data", backend="data", memory=DATA, outputs=("meta_data.json", "prepared.json")),
        StageSpec(name="pretraining-data", backend="data", memory=DATA, outputs=("prepared.json",)),
        StageSpec(name="examples", backend="data", memory=DATA, outputs=("features.npz",)),
        StageSpec(name="text-examples", backend="data", memory=DATA, outputs=("features.npz",)),
        StageSpec(name="squad-examples", backend="data", memory=DATA, outputs=("features.npz", "questions.json")),
        StageSpec(name="masked-examples", backend="data", memory=DATA, outputs=("features.npz",)),
        StageSpec(name="score", backend="data", memory=DATA, outputs=("scores.json",)),
        StageSpec(
            name="neuron-compile",
            backend="neuron",
            memory=Memory(base=2000, factor=22.0),
            outputs=(*SAVED_MODEL, "compile.log"),
            may_differ={
                "compile.log": "the compiler's words, times among them",
                "saved_model.pb": "AWS's compiler promises no same bytes",
            },
        ),
        StageSpec(
            name="neuron-infer",
            backend="neuron",
            memory=Memory(base=1000, factor=4.0),
            outputs=("answers.npz",),
            device=True,
        ),
    )
}

FACTS = "stage.json"
"""What a stage writes beside its outputs: its seconds, memory, package versions."""

PROVENANCE, MANIFEST = "provenance.json", "manifest.json"
"""What the host adds to a result: the statement of what it was made from, and the sha256 of its files."""

UNTRACKED = (FACTS, PROVENANCE)
"""The facts of one run (seconds, memory, when, of what): kept and hashed, but no part of the result's own digest."""

INSTRUCTIONS = "instructions"
"""What is told of the processor, in an environment and in the facts of a stage that answers on it."""


def is_by_processor(stages: Iterable[str]) -> bool:
    """Whether one of these stages makes what computes otherwise on another instruction set."""
    return any(name in STAGES and STAGES[name].by_processor for name in stages)


def stage_code(spec: StageSpec) -> dict[str, Path]:
    """The files that a stage runs, by their names in an image: its own, the entry's, and all that they import."""
    return code_of(spec.backend, spec.command)


def code_of(backend: str, command: str) -> dict[str, Path]:
    """The same for a stage by its name inside the backend that has its code."""
    return stage_files(ROOT, backend, command)


def host_code(module: str) -> dict[str, Path]:
    """The files that a module of the host runs, by their names."""
    return closure((module,), {PACKAGE: PACKAGE_FOLDER})


def image_code(backend: str) -> dict[str, Path]:
    """The files that the stages of an image can run, by their names in it."""
    return image_files(ROOT, BACKENDS[backend].folder)
