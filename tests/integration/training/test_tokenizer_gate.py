"""The gate of the tokenizers: what predict reads text with, the models of build-ir --text, and the tokenizer.json that
targets carry, against google-research/bert's own FullTokenizer and run_classifier, text by text. A difference of no
listed class fails.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import backends
import glue_texts
import pytest

from bertbuild.checkpoint.vocabulary import read_vocabulary
from bertbuild.project import ROOT
from bertbuild.text import corpus
from bertbuild.text.differences import of_tokenizer_json
from bertbuild.text.tokenizer_json import tokenizer_json
from bertbuild.text.wordpiece import SPECIAL, FullTokenizer, numbered, sequence

pytestmark = pytest.mark.integration
DATA = ROOT.parent / "shared" / "data"
VOCABULARIES = {"uncased": True, "cased": False, "chinese": True}
"""Name → whether its text is lower-cased."""
LENGTH = 64


def words_of(name, folder):
    """A published vocabulary; where none is at hand one of the corpus's characters and plain words."""
    path = DATA / "vocab" / f"{name}.vocab.txt"
    if path.is_file():
        return path
    characters = sorted({char for texts in corpus.generated().values() for text, _ in texts for char in text})
    kept = [char for char in characters if not char.isspace()][::2]
    words = [*SPECIAL, *corpus.PLAIN, *kept, *(f"##{char}" for char in kept)]
    made = folder / f"{name}.txt"
    made.write_text("".join(f"{word}\n" for word in dict.fromkeys(words)), encoding="utf-8")
    return made


def compared(folder, classes, *, special=False):
    """Of each vocabulary: the texts, what upstream, predict's tokenizer, and tokenizer.json make of each.

    With `special`, of the last two with special tokens in a text as such; upstream, which has none, is not asked.
    """
    texts = [text for texts in classes.values() for text in texts]
    named = {"texts": folder / "texts.jsonl"}
    named["texts"].write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    files = {name: words_of(name, folder) for name in VOCABULARIES}
    ours, written = [], []
    for name, lower_case in VOCABULARIES.items():
        vocab = numbered(read_vocabulary(files[name].read_bytes()).words, by_word=False)
        tokenizer = FullTokenizer(vocab, lower_case=lower_case, special=SPECIAL if special else ())
        for text, other in texts:
            made = sequence(tokenizer, tokenizer.ids(text), None if other is None else tokenizer.ids(other), LENGTH)
            whole = [tokenizer.ids(part) for part in (text, other) if part is not None]
            ours.append(([made.ids, made.segments], whole))
        written.append(folder / f"{name}.json")
        content = tokenizer_json(vocab, lower_case=lower_case, max_seq_length=LENGTH, special=special)
        written[-1].write_text(content, encoding="utf-8")
    upstream, theirs = folder / "upstream.jsonl", folder / "theirs.jsonl"
    pairs = [[files[name], lower_case] for name, lower_case in VOCABULARIES.items()]
    if not special:
        backends.run("tf1", "google_pieces", vocabularies=pairs, length=LENGTH, out=upstream, **named)
    backends.run("data", "tokenizers_pieces", files=written, out=theirs, **named)
    wanted = [made for made, _ in ours] if special else _lines(upstream)
    rows = zip(wanted, ours, _lines(theirs), strict=True)
    return [(name, lower, text, *next(rows)) for name, lower in VOCABULARIES.items() for text in texts]


def _lines(path):
    return (json.loads(line) for line in Path(path).read_text().splitlines())


def classed(rows):
    """Differences of tokenizer.json by vocabulary and class, each text counted in the first class that it is of."""
    found, unlisted = Counter(), []
    for name, lower, text, upstream, (_, whole), theirs in rows:
        if theirs[:2] == upstream:
            continue
        joined = " ".join(filter(None, text))
        same = theirs[2] == whole
        classes = of_tokenizer_json(lower_case=lower, special=False)
        kind = next((kind for kind, is_of in classes.items() if is_of(joined, same and bool(text[1]))), None)
        found[name, kind] += 1
        if kind is None:
            unlisted.append((name, text, upstream[0][:20], theirs[0][:20]))
    return found, unlisted


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    texts = corpus.generated()
    assert sum(map(len, texts.values())) >= 5000
    return compared(tmp_path_factory.mktemp("corpus"), texts)


def test_every_text_is_read_as_upstream_reads_it(rows):
    other = [(name, text, ours[0][0], upstream[0]) for name, _, text, upstream, ours, _ in rows if ours[0] != upstream]
    assert other == []


def test_tokenizer_json_differs_in_listed_classes_alone(rows):
    _, unlisted = classed(rows)
    assert unlisted == []


@pytest.mark.skipif(not (DATA / "vocab").is_dir(), reason="the counts are of the published vocabularies")
def test_the_page_has_the_classes_and_their_counts(rows):
    found, _ = classed(rows)
    page = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")
    for kind in of_tokenizer_json(lower_case=True, special=False):
        counts = " | ".join(str(found[name, kind]) for name in VOCABULARIES)
        assert f"| {kind} | {counts} |" in page or counts == "0 | 0 | 0"


def test_special_tokens_in_a_text_are_read_as_hugging_face_reads_them(tmp_path):
    """What --special-tokens-in-text asks for: predict's tokenizer and the gate of the text models stand for it."""
    texts = corpus.generated()
    rows = compared(tmp_path, {name: those for name, those in texts.items() if "special" in name}, special=True)
    assert len([row for row in rows if "[SEP]" in str(row[2])]) > 100
    assert classed(rows)[1] == []


def read_by_models(folder, texts, *, special=False):
    """What the models that take strings make of each text, by each vocabulary."""
    named, out = folder / "model_texts.jsonl", folder / "models.jsonl"
    named.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    pairs = [[words_of(name, folder), lower_case] for name, lower_case in VOCABULARIES.items()]
    request = {"root": ROOT, "texts": named, "vocabularies": pairs, "length": LENGTH, "special": special, "out": out}
    backends.run("openvino", "text_pieces", **request)
    return list(_lines(out))


@pytest.mark.whole
def test_models_that_take_strings_read_every_text_as_upstream_does(rows, tmp_path):
    found = read_by_models(tmp_path, [row[2] for row in rows[: len(rows) // len(VOCABULARIES)]])
    assert [(row[0], row[2]) for row, read in zip(rows, found, strict=True) if read != row[3]] == []


@pytest.mark.whole
def test_models_that_take_strings_read_special_tokens_as_predict_does(tmp_path):
    rows = compared(tmp_path, corpus.generated(), special=True)
    found = read_by_models(tmp_path, [row[2] for row in rows[: len(rows) // len(VOCABULARIES)]], special=True)
    assert [(row[0], row[2]) for row, read in zip(rows, found, strict=True) if read != row[3]] == []


@pytest.mark.whole
@pytest.mark.skipif(not (DATA / "glue").is_dir(), reason="GLUE's texts are not at hand")
def test_every_text_of_glue_is_read_as_upstream_reads_it(tmp_path):
    rows = compared(tmp_path, dict(glue_texts.glue(DATA / "glue")))
    assert [text for _, _, text, upstream, ours, _ in rows if ours[0] != upstream] == []
    assert classed(rows)[1] == []
    found = read_by_models(tmp_path, [row[2] for row in rows[: len(rows) // len(VOCABULARIES)]])
    assert [row[2] for row, read in zip(rows, found, strict=True) if read != row[3]] == []
