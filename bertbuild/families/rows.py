"""The table of families."""

from __future__ import annotations

from bertbuild.families import bert

FAMILIES = {module.FAMILY.name: module.FAMILY for module in (bert,)}
