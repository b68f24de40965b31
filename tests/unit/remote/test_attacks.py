"""What somebody can try who may write into the place of a remote store, or runs it, and has no key in trust.

Bits that are flipped are in test_results.py: here is what is whole, well-formed or signed, and not what was asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from itertools import repeat

import pytest

pytest.importorskip("securesystemslib")

from answering_server import always
from provenance_doubles import frozen, ir, publish
from remote_doubles import keys_in

from bertbuild.errors import RemoteError, UntrustedError
from bertbuild.isolation.images import source_digest
from bertbuild.remote import images as module
from bertbuild.remote.bringing import bring
from bertbuild.remote.images import Images, SignedImage
from bertbuild.remote.manifest import IMAGE_TYPE, LARGEST, RESULT_TYPE, TITLE
from bertbuild.remote.protocols import result_name
from bertbuild.remote.shared_folder import Folder
from bertbuild.remote.signing import Signer, Trust
from bertbuild.store.store import Store

INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def wanted(store, remote, tmp_path):
    """An IR of three files that a trusted key signed, and another one."""
    source = frozen(store, tmp_path / "model")
    made = ir(store, source)
    for one in (source, made):
        remote.push(one)
    return made


@pytest.fixture
def accepted(remote, memory, wanted, tmp_path):
    """Puts a manifest in the place of the one that is asked for; what came of it, or why nothing did."""
    (tmp_path / "second").mkdir()
    second = Store(tmp_path / "second")

    def ask(manifest):
        memory.manifests[result_name(wanted.stage, wanted.key)] = manifest
        try:
            return bring(remote, second, wanted.stage, wanted.key, on_wait=pytest.fail)
        except (UntrustedError, RemoteError) as error:
            assert not list((second.root / "objects").glob("*/*"))
            assert not list(second.work.iterdir())
            return f"{error}"

    return ask


def altered(memory, wanted):
    """The manifest that is there, to be changed."""
    return json.loads(memory.manifests[result_name(wanted.stage, wanted.key)])


def swapped_names(value, _other):
    one, two = value["layers"][0]["annotations"], value["layers"][1]["annotations"]
    one[TITLE], two[TITLE] = two[TITLE], one[TITLE]


def layer_of_another_result(value, other):
    value["layers"][0] |= {name: other["layers"][0][name] for name in ("digest", "size")}


def all_files_of_another_result(value, other):
    value["layers"] = [*other["layers"][:-1], value["layers"][-1]]


def statement_of_another_result(value, other):
    value["layers"][-1] = other["layers"][-1]


def both_statements(value, other):
    value["layers"].append(other["layers"][-1])


def an_index(value, _other):
    value |= {"mediaType": INDEX, "manifests": [{"mediaType": DOCKER, "digest": f"sha256:{'0' * 64}", "size": 1}]}


def of_index_alone(value, _other):
    value["manifests"] = value.pop("layers")


def of_docker(value, _other):
    value["mediaType"] = DOCKER


def an_image(value, _other):
    value["artifactType"] = IMAGE_TYPE


def schema_1(value, _other):
    value["schemaVersion"] = 1


def file_as_statement(value, _other):
    value["layers"][0]["mediaType"] = value["layers"][-1]["mediaType"]


def statement_as_file(value, _other):
    value["layers"][-1] |= {"mediaType": "application/octet-stream", "annotations": {TITLE: "statement"}}


def file_of_a_number(value, _other):
    value["layers"].append({**value["layers"][0], "annotations": {TITLE: 5}})


def file_of_a_list(value, _other):
    value["layers"].append({**value["layers"][0], "annotations": {TITLE: ["x"]}})


def file_of_nothing(value, _other):
    value["layers"].append({**value["layers"][0], "annotations": None})


def larger_than_any_disk(value, _other):
    value["layers"][0]["size"] = 2**50


def of_a_fraction(value, _other):
    value["layers"][0]["size"] = 12.0


def weak_digest(value, _other):
    value["layers"][0]["digest"] = f"md5:{'0' * 32}"


STRUCTURES = (
    swapped_names,
    layer_of_another_result,
    all_files_of_another_result,
    statement_of_another_result,
    both_statements,
    an_index,
    of_index_alone,
    of_docker,
    an_image,
    schema_1,
    file_as_statement,
    statement_as_file,
    file_of_a_number,
    file_of_a_list,
    file_of_nothing,
    larger_than_any_disk,
    of_a_fraction,
    weak_digest,
)


@pytest.mark.parametrize("attack", STRUCTURES)
def test_what_is_whole_and_not_what_was_signed_does_not_come_in(memory, store, remote, accepted, wanted, attack):
    other = publish(store, "freeze", {"model.xml": "other", "model.bin": "words"}, [], params={"n": "other"})
    remote.push(other)
    value = altered(memory, wanted)
    attack(value, json.loads(memory.manifests[result_name(other.stage, other.key)]))
    assert isinstance(accepted(json.dumps(value).encode()), str)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b'"x"', b"{" * 100_000, b"[" * 3_000_000, b"9" * 10_000, b"\xff\xfe", b" " * (LARGEST + 9)],
)
def test_a_manifest_that_is_none_is_told_in_a_sentence(accepted, content):
    assert "its manifest" in accepted(content)


def test_what_a_stranger_wrote_is_told_short_and_without_its_control_characters(memory, accepted, wanted):
    value = altered(memory, wanted)
    value["layers"][0]["annotations"][TITLE] = "\x1b[2J\r\n" + "x" * 1_000_000
    said = accepted(json.dumps(value).encode())
    assert len(said) < 400
    assert said.isprintable()


def test_annotations_are_nobodys_word(memory, accepted, wanted):
    """They are for people who look into a registry: nothing follows from them, and nobody signed them."""
    value = altered(memory, wanted)
    value["annotations"] = {"org.bertbuild.key": "0" * 64, "org.opencontainers.image.title": "../../x"}
    assert accepted(json.dumps(value).encode()).digest == wanted.digest


def test_a_file_that_a_manifest_holds_is_hashed_as_any(memory, accepted, wanted):
    value = altered(memory, wanted)
    value["layers"][0]["data"] = "AAAA"
    assert accepted(json.dumps(value).encode()).digest == wanted.digest  # the blob is asked for


def test_a_file_without_end_is_ended(memory, accepted, wanted):
    given = []
    memory.blob = lambda _digest, _start: (given.append(piece) or piece for piece in repeat(b"x" * 1000))
    value = altered(memory, wanted)
    assert "longer than it says" in accepted(json.dumps(value).encode())
    assert len(given) < 100


def test_a_statement_of_another_stage_or_kind_is_none_of_this_result(memory, accepted, wanted, tmp_path):
    """Each is signed by a trusted key: the same key of another stage, an image's, a package's, any text."""
    statement = json.loads((wanted.path / "provenance.json").read_text())
    stage, package = json.loads(json.dumps(statement)), json.loads(json.dumps(statement))
    stage["predicate"]["buildDefinition"]["externalParameters"]["stage"] = "ir-direct"
    package["predicate"]["buildDefinition"]["buildType"] = "https://bertbuild.org/package/v1"
    image = {**statement, "predicateType": "https://bertbuild.org/image/v1"}
    signer = Signer(tmp_path / "keys" / "key.pem")
    for signed in (stage, package, image, {}, [], "text", None):
        value = altered(memory, wanted)
        envelope = signer.envelope(json.dumps(signed).encode())
        digest = hashlib.sha256(envelope).hexdigest()
        memory.blobs[digest] = envelope
        value["layers"][-1] = {"mediaType": value["layers"][-1]["mediaType"], "digest": f"sha256:{digest}"}
        value["layers"][-1]["size"] = len(envelope)
        assert "what is signed is" in accepted(json.dumps(value).encode())


@pytest.fixture
def images(memory, tmp_path):
    memory.place, memory.tag = "host/r", str
    signer = Signer(keys_in(tmp_path / "image-keys")[0])
    return Images(memory, Trust(signer.public), signer)


def test_a_statement_on_an_image_is_of_that_backend_and_these_sources(memory, images, monkeypatch):
    images.sign("data", "a" * 64, {"base": "b"})
    assert images.look("data").digest == "a" * 64
    name = f"signed-image-data-{source_digest('data')}"
    of_data = memory.manifests[name]
    images.sign("onnx", "c" * 64, {"base": "b"})
    memory.manifests[name] = memory.manifests[f"signed-image-onnx-{source_digest('onnx')}"]
    assert "about another image" in images.look("data")
    older = name.replace(source_digest("data"), "0" * 64)
    memory.manifests[older] = of_data
    monkeypatch.setattr("bertbuild.remote.images.source_digest", lambda _backend: "0" * 64)
    assert "about another image" in images.look("data")  # an old one under a new name
    assert images.look("onnx") is None


def test_a_result_is_no_statement_on_an_image(memory, wanted, tmp_path):
    signer = Signer(tmp_path / "keys" / "key.pem")
    images = Images(memory, Trust(signer.public))
    name = f"signed-image-data-{source_digest('data')}"
    memory.manifests[name] = memory.manifests[result_name(wanted.stage, wanted.key)]
    assert "not of an image" in images.look("data")
    memory.manifests[name] = memory.manifests[name].replace(RESULT_TYPE.encode(), IMAGE_TYPE.encode())
    assert "no statement on an image" in images.look("data")
    assert not isinstance(images.look("data"), SignedImage)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": []},
        {"subject": [{"digest": {"sha256": "A" * 64}}]},
        {"subject": [{"digest": {"sha256": 5}}]},
        {"subject": [{"digest": {"sha256": "a" * 64}}] * 2},
        {"_type": "x"},
        {"predicateType": "https://slsa.dev/provenance/v1"},
        {"predicate": {}},
        {"predicate": {"backend": "data", "source": "s", "environment": ["base"]}},
        {"predicate": {"backend": "data", "source": "s", "environment": {"base": 5}}},
    ],
)
def test_a_signed_statement_of_another_form_is_none_on_an_image(images, monkeypatch, change):
    written = module._statement
    monkeypatch.setattr(module, "_statement", lambda *given: {**written(*given), **change})
    images.sign("data", "a" * 64, {"base": "b"})
    assert images.look("data") == "what is signed is no statement on an image"


BOMB = gzip.compress(bytes(50_000_000))


def test_what_a_server_says_to_have_packed_is_not_unpacked(server, registry):
    server.answers = [always(200, {"Content-Encoding": "gzip"}, BOMB)]
    assert registry.manifest("x", LARGEST) == BOMB
    assert b"".join(registry.blob("0" * 64, 0)) == BOMB


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:1/x", "http://example.com/x", "file:///etc/passwd", "//[", "ftp://x/y"]
)
def test_a_server_cannot_send_us_just_anywhere(server, registry, place):
    server.answers = [always(202, {"Location": place}, b"")]
    with pytest.raises(RemoteError, match="an address that is not followed"):
        registry.put_blob("0" * 64, 3, lambda: io.BytesIO(b"abc"), abs)
    assert {command for command, *_ in server.asked} == {"POST"}
    server.answers = [always(200, {"Link": f'<{place}>; rel="next"'}, b'{"tags": []}')]
    with pytest.raises(RemoteError, match="an address that is not followed"):
        list(registry.names())


def test_a_list_of_tags_without_end_is_ended(server, registry, monkeypatch):
    monkeypatch.setattr("bertbuild.remote.registry._MOST_PAGES", 5)
    server.answers = [always(200, {"Link": '</v2/r/tags/list?n=1>; rel="next"'}, b'{"tags": ["a"]}')]
    with pytest.raises(RemoteError, match="without end"):
        list(registry.names())
    assert len(server.asked) == 5


def test_a_shared_folder_has_files_and_nothing_else(tmp_path):
    """A named pipe would let its reader wait, and a link leads to what is none of the store's."""
    folder, outside = Folder("file:///r", tmp_path / "r"), tmp_path / "outside"
    outside.write_text("secret")
    for place in ("results", "blobs/00"):
        (tmp_path / "r" / place).mkdir(parents=True)
    for number, make in enumerate((lambda path: path.symlink_to(outside), os.mkfifo, os.mkdir)):
        digest = f"00{number:062d}"
        make(tmp_path / "r" / "blobs" / "00" / digest)
        make(tmp_path / "r" / "results" / f"ir-{digest}")
        with pytest.raises(RemoteError, match="cannot be used"):
            list(folder.blob(digest, 0))
        with pytest.raises(RemoteError, match="cannot be used"):
            folder.manifest(f"ir-{digest}", 10)


