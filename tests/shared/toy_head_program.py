"""`python toy_head_program.py TASK --flags…`: as host_program, with a row more in the table of heads."""

from __future__ import annotations

import toy_head

from bertbuild.heads.rows import HEADS

HEADS[toy_head.HEAD.name] = toy_head.HEAD

import host_program  # noqa: E402, F401 - the program runs when it is loaded
