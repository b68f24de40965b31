"""predict.py of a plain package: at most 25 lines, by the kind of head that answers and by what reads the text.

It tells what `bertbuild predict` tells of one text; of a question, on as much of its context as the model takes at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from bertbuild.packaging import ir_tables, onnx_tables
from bertbuild.packaging.packed import ONNX, OPENVINO, TEXT_MODEL, Packed

WHOLE: Final = ("classifier", "multi-label", "regression", "next-sentence")
"""Heads whose answers are of the whole text, so that nothing need be known of its pieces."""
TENSORS: Final[Mapping[str, tuple[str, ...]]] = {
    "classifier": ("probabilities", "logits"),
    "multi-label": ("probabilities", "logits"),
    "regression": ("score",),
    "tokens": ("probabilities", "logits"),
    "span": ("start_logits", "end_logits"),
    "masked-lm": ("masked_lm_logits",),
    "next-sentence": ("next_sentence_logits",),
}
"""Kind of head → the outputs that tell its answer, the first that is there."""
ARGUMENTS: Final = {"span": "QUESTION CONTEXT", "tokens": "TEXT", "masked-lm": "TEXT"}
ENCODED: Final = {
    "tokens": "encoded = tokenizer.encode(words := sys.argv[1].split(), is_pretokenized=True)",
    "masked-lm": 'tokenizer.add_special_tokens(["[MASK]"])\nencoded = tokenizer.encode(sys.argv[1])',
}
TOLD: Final[Mapping[str, str]] = {
    "classifier": """\
best = shares.argmax()
print(labels[best] if labels else best, f"{shares[best]:.4f}")""",
    "multi-label": """\
for number, share in enumerate(shares):
    if share > 0.5:
        print(labels[number] if labels else number, f"{share:.4f}")""",
    "regression": 'print("%.4f" % answers["score"][0])',
    "next-sentence": 'print("follows" if shares[0] > shares[1] else "does not follow", f"{shares.max():.4f}")',
    "tokens": """\
places = {word: place for place, word in reversed([*enumerate(encoded.word_ids)])}
for number, word in enumerate(words):
    tag = shares[places[number]].argmax() if number in places else None
    print(word, labels[tag] if labels and tag is not None else tag)""",
    "span": """\
places = [place for place, part in enumerate(encoded.sequence_ids) if part == 1]
start, end = answers["start_logits"][0], answers["end_logits"][0]
spans = ((first, last) for first in places for last in places if first <= last < first + 30)
first, last = max(spans, key=lambda span: start[span[0]] + end[span[1]])
print(sys.argv[2][encoded.offsets[first][0] : encoded.offsets[last][1]].strip())""",
    "masked-lm": """\
for place, piece in enumerate(encoded.tokens):
    if piece == "[MASK]":
        best = answers["masked_lm_logits"][0, place].argsort()[::-1][:5]
        print(*map(tokenizer.id_to_token, best))""",
    "": """\
for port, value in answers.items():
    print({name}, value[0].tolist())""",
}
"""Kind of head → the lines that tell its answer; "" where no head answers."""


class Runtime(NamedTuple):
    """How a kind of target is run.

    Attributes:
        package: what is imported.
        file: of the target.
        rows: the file → rows of its tables, by input.
        loaded: the lines that load it as `model`.
        asked: the lines that make `answers`; {fed} is what it is asked.
        name: the name of an answer, in Python.
    """

    package: str
    file: str
    rows: Callable[[Path], Mapping[str, int]]
    loaded: str
    asked: str
    name: str


RUNTIMES: Final = {
    "ir": Runtime(
        package="openvino",
        file=OPENVINO,
        rows=ir_tables.rows,
        loaded="""\
here, core = Path(__file__).parent, openvino.Core()
model = core.compile_model(here / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})""",
        asked="answers = model({fed})",
        name="port.any_name",
    ),
    "onnx": Runtime(
        package="onnxruntime",
        file=ONNX,
        rows=onnx_tables.rows,
        loaded="""\
here = Path(__file__).parent
model = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])""",
        asked="""\
