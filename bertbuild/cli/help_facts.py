"""What help knows of flags and commands besides their sentences: groups, what a value is, an example of each command.

Of a flag's name, whichever command has it; where commands differ, of COMMAND FLAG. What is declared as a parameter
(`Task.parameters`) tells this itself.
"""

from __future__ import annotations

from bertbuild.cli.task import Task
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Choices, Location, Name, Number, Text, Truth, Whole

SOURCES = "sources"
MADE = "outputs"
TRAINING = "training"
RUNS = "how it runs"
SHOWN = "what is shown"
GROUPS = (SOURCES, MADE, TRAINING, RUNS, SHOWN)
"""The headings, in their order."""

_FLAGS = {
    SOURCES: """
        model checkpoint frozen outputs saved-model tf2 root init-checkpoint hub-module-url model-dir config vocab
        vocab-file scope ema task data prepared train-data-path eval-data-path input-meta-data-path squad predict-file
        squad-data-file predictions null-odds input-file calibration calibration-text calibration-size vocab-reading
        version-2-with-negative do-lower-case from mirror file path target stage run suite
        """,
    MADE: """
        name output int8-for max-drop gelu format batch-size checkpoint-to-path output-dir output-file
        model-export-path train-data-output-path eval-data-output-path test-data-output-path meta-data-file-path
        max-seq-length doc-stride max-query-length mnli-type xnli-language fine-tuning-task-type
        masks random-seed dupe-factor masked-lm-prob short-seq-prob max-predictions-per-seq max-ngram-size
        do-whole-word-mask gzip-compress use-v2-feature-names n-best-size max-answer-length null-score-diff-threshold
        """,
    TRAINING: """
        mode do-train do-eval do-predict train-batch-size eval-batch-size predict-batch-size learning-rate
        num-train-epochs warmup-proportion steps-per-loop save-checkpoints-steps seed distribution-strategy num-gpus
        virtual-cpus workers tpu
        """,
    RUNS: """
        reference isolation offline replace jobs memory keep-going dry-run verify-reproducible timeout min-memory keep
        backend check upgrade whole
        """,
    SHOWN: "list json",
}
_GROUP_OF = {flag: group for group, flags in _FLAGS.items() for flag in flags.split()}
_ELSEWHERE = {
    "report output": MADE,
    "graph format": SHOWN,
    "freeze output": MADE,
    "evaluate batch-size": RUNS,
    "why name": SOURCES,
}

_VALUES = {
    "FOLDER": "model-dir prepared output-dir model-export-path from hub-module-url path tf2",
    "FILE": """
        config vocab vocab-file predict-file squad squad-data-file predictions null-odds file
        train-data-path eval-data-path input-meta-data-path train-data-output-path eval-data-output-path
        test-data-output-path meta-data-file-path
        """,
    "FILE[,FILE…]": "input-file output-file",
    "FOLDER|FILE": "data",
    "PATH": "checkpoint init-checkpoint",
    "PREFIX": "checkpoint-to-path",
    "NAME": "model name stage run root",
    "SCOPE": "scope",
    "TASK": "task",
    "LANGUAGE": "xnli-language",
    "TARGET": "target",
    "URL": "mirror",
    "ADDRESS": "tpu",
    "SIZE": "memory",
    "AGE|COUNT|targets": "keep",
    "SHARE": "warmup-proportion masked-lm-prob short-seq-prob max-drop",
    "NUMBER": "learning-rate null-score-diff-threshold",
    "COUNT": """
        batch-size max-seq-length doc-stride max-query-length max-predictions-per-seq
        max-ngram-size dupe-factor random-seed seed train-batch-size eval-batch-size predict-batch-size
        num-train-epochs steps-per-loop save-checkpoints-steps num-gpus virtual-cpus workers jobs n-best-size
        max-answer-length
        """,
    "true|false": """
        do-lower-case do-train do-eval do-predict version-2-with-negative do-whole-word-mask gzip-compress
        use-v2-feature-names
        """,
    "lines|bert-tensorflow": "vocab-reading",
    "classification|regression|squad": "fine-tuning-task-type",
    "unit|integration|docker|faults|browser|host|all": "suite",
    "model-garden|google-research": "masks",
}
_VALUE_OF = {flag: value for value, flags in _VALUES.items() for flag in flags.split()}
_OF_COMMANDS = {
    "report output": "FILE",
    "fetch-data task": "TASK[,TASK…]",
}

EXAMPLES = {
    "doctor": "",
    "build": "'mine/*' --keep-going",
    "images": "--isolation docker --backend tf1,openvino",
    "lock": "--check",
    "fetch": "--model minilm-l6",
    "inspect": "--checkpoint path/to/uncased_L-12_H-768_A-12",
    "fetch-data": "--task MRPC",
    "convert-tf1": "--tf2 path/to/a/tf2/checkpoint",
    "verify": "--model minilm-l6 --target ir-fp32",
    "verify-provenance": "--path copy/of/ir-fp32",
    "sbom": "--backend openvino",
    "status": "",
    "why": "minilm-l6/ir-fp32",
    "graph": "minilm-l6 --format mermaid",
    "schema": "",
    "log": "minilm-l6/ir-fp32 --stage freeze",
    "gc": "--keep 14d --dry-run",
    "verify-store": "",
    "report": "--output report.html",
    "test": "--suite unit",
    "lint": "",
}
"""What is typed behind each command, for instance."""

_OF_TYPES = (
    (Whole, "COUNT"),
    (Number, "NUMBER"),
    (Truth, "true|false"),
    (Location, "PATH"),
    (Name, "NAME"),
    (Text, "TEXT"),
)
"""What is written behind a flag of a declared type."""

POSITIONAL = {"log": "TARGET|STAGE"}
"""Words that commands take without a flag, where they are not names of targets."""


def group_of(task: Task, flag: str) -> str:
    """The heading under which a flag stands; one of which nothing is said here is of what is made."""
    return _ELSEWHERE.get(f"{task.name} {flag}") or _GROUP_OF.get(flag, MADE)


def value_of(task: Task, flag: str) -> str:
    """What is written behind a flag: what kind of thing, or the words that are allowed."""
    if flag in task.parameters:
        return _written(task.parameters[flag])
    named = _OF_COMMANDS.get(f"{task.name} {flag}") or _VALUE_OF.get(flag)
    return named or _choices(flag)


def _written(parameter: Parameter) -> str:
    type_ = parameter.type
    if parameter.written:
        return parameter.written
    if type_.options:
        several = parameter.several or isinstance(type_, Choices)
        return "|".join(type_.options) + ("[,…]" if several else "")
    return next(word for kind, word in _OF_TYPES if isinstance(type_, kind))


def _choices(flag: str) -> str:
    """The words of a choice, from where they are declared."""
    from bertbuild.backends import BACKENDS
    from bertbuild.kinds.ir_request import INT8_FOR
    from bertbuild.places import PLACES
    from bertbuild.plans import plan, prepare_data, tf2_train
    from bertbuild.plans.placing import REFERENCES
    from bertbuild.report import graphs

    if flag == "backend":
        return "|".join(BACKENDS) + "[,…]"
    one = {
        "gelu": plan.GELU_FORMS,
        "format": graphs.FORMATS,
        "int8-for": INT8_FOR,
        "mode": tf2_train.MODES,
        "distribution-strategy": tf2_train.STRATEGIES,
        "mnli-type": prepare_data.MNLI_TYPES,
        "reference": REFERENCES,
        "isolation": (*PLACES, "auto"),
    }
    return "|".join(one[flag]) if flag in one else "VALUE"
