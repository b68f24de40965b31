"""A long piece of work that is seen to be alive: news is told soon, and told again while nothing new happens."""

import threading

SOON = 2.0
"""Seconds within which something new is told."""

AGAIN = 20.0
"""Seconds after which the same is told again."""


class Heartbeat(object):
    """Calls a function from a thread of its own, for as long as a `with` block runs.

    Args:
        tell: function of the latest value that `show` was given, which emits an event.
    """

    def __init__(self, tell, soon=SOON, again=AGAIN):
        self._tell = tell
        self._soon = soon
        self._again = again
        self._latest = None
        self._told = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def show(self, value):
        """What to tell from now on."""
        self._latest = value

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._ended.set()
        self._thread.join()
        if self._latest is not self._told:
            self._tell(self._latest)

    def _beat(self):
        quiet = 0.0
        while not self._ended.wait(self._soon):
            quiet += self._soon
            latest = self._latest
            if latest is not None and (latest is not self._told or quiet >= self._again):
                self._told, quiet = latest, 0.0
                self._tell(latest)
