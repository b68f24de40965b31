"""`python toy_kind_program.py TASK --flags…`: as host_program, with a row more in the table of kinds."""

from __future__ import annotations

import toy_kind

from bertbuild.kinds import KINDS

KINDS[toy_kind.KIND.name] = toy_kind.KIND

import host_program  # noqa: E402, F401 - the program runs when it is loaded
