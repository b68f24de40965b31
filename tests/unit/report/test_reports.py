from __future__ import annotations

import io
import json
import sys

import pytest
from host_doubles import golden

from bertbuild.gate.parity import Row, Verdict
from bertbuild.report.events import JsonReporter
from bertbuild.report.text import TextReporter

KEY = "0123456789abcdef" * 4


def row(probe="b4_s128", output="pooled_output", *, max_abs=1.25e-6, passed=True, reason=""):
    return Row(
        probe=probe,
        output=output,
        max_abs=max_abs,
        cosine=0.0 if reason else 0.99999994,
        argmax=0.0 if reason else 1.0,
        limit=1e-5,
        cosine_limit=None,
        passed=passed,
        reason=reason,
    )


def verdict(*rows, skipped=(), **more):
    judged = Verdict(precision="fp32", rows=rows, skipped=skipped)
    return {"event": "verdict", "model": "toy", "target": "ir-fp32", **judged.as_json(), **more}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "over 1 comparison\n"),
        ({"references": ["TensorFlow 1.15.5"]}, "over 1 comparison; reference: TensorFlow 1.15.5\n"),
        (
            {"references": ["TensorFlow 2.20.0 in v1 mode"], "one_tensorflow": True},
            "over 1 comparison; reference: TensorFlow 2.20.0 in v1 mode; both sides ran on one TensorFlow\n",
        ),
        (
            {"references": ["TensorFlow 1.15.5", "TensorFlow 2.20.0 in v1 mode"]},
            "reference: TensorFlow 1.15.5 and TensorFlow 2.20.0 in v1 mode\n",
        ),
    ],
)
def test_the_line_about_a_verdict_names_its_judge(shown, told, words):
    assert shown(verdict(row(), **told)).out.endswith(words)


def test_the_line_about_a_verdict_says_why_it_was_not_the_checkpoints_own_graph(shown):
    why = "bert_model.ckpt.meta: it does not read output_weights"
    answered = [{"what": "google-research/bert's run_classifier.py", "outputs": ["probabilities"], "why": why}]
    out = shown(verdict(row(), references=["TensorFlow 1.15.5"], answered_by=answered)).out
    assert out.endswith(
        "over 1 comparison; reference: google-research/bert's run_classifier.py, TensorFlow 1.15.5\n"
        f"  google-research/bert's run_classifier.py answered for probabilities: {why}\n"
    )


GOOD = verdict(row(), row("b1_s16", max_abs=2e-7))
TABLE = verdict(
    row(), row("b4_s128 rows alone", "sequence_output"), skipped=("b1_s512/pooled_output",), show_table=True
)
BAD = verdict(
    row(max_abs=0.25, passed=False),
    row("b1_s16"),
    row("b1_s128", max_abs=float("inf"), passed=False, reason="the answer is not finite (NaN or infinity)"),
)
EVENTS = [
    {"event": "note", "text": "hash of vocab.txt recorded in models.lock.json; keep that file"},
    {"event": "download", "name": "minilm-l6", "done": 10_000_000, "total": 83_506_384},
    {"event": "download", "name": "minilm-l6", "done": 83_506_384, "total": 83_506_384},
    {"event": "environment", "backend": "tf1", "isolation": "venv", "state": "started"},
    {"event": "environment", "backend": "tf1", "isolation": "venv", "state": "line", "text": "Resolved 20 packages"},
    {"event": "environment", "backend": "tf1", "isolation": "venv", "state": "done", "seconds": 12.5},
    {"event": "environment", "backend": "mo", "isolation": "docker", "state": "started"},
    {"event": "environment", "backend": "mo", "isolation": "docker", "state": "done", "seconds": 1.0},
    {"event": "stage", "stage": "inspect", "id": "inspect", "key": KEY, "state": "cached"},
    {"event": "stage", "stage": "freeze", "id": "freeze", "key": KEY, "state": "started"},
    {"event": "step", "stage": "freeze", "text": "loading [/TensorFlow]"},
    {"event": "stage", "stage": "freeze", "id": "freeze", "key": KEY, "state": "done", "seconds": 4.321},
    {"event": "unheard-of", "what": "for programs only"},
    {"event": "warning", "text": "ir 0123456789ab in the store is damaged (model.bin changed)"},
    GOOD,
    TABLE,
    {
        "event": "table",
        "title": "targets",
        "columns": ["model", "state"],
        "rows": [["toy", "built"], ["[old] :ok:", "–"]],
    },
    {"event": "stage", "stage": "ir", "id": "ir-fp16", "key": KEY, "state": "failed", "seconds": 0.25},
    BAD,
    {"event": "result", "lines": ["artifacts/out/toy/ir-fp32/model.xml"], "model": "toy"},
    {
        "event": "error",
        "error": "StageError",
        "exit_code": 13,
        "message": "The stage ir failed with exit code 1.",
        "next_step": "Its whole log: artifacts/logs/x.log",
        "details": "Traceback\nRuntimeError: [not markup]",
    },
    {"event": "error", "error": "StoreError", "exit_code": 15, "message": "No.", "next_step": "", "details": ""},
]


