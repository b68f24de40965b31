"""The head of an ELECTRA's discriminator: whether a token was put in the place of another. Given only where asked for.

google-research/electra, pretrain/pretraining (run_pretraining.py, 8a46635f): a dense layer with the model's activation,
and one of a single column.
"""

from __future__ import annotations

from bertbuild.heads import head

PART = "replaced-token"
SCOPE = "discriminator_predictions/"
DENSE = SCOPE + "dense"
WEIGHTS = SCOPE + "dense_1/kernel"
"""[H, 1]"""
BIAS = SCOPE + "dense_1/bias"
"""[1]"""

HEAD = head.Head(
    name="replaced-token",
    reads=head.SEQUENCE,
    part=PART,
    what="replaced-token head",
    scopes=(SCOPE,),
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=lambda hidden, _vocab, _labels: {
        DENSE + "/kernel": (hidden, hidden),
        DENSE + "/bias": (hidden,),
        WEIGHTS: (hidden, 1),
        BIAS: (1,),
    },
    instead="It is a head of an ELECTRA's discriminator, whose scope is electra.",
    metric="accuracy",
    family="electra",
    answers=(
        head.Answer(
            output="replaced-token-logits",
            tensor="replaced_token_logits",
            words="replaced-token logits",
            shape="[B, S]",
            tolerance="logits",
            exported=False,
        ),
    ),
)
