"""Having uv fetch Pythons, by a uv that is a few lines of shell."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from bertbuild.errors import InterpreterMissingError
from bertbuild.isolation import fetching, python_places
from bertbuild.isolation.fetching import OLDER, OLDER_LIST, OLDER_LOCK, Fetcher, find_uv
from bertbuild.isolation.interpreters import find_interpreter

VERSION = "3.97"  # of which no machine has one, and no uv
SETTINGS = ("UV_OFFLINE", "UV_PYTHON_DOWNLOADS", "UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL")
ELSEWHERE = ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", *fetching.CERTIFICATES, *fetching.PROXIES)

LISTS = "'python list'*) echo cpython-3.97.2-linux;;"
INSTALLS = """'python install'*)
    mkdir -p "$HOME/.local/share/uv/python/cpython-3.97.2-linux/bin"
    made="$HOME/.local/share/uv/python/cpython-3.97.2-linux/bin/python3.97"
    printf '#!/bin/sh\\necho 3.97.2; echo %s\\n' "$made" > "$made"; chmod +x "$made";;"""
FAILS = "'python install'*) echo 'error: no way' >&2; echo '  Caused by: no wind' >&2; exit 2;;"
MAKES_OLDER = """'pip install'*)
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2/bin"; cp "$OLDER_UV" "$2/bin/uv";;"""


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """A home and a PATH of the test's own, and no settings of uv's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in (*SETTINGS, *ELSEWHERE):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def uv(monkeypatch, tmp_path):
    """Puts a uv in place that notes what it is asked; `older` is what it would install as the older one."""

    def write(*cases, older=()):
        monkeypatch.setattr(fetching, "find_uv", lambda: str(shell(tmp_path / "uv", cases, tmp_path / "asked")))
        monkeypatch.setenv("OLDER_UV", str(shell(tmp_path / "older", older, tmp_path / "asked of older")))

    return write


def shell(path, cases, note):
    variables = "$UV_PYTHON_DOWNLOADS_JSON_URL|$UV_NATIVE_TLS|$UV_SYSTEM_CERTS"
    path.write_text(f'#!/bin/sh\necho "$*|{variables}" >> "{note}"\ncase "$*" in\n{chr(10).join(cases)}\nesac\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def older_offers(monkeypatch):
    """The version is one that no uv at hand has, and the older one may be asked for."""
    monkeypatch.setattr(fetching, "OLDER_OFFERS", (VERSION,))
    monkeypatch.setattr(fetching, "_unreachable", lambda _url: "")


def asked(tmp_path, of="asked"):
    path = tmp_path / of
    return [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []


def fetch(tmp_path, **more):
    return find_interpreter(VERSION, Fetcher(folder=tmp_path / "environments", **more))


def refused(tmp_path, **more):
    with pytest.raises(InterpreterMissingError) as raised:
        fetch(tmp_path, **more)
    assert str(raised.value) == "Python 3.97 is not on this machine, and uv could not fetch it."
    return raised.value.details


def test_the_uv_at_hand_fetches_what_it_lists(uv, tmp_path):
    uv(LISTS, INSTALLS)
    assert fetch(tmp_path)[1] == "3.97.2"
    assert [words[0] for words in asked(tmp_path)] == ["python list --only-downloads 3.97", "python install 3.97"]


def test_nothing_is_fetched_where_only_asked_what_is_there(uv, tmp_path):
    uv(LISTS, INSTALLS)
    with pytest.raises(InterpreterMissingError):
        find_interpreter(VERSION)
    assert not asked(tmp_path)


def test_uv_is_quoted(uv, tmp_path):
    uv(LISTS, FAILS)
    lines = []
    assert refused(tmp_path, on_line=lines.append) == "error: no way\n  Caused by: no wind"
    assert lines == ["error: no way", "  Caused by: no wind"]


def test_a_machine_without_uv_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "find_uv", lambda: "/nowhere/uv")
    assert refused(tmp_path).startswith("uv cannot be started: ")


def test_what_was_installed_and_does_not_run_is_told(uv, tmp_path):
    uv(LISTS, "'python install'*) ;;")
    assert refused(tmp_path) == "what uv installed does not run as Python 3.97"


@pytest.mark.usefixtures("older_offers")
def test_the_older_uv_is_installed_once_by_hash_and_fetches_by_a_list_with_hashes(uv, tmp_path):
    uv(MAKES_OLDER, older=[INSTALLS])
    lines = []
    assert fetch(tmp_path, on_line=lines.append)[1] == "3.97.2"
    assert lines == [f"the installed uv offers no Python 3.97; {OLDER} fetches it"]
    installs = asked(tmp_path)[1][0]
    assert "--require-hashes --only-binary :all:" in installs
    assert installs.endswith(f"--requirements {OLDER_LOCK}")
    assert asked(tmp_path, "asked of older") == [["python install 3.97", str(OLDER_LIST), "", ""]]
    (tmp_path / "home/.local/share/uv/python/cpython-3.97.2-linux/bin/python3.97").unlink()
    assert fetch(tmp_path)[1] == "3.97.2"
    assert [words[0][:11] for words in asked(tmp_path)] == ["python list", "pip install", "python list"]


def test_what_is_pinned_has_its_hashes():
    (line,) = [line for line in OLDER_LOCK.read_text().splitlines() if not line.startswith("#")]
    name, digest = line.split(" --hash=sha256:")
    assert name == OLDER.replace(" ", "==")
    assert len(bytes.fromhex(digest)) == 32
    (entry,) = json.loads(OLDER_LIST.read_text()).values()
    assert f"{entry['major']}.{entry['minor']}" in fetching.OLDER_OFFERS
    assert len(bytes.fromhex(entry["sha256"])) == 32
    assert entry["url"].startswith(fetching.SOURCE)


@pytest.mark.usefixtures("older_offers")
@pytest.mark.parametrize("name", ["UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL"])
def test_a_mirror_or_a_list_of_the_user_s_own_is_left_as_it_is(uv, monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "/mine")
    uv(MAKES_OLDER, older=[INSTALLS])
    assert fetch(tmp_path)[1] == "3.97.2"
    mine = "/mine" if name == "UV_PYTHON_DOWNLOADS_JSON_URL" else ""
    assert asked(tmp_path, "asked of older") == [["python install 3.97", mine, "", ""]]


@pytest.mark.usefixtures("older_offers")
def test_a_list_on_the_network_is_the_uv_at_hand_s_for_the_older_one_cannot_read_it(uv, monkeypatch, tmp_path):
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", "http://pythons.example/list.json")
    uv(INSTALLS)
    assert fetch(tmp_path)[1] == "3.97.2"
    assert [words[0] for words in asked(tmp_path)] == ["python install 3.97"]


@pytest.mark.usefixtures("older_offers")
def test_certificates_reach_both_by_the_names_they_know(uv, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", "/company.pem")
    uv(MAKES_OLDER, older=[INSTALLS])
    fetch(tmp_path)
    assert asked(tmp_path)[1][3] == "1"
    assert asked(tmp_path, "asked of older")[0][2] == "1"


@pytest.mark.usefixtures("older_offers")
@pytest.mark.parametrize(
    ("cases", "older", "words"),
    [
        (["'pip install'*) echo 'hash mismatch' >&2; exit 1;;"], [], "hash mismatch"),
        ([MAKES_OLDER], [FAILS], "error: no way\n  Caused by: no wind"),
    ],
    ids=["no older uv", "no python"],
)
def test_each_of_the_two_is_quoted(uv, tmp_path, cases, older, words):
    uv(*cases, older=older)
    assert refused(tmp_path) == words


def test_a_failure_is_remembered_for_a_while_and_for_the_same_settings(uv, monkeypatch, tmp_path):
    uv(LISTS, FAILS)
    now = [1e9]
    monkeypatch.setattr(time, "time", lambda: now[0])
    refused(tmp_path)
    now[0] += 120
    assert refused(tmp_path).splitlines()[-1] == "(tried 2 minutes ago; tried again 10 minutes after that)"
    assert len(asked(tmp_path)) == 2
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "http://mirror.example")
    refused(tmp_path)
    assert len(asked(tmp_path)) == 4
    now[0] += 601
    refused(tmp_path)
    assert len(asked(tmp_path)) == 6
    now[0] -= 3600
    uv(LISTS, INSTALLS)
    assert fetch(tmp_path)[1] == "3.97.2"


@pytest.mark.parametrize("text", ["", "[]", '{"at": "x"}', '{"at": 1e999, "words": 1, "settings": ""}'])
def test_a_memory_that_cannot_be_read_is_none(uv, tmp_path, text):
    uv(LISTS, INSTALLS)
    memory = tmp_path / "environments" / ".uv" / "failed-3.97.json"
    memory.parent.mkdir(parents=True)
    memory.write_text(text)
    assert fetch(tmp_path)[1] == "3.97.2"


@pytest.mark.parametrize(
    ("variables", "more", "words"),
    [
        ({"UV_PYTHON_DOWNLOADS": "never"}, {}, "uv must not fetch Pythons (UV_PYTHON_DOWNLOADS=never)"),
        ({"UV_OFFLINE": "1"}, {}, "the network must not be used (offline)"),
        ({}, {"offline": True}, "the network must not be used (offline)"),
    ],
)
def test_who_forbids_the_network_is_obeyed(uv, monkeypatch, tmp_path, variables, more, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    uv(LISTS, INSTALLS)
    assert refused(tmp_path, **more) == words
    assert not asked(tmp_path)


def test_a_uv_that_never_ends_is_ended(uv, monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "LIMIT_SECONDS", 0.2)
    uv(LISTS, "'python install'*) echo waiting; exec sleep 60;;")
    assert refused(tmp_path) == "waiting\nended after 0 seconds"


def test_a_server_that_nobody_reaches_is_told_before_the_older_uv_tries_for_minutes(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert fetching._unreachable(f"http://127.0.0.1:{port}/pythons") == ""
    assert "127.0.0.1" in fetching._unreachable(f"http://127.0.0.1:{port}/pythons")
    assert fetching._unreachable("file:///srv/pythons") == ""
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    assert fetching._unreachable(f"http://127.0.0.1:{port}/pythons") == ""


def test_uv_beside_this_python_comes_first(monkeypatch, tmp_path):
    monkeypatch.setattr(fetching.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_uv() == "uv"
    for folder in ("path", "bin"):
        (tmp_path / folder).mkdir()
        shell(tmp_path / folder / "uv", (), tmp_path / "asked")
        assert Path(find_uv()) == tmp_path / folder / "uv"


def test_what_uv_keeps_is_where_it_is_searched(monkeypatch, tmp_path):
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "mine"))
    places = [str(path) for path, _ in python_places._of_uv("3.7")]
    assert places == [str(tmp_path / "mine"), f"{tmp_path}/home/.local/share/uv/python"]
