"""The graph that reads text: strings → input_ids, input_mask and segment_ids, as google-research/bert makes them.

Its operators are those of the package openvino-tokenizers. What upstream does to characters is one table
(`bertbuild/text/rewriting.py`); pieces are found by the operator WordpieceTokenizer; pairs are cut by arithmetic on
their lengths, as `_truncate_seq_pair` does, with no variable that a reader would have to set.
"""

import re

import numpy as np
import openvino
import openvino_tokenizers
from openvino import Type
from openvino import opset15 as ops
from openvino.utils.node_factory import NodeFactory

from bertbuild.text.character_map import character_map
from bertbuild.text.rewriting import FINAL, changed_characters, final_sigma
from bertbuild.text.wordpiece import CONTINUED, END, FIRST, LONGEST_WORD, PAD, SPECIAL, UNKNOWN

TEXT, PAIR = "text", "text_pair"
"""Its inputs: strings, [batch] each. Single texts have a graph without the second: where a reader leaves an input out,
OpenVINO takes what it was given before.
"""
EXTENSION = openvino_tokenizers._ext_path  # noqa: SLF001 - it has no other name
"""The library of the operators."""
ROLES = ("input_ids", "input_mask", "segment_ids")
NOTHING = "\x01"
"""A word that no vocabulary has: upstream takes this character out of every text."""
MARKS = dict(zip(SPECIAL, "\x02\x03\x04\x05\x06"))
"""Special token → the character that stands for it on its way through the graph, where it is one in a text. Upstream
takes these out of every text too; what a text has of them becomes TAKEN_OUT, so that it stands for nothing.
"""
TAKEN_OUT = "\x07"
BYTES_OF_CHARACTER = 4


def tokenizer(vocab, lower_case, length, pairs, special=False):
    """The graph, an openvino.Model.

    Args:
        vocab: piece → number.
        lower_case: whether letters are made small, and accents taken off.
        length: pieces at most, special tokens counted.
        pairs: whether it reads pairs of texts, and not single ones.
        special: whether special tokens are such where they stand in a text, as with Hugging Face.
    """
    marks = {word: mark for word, mark in MARKS.items() if special and word in vocab}
    made = NodeFactory()
    made.add_extension(str(EXTENSION))
    texts = [ops.parameter([-1], Type.string, name=name) for name in ((TEXT, PAIR) if pairs else (TEXT,))]
    for node in texts:
        node.output(0).get_tensor().set_names({node.get_friendly_name()})
    strings = ops.string_tensor_unpack(ops.concat(texts, 0) if pairs else texts[0]).outputs()
    begins, ends, ids = _pieces(made, _words(made, strings, lower_case, marks), vocab, marks)
    parts = _cut(*_each(begins, ends, texts[0]), length) if pairs else [_shortened(begins, ends, length)]
    sequences = _sequences(made, ids, parts, vocab)
    return openvino.Model(_dense(made, sequences, vocab.get(PAD, 0)), texts, "tokenizer")


def joined(reader, model):
    """Both as one openvino.Model, from strings to what `model` answers; neither is to be used afterwards."""
    for role in ROLES:
        port = model.input(role)
        source = reader.output(role).get_node().input_value(0)
        if port.get_element_type() != source.get_element_type():
            source = ops.convert(source, port.get_element_type().get_type_name()).output(0)
        for target in port.get_node().output(0).get_target_inputs():
            target.replace_source_output(source)
    # Without the sinks of both, what a reader keeps in a variable would be lost.
    return openvino.Model(
        model.get_results(), [*reader.get_sinks(), *model.get_sinks()], reader.get_parameters(), "text"
    )


def _words(made, strings, lower_case, marks):
    """Words of each text: begins and ends of its words, then begins, ends and bytes of all words."""
    changed = {**changed_characters(lower_case), **{mark: f" {mark} " for mark in marks.values()}}
    if marks:  # first of all: what stands before or behind a special token is a text of its own
        strings = _replaced(made, strings, f"[{''.join(marks.values())}]", TAKEN_OUT)
    for word, mark in marks.items():
        strings = _replaced(made, strings, re.escape(word), mark)
    strings = _replaced(made, strings, r"\x{0}", "")  # no table has this character
    if lower_case:
        strings = _replaced(made, strings, final_sigma(changed), "$1" + FINAL)
    options = {"normalization_form": "", "case_fold": False, "nmt": False, "add_dummy_prefix": False}
    options.update(remove_extra_whitespaces=False, escape_whitespaces=False)
    table = _constant(np.frombuffer(character_map(changed), np.uint8))
    strings = made.create("CharsMapNormalization", [*strings, table], options).outputs()
    strings = _replaced(made, strings, "[^ ]{%d,}" % (LONGEST_WORD + 1), NOTHING)
    count = ops.squeeze(ops.shape_of(strings[0], output_type="i32"))
    zero, one = _numbers(0), _numbers(1)
    begins = ops.range(zero, count, one, output_type="i32")
    ends = ops.range(one, ops.add(count, one), one, output_type="i32")
    spaces = {"behaviour": "remove", "invert": False, "max_splits": -1}
    # Of no bytes at all RegexSplit makes one row, however many texts there are: a space of no text follows the last.
    strings[2] = ops.concat([strings[2], _bytes(" ")], 0).output(0)
    return made.create("RegexSplit", [begins.output(0), ends.output(0), *strings, _bytes(" +")], spaces).outputs()[:5]


