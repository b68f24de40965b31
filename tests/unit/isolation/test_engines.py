"""Which engine there is: where it listens, what it calls itself, and who a stage is in its containers."""

from __future__ import annotations

import json
import os
import socket
import socketserver
from http.server import BaseHTTPRequestHandler
from threading import Thread

import pytest

from bertbuild import project
from bertbuild.isolation import compose, docker, docker_engine, sockets
from bertbuild.isolation.docker_engine import Engine

PODMAN = {"Components": [{"Name": "Podman Engine"}], "Version": "4.3.1"}
DOCKER = {"Components": [{"Name": "Engine"}], "Version": "28.2.2"}
NO_ROOT = ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]


class Server(socketserver.UnixStreamServer):
    """An engine that is played: paths and what it answers there."""

    def __init__(self, path, answers):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                found = answers.get(self.path)
                body = json.dumps(found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self):
                return "here"

            def log_message(self, *_args):
                pass

        super().__init__(str(path), Handler)


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Plays an engine; gives what is told of it."""
    started = []

    def play(**answers):
        path = tmp_path / "engine.sock"
        server = Server(path, {"/" + name.replace("__", "/"): value for name, value in answers.items()})
        started.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        return docker_engine.engine()

    yield play
    for server in started:
        server.shutdown()
        server.server_close()


def test_docker_with_and_without_root(engine):
    there = engine(version=DOCKER, info={"SecurityOptions": ["name=seccomp,profile=builtin"]})
    assert there == Engine(name="Docker", version="28.2.2", rootless=False)
    assert str(there) == "Docker 28.2.2"


def test_rootless_docker_says_so_itself(engine):
    assert str(engine(version=DOCKER, info={"SecurityOptions": NO_ROOT})) == "Docker 28.2.2, rootless"


@pytest.mark.parametrize("rootless", [True, False])
def test_podman_says_it_by_its_own_interface(engine, monkeypatch, rootless):
    monkeypatch.setitem(PODMAN, "Version", f"4.3.1 {rootless}")
    told = {"host": {"security": {"rootless": rootless}}}
    there = engine(version=PODMAN, info={"SecurityOptions": []}, **{"v4.0.0__libpod__info": told})
    assert (there.name, there.rootless) == ("Podman", rootless)


def test_doctor_names_the_engine_and_its_socket(engine, monkeypatch, tmp_path):
    engine(_ping="OK", version=DOCKER, info={"SecurityOptions": NO_ROOT})
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 2.26.1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert docker._engine().text == (
        f"Docker 28.2.2, rootless answers at unix://{tmp_path}/engine.sock, compose 2.26.1"
    )


@pytest.mark.parametrize(
    ("uid", "rootless", "who"), [(1000, True, (0, 0)), (1000, False, (1000, 7)), (0, True, (65534, 65534))]
)
def test_what_a_stage_writes_is_the_callers(monkeypatch, uid, rootless, who):
    """Where the engine has no root, its containers' root is the caller, and another uid is one that nobody has."""
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(docker_engine, "engine", lambda: Engine(name="Podman", version="4", rootless=rootless))
    assert compose._container_user((uid, 7) if uid else (65534, 65534)) == who


@pytest.mark.parametrize(
    ("uid", "rootless", "who"),
    [
        (1000, True, "BERTBUILD_UID=0 BERTBUILD_GID=0 "),
        (1000, False, "BERTBUILD_UID=$(id -u) BERTBUILD_GID=$(id -g) "),
        (0, True, "BERTBUILD_UID=$(id -u) BERTBUILD_GID=$(id -g) "),
    ],
)
def test_by_hand_an_installed_program_is_told_who_to_be(monkeypatch, uid, rootless, who):
    monkeypatch.setattr(project, "IS_INSTALLED", True)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(docker_engine, "engine", lambda: Engine(name="Docker", version="28", rootless=rootless))
    (line,) = compose.ComposeIsolation().by_hand()
    assert line.startswith(f"by hand: BERTBUILD_ARTIFACTS=$PWD/artifacts {who}")


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Sockets that are looked for lie in a folder of the test's own; gives what makes one."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(sockets, "DOCKER", tmp_path / "docker.sock")
    monkeypatch.setattr(sockets, "PODMAN", tmp_path / "podman.sock")

    def listen(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
        return path

    return listen


def test_the_first_socket_that_is_there_is_taken(places, tmp_path):
    assert docker_engine.endpoint() == f"unix://{tmp_path}/docker.sock"  # for the sentence that says what is missing
    for name in ("podman.sock", "run/podman/podman.sock", "run/docker.sock", "docker.sock"):
        path = places(name)
        assert docker_engine.endpoint() == f"unix://{path}"


def test_a_socket_that_this_user_may_not_use_is_passed_over(places, monkeypatch):
    closed, open_ = places("docker.sock"), places("run/podman/podman.sock")
    monkeypatch.setattr(os, "access", lambda path, _mode: path != closed)
    assert sockets.usual_socket() == open_
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert sockets.usual_socket() == closed  # whose sentence says how to be let in
