"""The remote store in Debian's docker-registry, the real one."""

from __future__ import annotations

import base64
import hashlib
import json
import os

import pytest
from registry_server import BCRYPT, PROGRAM, registry

pytest.importorskip("securesystemslib")

from host_doubles import Events
from provenance_doubles import frozen, ir, publish
from remote_doubles import keys_in

from bertbuild.commands import remote as remote_command
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import RemoteError, UntrustedError
from bertbuild.remote.bringing import bring
from bertbuild.remote.http import Http
from bertbuild.remote.opening import open_images, open_remote
from bertbuild.remote.protocols import OTHER, PUSHED, THERE, put_small, result_name
from bertbuild.remote.registry import Registry
from bertbuild.store.store import Store

IMAGE_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
IMAGE_CONFIG = "application/vnd.docker.container.image.v1+json"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed (apt-get install docker-registry)"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with registry(folder) as host:
        yield host, folder


@pytest.fixture
def stores(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    return Store(tmp_path / "first"), Store(tmp_path / "second")


@pytest.fixture
def remote(served, tmp_path, request):
    key, public = keys_in(tmp_path / "keys")
    scope = request.node.name[:30].replace("[", "-").rstrip("]")
    return open_remote(Settings(remote=f"oci://{served[0]}/team/results:{scope}", remote_trust=public, remote_key=key))


def test_a_result_goes_through_a_registry_and_is_listed_and_removed(remote, stores, tmp_path):
    source = frozen(stores[0], tmp_path / "model")
    made = ir(stores[0], source)
    assert [remote.push(one).state for one in (source, made, made)] == [PUSHED, PUSHED, THERE]
    names = [result_name(one.stage, one.key) for one in (source, made)]
    assert remote.has([*names, f"ir-{'0' * 64}"]) == set(names)
    assert sorted(remote.transport.names()) == sorted(names)
    for one in (source, made):
        assert bring(remote, stores[1], one.stage, one.key, on_wait=pytest.fail).manifest == one.manifest
    remote.transport.remove(names[0])
    assert remote.has(names) == {names[1]}
    assert remote.collect() is None  # a registry collects by itself


def test_what_was_sent_once_is_not_sent_again_and_large_files_go_in_chunks(remote, stores):
    small = Registry(remote.address, remote.transport._http, "team/results", "chunks", chunk=1 << 20)
    content = os.urandom(2_500_000).hex()
    made = publish(stores[0], "freeze", {"large": content}, [])
    told = []
    remote.transport = small
    first = remote.push(made, lambda done, total: told.append((done, total)))
    assert (first.sent, told[-1]) == (len(content), (len(content), len(content)))
    assert len(told) == 5
    files = {"another name": content, "new": "new"}
    moved = publish(stores[0], "freeze", files, [], params={"n": "moved"})
    assert (remote.push(moved).sent, bring(remote, stores[1], "freeze", moved.key, on_wait=pytest.fail).digest) == (
        3,
        moved.digest,
    )
    digest = made.manifest["files"]["large"]["sha256"]
    assert b"".join(small.blob(digest, 4_000_000)) == content[4_000_000:].encode()
    with pytest.raises(RemoteError):
        list(small.blob(digest, len(content) + 5))


def test_bytes_that_were_changed_on_the_registrys_disk_do_not_come_in(remote, served, stores):
    made = publish(stores[0], "freeze", {"inference_graph.pb": "a graph of its own"}, [])
    remote.push(made)
    digest = made.manifest["files"]["inference_graph.pb"]["sha256"]
    (blob,) = served[1].glob(f"blobs/**/sha256/*/{digest}/data")
    blob.write_bytes(b"A graph of its own")
    with pytest.raises(UntrustedError, match="are not those that were signed"):
        bring(remote, stores[1], made.stage, made.key, on_wait=pytest.fail)
    assert not list((stores[1].root / "objects").glob("*/*"))


def test_another_result_under_the_same_key_does_not_replace_the_first(remote, stores):
    made, other = (
        publish(store, "freeze", {"vocab.txt": text}, [], params={"n": "race"})
        for store, text in zip(stores, ("one", "two"), strict=True)
    )
    assert remote.push(made).state == PUSHED
    result = remote.push(other)
    assert result.state == OTHER
    assert any("vocab.txt: different" in line for line in result.differences)
    assert remote.statement(result.name).manifest["digest"] == made.digest


def test_a_registry_with_a_login_takes_dockers_and_tells_who_has_none(stores, tmp_path, monkeypatch):
    made = frozen(stores[0], tmp_path / "model")
    users = tmp_path / "htpasswd"
    users.write_text(f"team:{BCRYPT}\n")
    key, public = keys_in(tmp_path / "keys")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with registry(tmp_path / "registry", more=f"auth: {{htpasswd: {{realm: r, path: {users}}}}}\n") as host:
        settings = Settings(remote=f"oci://{host}/team/results", remote_trust=public, remote_key=key)
        with pytest.raises(RemoteError, match=r"does not give results \(HTTP 401\)") as refused:
            open_remote(settings).push(made)
        assert f"docker login {host}" in refused.value.next_step
        (tmp_path / "docker").mkdir()
        login = base64.b64encode(b"team:s3cret").decode()
        (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
        assert open_remote(settings).push(made).state == PUSHED
        (tmp_path / "docker" / "config.json").write_text(
            json.dumps({"auths": {host: {"auth": base64.b64encode(b"team:wrong").decode()}}})
        )
        with pytest.raises(RemoteError, match="HTTP 401") as refused:
            open_remote(settings).push(made)
        assert "wrong" not in f"{refused.value} {refused.value.next_step} {refused.value.details}"


def test_an_image_of_other_sources_is_removed_with_its_statement(remote, monkeypatch, tmp_path):
    """An image's manifest has a media type of its own; here it is one without layers."""
    settings = Settings(
        artifacts=tmp_path / "store",
        remote=remote.address,
        remote_trust=",".join(remote.trusted),
        remote_key=tmp_path / "keys" / "key.pem",
    )
    there, http = open_images(settings), remote.transport._http
    put_small(remote.transport, b"{}")
    config = {"mediaType": IMAGE_CONFIG, "size": 2, "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}"}
    image = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": []}).encode()
    path = f"/v2/team/results/manifests/{there.reference('data').rpartition(':')[2]}"
    put = http.request("PUT", path, headers={"Content-Type": IMAGE_MANIFEST}, body=image, writes=True)
    assert put.status == 201
    there.sign("data", hashlib.sha256(image).hexdigest(), {"base": "x"})
    assert there.look("data").digest == hashlib.sha256(image).hexdigest()
    assert len(list(remote.transport.names())) == 2
    session = Session(settings=settings, report=Events())
    assert remote_command.gc(session, "targets", dry_run=False).removed == ()  # it is built of what is here
    monkeypatch.setattr(remote_command, "names_here", set)
    assert remote_command.gc(session, "30d", dry_run=False).removed == ()
    (removed,) = remote_command.gc(session, "targets", dry_run=False).removed
    assert removed.startswith("signed-image-data-")
    assert list(remote.transport.names()) == []
    assert there.look("data") is None


def test_a_registry_that_is_not_there_is_told():
    http = Http("127.0.0.1:1", "team/results")
    with pytest.raises(RemoteError, match="does not answer") as silent:
        Registry("oci://127.0.0.1:1/team/results", http, "team/results").manifest("x", 10)
    assert "proxy settings" in silent.value.next_step