def _replaced(made, strings, pattern, text):
    return made.create(
        "RegexNormalization", [*strings, _bytes(pattern), _bytes(text)], {"global_replace": True}
    ).outputs()


def _pieces(made, words, vocab, marks):
    """Begins and ends of the pieces of each text, and the numbers of all."""
    never = {NOTHING, *marks.values()}
    known = {number: word for word, number in vocab.items() if never.isdisjoint(word)}
    known.update((vocab[word], mark) for word, mark in marks.items())  # the words themselves are split, and never seen
    lines = [known.get(number, NOTHING + str(number)).encode() for number in range(max(vocab.values()) + 1)]
    ends = np.cumsum([len(line) for line in lines]).astype(np.int32)
    begins = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
    table = [_constant(part) for part in (begins, ends, np.frombuffer(b"".join(lines), np.uint8))]
    options = {"suffix_indicator": CONTINUED, "max_bytes_per_word": BYTES_OF_CHARACTER * LONGEST_WORD}
    return made.create("WordpieceTokenizer", [*words, *table, _numbers(vocab[UNKNOWN]).output(0)], options).outputs()


def _shortened(begins, ends, length):
    """Begins and ends of single texts that are cut."""
    return begins, ops.minimum(ends, ops.add(begins, _numbers(length - 2)))


def _each(begins, ends, first):
    """Begins and ends of the first texts, and of the second ones; one second text alone goes with every first one."""
    count = ops.shape_of(first, output_type="i32")
    zero, one, last = _numbers([0]), _numbers([1]), _numbers([np.iinfo(np.int32).max])
    ones = [ops.slice(part, zero, count, one) for part in (begins, ends)]
    others = [ops.broadcast(ops.slice(part, count, last, one), count) for part in (begins, ends)]
    return ones, others


def _cut(first, second, length):
    """Begins and ends of both texts, cut at their ends as upstream cuts the longer of the two piece by piece.

    Upstream takes from the second where both are equally long, so that the second gets half of the room, rounded down,
    or what the first leaves.
    """
    room = length - 3
    one, two = (ops.subtract(ends, begins) for begins, ends in (first, second))
    left = ops.maximum(ops.subtract(_numbers(room), one), _numbers(room // 2))
    two = ops.minimum(two, left)
    one = ops.minimum(one, ops.subtract(_numbers(room), two))
    return [(begins, ops.add(begins, kept)) for (begins, _), kept in ((first, one), (second, two))]


def _sequences(made, ids, parts, vocab):
    """[CLS] one [SEP] or [CLS] one [SEP] two [SEP]: begins, ends and numbers of the pieces, and of their segments."""

    def token(word):
        return [_numbers(0).output(0), _numbers(1).output(0), _numbers([vocab[word]]).output(0)]

    segments, inputs = [0], token(FIRST)
    for segment, (begins, ends) in enumerate(parts):
        inputs += [_port(begins), _port(ends), ids, *token(END)]
        segments += [segment, segment]
    return made.create("CombineSegments", [*inputs, _numbers(segments).output(0)]).outputs()


def _dense(made, sequences, pad):
    """What the model takes: [batch, longest] each."""
    begins, ends, ids, _, _, segments = sequences
    longest = ops.reduce_max(ops.subtract(ends, begins), _numbers(0)).output(0)
    options = {"pad_right": True, "pad_max_length": False}
    filled = [
        made.create("RaggedToDense", [begins, ends, values, longest, _numbers(fill).output(0)], options)
        for values, fill in ((ids, pad), (segments, 0))
    ]
    mask = ops.convert(filled[0].output(1), "i32")
    outputs = [filled[0].output(0), mask.output(0), filled[1].output(0)]
    for name, port in zip(ROLES, outputs):
        port.get_tensor().set_names({name})
    return outputs


def _port(node):
    return node if isinstance(node, openvino.Output) else node.output(0)


def _numbers(value):
    return ops.constant(np.array(value, np.int32))


def _bytes(text):
    return _constant(np.frombuffer(text.encode(), np.uint8))


def _constant(values):
    return openvino.op.Constant(openvino.Tensor(values)).output(0)
