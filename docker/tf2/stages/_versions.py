"""Versions of what makes and runs the models."""

from importlib.metadata import version


def packages():
    """By name."""
    return {name: version(name) for name in ("tensorflow-cpu", "tf-models-official", "tf-keras", "numpy", "protobuf")}
