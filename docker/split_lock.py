"""Splits a lock file in two: what another one holds too, and the rest: split_lock.py LOCK OTHER FROM_SOURCE FOLDER.

Each part is a folder: `requirements.txt`; `all.txt`, the packages that are installed once it is; and where a package of
FROM_SOURCE is in it, `build-tools.txt`, what builds it and so comes first, and `no-binary.txt`, pip's option for it.
"""

import os
import re
import sys

ENTRY = re.compile(r"^([A-Za-z0-9._-]+==[^\s\\]+).*(?:\n[ \t]+.*)*", re.MULTILINE)
BUILD_TOOLS = ("packaging", "setuptools", "setuptools-scm", "wheel")


def main(lock, other, from_source, folder):
    """Write both parts."""
    own, beside = entries(lock), entries(other)
    unbuilt = set(entries(from_source))
    shared = {name: text for name, text in own.items() if beside.get(name) == text}
    rest = {name: text for name, text in own.items() if name not in shared}
    write(os.path.join(folder, "shared"), shared, shared, own, unbuilt)
    write(os.path.join(folder, "own"), rest, own, own, unbuilt)


def entries(path):
    """`name==version` → its lines, with hashes."""
    with open(path) as file:
        return {match.group(1): match.group(0) for match in ENTRY.finditer(file.read())}


def write(folder, part, installed, lock, unbuilt):
    """A part, where `installed` is all that is there after it."""
    os.makedirs(folder)
    built = sorted(name for name in part if name in unbuilt)
    tools = [text for name, text in lock.items() if built and name.split("==")[0] in BUILD_TOOLS]
    texts = {
        "requirements.txt": part.values(),
        "all.txt": installed,
        "build-tools.txt": tools,
        "no-binary.txt": ["--use-pep517", "--no-build-isolation"] * bool(built)
        + ["--no-binary=" + name.split("==")[0] for name in built],
    }
    for name, lines in texts.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
