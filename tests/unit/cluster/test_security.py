"""Mutual TLS with certificates that the command makes: what Dask accepts, what it refuses, and what is said of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil

import pytest

pytest.importorskip("distributed")

from distributed import Client, Scheduler, Security, Worker

from bertbuild.cluster.certificates import AUTHORITY_DAYS, certificate_file, key_file, make_certificates
from bertbuild.cluster.security import cluster_security, needs_tls, tls_failure
from bertbuild.errors import UsageError

NOW = dt.datetime.now(dt.timezone.utc)
TLS = "tls://127.0.0.1:0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates")
    make_certificates(made, 365)
    return made


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    made = tmp_path_factory.mktemp("foreign")
    make_certificates(made, 365)
    return made


def expired(folder, role):
    """The folder with a role's certificate made two days ago for one day, by the same authority."""
    copy = folder.parent / f"expired-{role}"
    if not copy.exists():
        shutil.copytree(folder, copy)
        certificate_file(copy, role).unlink()
        key_file(copy, role).unlink()
        make_certificates(copy, 1, now=NOW - dt.timedelta(days=2))
    return copy


def unchecked(folder, role):
    """What Dask takes of a folder, without our look at the files."""
    files = {
        f"tls_{role}_cert": str(certificate_file(folder, role)),
        f"tls_{role}_key": str(key_file(folder, role)),
        "tls_ca_file": str(certificate_file(folder, "ca")),
    }
    return Security(require_encryption=True, **files)


def on_scheduler(security, ask):
    """What `ask` gives of a real scheduler's address."""

    async def run():
        options = {"dashboard": False, "dashboard_address": None}
        async with Scheduler(host="127.0.0.1", port=0, protocol="tls", security=security, **options) as scheduler:
            return await ask(scheduler.address)

    return asyncio.run(run())


async def connected(address, security):
    """Whether a client gets an answer, or the error."""
    try:
        async with Client(address, security=security, asynchronous=True, timeout=2) as client:
            return (await client.scheduler.identity())["type"]
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("address", "needed"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://127.0.0.3:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://localhost:8786", False),
        ("127.0.0.1:8786", False),
        ("tls://127.0.0.1:8786", True),
        ("tcp://10.1.2.3:8786", True),
        ("tcp://0.0.0.0:8786", True),
        ("tcp://[::]:8786", True),
        ("scheduler:8786", True),
        ("tcp://localhost.example.com:8786", True),
    ],
)
def test_all_but_loopback_needs_certificates(address, needed):
    assert needs_tls(address) is needed


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:8786", "tls://", "tcp://host:port", "tcp://[::1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="is no address of a scheduler"):
        needs_tls(address)


def test_client_scheduler_and_worker_speak_with_certificates(folder):
    async def ask(address):
        security = cluster_security(folder, "worker")
        async with (
            Worker(address, nthreads=1, security=security, dashboard=False, protocol="tls"),
            Client(address, security=cluster_security(folder, "client"), asynchronous=True) as client,
        ):
            return await client.submit(sum, [1, 2], pure=False)

    assert on_scheduler(cluster_security(folder, "scheduler"), ask) == 3


def test_a_client_without_a_certificate_is_refused(folder):
    import ssl

    async def ask(address):
        host, port = address.removeprefix("tls://").split(":")
        context = ssl.create_default_context(cafile=str(certificate_file(folder, "ca")))
        context.check_hostname = False
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        try:
            return await asyncio.wait_for(reader.read(), 5)  # TLS 1.3 tells of a refusal at the first read
        finally:
            writer.transport.abort()

    with pytest.raises(ssl.SSLError) as told:
        on_scheduler(cluster_security(folder, "scheduler"), ask)
    assert "CERTIFICATE_REQUIRED" in str(told.value)
    failure = tls_failure(told.value, "tls://127.0.0.1:8786")
    assert "refuses the certificate of this machine (tlsv13 alert certificate required)" in str(failure)


