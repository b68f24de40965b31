"""Pickles of PyTorch's state dicts, read by a machine of our own that knows tensors and nothing else.

A pickle is a program. Python's own unpickler lets it call any function; this one steps through it with
`pickletools.genops` and has a table of the few operations that a state dict needs. A function is never called: its name
is looked up in `_CALLS`, and a name that is not there ends the reading.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

MOST_OPERATIONS: Final = 1_000_000
"""A hundred times those of a large model; keeps a crafted file from running for ever."""


class PickleError(ValueError):
    """A pickle that is broken, or holds what is not part of a state dict; the message says what."""


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that a pickle names, as text alone: it is never looked up."""

    text: str


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers that lie elsewhere in the file.

    Attributes:
        kind: the class it was saved from: "torch.FloatStorage", ….
        key: its name in the file.
        size: how many numbers it holds.
    """

    kind: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage; sizes and strides are in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(file: BinaryIO) -> Any:
    """The value of the pickle at the file's position, which is left behind its end.

    Raises:
        PickleError: it is broken, or holds anything else than numbers, text, lists, tuples, dicts and tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in a damaged name
            return _run(file)
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise PickleError("it is cut short or damaged") from error


def _run(file: BinaryIO) -> Any:
    machine = _Machine()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(_Bounded(file))):  # type: ignore[arg-type]
        if opcode.name == "STOP":
            return machine.pop()
        if count > MOST_OPERATIONS:
            raise PickleError("it is longer than any model's")
        machine.step(opcode.name, argument)
    raise PickleError("it is cut short")


class _Bounded:
    """A file of which no more is asked than it has: room for a text of the length that is announced is made at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        place = file.tell()
        self._left = file.seek(0, 2) - place
        file.seek(place)

    def read(self, size: int) -> bytes:
        """So many bytes, or those that are left."""
        return self._taken(self._file.read(min(size, self._left)))

    def readline(self) -> bytes:
        """The rest of a line."""
        return self._taken(self._file.readline())

    def _taken(self, content: bytes) -> bytes:
        self._left -= len(content)
        return content


class _Mark:
    """Where the items of a list, tuple or dict begin on the stack."""


_MARK: Final = _Mark()


class _Machine:
    """The stack and the memo of a pickle that is being read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Do one operation."""
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _PUTS:
            self.memo[argument] = self.stack[-1]
        elif name in _GETS:
            self.stack.append(self.memo[argument])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name in _OBJECTS:
            raise PickleError("it makes objects of classes (a whole model, perhaps), and a state dict alone is read")
        elif name not in _SKIPPED:
            raise PickleError(f"it has the operation {name}, which no state dict needs")

    def pop(self) -> Any:
        """The topmost item."""
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """The items since the last mark, which goes too."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise PickleError("it is damaged")

    def memoize(self, _: Any) -> None:
        """Remember the topmost item under the next number."""
        self.memo[len(self.memo)] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        """Join the topmost items."""
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) != count or any(item is _MARK for item in items):
            raise PickleError("it is damaged")
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def extend(self, items: list[Any]) -> None:
        """Add to the list that is now topmost."""
        if not isinstance(self.stack[-1], list):
            raise PickleError("it is damaged")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        """Add keys and values to the dict that is now topmost."""
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise PickleError("it is damaged")
        self.stack[-1].update(_table(zip(items[::2], items[1::2], strict=True)))

    def name(self, module: Any, name: Any) -> None:
        """A class or function, as text."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("it is damaged")
        self.stack.append(Name(f"{module}.{name}"))

    def reduce(self, _: Any) -> None:
        """What a function would make of its arguments, for the few that are known."""
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise PickleError("it is damaged")
        if function.text not in _CALLS:
            raise PickleError(f"it wants to call {function.text[:80]!r}, which makes no tensor")
        self.stack.append(_CALLS[function.text](*arguments))

    def persistent(self, _: Any) -> None:
        """A storage, by what a tensor says of it."""
        found = self.pop()
        if not isinstance(found, tuple) or len(found) < 5 or found[0] != "storage" or any(found[5:]):
            raise PickleError("it has a storage of a form that is not known")
        _, kind, key, _place, size = found[:5]
        if not isinstance(kind, Name) or not isinstance(key, str) or not _is_size(size):
            raise PickleError("it is damaged")
        self.stack.append(Storage(kind.text, key, size))

    def build(self, _: Any) -> None:
        """Attributes of a state dict (the versions of its modules), which hold no weights."""
        self.pop()
        if not isinstance(self.stack[-1], dict):
            raise PickleError("it sets attributes of something that is not a dict")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> Tensor:
    """torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or len(shape) != len(strides) or not all(map(_is_size, sizes)):
        raise PickleError("it is damaged")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: Any, *_rest: Any) -> Any:
    """torch._utils._rebuild_parameter: the tensor itself."""
    return tensor


def _table(pairs: Any = ()) -> dict[str | int, Any]:
    """A dict, or collections.OrderedDict: keys are text or numbers, for of anything else a hash may take for ever."""
    table: dict[str | int, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str | int):
            raise PickleError("it has a dict whose keys are neither text nor numbers")
        table[key] = value
    return table


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


_CALLS: Final[dict[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _table,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
}
_LITERALS: Final = frozenset(
    {
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "UNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "SHORT_BINUNICODE",
    }
)
_CONSTANTS: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "MARK": lambda: _MARK,
}
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_OBJECTS: Final = frozenset({"INST", "NEWOBJ", "NEWOBJ_EX", "OBJ"})
_SKIPPED: Final = frozenset({"PROTO", "FRAME"})


def _dict_of(machine: _Machine, _: Any) -> None:
    items = machine.since_mark()
    machine.stack.append({})
    machine.update(items)


def _item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.update([key, value])


def _stack_name(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


_STEPS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "MEMOIZE": _Machine.memoize,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "DICT": _dict_of,
    "SETITEM": _item,
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": _stack_name,
    "REDUCE": _Machine.reduce,
    "BINPERSID": _Machine.persistent,
    "BUILD": _Machine.build,
}
