"""Two runs of one stage compared: file bytes, canonical graph hash and numbers, each told apart from the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.errors import CheckpointError
from bertbuild.files.digests import sha256_file
from bertbuild.gate.graph_hash import IR, IR_WEIGHTS, graph_hash, graph_kind, ir_constants
from bertbuild.plural import are, number_of
from bertbuild.stages import FACTS, MANIFEST, PROVENANCE, STAGES, UNTRACKED

if TYPE_CHECKING:
    import numpy.typing as npt

    Tensors = Mapping[str, Callable[[], npt.NDArray[Any]]]

SAME, DIFFERENT = "same", "different"
ONLY_FIRST, ONLY_SECOND = "only in the first", "only in the second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Files that may differ from run to run.

    Attributes:
        stages: of which stages, a pattern.
        files: which files, a pattern.
        why: what is in them.
    """

    stages: str
    files: str
    why: str


MAY_DIFFER = (
    Free(stages="*", files=FACTS, why="the run's seconds and memory"),
    Free(stages="*", files=PROVENANCE, why="the run's times"),
    Free(stages="*", files=MANIFEST, why="the hashes of the two files about the run"),
    *(
        Free(stages=spec.name, files=files, why=why)
        for spec in STAGES.values()
        for files, why in spec.may_differ.items()
    ),
)
"""All other files of all stages must be the same, byte by byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileComparison:
    """One file of both runs: `state` as above; `free` says why it may differ, and is empty where it may not."""

    name: str
    state: str
    free: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphComparison:
    """The canonical hash of one graph, in both runs."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberComparison:
    """How far the numbers of one file are from one another: max_abs is None where names, shapes or dtypes differ."""

    name: str
    tensors: int
    max_abs: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two runs of a stage have in common."""

    stage: str
    files: tuple[FileComparison, ...]
    graphs: tuple[GraphComparison, ...]
    numbers: tuple[NumberComparison, ...]

    @property
    def differences(self) -> tuple[FileComparison, ...]:
        """The files that differ and may not."""
        return tuple(file for file in self.files if file.state != SAME and not file.free)

    @property
    def reproducible(self) -> bool:
        """Whether every file that must be the same is."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "reproducible": self.reproducible}

    def lines(self) -> list[str]:
        """For people: bytes, graphs, numbers."""
        must = [file for file in self.files if not file.free]
        same = sum(file.state == SAME for file in must)
        lines = [f"{self.stage}: {same} of {number_of(len(must), 'file')} {are(same, 'has', 'have')} the same bytes"]
        lines += [f"  {file.name}: {file.state}" for file in self.differences]
        lines += [
            f"  {file.name}: {file.state}, as it may be ({file.free})"
            for file in self.files
            if file.state != SAME
            and file.free
            and file.name not in {MANIFEST, *UNTRACKED}  # whose difference is not news
        ]
        lines += [
            f"  {graph.name}: {'the same graph' if graph.first == graph.second else 'another graph'}, "
            f"{graph.first[:12]}{'' if graph.first == graph.second else ' and ' + graph.second[:12]}"
            for graph in self.graphs
        ]
        lines += [f"  {entry.name}: {_told(entry)}" for entry in self.numbers]
        return lines


def compare(first: Path, second: Path, stage: str) -> Comparison:
    """Compare the folders that two runs of a stage wrote.

    Args:
        first: what one run wrote.
        second: what the other wrote.
        stage: its name in the table of stages.

    Raises:
        StoreError: a graph cannot be read.
    """
    files = tuple(_files(first, second, stage))
    both = [file for file in files if file.state in (SAME, DIFFERENT)]
    return Comparison(
        stage=stage,
        files=files,
        graphs=tuple(_graphs(first, second, both)),
        numbers=tuple(_numbers(first, second, both)),
    )


def _files(first: Path, second: Path, stage: str) -> Iterator[FileComparison]:
    theirs = {
        str(path.relative_to(folder)) for folder in (first, second) for path in folder.rglob("*") if path.is_file()
    }
    for name in sorted(theirs):
        free = next((rule.why for rule in MAY_DIFFER if fnmatch(stage, rule.stages) and fnmatch(name, rule.files)), "")
        if not (second / name).is_file():
            state = ONLY_FIRST
        elif not (first / name).is_file():
            state = ONLY_SECOND
        else:
            state = SAME if sha256_file(first / name) == sha256_file(second / name) else DIFFERENT
        yield FileComparison(name=name, state=state, free=free)