def test_a_client_s_certificate_starts_no_scheduler(folder):
    """Who has a client's files cannot play the scheduler to workers and other clients."""
    shown = Security(
        require_encryption=True,
        tls_ca_file=str(certificate_file(folder, "ca")),
        tls_scheduler_cert=str(certificate_file(folder, "client")),
        tls_scheduler_key=str(key_file(folder, "client")),
    )
    error = on_scheduler(shown, lambda address: connected(address, cluster_security(folder, "client")))
    assert isinstance(error, OSError)
    assert tls_failure(error, "tls://one:1") is not None


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("expired", r"^The certificate of tls://one:1 has expired\.$"),
        ("foreign", r"^The certificate of tls://one:1 was not made by the authority in ca.pem here\.$"),
    ],
)
def test_a_scheduler_whose_certificate_is_not_right_gives_one_sentence(folder, foreign, theirs, said):
    security = unchecked(expired(folder, "scheduler") if theirs == "expired" else foreign, "scheduler")
    error = on_scheduler(security, lambda address: connected(address, cluster_security(folder, "client")))
    with pytest.raises(UsageError, match=said):
        raise tls_failure(error, "tls://one:1")


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("expired", r"refuses the certificate of this machine \(.*certificate expired\)"),
        ("foreign", "was not made by the authority in ca.pem here"),
    ],
)
def test_a_worker_or_client_whose_certificate_is_not_right_is_refused(folder, foreign, theirs, said):
    mine = unchecked(expired(folder, "client") if theirs == "expired" else foreign, "client")
    error = on_scheduler(cluster_security(folder, "scheduler"), lambda address: connected(address, mine))
    with pytest.raises(UsageError, match=said):
        raise tls_failure(error, "tls://one:1")


def test_an_expired_certificate_here_is_told_with_its_day(folder):
    day = f"{NOW - dt.timedelta(days=1):%Y-%m-%d}"
    with pytest.raises(UsageError, match=rf"certificate .*worker.pem expired on {day}\.$") as told:
        cluster_security(expired(folder, "worker"), "worker")
    assert "worker-key.pem" in told.value.next_step
    with pytest.raises(UsageError, match=r"ca.pem expired on"):
        cluster_security(folder, "worker", now=NOW + dt.timedelta(days=AUTHORITY_DAYS + 1))


def test_the_end_is_told_thirty_days_before(folder):
    notes: list[str] = []
    cluster_security(folder, "worker", on_note=notes.append)
    assert notes == []
    cluster_security(folder, "worker", on_note=notes.append, now=NOW + dt.timedelta(days=340))
    assert len(notes) == 1
    assert f"worker.pem expires on {NOW + dt.timedelta(days=365):%Y-%m-%d}; remove it and worker-key.pem" in notes[0]


def test_a_clock_that_is_behind_is_told(folder):
    with pytest.raises(UsageError, match=r"ca.pem is valid from .* UTC, and this machine's clock says"):
        cluster_security(folder, "worker", now=NOW - dt.timedelta(days=1))


def test_files_that_do_not_belong_together_are_told(folder, foreign, tmp_path):
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    shutil.copy(certificate_file(foreign, "worker"), mixed)
    with pytest.raises(UsageError, match=r"worker.pem was not made by the authority in ca.pem beside it"):
        cluster_security(mixed, "worker")
    shutil.copy(certificate_file(folder, "worker"), mixed)
    shutil.copy(key_file(foreign, "worker"), mixed)
    with pytest.raises(UsageError, match=r"worker-key.pem is not the private key of worker.pem"):
        cluster_security(mixed, "worker")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("worker.pem", None, r"certificate .*worker.pem cannot be read: No such file"),
        ("ca.pem", b"nothing", r"certificate .*ca.pem cannot be read: it is no PEM file of one"),
        ("worker-key.pem", b"nothing", r"private key .*worker-key.pem cannot be read: it is no PEM file of one"),
    ],
)
def test_a_file_that_is_not_there_or_is_none_is_told(folder, tmp_path, name, content, said):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        cluster_security(copy, "worker")


def test_what_is_no_failure_of_tls_is_not_called_one():
    assert tls_failure(OSError("Timed out"), "tls://one:1") is None
