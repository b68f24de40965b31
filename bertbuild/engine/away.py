"""Steps that other machines run: asked for, told as if they ran here, and their results found in the remote store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from bertbuild.engine.dispatch import Dispatcher
from bertbuild.engine.executor import Maker, expects
from bertbuild.engine.memory import Phases
from bertbuild.engine.order import Order, input_bytes
from bertbuild.engine.remote_object import RemoteObject
from bertbuild.errors import RemoteError
from bertbuild.plans.carrying import carries_text
from bertbuild.plans.plan import Step
from bertbuild.store.store import StoredObject


def made(maker: Maker, dispatcher: Dispatcher, order: Order, step: Step) -> StoredObject:
    """The result of a step that the store does not have, made by a worker; its files come when they are needed.

    Raises:
        BertbuildError: as `Dispatcher.make`.
        RemoteError: a worker has made it, and it could not be had.
    """
    if carries_text(step) and maker.store.alike(order.stage, order.parts) is not None:
        return maker.made(order, step)  # which copies it
    if maker.stated_elsewhere(order) is not None:
        return maker.make(order, partial(_not_to_be_had, order))
    _dispatch(maker, dispatcher, order, step)
    return _to_bring(maker, order)


def _dispatch(maker: Maker, dispatcher: Dispatcher, order: Order, step: Step) -> None:
    """Have a worker make it, and tell of it."""
    size, began = input_bytes(order.sources), list[float]()
    memory, took = maker.expected_memory(order), expects(maker.measured.seconds(order.stage, size))
    told = {name: value for name, value in order.told.items() if name != "id"}
    phases = Phases(maker.measured, order.stage, size)

    def on_event(event: Mapping[str, Any]) -> None:
        if event["event"] == "started":
            began.append(time.monotonic())
            maker.tell(order, "started", memory=memory, worker=event["worker"], **took)
        elif began:
            maker.report({**event, **phases.expects(event), "stage": order.stage, **told})

    try:
        answer = dispatcher.make(order, step, memory=memory, run=maker.run_id, on_event=on_event)
    except BaseException as error:
        state = "interrupted" if maker.is_ending else "failed"
        seconds = round(time.monotonic() - began[-1], 3) if began else 0.0
        maker.tell(order, state, seconds=seconds, message=str(error))
        raise
    if not answer.ran:
        maker.tell(order, "cached", worker=answer.worker)
        return
    phases.end()
    maker.measured.remember(order.stage, size, answer.facts.get("peak_memory", 0), answer.seconds)
    maker.stage_log(order).write_text(f"on the worker {answer.worker}\n{answer.log}", encoding="utf-8")
    seconds = round(answer.seconds, 3)
    maker.tell(order, "done", seconds=seconds, bytes=answer.bytes, worker=answer.worker, **answer.facts)


def _to_bring(maker: Maker, order: Order) -> StoredObject:
    """What a worker has just put into the remote store."""
    assert maker.elsewhere is not None  # noqa: S101 - who has a dispatcher has a remote store
    maker.elsewhere.ask_again(order.stage, order.key)
    statement = maker.stated_elsewhere(order)
    if statement is None:
        _not_to_be_had(order)
    maker.elsewhere.keep(statement)
    place = maker.store.objects / order.stage / order.key
    return RemoteObject(statement, place, partial(maker.make, order, partial(_not_to_be_had, order)))


def _not_to_be_had(order: Order, _work: Path | None = None) -> NoReturn:
    """Give up what a worker has made and put elsewhere.

    Raises:
        RemoteError: always.
    """
    raise RemoteError(
        f"{order.stage} {order.key[:12]} is made, and could not be had from the remote store.",
        next_step="See the warnings above. Workers' keys must be in [remote] trust here; then run the command again.",
    )
