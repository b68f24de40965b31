"""The operators that may run, and why others may not."""

from __future__ import annotations

import pytest

from bertbuild.graph.operators import MAY_RUN, refused


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ("ReadFile", "reads or writes files"),
        ("WriteFile", "reads or writes files"),
        ("ImmutableConst", "reads or writes files"),
        ("TFRecordDatasetV2", "reads or writes files"),
        ("SaveV2", "reads or writes files"),
        ("RestoreV2", "reads or writes files"),
        ("InitializeTableFromTextFileV2", "reads or writes files"),
        ("IteratorGetNext", "reads or writes files"),
        ("PrintV2", "reads or writes files"),
        ("PyFunc", "runs Python"),
        ("PyFuncStateless", "runs Python"),
        ("EagerPyFunc", "runs Python"),
        ("RpcCall", "talks to other processes"),
        ("_Recv", "talks to other processes"),
        ("CollectiveReduce", "talks to other processes"),
        ("DebugIdentity", "talks to other processes"),
        ("RemoteCall", "talks to other processes"),
        ("TPUReplicatedInput", "is of a TPU"),
        ("InfeedDequeueTuple", "is of a TPU"),
        ("XlaCallModule", "is of a TPU"),
        ("MadeUpToday", "is not on the list of operators that may run"),
    ],
)
def test_what_may_not_run_is_refused_with_the_reason(op, why):
    assert refused(["MatMul", op]) == {op: why}


def test_what_computes_or_holds_variables_may_run():
    assert not refused(["MatMul", "Erf", "Softmax", "VariableV2", "VarHandleOp", "StatefulPartitionedCall", "While"])


def test_more_may_run_where_that_is_said():
    assert refused(["RestoreV2", "ReadFile"], also=["RestoreV2"]) == {"ReadFile": "reads or writes files"}


@pytest.mark.parametrize("word", ["File", "PyFunc", "Rpc", "Dataset", "Iterator", "TPU", "Save", "Restore", "Queue"])
def test_nothing_of_the_kind_is_on_the_list(word):
    assert [op for op in MAY_RUN if word in op] == []
