"""The flags of upstream's own scripts, command by command, and what each is here.

google-research/bert's and the Model Garden's run_classifier.py, run_squad.py, create_finetuning_data.py and checkpoint
converters, OpenVINO's mo, AWS's bert_model.py, GLUE's download_glue_data.py. Flags that are spelt as ours and mean the
same need no row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bertbuild.errors import UsageError
from bertbuild.families.bert_names import POOLER_OUTPUT
from bertbuild.heads.pooled import OUTPUT as POOLED

ANY = ".*"
_FALSE = "false|f|0"
_NO_TPU = "There is no TPU here: TensorFlow 1.15 trains on the CPU"
_TPU_INSTEAD = "Leave it out; invoke train has --distribution-strategy tpu."


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What a flag of upstream's is here: one of ours, or nothing, or refused.

    Attributes:
        flag: ours, which gets its value; empty where there is none.
        values: how values are spelt here, where they are spelt otherwise.
        adds: flags of ours that it means besides.
        ending: what is taken off the end of its value.
        switch: it may stand without a value, which is yes.
        harmless: a pattern of the values with which it changes nothing here.
        why: what it would need, in a sentence; said of other values.
        instead: the next step then.
    """

    flag: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    adds: Mapping[str, str | None] = field(default_factory=dict)
    ending: str = ""
    switch: bool = False
    harmless: str = ""
    why: str = ""
    instead: str = "Leave it out."

    def check(self, typed: str, value: str | None) -> None:
        """Refuse a value that would change something which cannot be changed here.

        Raises:
            UsageError: it would.
        """
        text = "true" if value is None else value
        if self.why and not re.fullmatch(self.harmless, text, re.IGNORECASE):
            raise UsageError(f"{typed}{'' if value is None else f'={value}'}: {self.why}.", next_step=self.instead)

    def ours(self, value: str | None) -> Iterator[tuple[str, str | None]]:
        """Our flags and their values, in its place."""
        if self.flag:
            text = "true" if value is None and self.switch else value
            yield self.flag, None if text is None else self.values.get(text.lower(), text).removesuffix(self.ending)
        if self.adds and (value is None or not re.fullmatch(_FALSE, value, re.IGNORECASE)):
            yield from self.adds.items()


def _same(flag: str) -> Upstream:
    return Upstream(flag=flag)


def _unused(values: str = ANY, *, why: str = "", instead: str = "Leave it out.", switch: bool = False) -> Upstream:
    """A flag that changes nothing here, with these values at least."""
    return Upstream(harmless=values, why=why, instead=instead, switch=switch)


