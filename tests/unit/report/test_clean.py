from __future__ import annotations

import json
import sys

import pytest

from bertbuild.report.clean import _BREAKS, _ESCAPES, _UNPRINTABLE, clean, cleaned
from bertbuild.report.events import JsonReporter

RAW = "bert\x1b[31m/\x1b]0;title\x07kernel\nerror: invented\r\x9b2J\u202e\u2028end"
SHOWN = "bert/kernel error: invented 2J end"


def test_what_steers_a_terminal_is_taken_out_and_the_rest_stays():
    assert clean("a\x1b[2Jb\tc\nd\x00\x7f\u202ee\ud800") == "ab\tc\nde"
    assert clean("plain wörds ✓ 中") == "plain wörds ✓ 中"


def test_words_are_on_one_line_however_deep_they_lie():
    event = {"event": "table", "title": RAW, "rows": [[RAW, 1], (RAW,)], "more": {"a": RAW}, "none": None, "n": 1.5}
    assert cleaned(event) == {
        "event": "table",
        "title": SHOWN,
        "rows": [[SHOWN, 1], [SHOWN]],
        "more": {"a": SHOWN},
        "none": None,
        "n": 1.5,
    }


def test_details_keep_their_lines():
    assert cleaned({"details": "one\x1b[1m\ntwo"}) == {"details": "one\ntwo"}


EVENTS = [
    {"event": "error", "message": RAW, "next_step": RAW, "details": RAW, "exit_code": 4},
    {"event": "warning", "text": RAW},
    {"event": "note", "text": RAW},
    {"event": "result", "lines": [RAW]},
    {"event": "failure", "job": RAW, "message": RAW, "next_step": RAW, "details": RAW},
    {"event": "table", "title": RAW, "columns": [RAW], "rows": [[RAW]]},
    {"event": "unverified", "target": "t", "reason": RAW},
    {"event": "download", "name": RAW, "done": 1, "total": 1},
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_no_word_of_a_file_steers_the_terminal_or_begins_a_line(shown, event):
    seen = shown(event)
    text = seen.out + seen.err
    assert "bert/kernel" in text
    assert not set("\x1b\x07\r\x9b\u202e\u2028") & set(text)
    assert not any(line.startswith("error: invented") for line in text.splitlines())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_json_stays_exact(capsys, event):
    JsonReporter()(event)
    assert json.loads(capsys.readouterr().out) == event


def test_what_is_printable_has_nothing_to_clean():
    printable = "".join(filter(str.isprintable, map(chr, range(sys.maxunicode + 1))))
    assert not any(pattern.search(printable) for pattern in (_ESCAPES, _UNPRINTABLE, _BREAKS))
