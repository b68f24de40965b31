"""Strings → pieces of SentencePiece, as google-research/albert finds them: `bertbuild/text/pieces.py`, as operators.

What is done to characters first is two tables (`bertbuild/text/rewriting.py`). The operator SentencepieceTokenizer,
which has the code of SentencePiece in it, cuts what they leave, and looks for special tokens where they are asked for.
The rule on a digit and a comma depends on a piece alone, so it is a table from each piece to the pieces in its place.
"""

import re

import numpy as np
from openvino import opset15 as ops

from bertbuild.text.pieces_json import SPACES
from bertbuild.text.rewriting import FINAL, decomposed_characters, final_sigma, small_characters
from stages._strings import constant, numbers, replaced, rewritten, texts_of

MARKS = "\ufdd0\ufdd1\ufdd2\ufdd3\ufdd4"
"""What stands for the special tokens, in their order, on their way through the graph, where they are such in a text:
characters that are none in Unicode, and that no model has pieces of.
"""
NO_MARK = "\ufdd5"
"""Another one, for what a text has of them; both are unknown."""
_CUT = {"nbest_size": 1, "alpha": 1.0, "add_bos": False, "add_eos": False, "reverse": False}


def pieces(made, strings, words, lower_case, special):
    """Begins and ends of the pieces of each text, and the numbers of all.

    Args:
        made: what makes the operators.
        strings: begins, ends and bytes of the texts.
        words: the model, a `Pieces`.
        lower_case: whether letters are made small.
        special: whether special tokens are such where they stand in a text.
    """
    marks = {word: mark for word, mark in zip(words.special, MARKS) if special and word in words.vocab}
    texts = ops.string_tensor_pack(*_prepared(made, strings, lower_case, marks)).output(0)
    inputs = [constant(np.frombuffer(words.model.content, np.uint8)), texts]
    if marks:
        inputs += [*texts_of(marks.values()), numbers([words.vocab[word] for word in marks]).output(0)]
    places, found, shape = made.create("SentencepieceTokenizer", inputs, _CUT).outputs()
    count = ops.convert(ops.gather(shape, numbers([0]), numbers(0)), "i32")
    # Behind the rows comes one of no text, since places in no rows at all are any numbers.
    rows = ops.concat([ops.convert(ops.squeeze(ops.slice(places, [0], [1], [1], [1]), [1]), "i32"), count], 0)
    count = ops.squeeze(count, [0])
    begins, ends = (
        ops.search_sorted(rows, ops.range(numbers(first), ops.add(count, numbers(first)), numbers(1), "i32"))
        for first in (0, 1)
    )
    return _cut_again(ops.convert(begins, "i32"), ops.convert(ends, "i32"), found, words, lower_case)


def _prepared(made, strings, lower_case, marks):
    """Texts before they are cut into pieces."""
    if marks:  # first of all: what stands before or behind a special token is a text of its own
        strings = replaced(made, strings, f"[{MARKS}]", NO_MARK)
    for word, mark in marks.items():
        strings = replaced(made, strings, re.escape(word), mark)
    strings = replaced(made, strings, SPACES, " ")
    strings = replaced(made, strings, "^ | $", "")
    if marks:
        strings = replaced(made, strings, f" ?([{MARKS}]) ?", "$1")
    strings = rewritten(made, strings, decomposed_characters())
    if lower_case:
        strings = replaced(made, strings, final_sigma({}), "$1" + FINAL)
        strings = rewritten(made, strings, small_characters())
    return strings


def _cut_again(begins, ends, found, words, lower_case):
    """Begins, ends and numbers with those pieces that end in a digit and a comma as what google-research/albert makes
    of them.
    """
    again = words.tokenizer(lower_case=lower_case).cut_again()
    if not again:
        return begins, ends, found
    each = [again.get(number, [number]) for number in range(len(words.vocab))]
    sizes = np.array([len(one) for one in each], np.int32)
    flat, starts = np.concatenate(each).astype(np.int32), np.cumsum(sizes, dtype=np.int32) - sizes
    zero, one = numbers(0), numbers(1)
    size = ops.gather(numbers(sizes), found, zero)
    after = ops.cum_sum(size, zero)
    places = ops.range(zero, ops.reduce_sum(size, zero), one, "i32")
    source = ops.convert(ops.search_sorted(after, places, right_mode=True), "i32")
    within = ops.subtract(places, ops.gather(ops.subtract(after, size), source, zero))
    at = ops.add(ops.gather(ops.gather(numbers(starts), found, zero), source, zero), within)
    bounds = ops.concat([numbers([0]), after], 0)
    begins, ends = (ops.gather(bounds, part, zero) for part in (begins, ends))
    return begins, ends, ops.gather(numbers(flat), at, zero).output(0)
