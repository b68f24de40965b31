"""The table of layouts: what a package can be for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from bertbuild.packaging import openvino_model_server, plain, tensorflow_serving, triton
from bertbuild.packaging.packed import Files, Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a package is for.

    Attributes:
        name: as it is typed.
        takes: the kinds of targets that can be in it.
        files: a target → its files but for what all packages have.
        use: how it is used: a part of the model card.
        needs_examples: whether it holds requests made of real texts.
        packages: what has to be installed to run it, by name; empty where a server brings all.
    """

    name: str
    takes: tuple[str, ...]
    files: Callable[[Packed], Files]
    use: Callable[[Packed], str]
    needs_examples: bool = False
    packages: Callable[[Packed], Iterable[str]] = lambda _packed: ()


LAYOUTS: Final = {
    layout.name: layout
    for layout in (
        Layout(name="plain", takes=("ir", "onnx"), files=plain.files, use=plain.use, packages=plain.requirements),
        Layout(
            name="openvino-model-server",
            takes=("ir",),
            files=openvino_model_server.files,
            use=openvino_model_server.use,
        ),
        Layout(
            name="tensorflow-serving",
            takes=("saved-model", "tf2-savedmodel"),
            files=tensorflow_serving.files,
            use=tensorflow_serving.use,
            needs_examples=True,
        ),
        Layout(name="triton", takes=("ir", "onnx"), files=triton.files, use=triton.use),
    )
}
