"""convert-hf: a checkpoint → a Hugging Face folder: config.json, model.safetensors and the tokenizer's files.

Written from the checkpoint with NumPy, one tensor at a time, and read back. config.json names the class of transformers
that has the heads of --heads. Kernels are transposed ([in, out] → [out, in]); numbers are not changed. signature.json
says how text was read, for the stage that asks the folder. tokenizer.json is held to google-research/bert on a corpus,
that of SentencePiece's pieces to google-research/albert: a difference of no listed class is refused.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import vocabulary
from checkpoint_files import find_prefix
from stage import Stage, StageInputError, read_json, step, write_json

from bertbuild.families.bert_names import VOCAB_FILE
from stages import _hf_weights, _sentencepiece_files

LONGEST_WORD = 200  # google-research/bert's; the tokenizers of transformers take 100 where nothing is said
PACKAGES = ("numpy", "sentencepiece", "tokenizers")
UPSTREAM = "google-research/albert"
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

STAGE = Stage("convert-hf", __doc__.splitlines()[0])
_hf_weights.declare(STAGE)
STAGE.param(
    "do-lower-case",
    "whether text is lower-cased (default: as the tokenizer_config.json beside it says, else where vocab.txt has no "
    "capitals)",
    choices=("true", "false"),
)
vocabulary.declare_reading(STAGE)


def run(args, report):
    """Read, rename, write, compare: the weights in a thread of their own, beside the tokenizer."""
    from importlib.metadata import version

    from bertbuild.errors import BertbuildError
    from bertbuild.text.differences import told
    from bertbuild.text.facts import TEXT_GATE_FILE

    prefix = Path(find_prefix(args.checkpoint, args.prefix))
    words = Path(args.checkpoint) / VOCAB_FILE
    pieces = None if words.exists() else _sentencepiece_files.find(args.checkpoint)
    if pieces is None and not words.exists():
        raise StageInputError(
            "the checkpoint comes without a vocab.txt and without a model of SentencePiece, and a Hugging Face folder "
            "has a tokenizer"
        )
    try:
        config = _hf_weights.config_of(args, prefix)
        with ThreadPoolExecutor(max_workers=1) as thread:
            weights = thread.submit(_hf_weights.write, args, prefix, config)
            read, found = of_words(args, words, config, report) if pieces is None else of_pieces(args, pieces, config)
            report.facts["files"] = weights.result()
    except BertbuildError as error:
        raise StageInputError("%s %s" % (error, error.next_step)) from error
    written = read_json(args.out, "config.json")
    report.note("the tokenizer " + told(found))
    report.packages = {name: version(name) for name in PACKAGES}
    report.facts.update(class_=written["architectures"][0], do_lower_case=read["do_lower_case"], **found)
    write_json(
        args.out,
        "signature.json",
        {
            "class": written["architectures"][0],
            "gelu": args.gelu if written["hidden_act"].startswith("gelu") else None,
            **read,
        },
    )
    write_json(args.out, TEXT_GATE_FILE, found)


def of_words(args, words, config, report):
    """Write the files of a tokenizer of WordPiece, and hold them to google-research/bert.

    Returns:
        what signature.json says of them; how tokenizer.json reads the corpus, as JSON.
    """
    from bertbuild.checkpoint.vocabulary import chosen_reading

    reading, said = chosen_reading(words, config.vocab_size, args.vocab_reading or "")
    if said:
        report.note(said)
    vocab = vocabulary.load_vocab(str(words), reading or None)
    lower_case = is_lower_case(args, words)
    step("writing the tokenizer")
    shutil.copyfile(words, Path(args.out) / VOCAB_FILE)
    positions = config.max_position_embeddings
    write_tokenizer(Path(args.out), vocab, lower_case, positions)
    found = read_as_upstream(Path(args.out), vocab, lower_case, positions)
    return {"do_lower_case": lower_case, "vocab_reading": reading or None, "longest_word": LONGEST_WORD}, found


def of_pieces(args, pieces, config):
    """The same of SentencePiece, held to google-research/albert."""
    from bertbuild.text.differences import unlisted_told

    positions, words = config.max_position_embeddings, config.vocab_size
    read, found = _sentencepiece_files.write(Path(args.out), pieces, said_lower_case(args), positions, words)
    if found.unlisted:
        raise StageInputError(unlisted_told(found, upstream=UPSTREAM))
    return read, {**found.as_json(), "upstream": UPSTREAM}


def is_lower_case(args, words):
    """Whether text is lower-cased before words are looked up."""
    told = said_lower_case(args)
    if told is not None:
        return told
    found = words.read_text(encoding="utf-8").split("\n")
    return not any(word != word.lower() for word in found if not word.startswith(("[", "<")))


def said_lower_case(args):
    """Whether text is lower-cased, as --do-lower-case or the tokenizer_config.json beside it says; else None."""
    from bertbuild.huggingface.vocabulary import recorded_lower_case

    if args.do_lower_case:
        return args.do_lower_case == "true"
    return recorded_lower_case(Path(args.checkpoint))


def read_as_upstream(folder, vocab, lower_case, positions):
    """Hold tokenizer.json to google-research/bert: `texts`, and `differences` by class.

    Raises:
        StageInputError: it reads a text of no listed class otherwise.
    """
    from bertbuild.text.differences import of_tokenizer_json, unlisted_told
    from bertbuild.text.wordpiece import FullTokenizer
    from stages import _tokenizer_gate

    step("comparing the tokenizer with google-research/bert's")
    content = (folder / "tokenizer.json").read_text(encoding="utf-8")
    upstream = FullTokenizer(vocab, lower_case=lower_case)
    classes = of_tokenizer_json(lower_case=lower_case, special=True)
    found = _tokenizer_gate.read_as_upstream(content, upstream, classes, min(_tokenizer_gate.LONGEST, positions))
    if found.unlisted:
        raise StageInputError(unlisted_told(found))
    return found.as_json()


def write_tokenizer(folder, vocab, lower_case, positions):
    """Write tokenizer.json and tokenizer_config.json.

    transformers takes what the second says of lower-casing, whatever the first does; so it is said in both.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece

    model = WordPiece(vocab=vocab, unk_token=vocabulary.UNKNOWN, max_input_chars_per_word=LONGEST_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lower_case
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(mark, vocab[mark]) for mark in ("[CLS]", "[SEP]")],
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    marks = [mark for mark in MARKS if mark in vocab]
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in marks])
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"%s_token" % mark[1:-1].lower(): mark for mark in marks}
    write_json(
        str(folder),
        "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": lower_case,
            "strip_accents": None,
            "tokenize_chinese_chars": True,
            "model_max_length": positions,
            **named,
        },
    )


if __name__ == "__main__":
    STAGE.main(run)