_FILES = {"--bert-config-file": _same("--config"), "--vocab-file": _same("--vocab")}
_CHECKPOINT = {**_FILES, "--init-checkpoint": _same("--checkpoint")}
_TASK = {"--task-name": _same("--task"), "--data-dir": _same("--data")}
_SQUAD = {"--train-file": _same("--data"), "--predict-file": _same("--squad")}
_TPU = {
    "--use-tpu": _unused(_FALSE, why=_NO_TPU, instead=_TPU_INSTEAD, switch=True),
    **{
        flag: _unused("", why=_NO_TPU, instead=_TPU_INSTEAD)
        for flag in ("--tpu-name", "--tpu-zone", "--gcp-project", "--master")
    },
    "--num-tpu-cores": _unused(),
    "--iterations-per-loop": _unused(),
}
_GARDEN = {
    "--predict-checkpoint-path": _same("--model-dir"),
    "--log-steps": _unused(),
    "--verbose-logging": _unused(switch=True),
    "--use-keras-compile-fit": _unused(switch=True),
    "--num-eval-per-epoch": _unused("1", why="The dev set is gone through once, at the end"),
    "--train-data-size": _unused("", why="How many examples there are is in the meta data"),
    "--optimizer-type": _unused("adamw", why="Only Adam with weight decay is here"),
    "--end-lr": _unused(r"0(\.0*)?", why="The learning rate falls to 0"),
    "--dtype": _unused("fp32", why="Training computes in float32"),
    "--scale-loss": _unused(_FALSE, why="Training computes in float32", switch=True),
    "--run-eagerly": _unused(_FALSE, why="Training runs as a graph", switch=True),
    "--enable-xla": _unused(_FALSE, why="Training runs without XLA", switch=True),
    "--hub-module-trainable": _unused("true|t|1", why="A module is trained with its head", switch=True),
    "--n-best-size": _unused("20", why="20 answers to a question are kept"),
    "--max-answer-length": _unused("30", why="Answers are of 30 pieces at most"),
    "--do-lower-case": _unused(
        "",
        why="Whether text is lower-cased is told by the prepared data, else by the vocabulary",
        instead="Leave it out; invoke prepare-data has --do-lower-case, and train takes its folder: --prepared.",
        switch=True,
    ),
    "--loss-scale": _unused(),  # of float16 alone, as the next
    "--fp16-implementation": _unused(),
    "--explicit-allreduce": _unused(_FALSE, why="The optimizer adds up what the devices give", switch=True),
    "--allreduce-bytes-per-pack": _unused(),
    "--all-reduce-alg": _unused(),
    "--tf-gpu-thread-mode": _unused(),
    "--sub-model-export-name": _unused("", why="The encoder is not saved beside the whole model"),
    "--gin-file": _unused("", why="Settings are flags", instead="Leave it out, and give its settings as flags."),
    "--gin-param": _unused("", why="Settings are flags", instead="Leave it out, and give its settings as flags."),
}
_NEURON = {
    **_CHECKPOINT,
    "--input-saved-model": _same("--saved-model"),
    "--sequence-length": _same("--seq-len"),
    "--crude-gelu": Upstream(adds={"--gelu-approximation": "sigmoid"}, switch=True),
    "--aggressive-optimizations": _unused(
        _FALSE,
        why="Layer norms in float16 lose their epsilon, so they stay in float32",
        instead="Leave it out; --gelu-approximation sigmoid is the other half of it.",
        switch=True,
    ),
}
_IN_THE_STORE = _unused("", why="An IR goes into the store, and its name in out/ is told at the end")
_MO = {
    "--input-model": _same("--frozen"),
    "--input-checkpoint": _same("--checkpoint"),
    "--saved-model-dir": _unused(
        "",
        why="An IR is made of a checkpoint or a frozen graph",
        instead="Name what it was exported from: --checkpoint FOLDER or --frozen GRAPH.pb.",
    ),
    "--model-name": _same("--name"),
    "--output-dir": _IN_THE_STORE,
    "--output-model": _IN_THE_STORE,
    "--input-shape": _unused(
        "",
        why="--batch-size and --seq-len fix the shape of all inputs",
        instead="For [1,128],[1,128],[1,128] type: --batch-size 1 --seq-len 128",
    ),
    "--input-meta-graph": Upstream(flag="--checkpoint", ending=".meta", adds={"--route": "static"}),
    "--batch": _same("--batch-size"),
    "--output": Upstream(flag="--output", values={POOLER_OUTPUT.lower(): POOLED}),
    "--input": _unused(
        r"Placeholder\{i32\},Placeholder_1\{i32\},Placeholder_2\{i32\}"
        r"|(IteratorGetNext:\d(\{i32\})?(\[[\d ,?-]+\])?,?){3}",
        why="Inputs are found in the graph itself, whatever they are called",
        instead="Leave it out; --batch-size and --seq-len fix their shape.",
    ),
    "--disable-nhwc-to-nchw": _unused(switch=True),
    "--data-type": Upstream(
        flag="--precision", values={"half": "fp16", "float": "fp32", "fp16": "fp16", "fp32": "fp32"}
    ),
    "--compress-to-fp16": Upstream(
        flag="--precision", values={"true": "fp16", "1": "fp16", "false": "fp32", "0": "fp32"}, switch=True
    ),
}
_CONVERTERS = {
    **_CHECKPOINT,
    "--checkpoint-from-path": _same("--checkpoint"),
    "--checkpoint-to-convert": _same("--checkpoint"),
    "--converted-checkpoint-path": _same("--checkpoint-to-path"),
    "--converted-checkpoint": _same("--checkpoint-to-path"),
    "--checkpoint-model-name": _unused("model|encoder", why="The roots of the result are model and encoder, both"),
    "--converted-model": Upstream(flag="--format"),
    "--num-heads": _unused(),
    "--exclude-patterns": _unused("adam|Adam|adam,Adam", why="Only the slots of the optimizer are left out"),
}
_RECORDS = {
    "--bert-config-file": _same("--config"),
    "--vocab": _same("--vocab-file"),
    **_TASK,
    "--classification-task-name": _same("--task"),
    "--input-data-dir": _same("--data"),
    "--squad-data-file": _same("--data"),
    "--tokenization": _unused("WordPiece", why="BERT's vocabularies are of word pieces"),
    "--sp-model-file": _unused("", why="BERT's vocabularies are of word pieces"),
    "--tfds-params": _unused("", why="Data are read from files", instead="Leave it out, or name a folder: --data."),
}

_FLAGS: Mapping[str, Mapping[str, Upstream]] = {
    "fetch-data": {
        "--tasks": _same("--task"),
        "--path-to-mrpc": _unused(
            "", why="MRPC's text is downloaded and checked", instead="--from FOLDER takes yours."
        ),
        "--data-dir": _unused("", why="Data sets go into the store, where every command finds them"),
    },
    "prepare-data": _RECORDS,
    "inspect": _CHECKPOINT,
    "freeze": _CHECKPOINT,
    "convert-onnx": _CHECKPOINT,
    "export": _CHECKPOINT,
    "finetune": {
        **_CHECKPOINT,
        **_TASK,
        **_SQUAD,
        **_TPU,
        "--verbose-logging": _unused(switch=True),
    },
    "train": {**_FILES, **_TASK, **_GARDEN},
    "evaluate": {
        **_CHECKPOINT,
        **_TASK,
        "--na-prob-file": _same("--null-odds"),
        "--out-file": _unused("", why="Figures are printed", instead="Leave it out; --json prints them for programs."),
        "--out-image-dir": _unused("", why="No curve is drawn"),
    },
    "build-ir": {**_MO, **_CHECKPOINT},
    "neuron-ready": _NEURON,
    "neuron-compile": {**_NEURON, "--output-saved-model": _same("--output-dir")},
    "convert-tf2": _CONVERTERS,
    "convert-tf1": _FILES,
    "convert-hf": {
        **_CHECKPOINT,
        "--tf-checkpoint-path": _same("--checkpoint"),
        "--pytorch-dump-path": _unused("", why="The folder gets a name in artifacts/out, and holds safetensors"),
    },
}


def upstream_flags(command: str) -> Mapping[str, Upstream]:
    """Upstream's flags that a command takes, or refuses for their own reason."""
    return _FLAGS.get(command, {})
