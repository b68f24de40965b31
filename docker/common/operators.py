"""Operators, counted: constants, variables and mere names of tensors are not work."""

import collections

NO_WORK = frozenset(
    ["Const", "Identity", "IdentityN", "NoOp", "Placeholder", "ReadVariableOp", "VarHandleOp", "Variable", "VariableV2"]
)


def count_work(nodes):
    """The operators that do work: collections.Counter of type → how many, of NodeDefs."""
    return collections.Counter(node.op for node in nodes if node.op not in NO_WORK)
