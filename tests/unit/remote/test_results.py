from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress

import pytest

pytest.importorskip("securesystemslib")

from provenance_doubles import frozen, ir, publish
from remote_doubles import keys_in, results_over

from bertbuild.errors import RemoteError, UntrustedError, UsageError
from bertbuild.provenance.verify import verify
from bertbuild.remote.bringing import bring
from bertbuild.remote.manifest import ENVELOPE_TYPE
from bertbuild.remote.protocols import IMAGE, LOST, OTHER, PUSHED, SIGNED_IMAGE, THERE, parts_of, result_name
from bertbuild.remote.results import Results
from bertbuild.remote.signing import Signer, Trust
from bertbuild.store.store import Store


@pytest.fixture
def stored(store, tmp_path):
    return frozen(store, tmp_path / "model")


@pytest.fixture
def second(tmp_path):
    (tmp_path / "second").mkdir()
    return Store(tmp_path / "second")


def brought(remote, store, stored):
    return bring(remote, store, stored.stage, stored.key, on_wait=pytest.fail)


def test_a_result_that_was_pushed_is_brought_byte_by_byte(remote, stored, second):
    assert remote.push(stored).state == PUSHED
    found = brought(remote, second, stored)
    assert found.manifest == stored.manifest
    assert {path.name: path.read_bytes() for path in found.path.iterdir()} == {
        path.name: path.read_bytes() for path in stored.path.iterdir()
    }
    assert not verify(found.path, second).wrong
    assert all(path.stat().st_mode & 0o222 == 0 for path in found.path.iterdir())


def test_what_is_known_of_a_result_before_it_is_here_is_its_manifest(remote, stored):
    remote.push(stored)
    name = result_name(stored.stage, stored.key)
    known = remote.look([name, f"ir-{'0' * 64}"])
    assert list(known) == [name]
    assert known[name].manifest == stored.manifest


def test_files_are_sent_once(remote, store, stored):
    first = remote.push(stored)
    assert (first.sent, first.had) == (
        sum(
            path.stat().st_size
            for path in stored.path.iterdir()
            if path.name not in {"manifest.json", "provenance.json"}
        ),
        0,
    )
    again = publish(store, "freeze", {"inference_graph.pb": "graph", "copy": "graph"}, [], params={"gelu": "tanh"})
    sent = remote.push(again)
    assert (sent.state, sent.sent, sent.had) == (PUSHED, 0, len("graph"))
    assert remote.push(again).state == THERE


def test_two_files_of_one_content_are_brought_once(remote, memory, store, second):
    stored = publish(store, "freeze", {"a": "same text", "b/c": "same text"}, [])
    remote.push(stored)
    memory.asked.clear()
    assert brought(remote, second, stored).manifest == stored.manifest
    assert memory.count("blob") == 1


def test_looking_up_is_one_request_a_key(remote, memory, stored):
    remote.push(stored)
    memory.asked.clear()
    remote.look([result_name(stored.stage, stored.key), f"ir-{'0' * 64}"])
    assert [method for method, _ in memory.asked] == ["manifest"] * 2


def test_a_blob_whose_connection_breaks_is_gone_on_with(remote, memory, store, second):
    stored = publish(store, "freeze", {"graph": "0123456789"}, [])
    remote.push(stored)
    whole, starts = memory.blob, []

    def breaks(digest, start):
        starts.append(start)
        yield next(whole(digest, start))
        raise RemoteError("broken")

    memory.blob = breaks
    assert brought(remote, second, stored).manifest == stored.manifest
    assert starts == [0, 5]


def test_a_server_that_always_breaks_is_given_up_and_nothing_stays(remote, memory, store, second):
    stored = publish(store, "freeze", {"graph": "0123456789"}, [])
    remote.push(stored)
    memory.lies["blob", hashlib.sha256(b"0123456789").hexdigest()] = RemoteError("broken")
    with pytest.raises(RemoteError, match="broken"):
        brought(remote, second, stored)
    assert not list((second.root / "objects").glob("*/*"))
    assert not list(second.work.iterdir())


def test_a_push_without_a_key_is_refused(memory, stored, tmp_path):
    with pytest.raises(RemoteError, match="must be signed"):
        results_over(memory, tmp_path / "keys", writes=False).push(stored)


def test_results_of_a_key_that_is_not_trusted_are_not_used_and_may_be_replaced(memory, stored, second, tmp_path):
    stranger = results_over(memory, tmp_path / "strange")
    assert stranger.push(stored).state == PUSHED
    ours = results_over(memory, tmp_path / "ours")
    with pytest.raises(UntrustedError, match="no key in trust signed it"):
        brought(ours, second, stored)
    assert ours.look([result_name(stored.stage, stored.key)]) == {
        result_name(stored.stage, stored.key): "no key in trust signed it"
    }
    assert ours.push(stored).state == PUSHED
    assert brought(ours, second, stored).digest == stored.digest


