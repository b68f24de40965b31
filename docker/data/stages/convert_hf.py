"""convert-hf: a checkpoint → a Hugging Face folder: config.json, model.safetensors and the tokenizer's files.

Written from the checkpoint with NumPy, one tensor at a time, and read back. config.json names the class of transformers
that has the heads of --heads. Kernels are transposed ([in, out] → [out, in]); numbers are not changed. signature.json
says how text was read, for the stage that asks the folder. tokenizer.json is made by the code that the stage tokenizer
holds to google-research/bert and google-research/albert.
"""

import shutil
from pathlib import Path

import vocabulary
from checkpoint_files import find_prefix
from stage import Stage, StageInputError, read_json, step, write_json

from stages import _hf_weights

ROLES = ("pad", "unk", "cls", "sep", "mask")
"""What tokenizer_config.json calls the special tokens, in the order of `Words.special`."""
SHOWN = (
    "The quick brown fox jumps over the lazy dog.",
    "D\u00e9j\u00e0 vu in CAF\u00c9S: na\u00efve, \u00c5ngstr\u00f6m!",
    "don't stop-it (now), e.g. 3.14% of $5000 in 1999 or ``so''",
    "tab\there, a line\nthere, two  spaces \u00a0and\u3000wide ones",
    "\u5317\u4eac\u662f\u4e2d\u56fd\u7684\u9996\u90fd\u3002 \ud55c\uad6d\uc5b4",
    "\ufb01ne \u00bd \u00b2 \u2122 \u2460 \U0001f600",
    "",
)
"""Texts whose ids by the package sentencepiece stand in signature.json; of none of the classes of differences."""

STAGE = Stage("convert-hf", __doc__.splitlines()[0])
_hf_weights.declare(STAGE)
STAGE.input("words", "the model's vocab.txt, or its model of SentencePiece")
STAGE.param(
    "do-lower-case",
    "whether text is lower-cased (default: where the file has no capitals)",
    choices=("true", "false"),
)
vocabulary.declare_reading(STAGE)


def run(args, report):
    """Write the weights, read them back; write the tokenizer."""
    from importlib.metadata import version

    from bertbuild.checkpoint.tokenizer_file import read_words
    from bertbuild.errors import BertbuildError
    from bertbuild.text.words import PIECES_FILE

    prefix = Path(find_prefix(args.checkpoint, args.prefix))
    try:
        words = read_words(Path(args.words).read_bytes(), args.vocab_reading or "")
    except ValueError as error:
        raise StageInputError("%s %s" % (args.words, error)) from error
    lower_case = args.do_lower_case == "true" if args.do_lower_case else words.lower_cases()
    is_pieces = words.file == PIECES_FILE
    try:
        config = _hf_weights.config_of(args, prefix)
        report.facts["files"] = _hf_weights.write(args, prefix, config)
    except BertbuildError as error:
        raise StageInputError("%s %s" % (error, error.next_step)) from error
    step("writing the tokenizer")
    write_tokenizer(args, words, lower_case, config.max_position_embeddings)
    written = read_json(args.out, "config.json")
    read = of_pieces(args.words, words, lower_case) if is_pieces else of_words(args.vocab_reading)
    report.packages = {name: version(name) for name in ("numpy", *(("sentencepiece",) if is_pieces else ()))}
    report.facts.update(class_=written["architectures"][0], do_lower_case=lower_case)
    write_json(
        args.out,
        "signature.json",
        {
            "class": written["architectures"][0],
            "gelu": args.gelu if written["hidden_act"].startswith("gelu") else None,
            "do_lower_case": lower_case,
            **read,
        },
    )


def write_tokenizer(args, words, lower_case, positions):
    """Write the tokenizer's own file, tokenizer.json and tokenizer_config.json.

    The last names the class that takes tokenizer.json as it is. transformers' own make other tokenizers of the words:
    of version 5 BertTokenizer gives up words of more than 100 characters, and AlbertTokenizer makes quotes of `` and
    '', which google-research/albert does not. Unlike these, in version 5 it gives no segments unless that is said, and
    who loads BertTokenizer by name takes lower-casing from this file; so both are said.

    Raises:
        StageInputError: the vocabulary lacks a special token that tokenizer.json names.
    """
    out = Path(args.out)
    content = words.tokenizer_json(lower_case=lower_case, max_seq_length=0, special=True)
    if content is None:
        raise StageInputError(
            "%s has not all of [UNK], [CLS] and [SEP], which a tokenizer.json names; give the model's vocab.txt"
            % args.words
        )
    shutil.copyfile(args.words, out / words.file)
    (out / "tokenizer.json").write_text(content, encoding="utf-8")
    write_json(
        args.out,
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "do_lower_case": lower_case,
            "model_max_length": positions,
            **{"%s_token" % role: mark for role, mark in zip(ROLES, words.special) if mark in words.vocab},
        },
    )


def of_words(reading):
    """What signature.json says of how words of a vocab.txt are read."""
    from bertbuild.text.wordpiece import LONGEST_WORD

    return {"vocab_reading": reading, "longest_word": LONGEST_WORD}


def of_pieces(path, words, lower_case):
    """The same of SentencePiece's pieces: what the package makes of some texts."""
    from bertbuild.text.words import PIECES_FILE
    from stages._sentencepiece import SentencePiece

    package = SentencePiece(path, words.model, lower_case)
    return {"pieces": PIECES_FILE, "read": {text: package.ids(text) for text in SHOWN}}


if __name__ == "__main__":
    STAGE.main(run)
