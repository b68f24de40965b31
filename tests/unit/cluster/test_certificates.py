"""Certificates of a cluster: made once, by their authority, for a time that is told."""

from __future__ import annotations

import datetime as dt

import pytest
from host_doubles import Events

from bertbuild.cluster.certificates import (
    AUTHORITY_DAYS,
    ROLES,
    certificate_file,
    key_file,
    make_certificates,
    read_certificate,
)
from bertbuild.commands import cluster as command
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import UsageError

pytest.importorskip("cryptography")
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc)


@pytest.fixture
def folder(tmp_path):
    make_certificates(tmp_path / "certificates", 90, now=NOW)
    return tmp_path / "certificates"


@pytest.fixture
def session(tmp_path):
    return Session(settings=Settings(artifacts=tmp_path / "artifacts"), report=Events())


def test_only_their_owner_may_read_private_keys(folder):
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {
        name: mode for role in ("ca", *ROLES) for name, mode in ((f"{role}.pem", 0o644), (f"{role}-key.pem", 0o600))
    }
    assert folder.stat().st_mode & 0o777 == 0o700


def test_each_says_its_end_and_none_outlives_its_authority(tmp_path):
    made = make_certificates(tmp_path, AUTHORITY_DAYS + 9, now=NOW)
    assert {one.until for one in made} == {NOW + dt.timedelta(days=AUTHORITY_DAYS)}
    assert all(one.new for one in made)


def test_what_is_there_stays_and_what_was_removed_is_made_anew(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match="has all certificates already, the first of which expires on 2026-05-30"):
        make_certificates(folder, 90, now=NOW)
    for path in (certificate_file(folder, "worker"), key_file(folder, "worker")):
        path.unlink()
    later = NOW + dt.timedelta(days=80)
    made = make_certificates(folder, 90, now=later)
    assert [(one.path.stem, one.new) for one in made] == [
        ("ca", False),
        ("scheduler", False),
        ("worker", True),
        ("client", False),
    ]
    assert made[2].until == later + dt.timedelta(days=90)
    read_certificate(certificate_file(folder, "worker")).verify_directly_issued_by(
        read_certificate(certificate_file(folder, "ca"))
    )
    assert {name for name, data in before.items() if (folder / name).read_bytes() != data} == {
        "worker.pem",
        "worker-key.pem",
    }


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        (["ca-key.pem"], r"ca.pem is there and ca-key.pem is not; it is on the machine that made the certificates"),
        (["worker.pem"], r"worker-key.pem is there and worker.pem is not\."),
        (["ca.pem", "ca-key.pem"], "has scheduler.pem, and no authority that made it"),
    ],
)
def test_a_folder_that_lacks_half_of_something_is_left_alone(folder, removed, said):
    for name in removed:
        (folder / name).unlink()
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UsageError, match=said):
        make_certificates(folder, now=NOW)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_authority_that_expired_makes_no_certificates(folder):
    for path in (certificate_file(folder, "worker"), key_file(folder, "worker")):
        path.unlink()
    with pytest.raises(UsageError, match=r"ca.pem expired on 2036-02-27, so it makes no certificates"):
        make_certificates(folder, now=NOW + dt.timedelta(days=AUTHORITY_DAYS))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written: Not a directory"):
        make_certificates(tmp_path / "file" / "folder")


def test_a_client_s_certificate_is_no_server_s(folder):
    from cryptography import x509

    uses = {
        role: {use._name for use in read_certificate(certificate_file(folder, role)).extensions[-1].value}
        for role in ROLES
    }
    both = {"clientAuth", "serverAuth"}
    assert uses == {"scheduler": both, "worker": both, "client": {"clientAuth"}}
    constraints = read_certificate(certificate_file(folder, "worker")).extensions.get_extension_for_class(
        x509.BasicConstraints
    )
    assert not constraints.value.ca


def test_the_command_tells_each_end(session, tmp_path):
    made = command.certificates(session, str(tmp_path / "made"), 30)
    until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=30)
    lines = session.report.of("result")[0]["lines"]
    assert f"{tmp_path / 'made' / 'worker.pem'} expires on {until:%Y-%m-%d}" in lines
    assert [one["new"] for one in made.certificates] == [True] * 4
    with pytest.raises(UsageError, match=r"--days must be between 1 and 3650 \(got 0\)"):
        command.certificates(session, str(tmp_path / "other"), 0)
    assert not (tmp_path / "other").exists()
