"""What is asked of the engine and what is said where it is missing; none of this needs one."""

import hashlib
import http.server
import json
import socket
import socketserver
import threading

import pytest

from bertbuild.errors import EngineError, StageError, UsageError
from bertbuild.isolation import compose, docker_engine, image_builds, images, mounts
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.project import ROOT


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "BERTBUILD_IMAGE_TAG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """A tiny engine that knows one image; returns the paths it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            known = {"/_ping": b"OK", "/images/bertbuild/tf1%3Alocal/json": IMAGE}
            self.send_response(200 if self.path in known else 404)
            self.end_headers()
            self.wfile.write(known.get(self.path, b"{}"))

        def address_string(self):
            return "socket"

        def log_message(self, *_arguments):
            pass

    path = tmp_path / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


LABELS = {"org.bertbuild.source": "abc", "org.bertbuild.base": "sha256:5678"}
IMAGE = json.dumps(
    {
        "Id": "sha256:1234",
        "Os": "linux",
        "Architecture": "amd64",
        "RepoDigests": ["registry.example/tf1@sha256:9abc"],
        "RootFS": {"Layers": ["sha256:def0"]},
        "Config": {"Labels": LABELS},
    }
).encode()
BASE = "sha256:base"


def test_the_light_questions_are_plain_http(engine):
    assert docker_engine.engine_answers()
    assert docker_engine.image("bertbuild/tf1:local") == docker_engine.Image(
        id="sha256:1234",
        labels=LABELS,
        platform="linux/amd64",
        names_pulled=("registry.example/tf1@sha256:9abc",),
        layers=("sha256:def0",),
    )
    assert docker_engine.image("bertbuild/mo:local") is None
    assert engine == ["/_ping", "/images/bertbuild/tf1%3Alocal/json", "/images/bertbuild/mo%3Alocal/json"]


@pytest.mark.usefixtures("engine")
def test_readiness_compares_the_label_with_the_sources(monkeypatch):
    monkeypatch.setattr(compose, "source_digest", lambda _backend: "abc")
    assert ComposeIsolation().is_ready("tf1")
    assert not ComposeIsolation().is_ready("mo")
    assert ComposeIsolation().environment("tf1")["base"] == "sha256:5678"
    monkeypatch.setattr(compose, "source_digest", lambda _backend: "edited")
    assert not ComposeIsolation().is_ready("tf1")


