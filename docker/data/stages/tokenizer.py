"""tokenizer: the file of a tokenizer → how the tokenizer.json that targets carry reads a corpus.

It is held to google-research/bert, of a model of SentencePiece to google-research/albert. Writes text_gate.json: how
many texts, and how many of each listed class are read otherwise by the package tokenizers. A difference of no listed
class is refused. None is written of a vocabulary that lacks [UNK], [CLS] or [SEP]: then there are no texts.

How predict reads pieces of SentencePiece is held to the package sentencepiece on the same texts, and may not differ.
"""

from pathlib import Path

from stage import Stage, StageInputError, step, write_json
from vocabulary import declare_reading

STAGE = Stage("tokenizer", __doc__.splitlines()[0])
STAGE.input("words", "the model's vocab.txt, or its model of SentencePiece")
STAGE.param(
    "do-lower-case",
    "whether text is lower-cased (default: where the file has no capitals)",
    choices=("true", "false"),
)
STAGE.param(
    "special-tokens-in-text",
    "[SEP], [MASK] and the like in a text are special tokens, as with Hugging Face",
    choices=("true", "false"),
)
declare_reading(STAGE)


def run(args, report):
    """Write a tokenizer.json as the host does, and compare."""
    from importlib.metadata import version

    from bertbuild.checkpoint.tokenizer_file import read_words
    from bertbuild.text.differences import NO_TEXTS, told
    from bertbuild.text.facts import TEXT_GATE_FILE
    from bertbuild.text.words import PIECES_FILE
    from stages._tokenizer_gate import LONGEST

    try:
        words = read_words(Path(args.words).read_bytes(), args.vocab_reading or "")
    except ValueError as error:
        raise StageInputError("%s %s" % (args.words, error)) from error
    lower_case = args.do_lower_case == "true" if args.do_lower_case else words.lower_cases()
    special = args.special_tokens_in_text == "true"
    is_pieces = words.file == PIECES_FILE
    report.packages = {name: version(name) for name in ("tokenizers", *(("sentencepiece",) if is_pieces else ()))}
    if is_pieces:
        step("comparing how SentencePiece's pieces are read with the package sentencepiece")
        _require_alike(args.words, words, lower_case)
    content = words.tokenizer_json(lower_case=lower_case, max_seq_length=LONGEST, special=special)
    found = NO_TEXTS.as_json()
    if content is not None:
        step("comparing tokenizer.json with %s's tokenizer" % words.upstream)
        found = _compared(content, words, lower_case, special)
        report.note("tokenizer.json " + told(found))
    report.facts.update(do_lower_case=lower_case, **found)
    write_json(args.out, TEXT_GATE_FILE, found)


def _require_alike(path, words, lower_case):
    """Hold how the host reads pieces to the package sentencepiece.

    Raises:
        StageInputError: a text is read otherwise.
    """
    from bertbuild.text import corpus
    from stages._sentencepiece import SentencePiece

    host, package = words.tokenizer(lower_case=lower_case), SentencePiece(path, words.model, lower_case)
    for text in corpus.parts():
        if host.pieces(text) != package.pieces(text):
            raise StageInputError("predict reads a text otherwise than the package sentencepiece: %r" % text)


def _compared(content, words, lower_case, special):
    """`texts`, and `differences` by class.

    Raises:
        StageInputError: a text of no listed class is read otherwise.
    """
    from bertbuild.text.differences import classes_of, unlisted_told
    from stages._tokenizer_gate import read_as_upstream

    upstream = words.tokenizer(lower_case=lower_case, special=words.special if special else ())
    found = read_as_upstream(content, upstream, classes_of(words, lower_case=lower_case))
    if found.unlisted:
        raise StageInputError(unlisted_told(found, "tokenizer.json", words.upstream))
    return found.as_json(special=special, upstream=words.upstream)


if __name__ == "__main__":
    STAGE.main(run)
