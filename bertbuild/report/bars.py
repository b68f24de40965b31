"""The columns of a live line on a terminal. Loaded when one is drawn: rich takes its time."""

from __future__ import annotations

import time

from rich.progress import ProgressColumn, Task
from rich.progress_bar import ProgressBar
from rich.text import Text

from bertbuild.report.pace import Pace, Whole

WIDTH = 20
NAME_WIDTH = 28


class Name(ProgressColumn):
    """The job; of the whole run, how many jobs have ended."""

    def render(self, task: Task) -> Text:
        """See rich."""
        pace: Pace | None = task.fields["pace"]
        name = f"{task.fields['whole'].done} of {task.fields['whole'].total}" if pace is None else pace.name
        return Text(f"{name:<{NAME_WIDTH}}")


class Bar(ProgressColumn):
    """How far it is; a bar that moves where nothing tells."""

    max_refresh = None

    def render(self, task: Task) -> ProgressBar:
        """See rich."""
        now = time.monotonic()
        pace: Pace | None = task.fields["pace"]
        whole: Whole | None = task.fields["whole"]
        fraction = pace.fraction(now) if pace is not None else whole.done / max(1, whole.total) if whole else None
        if fraction is None:
            return ProgressBar(total=None, width=WIDTH, pulse=True, animation_time=task.get_time())
        return ProgressBar(total=1.0, completed=fraction, width=WIDTH)


class Doing(ProgressColumn):
    """How much is left, and what is done now."""

    def render(self, task: Task) -> Text:
        """See rich."""
        now = time.monotonic()
        pace: Pace | None = task.fields["pace"]
        if pace is None:
            return Text(task.fields["whole"].words(now).partition(", ")[2], style="dim")
        return Text("  ".join(filter(None, (pace.words(now), pace.doing[:80]))), style="dim")
