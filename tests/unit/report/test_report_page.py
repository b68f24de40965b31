"""The page as text: escaped, self-contained, its drawings right; and the command that writes it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import run_logs

from bertbuild.cli.call import run as run_line
from bertbuild.gate.parity import Row, Verdict
from bertbuild.project import ROOT
from bertbuild.report.html import words
from bertbuild.report.html.contents import _state
from bertbuild.report.html.evidence import gather
from bertbuild.report.html.log import read_log
from bertbuild.report.html.page import page
from bertbuild.report.html.parity_plots import layer_plot, layers_plot, probe_plot, readable_verdict
from bertbuild.report.html.run import Job, run_of
from bertbuild.report.html.svg import round_ticks, tag
from bertbuild.report.html.training_plots import loss_plot
from bertbuild.store.store import Store


class Read(HTMLParser):
    """Tags with their attributes, and the text in each kind of tag."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._last = [], {}, ""
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        self._last = name

    def handle_endtag(self, _name):
        self._last = ""

    def handle_data(self, data):
        self.texts.setdefault(self._last, []).append(data)

    def values(self, *names):
        return [value for _, attributes in self.tags for name, value in attributes.items() if name in names]


@pytest.fixture
def read(tmp_path):
    """The page of a played run, parsed."""

    def make(played, ending="result"):
        run_id, jobs = played
        run_logs.write(tmp_path, run_id, run_logs.play(run_id, jobs, ending=ending), jobs)
        run = run_of(run_id, read_log(tmp_path / "runs" / f"{run_id}.jsonl"))
        return Read(page(run, gather(run, Store(tmp_path))))

    return make


def test_the_page_leads_nowhere_and_its_policy_names_its_own_style_and_script(read):
    found = read(run_logs.ordinary())
    assert all(value.startswith("#") for value in found.values("href", "xlink:href"))
    assert found.values("src", "srcset", "action", "style", "onclick", "onload", "data", "poster") == []
    assert [name for name, _ in found.tags].count("script") == 1
    (policy,) = (tag["content"] for name, tag in found.tags if tag.get("http-equiv") == "Content-Security-Policy")
    for kind in ("style", "script"):
        text = "".join(found.texts[kind])
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
        assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?:", text)
    assert policy.startswith("default-src 'none'; ")


def test_every_link_leads_to_something_on_the_page(read):
    found = read(run_logs.ordinary())
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in found.values("href")} <= set(ids)


def test_what_a_log_says_is_text(read):
    found = read(run_logs.failing(), "error")
    assert "img" not in [name for name, _ in found.tags]
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    said = "".join(found.texts["pre"])
    assert "<img src=x onerror=\"document.title='bitten'\"> red ]]> </pre></script>" in said
    assert "\x1b" not in said
    assert said.startswith("line 22\n")  # the last 40 lines


def test_environments_say_what_pins_them_and_what_was_used(read):
    text = " ".join(" ".join(read(run_logs.ordinary()).texts[kind]) for kind in ("td", "code"))
    assert hashlib.sha256(b"tf1").hexdigest() in text
    assert "Python 3.7.17, numpy 1.18.5, protobuf 3.20.3, tensorflow 1.15.5" in text


def verdict(*errors, output="layer_{}_output", limit=1e-4):
    rows = [
        {
            "probe": "b1_s16", "output": output.format(number), "max_abs": error, "cosine": 1.0, "argmax": 1.0,
            "limit": limit, "cosine_limit": None, "passed": error is not None and error <= limit,
        }
        for number, error in enumerate(errors)
    ]  # fmt: skip
    return {"precision": "fp32", "rows": rows, "skipped": []}


def marks(drawing):
    return re.findall(r'class="mark([^"]*)"', drawing)


def test_plots_of_layers_have_a_point_for_each_and_show_what_is_beyond_or_not_there_at_all():
    judged = readable_verdict(verdict(1e-6, 0.0, 2e-3, None))
    small, large = layer_plot(judged), layers_plot(judged)
    assert marks(small) == ["", " equal", " beyond", " beyond"]
    assert marks(large) == ["", " equal", " beyond", " beyond", ""]  # and the key's
    heights = [float(y) for _, y in re.findall(r"([\d.]+),([\d.]+)", re.search(r'points="([^"]*)"', large)[1])]
    limit = float(re.search(r'class="limit"[^>]* y1="([\d.]+)"', large)[1])
    assert heights[1] > heights[0] > limit > heights[2] >= heights[3]  # pixels count from the top
    assert "layer 2 20 (fails)" in small


def test_a_probe_is_shown_by_its_worst_output():
    judged = readable_verdict(verdict(1e-6, 9e-5))
    assert "b1_s16 0.9<" in probe_plot(judged)
    assert layer_plot(readable_verdict(verdict(1e-6, output="pooled_output"))) is None


@pytest.mark.parametrize(
    "odd", [None, {}, {"rows": []}, verdict(), {**verdict(1e-6), "rows": [{"probe": "x"}]}, verdict(1e-6, limit=0)]
)
def test_a_verdict_that_cannot_be_read_is_none(odd):
    assert readable_verdict(odd) is None


