"""Which heads are asked with the padding of their rows; Python 3.7, since stages ask too."""

from __future__ import annotations

from bertbuild.heads import span

ASKED_WITH_PADDING = (span.HEAD.name,)
"""run_squad looks for the n best starts and ends among all places of a window, its padding too. Without padding other
places would be among them, and probabilities others. All other heads answer a row the same with and without."""
