"""training.svg: loss and learning rate over the steps of a training run, as a picture that needs no library."""

import math
import os
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 80, 48, 52
LOSS, RATE, GRID, TEXT = "#c0392b", "#2471a3", "#dddddd", "#333333"


def write_plot(folder, title, steps, losses, rates, resumed=()):
    """Write training.svg.

    Args:
        folder: where to.
        title: one line over the picture.
        steps: numbers of training steps, rising; at least one.
        losses: the loss at each.
        rates: the learning rate at each.
        resumed: steps after which a killed run was resumed; each is a dashed line.
    """
    across = _Axis(steps[-1], LEFT, WIDTH - RIGHT, tight=True)
    left = _Axis(max(losses), HEIGHT - BOTTOM, TOP)
    right = _Axis(max(rates), HEIGHT - BOTTOM, TOP)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '
        'font-family="sans-serif" font-size="12" fill="%s">' % (WIDTH, HEIGHT, WIDTH, HEIGHT, TEXT),
        '<rect width="100%" height="100%" fill="white"/>',
        _text(WIDTH / 2, 24, title, "middle", size=15),
    ]
    parts += [_text(across.at(value), HEIGHT - BOTTOM + 18, "%g" % value, "middle") for value in across.ticks()]
    for value in left.ticks():
        parts.append(_line(LEFT, left.at(value), WIDTH - RIGHT, left.at(value), GRID))
        parts.append(_text(LEFT - 8, left.at(value) + 4, "%g" % value, "end", LOSS))
    parts += [_text(WIDTH - RIGHT + 8, right.at(value) + 4, "%g" % value, "start", RATE) for value in right.ticks()]
    for step in resumed:
        parts.append(_line(across.at(step), TOP, across.at(step), HEIGHT - BOTTOM, TEXT, 'stroke-dasharray="4 3"'))
        parts.append(_text(across.at(step) + 4, TOP + 12, "resumed", "start"))
    parts += [
        _polyline([(across.at(step), right.at(rate)) for step, rate in zip(steps, rates)], RATE),
        _polyline([(across.at(step), left.at(loss)) for step, loss in zip(steps, losses)], LOSS),
        '<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="%s"/>'
        % (LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, TEXT),
        _text(WIDTH / 2, HEIGHT - 12, "step", "middle"),
        _text(18, HEIGHT / 2, "loss", "middle", LOSS, turned=True),
        _text(WIDTH - 14, HEIGHT / 2, "learning rate", "middle", RATE, turned=True),
        "</svg>",
    ]
    with open(os.path.join(folder, "training.svg"), "w") as file:
        file.write("\n".join(parts) + "\n")


class _Axis(object):
    """Values from 0 on, on pixels from `start` to `end`; without `tight`, up to a round number at or above `high`."""

    def __init__(self, high, start, end, tight=False):
        high = high or 1.0
        size = 10.0 ** math.floor(math.log10(high / 4))
        self._tick = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor * 5 >= high)
        count = math.ceil(round(high / self._tick, 6))
        self._high = high if tight else self._tick * count
        self._count = math.floor(round(high / self._tick, 6)) if tight else count
        self._start, self._end = start, end

    def at(self, value):
        """The pixel of a value."""
        return self._start + value / self._high * (self._end - self._start)

    def ticks(self):
        """The round values that get a number."""
        return [self._tick * index for index in range(self._count + 1)]


def _line(x1, y1, x2, y2, colour, more=""):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>' % (x1, y1, x2, y2, colour, more)


def _polyline(points, colour):
    if len(points) == 1:
        return '<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (points[0] + (colour,))
    path = " ".join("%.1f,%.1f" % point for point in points)
    return '<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>' % (path, colour)


def _text(x, y, text, anchor, colour=TEXT, size=12, turned=False):
    turn = ' transform="rotate(-90 %.1f %.1f)"' % (x, y) if turned else ""
    return '<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" font-size="%d"%s>%s</text>' % (
        x,
        y,
        anchor,
        colour,
        size,
        turn,
        escape(text),
    )
