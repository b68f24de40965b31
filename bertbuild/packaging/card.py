"""README.md of a package: a model card, with Hugging Face's front matter.

https://github.com/huggingface/hub-docs/blob/main/modelcard.md names the fields. Values are written as JSON, which YAML
reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bertbuild.gate.parity import Row
from bertbuild.kinds import KINDS
from bertbuild.packaging.licences import DATA, WEIGHTS, Licence
from bertbuild.packaging.lineage import Lineage
from bertbuild.packaging.packed import Packed
from bertbuild.packaging.program import answering
from bertbuild.text.words import Pieces, WordPieces

LIBRARY: Final = {"ir": "openvino", "onnx": "onnx", "saved-model": "tensorflow", "tf2-savedmodel": "tensorflow"}
PIPELINES: Final = {
    "classifier": "text-classification",
    "multi-label": "text-classification",
    "regression": "text-classification",
    "next-sentence": "text-classification",
    "tokens": "token-classification",
    "span": "question-answering",
    "masked-lm": "fill-mask",
    "": "feature-extraction",
}
"""Kind of head → Hugging Face's word for the task."""
USES: Final = {
    "classifier": "It tells of which class a text, or a pair of texts, is: {labels}.",
    "multi-label": "It tells which of these labels a text, or a pair of texts, has: {labels}.",
    "regression": "It gives a text, or a pair of texts, a score.",
    "next-sentence": "It tells whether the second text follows the first.",
    "tokens": "It tags each word of a text: {labels}.",
    "span": "It finds the answer to a question in the words of a paragraph.",
    "masked-lm": "It tells which words can stand in the place of [MASK].",
    "": "It turns a text into vectors; no head of it was trained for a task.",
}
LIMITS: Final = (
    "It was proved to answer like its source and no better: what the source gets wrong, it gets wrong. "
    "Nothing is known of its answers on texts that are unlike those it was trained on, nor of its fairness."
)

