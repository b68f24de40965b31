"""The masked language model of run_pretraining.py, at every position. No model gives it unless it is asked for."""

from __future__ import annotations

from bertbuild.heads import head

PART = "masked-lm"
SCOPE = "cls/predictions/"
TIED_WEIGHTS = "bert/embeddings/word_embeddings"
"""[V, H]: the encoder's own."""
UNTIED_WEIGHTS = "cls/predictions/output_weights"
"""[V, H]: what a table of the head's own is called here; google-research/bert has none."""
BIAS = "cls/predictions/output_bias"
"""[V]"""
DENSE = "cls/predictions/transform/dense"
LAYER_NORM = "cls/predictions/transform/LayerNorm"
KERNEL = DENSE + "/kernel"
KERNEL_BIAS = DENSE + "/bias"
GAMMA = LAYER_NORM + "/gamma"
BETA = LAYER_NORM + "/beta"


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
    own_table=UNTIED_WEIGHTS,
    variables=_variables,
    metric="pseudo_perplexity",
    answers=(
        head.Answer(
            output="masked-lm-logits",
            tensor="masked_lm_logits",
            words="masked-LM logits",
            shape="[B, S, V]",
            tolerance="logits",
        ),
    ),
)
