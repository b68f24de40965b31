"""The hidden states of every layer."""

from __future__ import annotations

from bertbuild.heads import head

OUTPUT = "all-layers"
TENSOR = "layer_{}_output"

HEAD = head.Head(
    name="all-layers",
    reads=head.LAYERS,
    of_encoder=True,
    answers=(
        head.Answer(
            output=OUTPUT,
            tensor=TENSOR,
            words="hidden states of all layers",
            shape="[B, S, H]",
            tolerance="hidden",
            exported=False,
        ),
    ),
)