def _graphs(first: Path, second: Path, files: list[FileComparison]) -> Iterator[GraphComparison]:
    # An IR's constants lie in another file than its layers.
    changed = {IR if file.name == IR_WEIGHTS else file.name for file in files if file.state == DIFFERENT}
    for file in files:
        if graph_kind(file.name):
            one = graph_hash(first / file.name)
            other = graph_hash(second / file.name) if file.name in changed else one
            yield GraphComparison(name=file.name, first=one, second=other)


def _numbers(first: Path, second: Path, files: list[FileComparison]) -> Iterator[NumberComparison]:
    states = {file.name: file.state for file in files}
    for name in states:
        open_tensors = _reader(name)
        if open_tensors is None:
            continue
        ours = open_tensors(first / name)
        held = [entry for entry, state in states.items() if state == DIFFERENT and entry in _holders(name, states)]
        largest = _farthest(ours, open_tensors(second / name)) if held else 0.0
        yield NumberComparison(name=name, tensors=len(ours), max_abs=largest)


def _holders(name: str, states: Mapping[str, str]) -> set[str]:
    """The files that the numbers known by one of them lie in."""
    if name.endswith(".index"):
        return {name, *(entry for entry in states if entry.startswith(name.removesuffix("index") + "data-"))}
    return {name, IR} if name == IR_WEIGHTS else {name}


def _reader(name: str) -> Callable[[Path], Tensors] | None:
    if name.endswith(".npz"):
        return _arrays
    if name.endswith(".index"):
        return _checkpoint
    return _weights if name == IR_WEIGHTS else None


def _arrays(path: Path) -> Tensors:
    import numpy as np

    with np.load(path) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    return {name: lambda name=name: held[name] for name in held}  # type: ignore[misc]


def _checkpoint(path: Path) -> Tensors:
    from bertbuild.checkpoint.bundle import CheckpointReader

    reader = CheckpointReader(path.with_suffix(""))
    return {name: lambda name=name: reader.tensor(name) for name in reader.entries}  # type: ignore[misc]


def _weights(path: Path) -> Tensors:
    """The constants of an IR by layer and place; of element types that NumPy has not, as bytes."""
    from xml.etree import ElementTree as ET

    import numpy as np

    dtypes = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4", "i16": "<i2", "i8": "i1"}
    root = ET.parse(path.with_name(IR)).getroot()  # noqa: S314 - written by a stage of ours
    found = {f"{constant.name} {place}": constant for place, constant in enumerate(ir_constants(root))}

    def values(name: str) -> npt.NDArray[Any]:
        constant = found[name]
        with path.open("rb") as file:
            file.seek(constant.offset)
            return np.frombuffer(file.read(constant.size), dtypes.get(constant.element_type, "u1"))

    return {name: lambda name=name: values(name) for name in found}  # type: ignore[misc]


def _farthest(ours: Tensors, theirs: Tensors) -> float | None:
    if set(ours) != set(theirs):
        return None
    largest = 0.0
    for name in ours:
        distance = _distance(ours[name], theirs[name])
        if distance is None:
            return None
        largest = max(largest, distance)
    return largest


def _distance(ours: Callable[[], npt.NDArray[Any]], theirs: Callable[[], npt.NDArray[Any]]) -> float | None:
    """Largest absolute difference of two tensors; None where they cannot be compared."""
    import numpy as np

    try:
        one, other = ours(), theirs()
    except CheckpointError:
        return 0.0  # text, as the object graph of a checkpoint: no number
    if one.dtype != other.dtype or one.shape != other.shape or not one.size:
        return None if one.dtype != other.dtype or one.shape != other.shape else 0.0
    distance = np.where(one == other, 0.0, np.abs(one.astype(np.float64) - other.astype(np.float64)))
    largest = float(np.max(np.where(np.isnan(one) & np.isnan(other), 0.0, distance)))
    return largest if math.isfinite(largest) else None


def _told(entry: NumberComparison) -> str:
    tensors = number_of(entry.tensors, "tensor")
    if entry.max_abs is None:
        return f"{tensors} that cannot be compared with the other run's"
    return f"{tensors}, max abs difference {entry.max_abs:.1e}" if entry.max_abs else f"{tensors}, no difference"
