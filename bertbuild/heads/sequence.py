"""The hidden states of the last layer."""

from __future__ import annotations

from bertbuild.heads import head

OUTPUT = "sequence"
TENSOR = "sequence_output"

HEAD = head.Head(
    name="sequence",
    reads=head.SEQUENCE,
    of_encoder=True,
    answers=(
        head.Answer(
            output=OUTPUT,
            tensor=TENSOR,
            words="sequence output",
            shape="[B, S, H]",
            tolerance="hidden",
            also=("sequence", "last_hidden_state"),
        ),
    ),
)
