"""Files and JSON spoilt by chance, in the ways in which copies, editors and disks spoil them."""

from __future__ import annotations

import json
import os
import shutil

WRONG = (None, True, -1, 0, 1.5, 1e999, 10**30, "", "x", "\ud800", [], [[]], {}, {"a": None})
TEXTS = (b"null", b"-1", b"[]", b"1e999", b"\xff", b"9" * 30, b"\xef\xbb\xbf", b"\0")


def mutated(content, chance):
    """The bytes cut short, emptied, moved about, or with some changed, taken out, put in; mostly near the start."""
    place = int(len(content) * chance.random() ** 4)
    before, behind = content[:place], content[place:]
    flipped = bytes([behind[0] ^ 1 << chance.randrange(8)]) if behind else b""
    return chance.choice(
        (
            b"" if chance.random() < 0.2 else before,
            before + bytes(chance.randrange(256) for _ in range(3)) + behind[3:],
            before + behind[chance.randrange(1, 9) :],
            before + chance.choice(TEXTS) + behind,
            behind + before,
            content + content[: chance.randrange(1, 20)],
            before + flipped + behind[1:],
            before + flipped + behind[1:],
        )
    )


def mutated_json(content, chance):
    """A JSON file with a value of another type somewhere in it, a key that is missing, or one more."""
    value = json.loads(content)
    holder = value
    while True:
        keys = list(range(len(holder)) if isinstance(holder, list) else holder)
        key = chance.choice(keys)
        if not isinstance(holder[key], dict | list) or not holder[key] or chance.random() < 0.4:
            break
        holder = holder[key]
    kind = chance.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[f"{key}_"] = holder[key]
    else:
        holder[key] = chance.choice(WRONG)
    return json.dumps(value).encode()


def replaced(path, others, chance):
    """A file that is another one, a folder, a link to nowhere or to itself, a named pipe, or gone."""
    kind = chance.randrange(6)
    path.unlink()
    if kind == 0:
        shutil.copyfile(chance.choice(others), path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.symlink_to("nowhere")
    elif kind == 3:
        path.symlink_to(path.name)
    elif kind == 4:
        os.mkfifo(path)


def cleared(path):
    """Whatever lies there is taken away."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
