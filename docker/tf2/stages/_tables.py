"""The mapping table: which variable became which, kept beside a converted checkpoint."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np


class Converted(Mapping[str, Any]):
    """Tensors by target name, each made when it is asked for, so that no more than one is held; and their table.

    Attributes:
        rows: of the tensors that were asked for: source, target, shapes, what was changed, sha256 of the bytes.
    """

    def __init__(self, makers: Mapping[str, tuple[dict[str, Any], Callable[[], Any]]]) -> None:
        """`makers`: target name → what the table says of it, and the function that gives its value."""
        self._makers = makers
        self.rows: list[dict[str, Any]] = []

    def __getitem__(self, target: str) -> Any:
        row, make = self._makers[target]
        value = make()
        if row:
            content = np.ascontiguousarray(value)
            self.rows.append({**row, "target": target, "sha256": hashlib.sha256(content.data).hexdigest()})
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