def test_the_endpoint_is_the_variable_then_the_context_then_the_usual_socket(monkeypatch, tmp_path):
    assert docker_engine.endpoint() == "unix:///var/run/docker.sock"
    meta = tmp_path / "config" / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///elsewhere.sock"}}}))
    (tmp_path / "config" / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    assert docker_engine.endpoint() == "unix:///elsewhere.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert docker_engine.endpoint() == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    assert docker_engine.endpoint() == "tcp://127.0.0.1:2375"


def refusal():
    with pytest.raises(EngineError) as caught:
        docker_engine.require_engine()
    assert not docker_engine.engine_answers()
    assert "--isolation venv" in caught.value.next_step
    return caught.value


def test_docker_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")
    monkeypatch.setattr(docker_engine.shutil, "which", lambda _name: None)
    assert str(refusal()) == "Docker is not installed on this machine."


def test_no_socket(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")
    monkeypatch.setattr(docker_engine.shutil, "which", lambda _name: "/usr/bin/docker")
    assert str(refusal()).startswith("No Docker engine runs here: there is nothing at unix://")


def test_a_socket_nobody_listens_on(monkeypatch, tmp_path):
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert "is not running" in str(refusal())


def test_no_permission(monkeypatch, tmp_path):
    def refuse(_connection):
        raise PermissionError

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'root.sock'}")
    monkeypatch.setattr(docker_engine._SocketConnection, "connect", refuse)
    error = refusal()
    assert "may not talk" in str(error)
    assert "usermod -aG docker" in error.next_step


def test_no_answer(monkeypatch, tmp_path):
    path = tmp_path / "mute.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    monkeypatch.setattr(docker_engine, "TIMEOUT_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        assert "did not answer" in str(refusal())


def test_over_the_network_it_is_the_sdk_that_asks(monkeypatch):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{bound.getsockname()[1]}")
        assert "is not running" in str(refusal())


def test_the_digest_of_the_sources_changes_with_a_base_that_the_image_has(monkeypatch):
    monkeypatch.delenv("BERTBUILD_BASE_PYTHON37", raising=False)
    before = {backend: images.source_digest(backend) for backend in ("tf1", "mo")}
    monkeypatch.setenv("BERTBUILD_BASE_PYTHON37", "elsewhere/python:3.7")
    assert images.source_digest("tf1") != before["tf1"]
    assert images.source_digest("mo") == before["mo"]


def test_certificates_and_indexes_are_taken_from_where_pip_and_uv_take_them(monkeypatch):
    for name in (
        "BERTBUILD_CA_BUNDLE",
        "BERTBUILD_INDEX_URL",
        "BERTBUILD_PIP_CONF",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/certificates.pem")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    env = image_builds._build_environment("tf1", BASE)
    assert env["BERTBUILD_CA_BUNDLE"] == "/certificates.pem"
    assert env["BERTBUILD_INDEX_URL"] == "https://mirror.example/simple"
    assert "BERTBUILD_PIP_CONF" not in env
    monkeypatch.setenv("BERTBUILD_CA_BUNDLE", "/mine.pem")
    assert image_builds._build_environment("tf1", BASE)["BERTBUILD_CA_BUNDLE"] == "/mine.pem"


@pytest.fixture
def stage_run(tmp_path):
    (tmp_path / "work" / "out").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    return StageRun(
        backend="data",
        stage="freeze",
        inputs={"checkpoint": tmp_path / "model"},
        params={"output": "pooled"},
        work=tmp_path / "work",
        log=tmp_path / "log",
    )


@pytest.fixture
def fake_docker(monkeypatch):
    """Stands in for docker: what it was asked to run, and how that ends."""
    asked = {"end": docker_engine.ContainerEnd(exit_code=0, out_of_memory=False, memory_limit=2**33), "removed": []}

    def run_logged(command, *, env, cwd, log, on_event, **_others):
        asked.update(command=command, env=env, cwd=cwd)
        log.write_text("the last words\n")
        on_event({"event": "step"})
        return asked["end"].exit_code if asked["end"] else 1

    monkeypatch.setattr(compose, "run_logged", run_logged)
    monkeypatch.setattr(docker_engine, "container_end", lambda _name: asked["end"])
    monkeypatch.setattr(docker_engine, "remove_container", asked["removed"].append)
    monkeypatch.setattr(compose.os, "chown", lambda *_arguments, **_options: None)
    return asked


def test_the_command_that_runs_a_stage(fake_docker, stage_run, tmp_path):
    events = []
    ComposeIsolation().run(stage_run, events.append)
    # Before: what a killed host may have left; after: its own.
    before, name = fake_docker["removed"]
    assert before == name
    assert fake_docker["command"] == [
        *("docker", "compose", "--project-directory", str(ROOT), "--file", str(ROOT / "compose.yaml")),
        *("--project-name", "bertbuild-stages"),
        *("run", "-T", "--no-deps", "--name", name),
        *("--label", f"{compose.WORK_LABEL}={stage_run.work}"),
        *("--volume", f"{tmp_path / 'model'}:/in/checkpoint:ro"),
        *("data", "freeze", "--checkpoint=/in/checkpoint", "--output=pooled", "--out=/bertbuild/artifacts/out"),
    ]
    assert fake_docker["env"]["BERTBUILD_ARTIFACTS"] == str(stage_run.work)
    assert fake_docker["env"]["BERTBUILD_UID"] != "0"
    assert events == [{"event": "step"}]


def test_a_failure_has_the_last_lines_of_the_log(fake_docker, stage_run):
    fake_docker["end"] = docker_engine.ContainerEnd(exit_code=3, out_of_memory=False, memory_limit=0)
    with pytest.raises(StageError, match="exit code 3") as caught:
        ComposeIsolation().run(stage_run, lambda _event: None)
    assert caught.value.details == "the last words"
    assert len(fake_docker["removed"]) == 2


def test_a_container_that_never_was_is_the_engines_failure(fake_docker, stage_run):
    fake_docker["end"] = None
    with pytest.raises(EngineError, match="could not be started") as caught:
        ComposeIsolation().run(stage_run, lambda _event: None)
    assert caught.value.details == "the last words"


@pytest.mark.parametrize("name", ["no-such-folder", "a:colon"])
def test_inputs_that_cannot_be_mounted_are_refused(tmp_path, name):
    if ":" in name:
        (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="cannot be given to a container"):
        list(mounts.mounts("model", tmp_path / name))
