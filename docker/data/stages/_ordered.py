"""Work for all processor cores whose results come in the order of what they were made of, a few at a time."""

import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor

from stage import end_with_parent

_given = []


def ordered(function, items, *given):
    """`function(*given, item)` of each item, worked out by as many processes as there are cores.

    `given` reaches each process once. Only a few results wait at a time, so memory does not grow with the items.
    """
    count = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(count, initializer=_begin, initargs=(os.getpid(), given)) as pool:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(_call, function, item))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _begin(parent, given):
    os.environ["BERTBUILD_PARENT"] = str(parent)
    end_with_parent()
    _given[:] = given


def _call(function, item):
    return function(*_given, item)