def test_a_key_that_was_removed_from_trust_counts_no_more(memory, remote, stored, second, tmp_path):
    remote.push(stored)
    for trust in ("", keys_in(tmp_path / "new")[1]):
        with pytest.raises(UntrustedError, match="no key in trust signed it"):
            brought(Results(memory, Trust(trust)), second, stored)


def test_first_write_wins_and_only_a_real_difference_is_told(remote, store, tmp_path):
    for number, (name, differs) in enumerate({"stage.json": False, "inference_graph.pb": True}.items()):
        other = Store(tmp_path / f"other-{number}")
        other.root.mkdir()
        (tmp_path / f"other-{number}" / "logs").mkdir(parents=True, exist_ok=True)
        other = Store(tmp_path / f"other-{number}")
        model = publish(store, "freeze", {"inference_graph.pb": "a", "stage.json": "{}"}, [], params={"n": str(number)})
        theirs = {"inference_graph.pb": "a", "stage.json": "{}"} | {name: '{"other": 1}'}
        rival = publish(other, "freeze", theirs, [], params={"n": str(number)})
        assert rival.key == model.key
        remote.push(model)
        result = remote.push(rival)
        assert result.state == (OTHER if differs else THERE)
        assert bool(result.differences) is differs
        assert remote.statement(result.name).manifest["digest"] == model.digest


def test_a_lost_race_is_found_and_told(remote, memory, store, tmp_path):
    rivals = Store(tmp_path / "rivals")
    (tmp_path / "rivals").mkdir()
    rivals = Store(tmp_path / "rivals")
    ours = publish(store, "freeze", {"inference_graph.pb": "a"}, [])
    theirs = publish(rivals, "freeze", {"inference_graph.pb": "b"}, [])

    def rival():
        memory.before_put = None
        assert remote.push(theirs).state == PUSHED

    memory.before_put = rival
    result = remote.push(ours)
    assert result.state == LOST
    assert result.differences
    assert remote.statement(result.name).manifest["digest"] == theirs.digest


def test_a_server_that_gives_back_something_else_is_told(remote, memory, stored):
    name = result_name(stored.stage, stored.key)
    put = memory.put_manifest

    def altered(name, content, *, replace):
        put(name, content, replace=replace)
        memory.manifests[name] = b"{}"
        return True

    memory.put_manifest = altered
    with pytest.raises(RemoteError, match="gives something else"):
        remote.push(stored)
    assert name in memory.manifests


@pytest.mark.parametrize(
    "name", ["../up", "/absolute", "a/../../b", "manifest.json", "provenance.json", ".", "a\\b", "a//b"]
)
def test_a_signed_name_that_leads_out_of_the_folder_is_refused(remote, memory, stored, second, tmp_path, name):
    remote.push(stored)
    result = result_name(stored.stage, stored.key)
    payload = json.loads((stored.path / "provenance.json").read_text())
    payload["subject"][0]["name"] = name
    resign(memory, result, payload, tmp_path / "keys" / "key.pem", name=name)
    with pytest.raises(UntrustedError, match="name"):
        brought(remote, second, stored)


def resign(memory, result, payload, key, *, name=None):
    """Let a trusted key sign another statement, and its manifest have the file under its new name."""
    manifest = json.loads(memory.manifests[result])
    envelope = Signer(key).envelope(json.dumps(payload).encode())
    (layer,) = [layer for layer in manifest["layers"] if layer["mediaType"] == ENVELOPE_TYPE]
    layer.pop("data", None)
    layer |= {"digest": f"sha256:{hashlib.sha256(envelope).hexdigest()}", "size": len(envelope)}
    memory.blobs[hashlib.sha256(envelope).hexdigest()] = envelope
    if name is not None:
        manifest["layers"][0]["annotations"]["org.opencontainers.image.title"] = name
    memory.manifests[result] = json.dumps(manifest).encode()


def test_a_statement_of_another_key_is_refused_though_trusted(remote, memory, store, stored, second):
    old = frozen(store, store.root.parent / "other-model", lock="9" * 64)
    remote.push(old)
    memory.manifests[result_name(stored.stage, stored.key)] = memory.manifests[result_name(old.stage, old.key)]
    with pytest.raises(UntrustedError, match=f"what is signed is about freeze {old.key[:12]}"):
        brought(remote, second, stored)


def test_a_statement_whose_key_is_not_made_of_its_parts_is_refused(remote, memory, stored, second, tmp_path):
    remote.push(stored)
    payload = json.loads((stored.path / "provenance.json").read_text())
    payload["predicate"]["buildDefinition"]["externalParameters"]["params"]["gelu"] = "tanh"
    resign(memory, result_name(stored.stage, stored.key), payload, tmp_path / "keys" / "key.pem")
    with pytest.raises(UntrustedError, match="not the digest"):
        brought(remote, second, stored)


def test_a_manifest_larger_than_registries_take_is_not_read(remote, memory, stored, second):
    remote.push(stored)
    memory.manifests[result_name(stored.stage, stored.key)] = b" " * (4 * 2**20 + 1)
    with pytest.raises(UntrustedError, match="larger than"):
        brought(remote, second, stored)


