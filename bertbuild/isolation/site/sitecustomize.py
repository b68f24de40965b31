"""What each Python of a virtual environment runs first: bytecode is kept in the environment, and not in the checkout.

To compile all packages when an environment is made takes longer than all else, and most are never imported; so each
module is compiled when it is first imported. Python tells bytecode from its source by a time in whole seconds and a
size. That is too coarse for stages, whose code is part of each key: theirs is kept by the sha256 of the source. Python
3.7.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import sys
from importlib import _bootstrap_external
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

UNUSABLE = (OSError, EOFError, ValueError, TypeError, ImportError)
"""What says that a file has no bytecode."""

_write, _code = SourceFileLoader.set_data, SourceFileLoader.get_code


def _set_data(self: SourceFileLoader, path: str, data: bytes, **more: Any) -> None:
    if path.startswith(sys.prefix + "/"):
        _write(self, path, data, **more)


def _get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
    path = self.get_filename(fullname)
    if path.startswith((sys.prefix + "/", sys.base_prefix + "/")) or sys.prefix == sys.base_prefix:
        return _code(self, fullname)
    source = self.get_data(path)
    kept = f"{sys.prefix}/stage-bytecode/{hashlib.sha256(source).hexdigest()}.{sys.implementation.cache_tag}"
    code: CodeType
    with contextlib.suppress(*UNUSABLE):
        read = _bootstrap_external._compile_bytecode  # type: ignore[attr-defined] # noqa: SLF001 - and names the path
        code = read(self.get_data(kept), fullname, kept, path)
        return code
    code = self.source_to_code(source, path)
    _write(self, kept, marshal.dumps(code))  # as Python keeps bytecode: whole or not at all
    return code


SourceFileLoader.set_data = _set_data  # type: ignore[method-assign, assignment]
SourceFileLoader.get_code = _get_code  # type: ignore[method-assign, assignment]
