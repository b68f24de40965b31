"""The graph that reads text: strings → input_ids, input_mask and segment_ids, as google-research/bert makes them.

Its operators are those of the package openvino-tokenizers. What upstream does to characters is one table
(`bertbuild/text/rewriting.py`); pieces are found by the operator WordpieceTokenizer (those of SentencePiece:
`_piece_graph.py`); pairs are cut by arithmetic on their lengths, as `_truncate_seq_pair` does, with no variable that a
reader would have to set.
"""

import re

import numpy as np
import openvino
from openvino import Type
from openvino import opset15 as ops

from bertbuild.text.rewriting import FINAL, changed_characters, final_sigma
from bertbuild.text.wordpiece import CONTINUED, END, FIRST, LONGEST_WORD, SPECIAL, UNKNOWN
from bertbuild.text.words import PIECES_FILE, pad_of
from stages import _piece_graph
from stages._strings import constant_text, factory, numbers, replaced, rewritten, texts_of

TEXT, PAIR = "text", "text_pair"
"""Its inputs: strings, [batch] each. Single texts have a graph without the second: where a reader leaves an input out,
OpenVINO takes what it was given before.
"""
ROLES = ("input_ids", "input_mask", "segment_ids")
NOTHING = "\x01"
"""A word that no vocabulary has: upstream takes this character out of every text."""
MARKS = dict(zip(SPECIAL, "\x02\x03\x04\x05\x06"))
"""Special token → the character that stands for it on its way through the graph, where it is one in a text. Upstream
takes these out of every text too; what a text has of them becomes TAKEN_OUT, so that it stands for nothing.
"""
TAKEN_OUT = "\x07"
BYTES_OF_CHARACTER = 4


def tokenizer(words, lower_case, length, pairs, special=False):
    """The graph, an openvino.Model.

    Args:
        words: what the tokenizer's file holds, a `Words`.
        lower_case: whether letters are made small, and of a vocab.txt's accents taken off.
        length: pieces at most, special tokens counted.
        pairs: whether it reads pairs of texts, and not single ones.
        special: whether special tokens are such where they stand in a text, as with Hugging Face.
    """
    made = factory()
    texts = [ops.parameter([-1], Type.string, name=name) for name in ((TEXT, PAIR) if pairs else (TEXT,))]
    for node in texts:
        node.output(0).get_tensor().set_names({node.get_friendly_name()})
    strings = ops.string_tensor_unpack(ops.concat(texts, 0) if pairs else texts[0]).outputs()
    of_words = _piece_graph.pieces if words.file == PIECES_FILE else _pieces
    begins, ends, ids = of_words(made, strings, words, lower_case, special)
    parts = _cut(*_each(begins, ends, texts[0]), length) if pairs else [_shortened(begins, ends, length)]
    sequences = _sequences(made, ids, parts, words.vocab)
    return openvino.Model(_dense(made, sequences, pad_of(words)), texts, "tokenizer")


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
        strings = replaced(made, strings, f"[{''.join(marks.values())}]", TAKEN_OUT)
    for word, mark in marks.items():
        strings = replaced(made, strings, re.escape(word), mark)
    strings = replaced(made, strings, r"\x{0}", "")  # no table has this character
    if lower_case:
        strings = replaced(made, strings, final_sigma(changed), "$1" + FINAL)
    strings = rewritten(made, strings, changed)
    strings = replaced(made, strings, "[^ ]{%d,}" % (LONGEST_WORD + 1), NOTHING)
    count = ops.squeeze(ops.shape_of(strings[0], output_type="i32"))
    zero, one = numbers(0), numbers(1)
    begins = ops.range(zero, count, one, output_type="i32")
    ends = ops.range(one, ops.add(count, one), one, output_type="i32")
    spaces = {"behaviour": "remove", "invert": False, "max_splits": -1}
    # Of no bytes at all RegexSplit makes one row, however many texts there are: a space of no text follows the last.
    strings[2] = ops.concat([strings[2], constant_text(" ")], 0).output(0)
    return made.create(
        "RegexSplit", [begins.output(0), ends.output(0), *strings, constant_text(" +")], spaces
    ).outputs()[:5]


def _pieces(made, strings, words, lower_case, special):
    """Begins and ends of the pieces of each text, and the numbers of all; see `_piece_graph.pieces`."""
    vocab = words.vocab
    marks = {word: mark for word, mark in MARKS.items() if special and word in vocab}
    never = {NOTHING, *marks.values()}
    known = {number: word for word, number in vocab.items() if never.isdisjoint(word)}
    known.update((vocab[word], mark) for word, mark in marks.items())  # the words themselves are split, and never seen
    table = texts_of(known.get(number, NOTHING + str(number)) for number in range(max(vocab.values()) + 1))
    options = {"suffix_indicator": CONTINUED, "max_bytes_per_word": BYTES_OF_CHARACTER * LONGEST_WORD}
    inputs = [*_words(made, strings, lower_case, marks), *table, numbers(vocab[UNKNOWN]).output(0)]
    return made.create("WordpieceTokenizer", inputs, options).outputs()


def _shortened(begins, ends, length):
    """Begins and ends of single texts that are cut."""
    return begins, ops.minimum(ends, ops.add(begins, numbers(length - 2)))


def _each(begins, ends, first):
    """Begins and ends of the first texts, and of the second ones; one second text alone goes with every first one."""
    count = ops.shape_of(first, output_type="i32")
    zero, one, last = numbers([0]), numbers([1]), numbers([np.iinfo(np.int32).max])
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
    left = ops.maximum(ops.subtract(numbers(room), one), numbers(room // 2))
    two = ops.minimum(two, left)
    one = ops.minimum(one, ops.subtract(numbers(room), two))
    return [(begins, ops.add(begins, kept)) for (begins, _), kept in ((first, one), (second, two))]


def _sequences(made, ids, parts, vocab):
    """[CLS] one [SEP] or [CLS] one [SEP] two [SEP]: begins, ends and numbers of the pieces, and of their segments."""

    def token(word):
        return [numbers(0).output(0), numbers(1).output(0), numbers([vocab[word]]).output(0)]

    segments, inputs = [0], token(FIRST)
    for segment, (begins, ends) in enumerate(parts):
        inputs += [_port(begins), _port(ends), ids, *token(END)]
        segments += [segment, segment]
    return made.create("CombineSegments", [*inputs, numbers(segments).output(0)]).outputs()


def _dense(made, sequences, pad):
    """What the model takes: [batch, longest] each."""
    begins, ends, ids, _, _, segments = sequences
    longest = ops.reduce_max(ops.subtract(ends, begins), numbers(0)).output(0)
    options = {"pad_right": True, "pad_max_length": False}
    filled = [
        made.create("RaggedToDense", [begins, ends, values, longest, numbers(fill).output(0)], options)
        for values, fill in ((ids, pad), (segments, 0))
    ]
    mask = ops.convert(filled[0].output(1), "i32")
    outputs = [filled[0].output(0), mask.output(0), filled[1].output(0)]
    for name, port in zip(ROLES, outputs):
        port.get_tensor().set_names({name})
    return outputs


def _port(node):
    return node if isinstance(node, openvino.Output) else node.output(0)
