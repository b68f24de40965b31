"""Operators on strings, of the package openvino-tokenizers, as the graphs that read text need them."""

import numpy as np
import openvino
import openvino_tokenizers
from openvino import opset15 as ops
from openvino.utils.node_factory import NodeFactory

from bertbuild.text.character_map import character_map

EXTENSION = openvino_tokenizers._ext_path  # noqa: SLF001 - it has no other name
"""The library of the operators."""
_AS_IT_IS = {
    "normalization_form": "",
    "case_fold": False,
    "nmt": False,
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "escape_whitespaces": False,
}


def factory():
    """What makes the operators, an openvino NodeFactory."""
    made = NodeFactory()
    made.add_extension(str(EXTENSION))
    return made


def replaced(made, strings, pattern, text):
    """Strings in which each match of a pattern (PCRE) has become a text."""
    return made.create(
        "RegexNormalization", [*strings, constant_text(pattern), constant_text(text)], {"global_replace": True}
    ).outputs()


def rewritten(made, strings, changed):
    """Strings in which characters have become texts.

    Args:
        made: see `factory`.
        strings: begins, ends and bytes.
        changed: character → the text in its place.
    """
    table = constant(np.frombuffer(character_map(changed), np.uint8))
    return made.create("CharsMapNormalization", [*strings, table], _AS_IT_IS).outputs()


def texts_of(strings):
    """Begins, ends and bytes of constant strings."""
    lines = [text.encode() for text in strings]
    ends = np.cumsum([len(line) for line in lines]).astype(np.int32)
    begins = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
    return [constant(part) for part in (begins, ends, np.frombuffer(b"".join(lines), np.uint8))]


def numbers(value):
    """A constant of int32."""
    return ops.constant(np.array(value, np.int32))


def constant_text(text):
    """A constant of the bytes of a text, as operators take their options."""
    return constant(np.frombuffer(text.encode(), np.uint8))


def constant(values):
    """A constant of an array, whatever its type."""
    return openvino.op.Constant(openvino.Tensor(values)).output(0)
