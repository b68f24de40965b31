"""What each Python of a virtual environment runs first: bytecode of packages is kept, that of the checkout is not.

To compile all packages when an environment is made takes longer than all else, and most are never imported; so each
module is compiled when it is first imported. Bytecode is told from its source by a time in whole seconds and a size.
That is too coarse for stages, whose code is part of each key, and the checkout stays clean. Python 3.7.
"""

import sys
from importlib.machinery import SourceFileLoader
from typing import Any

_write = SourceFileLoader.set_data


def _set_data(self: SourceFileLoader, path: str, data: bytes, **more: Any) -> None:
    if path.startswith(sys.prefix + "/"):
        _write(self, path, data, **more)


SourceFileLoader.set_data = _set_data  # type: ignore[method-assign, assignment]
