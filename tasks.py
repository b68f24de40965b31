"""`invoke --list` shows the commands; `bertbuild.tasks` defines them."""

from bertbuild.tasks import namespace

__all__ = ["namespace"]