given = model.run(None, {fed})
answers = {{port.name: value for port, value in zip(model.get_outputs(), given)}}""",
        name="port",
    ),
}
"""Kind of target → how it is run."""


def answering(packed: Packed) -> str:
    """The kind of head whose answers the target gives, the trained one before others; "" for none."""
    own = packed.text["head"]
    for kind in (own, "masked-lm", "next-sentence"):
        if set(TENSORS.get(kind, ())) & packed.outputs.keys():
            return str(kind)
    return ""


def reads_text(packed: Packed) -> bool:
    """Whether the target has models that read text (`build-ir --text`), and they do for its head."""
    return packed.has(TEXT_MODEL) and answering(packed) in WHOLE


def program(packed: Packed) -> str:
    """The text of predict.py."""
    reads, kind, runtime = reads_text(packed), answering(packed), RUNTIMES[packed.kind]
    usage = ARGUMENTS.get(kind, "TEXT [TEXT_PAIR]")
    lines = [
        f'"""python predict.py {usage}"""',
        "",
        "import json, sys" if _labels(kind) else "import sys",
        "from pathlib import Path",
        "import numpy as np",
        "import openvino, openvino_tokenizers" if reads else f"import {runtime.package}",
        None if reads else "from tokenizers import Tokenizer",
        "",
        runtime.loaded,
        _labels(kind),
        *(_read_by_model() if reads else _read_by_tokenizer(packed, kind)),
        *_shares(packed, kind),
        TOLD[kind] if kind else TOLD[kind].format(name=runtime.name),
    ]
    return "".join(f"{line}\n" for line in lines if line is not None)


def _labels(kind: str) -> str | None:
    named = kind in ("classifier", "multi-label", "tokens")
    return 'labels = json.loads((here / "text.json").read_text(encoding="utf-8"))["labels"]' if named else None


def _read_by_model() -> Iterator[str]:
    yield 'texts = dict(zip(("text", "text_pair"), sys.argv[1:]))'
    yield 'reader = core.compile_model(here / ("tokenizer_pair.xml" if len(texts) == 2 else "tokenizer.xml"))'
    yield "read = reader({name: [text] for name, text in texts.items()})"
    yield "answers = model({port.any_name: value for port, value in read.items()})"


def _read_by_tokenizer(packed: Packed, kind: str) -> Iterator[str]:
    batch, length = packed.inputs["input_ids"]["shape"]
    most = packed.text["max_seq_length"] if length < 0 else length
    yield 'tokenizer = Tokenizer.from_file(str(here / "tokenizer.json"))'
    if kind == "span":
        yield f'tokenizer.enable_truncation({most}, strategy="only_second")'
    elif length > 0:
        yield f"tokenizer.enable_truncation({most})"
    if length > 0:
        yield f"tokenizer.enable_padding(length={length})"
    yield ENCODED.get(kind, "encoded = tokenizer.encode(*sys.argv[1:3])")
    yield from _refused(packed)
    yield 'asked = {"input_ids": encoded.ids, "input_mask": encoded.attention_mask, "segment_ids": encoded.type_ids}'
    rows = f"[row] * {batch}" if batch > 1 else "[row]"
    fed = f"{{name: np.array({rows}, np.int32) for name, row in asked.items()}}"
    yield RUNTIMES[packed.kind].asked.format(fed=fed)


def _refused(packed: Packed) -> Iterator[str]:
    """Lines that refuse what the model has no rows for, which runtimes answer without a word (docs/limits.md)."""
    most = packed.text["max_positions"]
    runtime = RUNTIMES[packed.kind]
    least = {} if "guard" in packed.signature else runtime.rows(packed.folder / runtime.file)
    named = {ir_tables.IDS: ("encoded.ids", "ids"), ir_tables.SEGMENTS: ("encoded.type_ids", "segments")}
    tests = [f"not 0 < len(encoded.ids) <= {most}"] if most else []
    tests += [f"max({named[role][0]}) >= {size}" for role, size in least.items()]
    words = [f"from 1 to {most} pieces"] if most else []
    words += [f"{named[role][1]} below {size}" for role, size in least.items()]
    if tests:
        yield f"if {' or '.join(tests)}:"
        yield f'    sys.exit("The text is not within what the model takes: {", ".join(words)}.")'


def _shares(packed: Packed, kind: str) -> Iterator[str]:
    """A line or two that give `shares`, of the first text of the batch."""
    if kind not in ("classifier", "multi-label", "tokens", "next-sentence"):
        return
    name = next(one for one in TENSORS[kind] if one in packed.outputs)
    yield f'shares = answers["{name}"][0]'
    if name == "logits" and kind == "multi-label":
        yield "shares = 1 / (1 + np.exp(-shares))"
    elif name != "probabilities":
        yield "shares = np.exp(shares - shares.max(-1, keepdims=True))"
        yield "shares /= shares.sum(-1, keepdims=True)"
