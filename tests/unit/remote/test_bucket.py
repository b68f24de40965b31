"""obstore's own stores on disk and in memory; what S3 adds, credentials and conditional puts, is obstore's."""

from __future__ import annotations

import io
from functools import partial

import pytest

pytest.importorskip("securesystemslib")
pytest.importorskip("obstore")

from obstore.store import MemoryStore, S3Store
from provenance_doubles import frozen
from remote_doubles import results_over

from bertbuild.errors import RemoteError, UsageError
from bertbuild.remote.bringing import bring
from bertbuild.remote.bucket import Bucket
from bertbuild.remote.opening import open_transport
from bertbuild.remote.protocols import PUSHED, THERE, GoneError, result_name
from bertbuild.store.store import Store


@pytest.fixture
def bucket():
    return Bucket("s3://bucket/p", MemoryStore())


def test_a_result_goes_through_a_bucket(bucket, store, tmp_path):
    remote = results_over(bucket, tmp_path / "keys")
    stored = frozen(store, tmp_path / "model")
    assert [remote.push(stored).state for _ in range(2)] == [PUSHED, THERE]
    name = result_name(stored.stage, stored.key)
    assert (remote.has([name, "x"]), list(bucket.names())) == ({name}, [name])
    (tmp_path / "second").mkdir()
    found = bring(remote, Store(tmp_path / "second"), stored.stage, stored.key, on_wait=pytest.fail)
    assert found.manifest == stored.manifest
    bucket.remove(name)
    bucket.remove(name)
    assert remote.has([name]) == set()
    assert remote.collect() == 0  # what came today stays


def test_the_bucket_refuses_the_second_of_two_writers(bucket):
    assert bucket.put_manifest("a", b"1", replace=False)
    assert not bucket.put_manifest("a", b"2", replace=False)
    assert bucket.manifest("a", 10) == b"1"
    assert bucket.put_manifest("a", b"333", replace=True)
    assert bucket.manifest("a", 1) == b"33"
    assert bucket.manifest("b", 1) is None


def test_a_blob_is_given_from_where_it_is_asked_for(bucket):
    bucket.put_blob("0" * 64, 4, partial(io.BytesIO, b"0123"), abs)
    assert (b"".join(bucket.blob("0" * 64, 0)), b"".join(bucket.blob("0" * 64, 2))) == (b"0123", b"23")
    with pytest.raises(GoneError):
        list(bucket.blob("1" * 64, 0))


def test_a_bucket_that_does_not_answer_is_told_without_its_words():
    made = S3Store(
        "bucket",
        config={"access_key_id": "unused", "secret_access_key": "s3cret", "endpoint": "http://127.0.0.1:1"},
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(RemoteError, match="cannot be used") as refused:
        Bucket("s3://bucket", made).manifest("x", 1)
    assert "s3cret" not in f"{refused.value} {refused.value.next_step} {refused.value.details}"


@pytest.mark.parametrize("address", ["s3://B", "s3://user:word@bucket/x", "s3://bucket/a?b"])
def test_an_address_that_names_no_bucket_is_refused(address):
    with pytest.raises(UsageError, match="names no bucket") as refused:
        open_transport(address)
    assert "word" not in str(refused.value)


def test_an_address_of_a_bucket():
    assert isinstance(open_transport("s3://some-bucket/team/results"), Bucket)
