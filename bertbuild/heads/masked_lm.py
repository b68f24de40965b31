"""The masked language model of run_pretraining.py. Recognised; no output takes it."""

from __future__ import annotations

from bertbuild.heads import head

PART = "masked-lm"
SCOPE = "cls/predictions/"
TIED_WEIGHTS = "bert/embeddings/word_embeddings"
"""[V, H]: the encoder's own."""
BIAS = "cls/predictions/output_bias"
"""[V]"""
KERNEL = "cls/predictions/transform/dense/kernel"
KERNEL_BIAS = "cls/predictions/transform/dense/bias"
GAMMA = "cls/predictions/transform/LayerNorm/gamma"
BETA = "cls/predictions/transform/LayerNorm/beta"


def _variables(hidden: int, vocab: int, _labels: int) -> dict[str, head.Shape]:
    return {
        BIAS: (vocab,),
        KERNEL: (hidden, hidden),
        KERNEL_BIAS: (hidden,),
        GAMMA: (hidden,),
        BETA: (hidden,),
    }


HEAD = head.Head(
    name="masked-lm",
    reads=head.SEQUENCE,
    part=PART,
    what="masked-LM head",
    scopes=(SCOPE,),
    mark=BIAS,
    last=(TIED_WEIGHTS, BIAS),
    variables=_variables,
)