@pytest.mark.parametrize("link", ["blobs", "blobs/00"])
def test_collecting_follows_no_link(tmp_path, link):
    (tmp_path / "r").mkdir()
    theirs, digest = tmp_path / "theirs", f"00{7:062d}"
    place = theirs / "00" if link == "blobs" else theirs
    place.mkdir(parents=True)
    for name in (digest, "thesis.odt"):
        (place / name).write_text("precious")
        os.utime(place / name, (0, 0))
    (tmp_path / "r" / link).parent.mkdir(exist_ok=True)
    (tmp_path / "r" / link).symlink_to(theirs)
    assert Folder("file:///r", tmp_path / "r").collect(list) == 0
    assert len(list(place.iterdir())) == 2


def test_collecting_leaves_what_is_called_otherwise_than_a_blob(tmp_path):
    place = tmp_path / "r" / "blobs" / "00"
    place.mkdir(parents=True)
    names = {"notes.txt": True, f"01{7:062d}": True, f"00{7:062d}": False, f".00{8:062d}.abcdef": False}
    for name in names:
        (place / name).write_text("x")
        os.utime(place / name, (0, 0))
    assert Folder("file:///r", tmp_path / "r").collect(list) == 2
    assert {path.name for path in place.iterdir()} == {name for name, stays in names.items() if stays}
