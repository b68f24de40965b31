"""text: an IR and its tokenizer's file → the same IR, models that read text for it, and each joined with the IR.

Writes model.xml (the IR as it is); tokenizer.xml and tokenizer_pair.xml, from strings to its inputs; text_model.xml and
text_pair_model.xml, from strings to its answers; a .bin for each, of which the three with weights are one file;
signature.json, text_gate.json and README.txt. What reads text is held to google-research/bert on a corpus, of a model
of SentencePiece to google-research/albert: a difference of no listed class is refused. The joined models have to answer
as the IR does, bit for bit.
"""

import os
import shutil
from pathlib import Path

from stage import Stage, StageInputError, read_json, step, write_json
from vocabulary import declare_reading, load_vocab

from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.tokenizer_file import read_words
from bertbuild.text.words import PIECES_FILE
from stages._one_bin import Weights
from stages.infer import IN_FLOAT32

STAGE = Stage("text", __doc__.splitlines()[0])
STAGE.input("ir", "folder with model.xml, model.bin and signature.json, of free batch size and sequence length")
STAGE.input("words", "the model's vocab.txt, or its model of SentencePiece")
STAGE.param(
    "do-lower-case",
    "whether text is lower-cased (default: where the file has no capitals)",
    choices=("true", "false"),
)
STAGE.param("max-seq-length", "pieces at most, special tokens counted", type=int, required=True)
STAGE.param(
    "special-tokens-in-text",
    "take [SEP], [MASK] and the like in a text for special tokens, as Hugging Face does",
    choices=("true", "false"),
)
declare_reading(STAGE)

MODEL = "model"
TOKENIZERS = ("tokenizer", "tokenizer_pair")
JOINED = ("text_model", "text_pair_model")
"""Of single texts, and of pairs."""
PACKAGE = "openvino-tokenizers"
README = """These models take strings, [batch] each:

    text_model.xml        text                  gives what the model answers
    text_pair_model.xml   text, text_pair       likewise, of pairs of texts
    tokenizer.xml         text                  gives input_ids, input_mask and segment_ids for model.xml
    tokenizer_pair.xml    text, text_pair       likewise, of pairs of texts

Each needs its own .bin and no other file, and the operators of the package %(package)s:

    pip install openvino==%(openvino)s %(package)s==%(version)s

    import openvino, openvino_tokenizers
    model = openvino.Core().compile_model("text_model.xml", "CPU")
    answers = model({"text": ["a text", "another"]})

Without Python, load the package's library: core.add_extension("libopenvino_tokenizers.so"). Texts are cut to %(length)d
pieces. Measured when they were made: the tokenizer %(told)s.
"""


def run(args, report):
    """Build, join, compare."""
    words = _words(args)
    length = args.max_seq_length
    lower_case = args.do_lower_case == "true" if args.do_lower_case else words.lower_cases()
    _require_numbers(args.words, words, lower_case)
    how = (words, lower_case, length)
    special = args.special_tokens_in_text == "true"
    if length < 4:
        raise StageInputError(
            "--max-seq-length must be at least 4 (got %d): two texts and three special tokens" % length
        )
    step("loading OpenVINO")
    import openvino
    from ir_file import packages

    from bertbuild.text.differences import told
    from stages import _strings, _text_graph

    core = openvino.Core()
    core.add_extension(str(_strings.EXTENSION))
    _check(core.read_model(os.path.join(args.ir, MODEL + ".xml")))
    report.packages = packages("openvino", PACKAGE, "numpy")

    step("writing tokenizer.xml and tokenizer_pair.xml")
    for name, pairs in zip(TOKENIZERS, (False, True)):
        _save(_text_graph.tokenizer(*how, pairs, special), report, _path(args, name))
    step("writing text_model.xml and text_pair_model.xml")
    for ending in (".xml", ".bin"):
        shutil.copyfile(os.path.join(args.ir, MODEL + ending), _path(args, MODEL, ending))
    weights = Weights(_path(args, MODEL))
    for name, reader in zip(JOINED, TOKENIZERS):
        parts = (core.read_model(_path(args, one, ".xml")) for one in (reader, MODEL))
        _save(_text_graph.joined(*parts), report, _path(args, name))
        weights.share(_path(args, name))
    for name in JOINED:
        weights.link(_path(args, name))

    def runner(name):
        return _runner(core.compile_model(_path(args, name, ".xml"), "CPU", IN_FLOAT32))

    found = _compared(runner, *how, special)
    report.note("the tokenizer " + told(found))
    _describe(args, report, core.read_model(_path(args, JOINED[1], ".xml")), found)


