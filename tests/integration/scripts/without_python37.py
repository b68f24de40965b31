"""The program on a machine whose folders outside the home have no Python 3.7: places that do are not searched."""

from pathlib import Path

from bertbuild.cli.main import main
from bertbuild.isolation import python_places

PATTERNS = ("bin", "*/bin", "*/*/bin", "envs/*/bin", "versions/*/bin", "pkgs/*/bin")


def has_one(folder):
    """Whether there is one below it, as deep as it is searched."""
    return any(next(Path(folder).glob(f"{pattern}/python3.7"), None) for pattern in PATTERNS)


python_places.SYSTEM = tuple(place for place in python_places.SYSTEM if not has_one(place[0]))
python_places.PYENV = tuple(folder for folder in python_places.PYENV if not has_one(folder))
python_places.CONDA = tuple(folder for folder in python_places.CONDA if not has_one(folder))
main()