ORIGIN: Final = (
    "`provenance.json` is an in-toto statement: what every file here is (sha256), and what it was made from. "
    "`sbom.cdx.json` lists the packages that the target was made with."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What `evaluate` measured of the target.

    Attributes:
        task: the name of the data.
        examples: how many.
        metric: the first of the task's.
        reference: the TensorFlow that ran the source.
        rows: target → metric → figure, the source's first.
        own: the name of this target among them.
    """

    task: str
    examples: int
    metric: str
    reference: str
    rows: Mapping[str, Mapping[str, float]]
    own: str


_WORDS: Final = (
    WordPieces.file,
    WordPieces.upstream,
    (
        "private-use characters, the Chinese characters U+2B820 to U+2B91F, a capital sigma at the end of a word, and "
        "some pairs that are cut"
    ),
)
_PIECES: Final = (
    Pieces.file,
    Pieces.upstream,
    (
        "special tokens in a text, a comma behind a digit, a capital sigma at the end of a word, pieces that are as "
        "likely as others, and some pairs that are cut"
    ),
)
"""The file of a tokenizer, whose reading it is, and where tokenizers reads otherwise."""


def card(packed: Packed, use: str, found: Lineage, licences: Sequence[Licence], measured: Sequence[Measured]) -> str:
    """The text of README.md."""
    parts = (
        f"# {packed.model}: {packed.target}",
        f"This is {KINDS[packed.kind].about}, made by bertbuild.",
        "## How to use it",
        use,
        "## Intended use",
        _intended(packed),
        "## Source",
        "\n".join(_source(packed, found)),
        "## Training data",
        "\n".join(_training(found)),
        "## Accuracy",
        "\n".join(_accuracy(measured)),
        "## Parity with the source",
        "\n".join(_parity(packed)),
        "## Text",
        "\n".join(_text(packed)),
        "## Licences",
        "\n".join(_licences(licences)),
        "## Origin",
        ORIGIN,
    )
    return "\n".join(_front_matter(packed, found, licences, measured)) + "\n\n" + "\n\n".join(parts) + "\n"


def _front_matter(
    packed: Packed, found: Lineage, licences: Sequence[Licence], measured: Sequence[Measured]
) -> Iterator[str]:
    yield "---"
    yield from _license_fields(licences)
    yield f"library_name: {LIBRARY[packed.kind]}"
    yield f"pipeline_tag: {PIPELINES[answering(packed)]}"
    yield f"tags: {json.dumps(['bert', packed.kind])}"
    if found.datasets:
        yield f"datasets: {json.dumps(sorted({data.group.lower() for data in found.datasets}))}"
    results = [_result(packed, one) for one in measured]
    if results:
        yield f"model-index: {json.dumps([{'name': packed.model, 'results': results}])}"
    yield "---"


def _license_fields(licences: Sequence[Licence]) -> Iterator[str]:
    """`license` is one of Hugging Face's words: an SPDX identifier in small letters, "other", or "unknown"."""
    own = {one.spdx for one in licences if one.part == WEIGHTS}
    restricted = sorted({one.spdx for one in licences if one.restricted})
    if restricted:
        yield "license: other"
        yield f"license_name: {json.dumps(' and '.join(sorted(filter(None, own)) + restricted))}"
    else:
        yield f"license: {own.pop().lower() or 'unknown' if len(own) == 1 else 'other'}"


def _result(packed: Packed, one: Measured) -> dict[str, Any]:
    return {
        "task": {"type": PIPELINES[answering(packed)]},
        "dataset": {"name": one.task, "type": one.task.lower(), "split": "validation"},
        "metrics": [{"type": name, "value": round(value, 4)} for name, value in sorted(one.rows[one.own].items())],
    }


def _intended(packed: Packed) -> str:
    labels = ", ".join(packed.text["labels"]) or "it carries no words for them"
    return f"{USES[answering(packed)].format(labels=labels)} {LIMITS}"


def _source(packed: Packed, found: Lineage) -> Iterator[str]:
    for model in found.models:
        yield f"- [{model.title}]({model.url}) (`{model.name}`)"
    if not found.models:
        yield "- weights that the user gave, which the catalogue does not know; their sha256 is in `provenance.json`"
    for stage, params in found.trainings:
        said = ", ".join(f"{name.replace('_', ' ')} {params[name]}" for name in TRAINED_WITH if name in params)
        yield f"- trained by `{stage}`{f': {said}' if said else ''}"
    yield f"- of kind `{packed.kind}`, gelu `{packed.signature.get('gelu', 'not told')}`"


TRAINED_WITH: Final = ("train_batch_size", "learning_rate", "num_train_epochs", "seed")


def _training(found: Lineage) -> Iterator[str]:
    for data in found.datasets:
        yield f"- {data.name}: {data.title}. {data.licence}"
    for name in found.own_tasks:
        yield f"- {name}: files of the user's own"
    for model in found.models:
        yield f"- {model.name} was pre-trained by its publisher, whose page tells on what"
    if not (found.datasets or found.own_tasks or found.models):
        yield "- not known"


def _accuracy(measured: Sequence[Measured]) -> Iterator[str]:
    if not measured:
        yield "Not measured: `bertbuild evaluate` was not run on this target before it was packed."
    for number, one in enumerate(measured):
        names = sorted({name for row in one.rows.values() for name in row})
        if number:
            yield ""
        yield f"{one.task}: {one.examples} examples of the dev set, by `bertbuild evaluate`. `tf1` is the source,"
        yield f"run by {one.reference}; `{one.own}` is this target."
        yield ""
        rows = ((name, *(_figure(row, key) for key in names)) for name, row in one.rows.items())
        yield from _table(("target", *names), rows)


def _figure(row: Mapping[str, float], name: str) -> str:
    return f"{row[name]:.4f}" if name in row else "–"


def _parity(packed: Packed) -> Iterator[str]:
    verdict = packed.verdict
    yield f"Its answers to fixed inputs were compared with those of its source, run by {', '.join(verdict.references)}."
    yield ""
    worst: dict[str, Row] = {}
    for row in verdict.rows:
        if row.output not in worst or row.max_abs > worst[row.output].max_abs:
            worst[row.output] = row
    rows = ((name, f"{row.max_abs:.1e}", f"{row.limit:.0e}") for name, row in sorted(worst.items()))
    yield from _table(("output", "largest difference", "allowed"), rows)


def _text(packed: Packed) -> Iterator[str]:
    text = packed.text
    letters = "made small" if text["do_lower_case"] else "left as they are"
    yield f"- letters are {letters}, and texts are cut to {text['max_seq_length']} pieces"
    if text.get("special_tokens_in_text"):
        yield "- [SEP], [MASK] and the like in a text are special tokens, as with Hugging Face"
    words, upstream, otherwise = _PIECES if packed.has(Pieces.file) else _WORDS
    yield f"- `{words}` and `text.json` tell how {upstream} reads text"
    if packed.has("tokenizer.json"):
        yield f"- `tokenizer.json` reads it so for the package tokenizers, but for {otherwise}"


def _licences(licences: Sequence[Licence]) -> Iterator[str]:
    rows = ((one.part, one.name, one.spdx or "not known", one.terms or "–") for one in licences)
    yield from _table(("part", "name", "licence", "terms"), rows)
    if any(one.restricted for one in licences):
        yield ""
        yield "Packed though a licence above forbids to publish or to use commercially: whoever packed it allowed that."
    if any(not one.spdx for one in licences if one.part in (WEIGHTS, DATA)):
        yield ""
        yield "Ask the owners of what is not known before you publish this."


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = tuple(columns)
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
