"""tokenizer: a vocab.txt → how the tokenizer.json that targets carry reads a corpus, held to google-research/bert.

Writes text_gate.json: how many texts, and how many of each listed class are read otherwise by the package tokenizers.
A difference of no listed class is refused. No tokenizer.json is written of a vocabulary that lacks [UNK], [CLS] or
[SEP]: then there are no texts.
"""

from pathlib import Path

from stage import Stage, StageInputError, step, write_json
from vocabulary import declare_reading

STAGE = Stage("tokenizer", __doc__.splitlines()[0])
STAGE.input("words", "the model's vocab.txt")
STAGE.param(
    "do-lower-case",
    "whether text is lower-cased (default: where vocab.txt has no capitals)",
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

    from bertbuild.checkpoint.vocabulary import BERT_TENSORFLOW, read_vocabulary
    from bertbuild.text.differences import NO_TEXTS, told
    from bertbuild.text.facts import TEXT_GATE_FILE, lower_cases
    from bertbuild.text.tokenizer_json import can_be_written
    from bertbuild.text.wordpiece import numbered

    words = read_vocabulary(Path(args.words).read_bytes()).words
    vocab = numbered(words, by_word=args.vocab_reading == BERT_TENSORFLOW)
    lower_case = args.do_lower_case == "true" if args.do_lower_case else lower_cases(words)
    report.packages = {"tokenizers": version("tokenizers")}
    found = NO_TEXTS.as_json()
    if can_be_written(vocab):
        step("comparing tokenizer.json with google-research/bert's tokenizer")
        found = _compared(vocab, lower_case, args.special_tokens_in_text == "true")
        report.note("tokenizer.json " + told(found))
    report.facts.update(do_lower_case=lower_case, **found)
    write_json(args.out, TEXT_GATE_FILE, found)


def _compared(vocab, lower_case, special):
    """`texts`, and `differences` by class.

    Raises:
        StageInputError: a text of no listed class is read otherwise.
    """
    from bertbuild.text.differences import of_tokenizer_json, unlisted_told
    from bertbuild.text.tokenizer_json import tokenizer_json
    from bertbuild.text.wordpiece import SPECIAL, FullTokenizer
    from stages._tokenizer_gate import LONGEST, read_as_upstream

    content = tokenizer_json(vocab, lower_case=lower_case, max_seq_length=LONGEST, special=special)
    upstream = FullTokenizer(vocab, lower_case=lower_case, special=SPECIAL if special else ())
    found = read_as_upstream(content, upstream, of_tokenizer_json(lower_case=lower_case, special=False))
    if found.unlisted:
        raise StageInputError(unlisted_told(found, "tokenizer.json"))
    return found.as_json(special=special)


if __name__ == "__main__":
    STAGE.main(run)
