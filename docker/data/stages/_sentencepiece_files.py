"""A model of SentencePiece as the files of a Hugging Face folder: spiece.model itself, and tokenizer.json made of it.

transformers' AlbertTokenizer would make quotes of `` and '', and google-research/albert does not; so the folder names
the class that takes tokenizer.json as it is. That file is held to google-research/albert on a corpus.
"""

import shutil
import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple

from stage import StageInputError, step, write_json

from bertbuild.checkpoint import sentencepiece
from bertbuild.graph.wire import fields
from stages._sentencepiece import MARK, SentencePiece

FILE = "spiece.model"
MARKS = {"pad": "<pad>", "unk": "<unk>", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
"""What tokenizer_config.json calls the special pieces → the pieces of google-research/albert's models."""
NEEDED = ("unk", "cls", "sep")
SHOWN = (
    "The quick brown fox jumps over the lazy dog.",
    "D\u00e9j\u00e0 vu in CAF\u00c9S: na\u00efve, \u00c5ngstr\u00f6m!",
    "don't stop-it (now), e.g. 3.14% of $5000 in 1999 or ``so''",
    "tab\there, a line\nthere, two  spaces \u00a0and\u3000wide ones",
    "\u5317\u4eac\u662f\u4e2d\u56fd\u7684\u9996\u90fd\u3002 \ud55c\uad6d\uc5b4",
    "\ufb01ne \u00bd \u00b2 \u2122 \u2460 \U0001f600",
    "",
)
"""Texts whose ids are written beside the folder, for the stage that asks it; of none of the classes of differences."""
_SPACES = r"[\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
_UNIGRAM = 1
_TRAINER, _NORMALIZER = 2, 3  # fields of sentencepiece_model.proto's ModelProto


class Spec(NamedTuple):
    """What a model says of how it reads text."""

    unigram: bool
    charsmap: bytes
    prefix: bool
    spaces_removed: bool


def find(folder):
    """The one model of SentencePiece in a folder, or None.

    Raises:
        StageInputError: there are several.
    """
    paths = sorted(Path(folder).glob(sentencepiece.MODELS))
    found = [path for path in paths if sentencepiece.is_model(path.read_bytes())]
    if len(found) > 1:
        raise StageInputError("%s has %d models of SentencePiece; leave one" % (folder, len(found)))
    return found[0] if found else None


def read_spec(content):
    """What a model's bytes say, as `Spec`; the fields of its proto that are not there have their defaults."""
    unigram, charsmap, truths = True, b"", {3: 1, 4: 1}
    for part in fields(content):
        if part.number == _TRAINER:
            values = [one.value for one in fields(content, part.start, part.end) if one.number == 3]
            unigram = values[-1:] in ([], [_UNIGRAM])
        elif part.number == _NORMALIZER:
            for one in fields(content, part.start, part.end):
                if one.number == 2:
                    charsmap = content[one.start : one.end]
                elif one.number in truths:
                    truths[one.number] = one.value
    return Spec(unigram, charsmap, bool(truths[3]), bool(truths[4]))


def write(out, path, lower_case, positions, words):
    """Write the files, compare them, and give what signature.json says of text, and the differences.

    Args:
        out: the folder.
        path: of the model.
        lower_case: whether text is lower-cased; None: where no piece has a capital.
        positions: pieces that the model takes at most.
        words: rows of its table of words.

    Raises:
        StageInputError: the model is of another kind than google-research/albert's, or the files read text otherwise.
    """
    content = path.read_bytes()
    spec, read = read_spec(content), SentencePiece(path, lower_case=True)
    names = [read.model.id_to_piece(number) for number in range(read.model.get_piece_size())]
    lacking = [MARKS[name] for name in NEEDED if MARKS[name] not in names]
    if not spec.unigram or not spec.prefix or lacking:
        why = "has no %s" % " and no ".join(lacking) if lacking else "is no unigram model with a mark in front"
        raise StageInputError("%s %s, as those of google-research/albert have" % (path.name, why))
    if len(names) > words:
        raise StageInputError("%s has %d pieces, and the model knows %d" % (path.name, len(names), words))
    if lower_case is None:
        lower_case = not any(name != name.lower() for name in names if name not in MARKS.values())
    read.lower_case = lower_case
    step("writing the tokenizer")
    shutil.copyfile(path, out / FILE)
    _write_tokenizer(out, read, spec, names, positions)
    found = _differences(out, read)
    told = {"do_lower_case": lower_case, "pieces": FILE, "read": {text: read.ids(text) for text in SHOWN}}
    return told, found


def _write_tokenizer(out, read, spec, names, positions):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import Unigram

    scores = [read.model.get_score(number) for number in range(len(names))]
    tokenizer = Tokenizer(Unigram(list(zip(names, scores)), names.index(MARKS["unk"]), byte_fallback=False))
    normal = normalizers
    steps = [normal.Replace(Regex(_SPACES), " "), normal.Strip(), normal.NFKD(), normal.Replace(Regex(combining()), "")]
    steps += [normal.Lowercase()] if read.lower_case else []
    steps += [normal.Precompiled(spec.charsmap)] if spec.charsmap else []
    steps += [normal.Replace(Regex(" {2,}"), " "), normal.Strip()] if spec.spaces_removed else []
    tokenizer.normalizer = normal.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="always", split=False)
    first, end = (MARKS[name] for name in ("cls", "sep"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="%s:0 $A:0 %s:0" % (first, end),
        pair="%s:0 $A:0 %s:0 $B:1 %s:1" % (first, end, end),
        special_tokens=[(mark, names.index(mark)) for mark in (first, end)],
    )
    tokenizer.decoder = decoders.Metaspace(replacement=MARK, prepend_scheme="always")
    marks = {name: mark for name, mark in MARKS.items() if mark in names}
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in marks.values()])
    tokenizer.save(str(out / "tokenizer.json"))
    write_json(
        str(out),
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "do_lower_case": read.lower_case,
            "model_max_length": positions,
            **{"%s_token" % name: mark for name, mark in marks.items()},
        },
    )


def combining():
    """A class of all characters that combine with others, by this Python's Unicode, for a regular expression."""
    numbers = [number for number in range(sys.maxunicode + 1) if unicodedata.combining(chr(number))]
    ranges = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return "[%s]" % "".join("\\x{%x}-\\x{%x}" % (first, last) for first, last in ranges)


def _differences(out, read):
    """How tokenizer.json reads the corpus, as `differences.Differences`."""
    from tokenizers import Tokenizer

    from bertbuild.text import corpus, differences
    from bertbuild.text.wordpiece import Sequenced

    step("comparing the tokenizer with google-research/albert's")
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = dict.fromkeys(part for texts in corpus.generated().values() for text in texts for part in text if part)

    def rows():
        for text, one in zip(texts, tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            ids = read.ids(text)
            wanted = Sequenced(ids, [0] * len(ids), cut=False)
            yield (text, None), wanted, differences.Read(one.ids, one.attention_mask, one.type_ids)

    special = tuple(MARKS.values())
    return differences.compared(rows(), differences.of_pieces(special, lower_case=read.lower_case), 0)