def test_of_two_hundred_that_were_tampered_with_none_is_accepted(remote, memory, store, stored, second):
    """Blobs, signatures, manifests and replays, each changed at places all over; the store stays empty."""
    source = ir(store, stored)
    others = [frozen(store, store.root.parent / f"m{n}", lock=f"{n:064d}") for n in range(40)]
    for one in (source, *others):
        remote.push(one)
    name = result_name(source.stage, source.key)
    manifest = memory.manifests[name]
    attacks = [*blobs_changed(memory, source), *envelopes_changed(manifest), *manifests_changed(manifest)]
    attacks += [{("manifest", name): memory.manifests[result_name(one.stage, one.key)]} for one in others]
    assert len(attacks) == 200
    accepted = []
    for attack in attacks:
        memory.lies = {(method, what or name): bad for (method, what), bad in attack.items()}
        with suppress(UntrustedError, RemoteError):
            accepted.append((attack, brought(remote, second, source)))
    assert accepted == []
    assert not list((second.root / "objects").glob("*/*"))
    memory.lies = {}
    assert brought(remote, second, source).digest == source.digest


def blobs_changed(memory, source):
    """Sixty: a bit, a byte less, a byte more."""
    for n in range(60):
        digest = source.manifest["files"][("model.bin", "model.xml", "stage.json")[n % 3]]["sha256"]
        content = memory.blobs[digest]
        at = n * len(content) // 60
        flipped = content[:at] + bytes([content[at] ^ (1 << n % 8)]) + content[at + 1 :]
        yield {("blob", digest): (flipped, content[:-1], content + b"x")[n // 20]}


def envelopes_changed(manifest):
    """Sixty: a bit of what was signed, of the signature or of the key's name; the manifest fits the new envelope."""
    value = json.loads(manifest)
    envelope = json.loads(base64.b64decode(value["layers"][-1]["data"]))
    for n in range(60):
        bad = json.loads(json.dumps(envelope))
        if n < 50:
            holder, field = (bad, "payload") if n < 30 else (bad["signatures"][0], "sig")
            content = bytearray(base64.b64decode(holder[field]))
            content[n * (len(content) - 1) // 60] ^= 1 << n % 8
            holder[field] = base64.b64encode(content).decode()
        else:
            bad["signatures"][0]["keyid"] = f"{n:064d}"
        text = json.dumps(bad).encode()
        layer = {**value["layers"][-1], "size": len(text), "digest": f"sha256:{hashlib.sha256(text).hexdigest()}"}
        layer["data"] = base64.b64encode(text).decode()
        yield {("manifest", ""): json.dumps({**value, "layers": [*value["layers"][:-1], layer]}).encode()}


def manifests_changed(manifest):
    """Forty: another digest, size or name of each layer, no statement, two of them, a file too many or too few."""
    value = json.loads(manifest)
    for n in range(40):
        layers = json.loads(manifest)["layers"]
        layer = layers[n % 3]
        match n % 10:
            case 0:
                layer["digest"] = f"sha256:{n:064d}"
            case 1:
                layer["size"] += n
            case 2:
                layer["size"] = n % 2 - 1
            case 3:
                layer["annotations"] = {"org.opencontainers.image.title": ("x", "../x", "/x", "")[n // 10]}
            case 4:
                layers.pop()
            case 5:
                layers.append(layers[-1])
            case 6:
                layers.remove(layer)
            case 7:
                layers.append({**layer, "annotations": {"org.opencontainers.image.title": f"more-{n}"}})
            case 8:
                layers[-1]["digest"] = f"sha256:{n:064d}"
            case 9:
                layers = (None, {}, [[]], "layers")[n // 10]
        yield {("manifest", ""): json.dumps({**value, "layers": layers}).encode()}


@pytest.mark.parametrize("text", ["rsa:00", "ed25519:00", "x", f"ed25519:{'0' * 63}g"])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(UsageError, match="not a public key"):
        Trust(f"ed25519:{'0' * 64}, {text}")


def test_a_private_key_is_its_owners_and_never_written_over(tmp_path):
    path, public = keys_in(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer(path).public == public
    with pytest.raises(UsageError, match="exists already"):
        keys_in(tmp_path)
    (tmp_path / "text").write_text("no key")
    for name in ("text", "nothing"):
        with pytest.raises(UsageError, match="cannot be read"):
            Signer(tmp_path / name)


def test_names_are_of_stage_and_key():
    assert parts_of(result_name("ir-direct", "a" * 64)) == ("ir-direct", "a" * 64)
    assert [parts_of(name) for name in ("x", f"-{'a' * 64}", f"ir-{'A' * 64}", f"ir-{'a' * 63}")] == [None] * 4
    assert [parts_of(f"{what}-data-{'a' * 64}") for what in (IMAGE, SIGNED_IMAGE)] == [None] * 2
