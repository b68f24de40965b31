"""predict."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import ISOLATION, JSON, OFFLINE
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of


def _flags() -> list[Parameter]:
    from bertbuild.commands.predict_texts import Predict

    return list(parameters_of(Predict).values())


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands.predict import predict
    from bertbuild.commands.predict_texts import Predict

    predict(session, Predict(**values))


predict = declared(
    "predict",
    "Ask a built target in words: a text, a pair, a question, or a file of them.",
    _flags,
    (ISOLATION, OFFLINE, JSON),
    _run,
    example='--target my-model/ir-fp32 --text "what a film"',
)
