r"""The file `checkpoint`, in which TensorFlow's Saver notes which checkpoint of a folder is the last.

It is a CheckpointState in protobuf's text format, so a path in it is escaped: a Saver on Windows writes
`model_checkpoint_path: "C:\\out\\model.ckpt-100"`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.user_files import read_regular

STATE_FILE: Final = "checkpoint"

_PATH: Final = re.compile(r'^model_checkpoint_path:\s*"(?P<path>(?:[^"\\]|\\.)*)"', re.MULTILINE)
_ESCAPE: Final = re.compile(r"\\([0-7]{1,3}|.)")


def last_checkpoint(folder: Path) -> tuple[str, ...]:
    """The names that the state file of a folder may mean, best first; empty where there is none or it names none.

    Only the last part of the path counts, whichever slash stands before it: folders are moved. A path that a person
    wrote with single backslashes is not a text format, but it is clear what it means.
    Raises `CheckpointError` for a named pipe or device.
    """
    if (folder / STATE_FILE).is_dir():
        return ()
    try:
        content = read_regular(folder / STATE_FILE)
    except OSError:
        return ()
    found = _PATH.search(content.decode("utf-8", errors="replace"))
    if found is None:
        return ()
    names = (_last_part(path) for path in (_unescaped(found["path"]), found["path"]))
    return tuple(dict.fromkeys(filter(None, names)))


def _unescaped(text: str) -> str:
    """A string of protobuf's text format; bytes beyond ASCII are escaped one by one, in octal."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1].isdecimal() else found[1], text)
    try:
        return plain.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return plain


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]
