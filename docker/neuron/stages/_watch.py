"""A compilation, watched: it says every half minute that it is alive, and ends when its time is over."""

import threading
import time

from stage import StageInputError, step

from stages import _memory

HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 30
"""For tensorflow-neuron to notice that its compilers were killed."""


def watched(work, compilers, seconds):
    """Call `work()` in a thread and watch it.

    Args:
        work: a function without arguments.
        compilers: a `_compilers.Compilers`, entered.
        seconds: how long it may take.

    Returns:
        what `work()` returns.

    Raises:
        StageInputError: it took longer, or a compiler failed.
        Exception: what `work()` raises, where all compilers ended well.
    """
    result = {}

    def run():
        try:
            result["value"] = work()
        except Exception as error:  # noqa: BLE001 - it is raised again, in the main thread
            result["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    started = time.monotonic()
    thread.start()
    while thread.is_alive():
        passed = time.monotonic() - started
        if passed >= seconds:
            compilers.kill()
            thread.join(GRACE_SECONDS)
            raise StageInputError("the compilation did not finish in %d s; give it longer with --timeout" % seconds)
        thread.join(min(HEARTBEAT_SECONDS, seconds - passed))
        if thread.is_alive():
            used = _memory.used_by(compilers.running())
            passed = time.monotonic() - started
            step("compiling: %s, neuron-cc uses %.1f GB" % (in_words(passed), used / _memory.GB))
    compilers.check()
    if "error" in result:
        raise result["error"]
    return result["value"]


def in_words(seconds):
    """Seconds as people say them: "40 s", "12 min"."""
    return "%d s" % seconds if seconds < 120 else "%d min" % (seconds // 60)
