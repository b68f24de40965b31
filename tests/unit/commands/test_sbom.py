"""The bills of materials: every package of every lock file, the same bytes each time, valid CycloneDX 1.6."""

from __future__ import annotations

import hashlib
import json
import re
import threading

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from host_doubles import Events, golden

from bertbuild.backends import BACKENDS, Backend, lock_file
from bertbuild.commands import provenance as commands
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import LockFileError, UsageError
from bertbuild.isolation.unlocked import Unlocked
from bertbuild.provenance import sbom

LOCK = """\
numpy==1.18.5 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
natsort==8.4.0 \\
    --hash=sha256:{b}
""".format(a="a" * 64, b="b" * 64)


def parsed(text):
    return json.loads(text)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backends_sbom_is_valid_and_complete(backend, tmp_path):
    made = sbom.materials(backend, tmp_path)
    text = (tmp_path / "sbom" / made.name).read_bytes()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode()) is None
    assert made.sha256 == hashlib.sha256(text).hexdigest()
    lock = lock_file(backend).read_text()
    assert made.lock == hashlib.sha256(lock.encode()).hexdigest()
    locked = {entry["purl"] for entry in parsed(text)["components"] if "externalReferences" in entry}
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE)
    assert locked == {f"pkg:pypi/{name}@{version}" for name, version in pinned}
    hashes = [
        entry["content"]
        for component in parsed(text)["components"]
        for reference in component.get("externalReferences", ())
        for entry in reference["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", lock))


def test_the_image_is_what_it_is_about(tmp_path):
    made = sbom.materials("tf1", tmp_path)
    value = parsed((tmp_path / "sbom" / made.name).read_text())
    assert value["metadata"]["component"]["name"] == "bertbuild/tf1"
    assert {"name": "bertbuild:lock:sha256", "value": made.lock} in value["metadata"]["component"]["properties"]
    assert made.name == f"tf1-{made.lock[:16]}.cdx.json"
    assert "timestamp" not in value["metadata"]
    python = next(entry for entry in value["components"] if entry["name"] == "python")
    assert (python["version"], python["type"]) == ("3.7", "platform")
    dependencies = {entry["ref"]: entry.get("dependsOn", []) for entry in value["dependencies"]}
    assert len(dependencies["bertbuild/tf1"]) == len(value["components"])


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """A backend of the tests' own."""
    monkeypatch.setitem(BACKENDS, "toy", Backend(folder="toy", package="numpy", version="1.0", python="3.7"))


def test_bytes_are_those_on_record():
    """Statements hold the sha256 of SBOMs: should these bytes change, those that exist would no longer agree."""
    golden("sbom.cdx.json", sbom.sbom("toy", LOCK, python="3.7", excluded=frozenset({"natsort"})).decode())


def test_an_excluded_package_is_left_out():
    names = {entry["name"] for entry in parsed(sbom.sbom("toy", LOCK, python="3.7"))["components"]}
    assert names == {"python", "numpy", "natsort"}
    fewer = sbom.sbom("toy", LOCK, python="3.7", excluded=frozenset({"natsort"}))
    assert {entry["name"] for entry in parsed(fewer)["components"]} == {"python", "numpy"}


def test_packages_beyond_the_lock_file_have_a_version_and_say_why_no_hash(tmp_path):
    made = sbom.materials("neuron", tmp_path)
    components = parsed((tmp_path / "sbom" / made.name).read_text())["components"]
    found = {entry["name"]: entry for entry in components if "properties" in entry}
    assert set(found) == {"tensorflow-neuron", "neuron-cc"}
    for entry in found.values():
        assert "repository_url=" in entry["purl"]
        assert "externalReferences" not in entry
        assert "not in the lock file" in entry["properties"][0]["value"]


def test_another_version_beyond_the_lock_file_is_another_sbom(tmp_path, monkeypatch):
    requirements = tmp_path / "requirements-toy.in"
    requirements.write_text("neuron-cc==2.0\n")
    before = sbom.sbom_name("neuron")
    beyond = Unlocked(
        argument="BERTBUILD_NEURON_INDEX",
        requirements=requirements,
        names=("neuron-cc",),
        variable="X",
        usual="Y",
        wheels_folder=tmp_path,
        wheels=(),
    )
    monkeypatch.setattr(sbom, "unlocked", lambda _: beyond)
    assert sbom.sbom_name("neuron") != before


@pytest.mark.parametrize("line", ["numpy==1.0\n", "numpy>=1.0\n", "numpy @ https://example.org/numpy.whl\n"])
def test_a_line_without_hashes_is_refused(line):
    with pytest.raises(LockFileError, match="not a package with its hashes"):
        sbom.sbom("toy", LOCK + line, python="3.7")


def test_a_damaged_sbom_is_written_again(tmp_path):
    made = sbom.materials("data", tmp_path)
    path = tmp_path / "sbom" / made.name
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert sbom.materials("data", tmp_path) == made
    assert path.read_bytes() == whole


def test_stages_that_end_at_once_write_one_sbom(tmp_path):
    wrong = []

    def write():
        try:
            sbom.materials("data", tmp_path)
        except Exception as error:  # noqa: BLE001 - whatever it is
            wrong.append(error)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(list((tmp_path / "sbom").iterdir())) == 1


def test_the_command_says_where_they_are(tmp_path):
    events = Events()
    session = Session(settings=Settings(artifacts=tmp_path), report=events)
    commands.sbom(session, ("tf1", "data"))
    (result,) = events.of("result")
    assert sorted(result["sboms"]) == ["data", "tf1"]
    assert all(str(tmp_path / "sbom") in line for line in result["lines"])
    with pytest.raises(UsageError, match="no backend 'tf3'"):
        commands.sbom(session, ("tf3",))
