"""Lays out the code of an image: what its stages can run, and no other: lay_out.py BACKEND FOLDER."""

import os
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "bertbuild"))

from closure import image_files  # noqa: E402 - found there


def main(backend, folder):
    """Copy the files."""
    for name, path in image_files(ROOT, backend).items():
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(str(path), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
