"""What tasks share: the help of flags that several have, and how a flag's number is read."""

from __future__ import annotations

import math

from bertbuild.errors import UsageError
from bertbuild.places import described

SOURCE_HELP = {
    "model": "a model of the catalogue, e.g. minilm-l6 or uncased_L-12_H-768_A-12 (invoke fetch --list shows all)",
    "checkpoint": "a checkpoint of your own: its folder, prefix, zip or tar, or a Hugging Face folder",
    "config": "the checkpoint's bert_config.json, where it is not in its folder",
    "vocab": "the checkpoint's vocab.txt, where it is not in its folder",
    "name": "what to call the results; default: the model's or the folder's name",
    "scope": "of several encoders in the checkpoint the one of this variable scope, e.g. module/bert; . for none",
    "ema": "take the variables' moving averages (…/ExponentialMovingAverage)",
    "from": "folder with downloaded zips or unpacked models; nothing is downloaded",
    "mirror": "base URL that takes the place of the models' public one",
}
COMMON_HELP = {
    "json": "print one JSON object a line instead of text; the last is the result or the error",
}
REPLACE_HELP = {
    "replace": "let a model's names in out/ that were made from another source be made from this one",
}
OFFLINE_HELP = {
    "offline": "use no network: what is not here is listed, with the way to get it",
}
REFERENCE_HELP = {
    "reference": "TensorFlow that runs the source's graph for the gate: 1.15, 2.20 or both (default: as it was proved "
    "before, else 1.15 where it can be had, else 2.20)",
}
ISOLATION_HELP = {
    "isolation": described(),
    **OFFLINE_HELP,
}
VOCAB_READING = (
    "of a vocab.txt with duplicate lines, where the word table's rows do not tell: lines (a word's number is its last "
    "line's), or bert-tensorflow (as version 1.0.4 of that package: its first, and duplicates are not counted)"
)
FREEZE_HELP = {
    "output": "pooled (default), sequence, all-layers, probabilities; several with commas",
    "gelu": "erf or tanh; auto (default) reads it from the checkpoint's .meta",
}

INT8_FOR_HELP = (
    "for int8: any (default): right on every processor; vnni: all 8 bits, and wrong on processors without VNNI"
)


def whole_number(flag: str, text: str) -> int:
    """A flag's whole number. Invoke reads them too, and answers a wrong one with a traceback.

    Raises:
        UsageError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{flag} {text!r} is no whole number.", next_step=f"--help explains --{flag}.") from None


def number(flag: str, text: str) -> float:
    """A flag's number, as 5e-5.

    Raises:
        UsageError: it is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--{flag} {text!r} is no number.", next_step=f"--help explains --{flag}.")
    return value


def truth(flag: str, text: str) -> bool | None:
    """A flag's yes or no as absl's programs write it (--do_train=true); None where it was not given.

    Raises:
        UsageError: it is neither.
    """
    known = {"": None, "true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in known:
        raise UsageError(f"--{flag} {text!r} is neither true nor false.", next_step=f"--help explains --{flag}.")
    return known[text.lower()]
