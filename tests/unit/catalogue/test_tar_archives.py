"""A tar, packed by whatever, is taken like a zip, with the same guards."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile

import pytest
from catalogue_doubles import CHECKPOINT

from bertbuild.catalogue.archive import unpack_archive, unpack_checkpoint
from bertbuild.catalogue.members import Limits
from bertbuild.errors import ArchiveError

PACKED = {"model.tar": "", "model.tar.gz": "gz", "model.tgz": "gz", "model.tar.bz2": "bz2", "model.tar.xz": "xz"}


def tar_of(members, packed="gz"):
    """A tar of name → bytes, or → a TarInfo to be written as it is."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=f"w:{packed}") as opened:
        for name, member in members.items():
            content = member if isinstance(member, bytes) else b""
            info = tarfile.TarInfo(name) if isinstance(member, bytes) else member
            info.size = len(content) if isinstance(member, bytes) else info.size
            opened.addfile(info, io.BytesIO(content))
    return held.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def packed(tmp_path):
    def write(content, name="model.tar.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results" / "out"


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(path, out, *words, **options):
    with pytest.raises(ArchiveError) as caught:
        unpack_archive(path, out, **options)
    assert caught.value.next_step
    for word in words:
        assert word in str(caught.value)
    assert not out.exists()
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("top", ["", "./", "uncased_L-2_H-128_A-2/", "./models/deep/"])
@pytest.mark.parametrize("name", PACKED)
def test_flat_or_in_folders_the_result_is_the_same(packed, out, top, name):
    folders = {top.rstrip("/") or ".": special(top.rstrip("/") or ".", tarfile.DIRTYPE)}
    junk = {f"{top}._vocab.txt": b"macOS"}
    files = {top + file: data for file, data in CHECKPOINT.items()}
    content = tar_of(folders | files | junk, PACKED[name])
    assert unpack_checkpoint(packed(content, name), out) == tuple(sorted(CHECKPOINT))
    assert tree(out) == CHECKPOINT


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..", "a\\evil"])
def test_members_that_climb_out_are_refused(packed, out, name):
    refused(packed(tar_of({name: b"x"})), out, repr(name))


@pytest.mark.parametrize(
    "member",
    [
        special("vocab.txt", tarfile.SYMTYPE, "/etc/passwd"),
        special("vocab.txt", tarfile.LNKTYPE, "bert_config.json"),
        special("vocab.txt", tarfile.FIFOTYPE),
        special("vocab.txt", tarfile.CHRTYPE),
        special("vocab.txt", tarfile.BLKTYPE),
    ],
    ids=["symbolic link", "hard link", "fifo", "character device", "block device"],
)
def test_links_and_special_files_are_refused(packed, out, member):
    refused(packed(tar_of({"bert_config.json": b"{}", "vocab.txt": member})), out, "'vocab.txt'", "link or a special")


def test_names_that_come_twice_and_files_below_files_are_refused(packed, out):
    refused(packed(tar_of({"vocab.txt": b"1", "VOCAB.txt": b"2"})), out, "'VOCAB.txt'", "twice")
    refused(packed(tar_of({"a": b"1", "a/b": b"2"})), out, "'a/b'", "below another file")


def test_too_much_is_refused_before_it_is_unpacked(packed, out):
    many = packed(tar_of({f"f{number}": b"" for number in range(11)}))
    refused(many, out, "more than 10 members", limits=Limits(members=10))
    large = packed(tar_of({"a": os.urandom(600), "b": os.urandom(600)}))
    refused(large, out, "'b'", "over 1,000 bytes", limits=Limits(total_bytes=1000))
    bomb = packed(tar_of({"zeros": bytes(1_000_000)}))
    refused(bomb, out, "'zeros'", "more than 200 times", limits=Limits(ratio_from=999_999))
    assert unpack_archive(bomb, out) == ("zeros",)


def test_a_size_that_is_declared_and_not_there_is_refused(packed, out):
    info = tarfile.TarInfo("weights")
    info.size = 1 << 20
    refused(packed(gzip.compress(info.tobuf() + b"some")), out, "model.tar.gz")


def assert_told_or_unharmed(path, out, files):
    """Damage is refused in words. A few bits hold nothing (filling up to a byte, codes that are not used): then the
    files are those that were packed."""
    try:
        unpack_archive(path, out)
    except ArchiveError as error:
        assert path.name in str(error)  # noqa: PT017 - it may also be unpacked, as below
    else:
        assert {path.name: path.read_bytes() for path in out.iterdir()} == files
        shutil.rmtree(out)


def test_every_damage_that_changes_anything_is_told(packed, out):
    files = {name: data + os.urandom(200) for name, data in CHECKPOINT.items()}
    content = tar_of(files)
    for place in range(10, len(content), 23):  # the first ten bytes are flags, time and system, which change nothing
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        assert_told_or_unharmed(packed(bytes(damaged)), out, files)
    for length in range(0, len(content), 37):
        refused(packed(content[:length]), out, "model.tar.gz")


@pytest.mark.parametrize("name", ["model.tar", "model.tar.bz2", "model.tar.xz"])
def test_a_tar_that_is_cut_short_is_told_however_it_is_packed(packed, out, name):
    content = tar_of({name: data + os.urandom(700) for name, data in CHECKPOINT.items()}, PACKED[name])
    end = len(content.rstrip(b"\0")) // 512 * 512 + 512 if name == "model.tar" else len(content)
    for length in [*range(0, end, 512), *range(0, end, 173), end - 1, *([end] if name == "model.tar" else [])]:
        refused(packed(content[:length], name), out, name)


@pytest.mark.parametrize("name", ["model.tar.bz2", "model.tar.xz"])
def test_damage_is_told_however_a_tar_is_packed(packed, out, name):
    files = {name: data + os.urandom(200) for name, data in CHECKPOINT.items()}
    content = tar_of(files, PACKED[name])
    for place in range(20, len(content) - 40, 41):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        assert_told_or_unharmed(packed(bytes(damaged), name), out, files)


@pytest.mark.parametrize("name", PACKED)
def test_the_guards_are_the_same_however_a_tar_is_packed(packed, out, name):
    refused(packed(tar_of({"../evil": b"x"}, PACKED[name]), name), out, "climbs out")
    refused(packed(tar_of({"a": special("a", tarfile.SYMTYPE, "/etc/passwd")}, PACKED[name]), name), out, "is a link")
    if name != "model.tar":
        bomb = packed(tar_of({"zeros": bytes(1_000_000)}, PACKED[name]), name)
        refused(bomb, out, "'zeros'", "more than 200 times", limits=Limits(ratio_from=999_999))
    refused(packed(b"<html>", name), out, "web page")


def test_a_header_that_cannot_be_read_does_not_end_it_silently(packed, out):
    plain = bytearray(gzip.decompress(tar_of({"a": b"1", "b": b"2"})))
    plain[1024 + 148] ^= 1  # in the checksum of the second header
    refused(packed(gzip.compress(bytes(plain))), out, "model.tar.gz")


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"PK\3\4zip", "a zip"), (b"<html>", "web page")])
def test_what_is_no_tar_is_named(packed, out, content, words):
    refused(packed(content), out, "cannot be read as a .tar.gz", words)


def test_an_archive_of_something_else_says_what_it_holds(packed, out):
    with pytest.raises(ArchiveError, match=r"not a BERT checkpoint: it holds cat\.jpg"):
        unpack_checkpoint(packed(tar_of({"photos/cat.jpg": b""})), out)