def test_a_verdict_is_read_as_it_was_written():
    row = Row(probe="p", output="o", max_abs=math.inf, cosine=0, argmax=0, limit=1, cosine_limit=None, passed=False)
    judged = Verdict(precision="fp32", rows=(row,), skipped=("q/o",))
    assert readable_verdict({"event": "verdict", **judged.as_json()}) == judged


def test_a_loss_that_is_not_finite_is_left_out():
    events = [{"step": step, "loss": loss} for step, loss in ((1, 0.5), (2, math.nan), (3, math.inf), (4, 0.25))]
    drawn = loss_plot(events, "m/finetune")
    assert len(re.search(r'points="([^"]*)"', drawn)[1].split()) == 2
    assert "Loss of m/finetune: 0.5 at step 1, 0.25 at step 4" in drawn
    assert loss_plot(events[:2], "m/finetune") is None


def test_a_long_training_is_drawn_with_as_many_points_as_can_be_seen():
    events = [{"step": step, "loss": 1 / step} for step in range(1, 10_001)]
    assert len(re.search(r'points="([^"]*)"', loss_plot(events, "x"))[1].split()) <= 600


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.004, "0.00 s"),
        (9.994, "9.99 s"),
        (59.94, "59.9 s"),
        (59.97, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_seconds_as_people_read_them(value, text):
    assert words.seconds(value) == text


def test_lines_of_a_log_as_a_terminal_would_show_them():
    text = (
        "\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07\r\n 10%\r 99%\r100%\nnull \x00\ud800 bell\x07\n"
        + "x" * 500
    )
    assert words.log_lines(text) == ["red link", "100%", "null  bell", "x" * 400 + " … (500 characters)"]


def test_svg_is_escaped_and_numbers_are_short():
    drawn = tag("text", "<a>&", x=1 / 3, class_='b"c', hidden=None, text_anchor="end")
    assert drawn == '<text x="0.3" class="b&#34;c" text-anchor="end">&lt;a&gt;&amp;</text>'


def test_ticks_are_round_and_end_before_the_highest_value():
    assert round_ticks(0.7, 4) == pytest.approx([0, 0.2, 0.4, 0.6])
    assert round_ticks(100, 5) == [0, 20, 40, 60, 80, 100]
    assert round_ticks(0, 5) == [0.0]


@pytest.fixture
def report(tmp_path, capsys, monkeypatch):
    """`bertbuild report` over a store of the test's own, in its folder; gives exit code, output, errors."""
    root = tmp_path / "my artefacts"
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(root))
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        code = 0
        try:
            run_line(["bertbuild", "report", *flags])
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    run.root = root
    return run


@pytest.fixture
def two_runs(report):
    for run_id, jobs in (run_logs.failing(), run_logs.ordinary()):
        run_logs.write(report.root, run_id, run_logs.play(run_id, jobs), jobs)
    return report


def test_the_last_run_is_reported(two_runs, tmp_path):
    code, out, err = two_runs("--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["run"] == "20251121-150000-bad0"
    assert told["lines"] == ["my artefacts/reports/20251121-150000-bad0.html"]
    assert (tmp_path / told["lines"][0]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_run_and_a_place_of_ones_choice(two_runs, tmp_path):
    code, out, _ = two_runs("--run", "20251121-140312-7f3a", "--to", "new folder/r.html")
    assert (code, out) == (0, "new folder/r.html\n")
    assert "20251121-140312-7f3a" in (tmp_path / "new folder" / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--run", "x"),
            "error: There is no run 'x'.\n  → The last of 2: 20251121-140312-7f3a, 20251121-150000-bad0.\n",
        ),
        (("--run", "../runs/20251121-140312-7f3a"), "error: There is no run '../runs/20251121-140312-7f3a'."),
        (("--to", "."), "error: . is a folder.\n  → Name a file in it: --to report.html\n"),
        (("--to", "/proc/x/r.html"), "error: /proc/x/r.html cannot be written: No such file or directory."),
    ],
)
def test_flags_that_cannot_be_meant(two_runs, flags, words):
    code, out, err = two_runs(*flags)
    assert (code, out) == (2, "")
    assert err.startswith(words)


def test_no_run_on_record(report):
    code, _, err = report()
    assert code == 2
    assert err.startswith(f"error: No run is on record in {report.root / 'runs'}.\n  → Build something first")


def test_the_page_is_part_of_the_package():
    for name in ("page.html", "page.css", "page.js"):
        assert (ROOT / "bertbuild" / "report" / "html" / name).is_file()


def test_nothing_of_the_report_is_loaded_before_it_is_asked_for():
    source = "import sys, bertbuild.commands.report; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & {"jinja2", "bertbuild.report.html"} == set()


def test_what_was_done_without_being_begun_is_counted_as_up_to_date_as_the_timeline_does():
    counted = [_state(Job(id="a", state="done")), _state(Job(id="b", state="done", began=1.0, ended=2.0))]
    assert counted == ["cached", "done"]
