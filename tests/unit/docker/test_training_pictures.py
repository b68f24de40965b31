"""What is seen of a training run: the picture, the heartbeat, the line."""

from __future__ import annotations

import importlib.util
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bertbuild.report.training import training_line

COMMON = Path(__file__).resolve().parents[3] / "docker" / "common"
SVG = "{http://www.w3.org/2000/svg}"


def common(name):
    """A module of docker/common, which is not a package."""
    spec = importlib.util.spec_from_file_location(name, COMMON / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture(folder, *columns, title="MRPC: a < b", **more):
    common("training_plot").write_plot(str(folder), title, *columns, **more)
    return ET.parse(folder / "training.svg").getroot()  # noqa: S314 - written just now


def points(line):
    return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def test_the_picture_shows_both_lines_inside_their_frame(tmp_path):
    steps = list(range(1, 345))
    losses = [0.9 * 0.99**step for step in steps]
    rates = [1e-4 * (1 - step / 344) for step in steps]
    drawn = picture(tmp_path, steps, losses, rates, resumed=[120])
    rate, loss = (points(line) for line in drawn.iter(f"{SVG}polyline"))
    frame = next(rect for rect in drawn.iter(f"{SVG}rect") if rect.get("fill") == "none").attrib
    left, top = float(frame["x"]), float(frame["y"])
    right, bottom = left + float(frame["width"]), top + float(frame["height"])
    assert len(loss) == len(rate) == 344
    assert all(left <= x <= right and top <= y <= bottom for x, y in (*loss, *rate))
    assert [y for _, y in loss] == sorted(y for _, y in loss), "the loss falls, and pixels count downwards"
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"MRPC: a < b", "step", "loss", "learning rate", "resumed"} <= set(texts)
    assert {"0", "0.8", "1", "0.0001", "200"} <= set(texts)


@pytest.mark.parametrize(
    "columns", [([1], [0.7], [5e-5]), ([1, 2], [0.0, 0.0], [0.0, 0.0]), ([5, 10], [7, 1e-9], [1, 1])]
)
def test_any_run_has_a_picture(tmp_path, columns):
    drawn = picture(tmp_path, *columns)
    assert "nan" not in (tmp_path / "training.svg").read_text()
    numbers = [text.text for text in drawn.iter(f"{SVG}text") if re.fullmatch(r"[\d.e-]+", text.text)]
    assert len(numbers) >= 4


def test_news_is_told_soon_and_the_same_again_after_a_while():
    told = []
    heartbeat = common("heartbeat").Heartbeat(lambda value: told.append((value, time.monotonic())), 0.01, 0.1)
    with heartbeat:
        time.sleep(0.03)
        assert told == [], "nothing to tell yet"
        heartbeat.show("one")
        time.sleep(0.35)
        alive = [value for value, _ in told]
        heartbeat.show("two")
    assert 2 <= len(alive) <= 5
    assert set(alive) == {"one"}
    assert told[-1][0] == "two", "the last news is told before the end"


def test_nothing_is_told_of_what_showed_nothing():
    told = []
    with common("heartbeat").Heartbeat(told.append, 0.01, 0.02):
        time.sleep(0.05)
    assert told == []


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            {"step": 120, "steps": 344, "loss": 0.5123, "seconds_per_step": 4.8},
            "step 120 of 344, loss 0.512, 4.80 s a step, about 18 min left",
        ),
        (
            {"step": 1, "steps": 8000, "loss": 5.9, "seconds_per_step": 9.0},
            "step 1 of 8000, loss 5.900, 9.00 s a step, about 20.0 h left",
        ),
        (
            {"step": 9, "steps": 10, "loss": 1, "seconds_per_step": 2.0},
            "step 9 of 10, loss 1.000, 2.00 s a step, about 2 s left",
        ),
        ({"step": 10, "steps": 10, "loss": 1.0, "seconds_per_step": 2.0}, "step 10 of 10, loss 1.000, 2.00 s a step"),
        ({"step": 3, "steps": 10, "loss": 1.0}, "step 3 of 10, loss 1.000"),
    ],
)
def test_a_run_in_one_line(event, line):
    assert training_line(event) == line
