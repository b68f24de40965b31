"""An index that does not answer is told before anything is built; what only a build can tell is left to it."""

import contextlib
import socket
import urllib.error
import urllib.request
from email.message import Message
from types import SimpleNamespace

import pytest

from bertbuild.engine.jobs import EnvironmentJob
from bertbuild.errors import EnvironmentBuildError
from bertbuild.isolation import package_index
from bertbuild.isolation.package_index import require_index, unresolved

VARIABLE = "BERTBUILD_NEURON_INDEX_URL"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    for name in package_index.OTHER_INDEXES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def network(monkeypatch):
    """A network on which hosts have an address or not, and indexes answer as told."""

    def play(*, known=True, answer=None):
        def getaddrinfo(*_arguments):
            if not known:
                raise socket.gaierror(-2, "Name or service not known")
            return []

        def urlopen(request, **_more):
            asked.append((request.full_url, request.get_header("Authorization")))
            if answer is not None:
                raise answer
            return contextlib.nullcontext()

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    asked = []
    return play


def status(code):
    return urllib.error.HTTPError("https://index.example", code, "words", Message(), None)


@pytest.mark.parametrize(
    ("played", "why"),
    [
        ({"known": False}, "index.example has no address: Name or service not known"),
        ({"answer": status(404)}, "it does not have tensorflow-neuron"),
        ({"answer": urllib.error.URLError(ConnectionRefusedError(111, "Connection refused"))}, "Connection refused"),
        ({"answer": TimeoutError()}, "no answer within 10 seconds"),
    ],
)
def test_an_index_that_cannot_be_used_is_named_with_what_to_do(network, monkeypatch, played, why):
    monkeypatch.setenv(VARIABLE, "https://user:secret@index.example/simple")
    network(**played)
    with pytest.raises(EnvironmentBuildError) as caught:
        require_index("neuron", EnvironmentBuildError)
    assert why in str(caught.value)
    assert str(caught.value).startswith("The package index https://index.example/simple cannot be used (")
    assert VARIABLE in caught.value.next_step
    assert "secret" not in str(caught.value) + caught.value.next_step


@pytest.mark.parametrize("answer", [None, status(401), status(403), status(500)])
def test_what_only_a_build_can_tell_is_left_to_it(network, monkeypatch, answer):
    monkeypatch.setenv(VARIABLE, "https://index.example/simple/")
    asked = network(answer=answer)
    require_index("neuron", EnvironmentBuildError)
    assert asked == [("https://index.example/simple/tensorflow-neuron/", None)]


def test_credentials_go_to_the_index_as_a_header(network, monkeypatch):
    monkeypatch.setenv(VARIABLE, "https://me:secret@index.example/simple")
    asked = network()
    require_index("neuron", EnvironmentBuildError)
    assert asked == [("https://index.example/simple/tensorflow-neuron/", "Basic bWU6c2VjcmV0")]


@pytest.mark.parametrize("address", ["https://[::1/simple", "https://index.example:port/simple"])
def test_what_is_no_address_is_told_in_a_sentence(network, monkeypatch, address):
    monkeypatch.setenv(VARIABLE, address)
    network()
    with pytest.raises(EnvironmentBuildError, match="is not an address"):
        require_index("neuron", EnvironmentBuildError)


@pytest.mark.parametrize(("backend", "variable"), [("tf1", ""), ("neuron", "BERTBUILD_PIP_CONF")])
def test_nobody_is_asked_where_all_is_locked_or_a_file_names_more_indexes(network, monkeypatch, backend, variable):
    asked = network(known=False)
    if variable:
        monkeypatch.setenv(variable, "/etc/pip.conf")
    require_index(backend, EnvironmentBuildError)
    assert asked == []


def test_a_proxy_finds_hosts_that_this_machine_does_not(network, monkeypatch):
    network(known=False)
    assert unresolved("https://index.example/simple") == "index.example has no address: Name or service not known"
    assert unresolved("/a/folder") == ""
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy.example:3128"})
    monkeypatch.setattr(urllib.request, "proxy_bypass", lambda _host: False)
    assert unresolved("https://index.example/simple") == ""


def test_an_environment_is_refused_before_its_turn_to_be_made():
    asked = []
    maker = SimpleNamespace(is_ready=lambda _backend: False, require_obtainable=asked.append)
    assert not EnvironmentJob(maker, "neuron").settle()
    assert asked == ["neuron"]
    assert not EnvironmentJob(maker, "neuron").is_ready()
    assert asked == ["neuron"]
