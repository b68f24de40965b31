"""Builds without a network: a name space of its own where that is allowed, else proxies at which nobody listens."""

from __future__ import annotations

import subprocess

import pytest
from program import Bertbuild

from bertbuild.isolation.fetching import PROXIES

UNSHARE = ["unshare", "--map-root-user", "--net"]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def cut():
    """Words that go before a command, and variables, by which it has no network."""
    try:
        allowed = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    proxies = {name: NOBODY for proxy in PROXIES for name in (proxy, proxy.lower())}
    return (UNSHARE, {}) if allowed else ([], proxies)


class Cut(Bertbuild):
    """The program without a network."""

    def __init__(self, artifacts, cut, **variables):
        words, proxies = cut
        super().__init__(artifacts, variables=proxies | variables)
        self.words = words

    def _command(self, words):
        return [*self.words, *super()._command(words)]


@pytest.fixture
def offline(bertbuild, tmp_path, cut):
    """The program over an empty store; its environments are made."""
    assert bertbuild.artifacts.is_dir()
    return Cut(tmp_path / "artifacts", cut)


def test_a_build_that_has_all_needs_no_network(offline, tiny):
    built = offline.ok("build-ir", "--checkpoint", tiny, "--offline")
    assert built.verdict("ir-fp32")["passed"]


def test_a_machine_that_has_nothing_is_told_all_that_is_missing(offline, tmp_path, cut):
    nothing = {"HOME": str(tmp_path / "home"), "UV_CACHE_DIR": str(tmp_path / "uv"), "BERTBUILD_OFFLINE": "1"}
    machine = Cut(tmp_path / "other", cut, BERTBUILD_ENVIRONMENTS=str(tmp_path / "environments"), **nothing)
    assert machine.words == offline.words
    error = machine.refused("build-ir", "--model", "minilm-l6", code=26)
    assert error["error"] == "OfflineError"
    for what in ("model minilm-l6", "packages of openvino"):
        assert what in error["message"]
    assert "fetch --model minilm-l6" in error["next_step"]
    assert "images --isolation venv --backend openvino" in error["next_step"]
    assert "packages of openvino: " in error["details"]