def _words(args):
    """What the tokenizer's file holds."""
    content = Path(args.words).read_bytes()
    if not sentencepiece.is_model(content):
        load_vocab(args.words, args.vocab_reading)  # which refuses what is no vocabulary
    try:
        return read_words(content, args.vocab_reading or "")
    except ValueError as error:
        raise StageInputError("%s %s" % (args.words, error)) from error


def _require_numbers(path, words, lower_case):
    """Refuse a model of SentencePiece whose numbers do not tell how google-research/albert reads a text."""
    if words.file == PIECES_FILE:
        why = words.tokenizer(lower_case=lower_case).beyond_numbers()
        if why:
            raise StageInputError("%s cannot be read within a graph: %s; leave --text out" % (path, why))


def _compared(runner, words, lower_case, length, special):
    """Hold the tokenizers to upstream's, and the joined models to the IR; what the first gave.

    Args:
        runner: function of a model's name that loads it and gives what runs it.
        words: what the tokenizer's file holds.
        lower_case: whether letters are made small.
        length: pieces at most.
        special: whether special tokens in a text are such.
    """
    from bertbuild.text.differences import unlisted_told
    from stages import _text_gate

    step("comparing the tokenizers with %s's" % words.upstream)
    readers = [runner(name) for name in TOKENIZERS]
    differences = _text_gate.read_as_upstream(readers, words, lower_case, length, special)
    if differences.unlisted:
        raise StageInputError(unlisted_told(differences, upstream=words.upstream))
    step("comparing answers with the IR's")
    model = runner(MODEL)
    batches = _text_gate.some()
    fed = [[model(read(feeds)) for feeds in some] for read, some in zip(readers, batches)]
    del model
    for name, some, wanted in zip(JOINED, batches, fed):
        joined = runner(name)
        if not all(_text_gate.same_bits(joined(feeds), answers) for feeds, answers in zip(some, wanted)):
            raise StageInputError("%s.xml does not answer as model.xml does, fed by its tokenizer" % name)
    return differences.as_json(special=special, upstream=words.upstream)


def _describe(args, report, model, found):
    """Write what tells of the models, and fill in the report; `model` reads pairs."""
    from ir_file import describe, mark, per_position

    from bertbuild.text.differences import told

    signature, length = read_json(args.ir, "signature.json"), args.max_seq_length
    versions = {"package": PACKAGE, "version": report.packages[PACKAGE], "openvino": report.packages["openvino"]}
    report.inputs, report.outputs = describe(model.inputs), mark(describe(model.outputs), per_position(signature))
    report.facts.update(found, max_seq_length=length)
    facts = {"inputs": report.inputs, "max_seq_length": length, "extension": "%(package)s==%(version)s" % versions}
    facts.update(tokenizers=["%s.xml" % name for name in TOKENIZERS], joined=["%s.xml" % name for name in JOINED])
    write_json(args.out, "signature.json", dict(signature, text_model=facts))
    write_json(args.out, "text_gate.json", found)
    with open(_path(args, "README.txt"), "w") as file:
        file.write(README % dict(versions, length=length, told=told(found)))


def _path(args, name, ending=""):
    return os.path.join(args.out, name + ending)


def _check(model):
    """Refuse an IR whose inputs are not free."""
    from stages._text_graph import ROLES

    for role in ROLES:
        if any(not size.is_dynamic for size in model.input(role).get_partial_shape()):
            raise StageInputError(
                "%s of model.xml has a fixed size; make the IR without --batch-size and --seq-len" % role
            )


def _save(model, report, path):
    import openvino

    for name, version in sorted(report.packages.items()):
        model.set_rt_info(version, ["bertbuild", name.replace("-", "_")])
    openvino.save_model(model, path + ".xml", compress_to_fp16=False)


def _runner(model):
    def run(feeds):
        found = model(feeds)
        return {name: found[port].copy() for port in model.outputs for name in port.get_names()}

    return run


if __name__ == "__main__":
    STAGE.main(run)
