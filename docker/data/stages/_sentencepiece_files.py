"""A model of SentencePiece as the files of a Hugging Face folder: spiece.model itself, and tokenizer.json made of it.

transformers' AlbertTokenizer would make quotes of `` and '', and google-research/albert does not; so the folder names
the class that takes tokenizer.json as it is. That file is held to google-research/albert on a corpus.
"""

import shutil
from pathlib import Path

from stage import StageInputError, step, write_json

from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.vocabulary import require_pieces
from bertbuild.text.words import PIECES_FILE, Pieces
from stages._sentencepiece import SentencePiece

MARKS = ("pad", "unk", "cls", "sep", "mask")
"""What tokenizer_config.json calls the special pieces, in their order."""
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


def find(folder):
    """The one model of SentencePiece in a folder, or None.

    Raises:
        StageInputError: there are several.
    """
    found = sentencepiece.models_in(Path(folder))
    if len(found) > 1:
        raise StageInputError("%s has %d models of SentencePiece; leave one" % (folder, len(found)))
    return found[0] if found else None


def write(out, path, lower_case, positions, words):
    """Write the files, compare them, and give what signature.json says of text, and the differences.

    Args:
        out: the folder.
        path: of the model.
        lower_case: whether text is lower-cased; None: where no piece has a capital.
        positions: pieces that the model takes at most.
        words: rows of its table of words.

    Raises:
        CheckpointError: the model is of another kind than google-research/albert's, or has more pieces than rows.
    """
    require_pieces(path, words)
    held = Pieces(sentencepiece.read_model(path.read_bytes()))
    if lower_case is None:
        lower_case = held.lower_cases()
    read = SentencePiece(path, held.model, lower_case)
    step("writing the tokenizer")
    shutil.copyfile(path, out / PIECES_FILE)
    content = held.tokenizer_json(lower_case=lower_case, max_seq_length=0, special=True)
    (out / "tokenizer.json").write_text(content, encoding="utf-8")
    write_json(
        str(out),
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "do_lower_case": lower_case,
            "model_max_length": positions,
            **{"%s_token" % name: mark for name, mark in zip(MARKS, held.special) if mark in held.vocab},
        },
    )
    found = _differences(content, read, held)
    told = {"do_lower_case": lower_case, "pieces": PIECES_FILE, "read": {text: read.ids(text) for text in SHOWN}}
    return told, found


def _differences(content, read, held):
    """How tokenizer.json reads the corpus, as `differences.Differences`."""
    from tokenizers import Tokenizer

    from bertbuild.text import corpus, differences
    from bertbuild.text.wordpiece import Sequenced

    step("comparing the tokenizer with google-research/albert's")
    tokenizer, host = Tokenizer.from_str(content), held.tokenizer(lower_case=read.lower_case)
    texts = corpus.parts()

    def rows():
        for text, one in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False)):
            ids = read.ids(text)
            wanted = Sequenced(ids, [0] * len(ids), cut=False)
            tied = ids != one.ids and host.ties(text, one.ids)
            yield (text, None), wanted, differences.Read(one.ids, one.attention_mask, one.type_ids, is_tied=tied)

    return differences.compared(rows(), differences.of_pieces(held.special, lower_case=read.lower_case), 0)