def test_what_people_read_where_stdout_is_no_terminal(shown, monkeypatch):
    """Trailing blanks of tables are cut: no one sees them."""
    monkeypatch.setenv("COLUMNS", "60")  # tables on a pipe are as wide as they are everywhere
    out, err = shown(*EVENTS)
    text = f"--- stdout\n{out}--- stderr\n{err}"
    golden("text_report.txt", "".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def test_far_from_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr("bertbuild.report.text.time.monotonic", lambda: seconds[0])

    reporter = TextReporter()
    for now, done in ((59.0, 10), (61.0, 50), (62.0, 60), (130.0, 199)):
        seconds[0] = now
        reporter({"event": "progress", "done": done, "total": 200})
    assert capsys.readouterr().out == "  25 % done\n  99 % done\n"


def test_what_a_command_made_itself_is_not_told_as_up_to_date(shown):
    made = {"event": "stage", "stage": "import", "id": "import", "key": "a" * 64}
    kept = {**made, "state": "cached"}
    out, _ = shown({**made, "state": "started"}, {**made, "state": "done", "seconds": 1.0}, kept)
    assert [line.split()[:2] for line in out.splitlines()] == [["✓", "import"]]
    out, _ = shown(kept, {**kept, "key": "b" * 64})
    assert [line.split()[:2] for line in out.splitlines()] == [["=", "import"]] * 2


def test_the_parity_table(shown):
    out, _ = shown(BAD)
    golden("parity_table.txt", "".join(f"{line.rstrip()}\n" for line in out.splitlines()))


def test_json_lines_are_the_events_themselves(capsys):
    reporter = JsonReporter()
    for event in EVENTS:
        reporter(event)
    reporter.close()
    out, err = capsys.readouterr()
    assert [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()] == EVENTS
    assert err == ""
    golden("json_report.jsonl", out)


def test_each_json_line_is_written_at_once():
    class Stream(io.StringIO):
        flushed = 0

        def flush(self):
            self.flushed += 1

    stream = Stream()
    reporter = JsonReporter(stream)
    reporter({"event": "note", "text": "a\nb"})
    reporter({"event": "note", "text": "c"})
    assert stream.flushed == 2
    assert len(stream.getvalue().splitlines()) == 2


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Puts a terminal in place of stdout, and gives it; from within the test, as pytest replaces stdout before it."""

    def replace():
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("TERM", "xterm")
        return stream

    return replace


def test_on_a_terminal_the_same_lines_stay_and_the_live_one_goes(on_terminal, capsys):
    terminal = on_terminal()
    reporter = TextReporter()
    for event in EVENTS:
        reporter(event)
    reporter.close()
    text = terminal.getvalue()
    for line in ("= inspect", "✓ freeze", "✗ ir-fp16", "✓ minilm-l6", "artifacts/out/toy/ir-fp32/model.xml"):
        assert line in text
    assert "loading [/TensorFlow]" in text
    assert "\x1b[?25h" in text  # the cursor is shown again
    assert not reporter._live.shown
    assert "error: No." in capsys.readouterr().err


def test_an_interrupted_report_gives_the_terminal_back(on_terminal):
    terminal = on_terminal()
    reporter = TextReporter()
    reporter({"event": "stage", "stage": "ir", "id": "ir", "key": KEY, "state": "started"})
    assert reporter._live.shown
    reporter.close()
    assert "\x1b[?25h" in terminal.getvalue()


HALF = {"default_precision": "bf16", "by_default": [row("b1_s16", max_abs=0.03).as_json()]}
TOLD = (
    "by default OpenVINO computes in bf16 on this processor: max abs 3.0e-02, cosine 1.0000 (pooled_output). Told, not "
    "judged; for what was judged, compile with INFERENCE_PRECISION_HINT f32"
)


def test_a_verdict_says_where_it_was_reached_and_what_is_so_by_default_there(shown):
    line, told = shown(verdict(row(), instructions="AVX512_CORE_BF16", **HALF)).out.splitlines()
    assert line.endswith("over 1 comparison, on AVX512_CORE_BF16")
    assert told == f"  {TOLD}"
    assert "by default" not in shown(verdict(row(), instructions="AVX2", default_precision="f32")).out


def test_so_does_its_table(shown):
    table = shown(verdict(row(), instructions="AVX512_CORE_BF16", show_table=True, **HALF)).out
    assert "toy ir-fp32 answers like its source, on AVX512_CORE_BF16" in table
    assert TOLD in " ".join(table.split())


LONG = "a/path/that/is/longer/than/any/line " * 5
DOCTOR = {
    "event": "table",
    "title": "doctor",
    "columns": ["", "what", "found"],
    "rows": [["ok", "disk", LONG], ["--", "Python 3.7", "not here\nand\tnot to be had"]],
}


def test_a_table_in_a_pipe_has_tabs_and_whole_words(shown, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    title, *rows, end = shown(DOCTOR).out.splitlines()
    assert (title, end) == ("doctor", "")
    assert [row.split("\t") for row in rows] == [
        ["", "what", "found"],
        ["ok", "disk", LONG.strip()],
        ["--", "Python 3.7", "not here and not to be had"],
    ]


def test_a_table_without_headings_has_its_rows_alone(shown):
    assert shown({**DOCTOR, "title": "", "columns": ["", "", ""]}).out.splitlines()[0].startswith("ok\tdisk\t")


def test_the_same_table_is_drawn_on_a_terminal(on_terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    terminal = on_terminal()
    TextReporter()(DOCTOR)
    assert "───" in terminal.getvalue()
    assert "\t" not in terminal.getvalue()


PLAN = {"event": "result", "lines": ["one/freeze\twould run\tnever run here", "two\tunknown\t", "targets: 1 missing"]}


def test_columns_of_a_result_s_lines_are_aligned_on_a_terminal_alone(shown, on_terminal):
    assert shown(PLAN).out.splitlines() == PLAN["lines"]
    terminal = on_terminal()
    TextReporter()(PLAN)
    assert terminal.getvalue().splitlines() == [
        "one/freeze  would run  never run here",
        "two         unknown",
        "targets: 1 missing",
    ]
