from __future__ import annotations

import errno
import io
import os
import stat
import struct
import tarfile
import warnings
import zipfile
from collections import namedtuple

import pytest
from catalogue_doubles import CHECKPOINT, zip_of

from bertbuild.catalogue import archive as archive_module
from bertbuild.catalogue import disk
from bertbuild.catalogue.archive import unpack_archive, unpack_checkpoint
from bertbuild.catalogue.members import Limits
from bertbuild.errors import ArchiveError, NoSpaceError


@pytest.fixture
def zipped(tmp_path):
    def write(content: bytes):
        path = tmp_path / "some.zip"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results" / "out"


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def single(name, content=b"x", **attributes):
    """A zip of one member, whose entry has `attributes`; the name is written as given."""
    held = io.BytesIO()
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    for key, value in attributes.items():
        setattr(info, key, value)
    with zipfile.ZipFile(held, "w") as opened:
        opened.writestr(info, content)
    return held.getvalue()


def assert_refused(path, out, *words, **options):
    with pytest.raises(ArchiveError) as caught:
        unpack_archive(path, out, **options)
    for word in words:
        assert word in str(caught.value)
    assert not out.exists()
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("top", ["", "uncased_L-2_H-128_A-2/", "models/deep/down/", "./toy/"])
def test_flat_or_in_folders_the_result_is_the_same(zipped, out, top):
    assert unpack_checkpoint(zipped(zip_of(CHECKPOINT, top=top)), out) == tuple(sorted(CHECKPOINT))
    assert tree(out) == CHECKPOINT


def test_what_macos_adds_is_left_out(zipped, out):
    junk = {"toy/.DS_Store": b"", "__MACOSX/toy/._vocab.txt": b""}
    unpack_checkpoint(zipped(zip_of({f"toy/{name}": data for name, data in CHECKPOINT.items()} | junk)), out)
    assert tree(out) == CHECKPOINT


def test_only_what_is_asked_for_is_written(zipped, out):
    files = {"pkg/model/config.json": b"{}", "pkg/model/sub/x": b"1", "pkg/code.py": b"", "pkg/model/README": b""}
    names = unpack_archive(zipped(zip_of(files)), out, inside="pkg/model", only=["config.json", "sub/x"])
    assert names == ("config.json", "sub/x")
    assert tree(out) == {"config.json": b"{}", "sub/x": b"1"}


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "c:evil", "..", "a/..\\evil", "..\\evil", "\\\\host\\x"]
)
def test_members_that_climb_out_are_refused(zipped, out, name):
    assert_refused(zipped(single(name)), out, repr(name))


def test_a_zero_byte_in_a_name_is_refused(zipped, out):
    content = single("vocabXtxt").replace(b"vocabXtxt", b"vocab\0txt")
    assert_refused(zipped(content), out, r"vocab\x00txt")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_special_files_are_refused(zipped, out, kind):
    path = zipped(single("link", b"/etc/passwd", external_attr=(kind | 0o777) << 16, create_system=3))
    assert_refused(path, out, "'link'", "link or a special file")


@pytest.mark.parametrize("second", ["vocab.txt", "VOCAB.txt", "./vocab.txt", "vocab.txt/"])
def test_a_name_that_comes_twice_is_refused(zipped, out, second):
    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w") as opened:
        warnings.simplefilter("ignore")
        opened.writestr("vocab.txt", "one")
        opened.writestr(second, "" if second.endswith("/") else "two")
    assert_refused(zipped(held.getvalue()), out, repr(second), "twice")


def test_a_file_below_a_file_is_refused(zipped, out):
    assert_refused(zipped(zip_of({"a": b"1", "a/b": b"2"})), out, "'a/b'", "below another file")


def test_an_encrypted_member_is_refused(zipped, out):
    content = bytearray(single("secret"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    assert_refused(zipped(bytes(content)), out, "'secret'", "encrypted")


def test_too_many_members_are_refused(zipped, out):
    path = zipped(zip_of({f"f{number}": b"" for number in range(11)}))
    assert_refused(path, out, "11 members", limits=Limits(members=10))


def test_a_total_beyond_the_limit_is_refused(zipped, out):
    path = zipped(zip_of({"a": os.urandom(600), "b": os.urandom(600)}))
    assert_refused(path, out, "'b'", "over 1,000 bytes", limits=Limits(total_bytes=1000))


def test_a_bomb_is_refused_by_its_ratio_but_small_zeros_are_not(zipped, out):
    path = zipped(zip_of({"zeros": bytes(1_000_000)}))
    assert_refused(path, out, "'zeros'", "more than 200 times", limits=Limits(ratio_from=999_999))
    assert unpack_archive(path, out) == ("zeros",)


@pytest.mark.parametrize("declared", [10, 5000])
def test_more_or_fewer_bytes_than_declared_are_refused(zipped, out, declared):
    content = zip_of({"weights": bytes(range(256)) * 4})
    lie = content.replace(struct.pack("<L", 1024), struct.pack("<L", declared))
    assert lie != content
    assert_refused(zipped(lie), out, "'weights'", "damaged")


def test_a_flipped_byte_is_found_by_the_crc(zipped, out):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("first", "fine")
        opened.writestr("weights", b"A" * 100)
    assert_refused(zipped(held.getvalue().replace(b"A" * 100, b"A" * 99 + b"B")), out, "'weights'", "damaged")


def test_a_broken_stream_is_an_archive_error(zipped, out):
    content = bytearray(zip_of({"weights": os.urandom(64) * 8}))
    content[60:70] = b"\xff" * 10
    assert_refused(zipped(bytes(content)), out, "'weights'", "damaged")


def test_an_unknown_compression_is_an_archive_error(zipped, out):
    content = bytearray(single("x"))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(signature) + offset] = 99
    assert_refused(zipped(bytes(content)), out, "'x'", "damaged")


def _tar_gz():
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz"):
        pass
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (zip_of(CHECKPOINT)[:-60], "cut short"),
        (_tar_gz(), "gzip"),
        (b"<html><body>Sign in</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\x00\x01\x02", "something else"),
    ],
)
def test_what_is_no_zip_is_named(zipped, out, content, words):
    assert_refused(zipped(content), out, "some.zip", words)


def test_a_zip_of_something_else_says_what_it_holds(zipped, out):
    path = zipped(zip_of({"photos/cat.jpg": b"", "photos/dog.jpg": b""}))
    with pytest.raises(ArchiveError, match=r"not a BERT checkpoint: it holds cat\.jpg, dog\.jpg"):
        unpack_checkpoint(path, out)
    assert not out.exists()


def test_a_zip_of_nothing_says_so(zipped, out):
    with pytest.raises(ArchiveError, match="it holds nothing"):
        unpack_checkpoint(zipped(zip_of({})), out)
    assert unpack_archive(zipped(zip_of({})), out) == ()
    assert tree(out) == {}


def test_a_zip_of_many_files_is_summed_up(zipped, out):
    path = zipped(zip_of({f"uncased_{number:02}.zip": b"" for number in range(24)}))
    with pytest.raises(ArchiveError, match=r"uncased_07\.zip and 16 more"):
        unpack_checkpoint(path, out)


def test_a_missing_file_is_an_archive_error(tmp_path, out):
    assert_refused(tmp_path / "nothing.zip", out, "cannot be unpacked")


def test_an_existing_folder_is_left_alone(zipped, out):
    out.mkdir(parents=True)
    (out / "precious").write_text("mine")
    with pytest.raises(ArchiveError, match="exists already"):
        unpack_archive(zipped(zip_of(CHECKPOINT)), out)
    assert tree(out) == {"precious": b"mine"}


def test_too_little_space_is_said_before_writing(zipped, out, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage(100, 100, 0))
    with pytest.raises(NoSpaceError, match=r"Unpacking some\.zip needs"):
        unpack_archive(zipped(zip_of(CHECKPOINT)), out)
    assert not out.exists()


def test_a_disk_that_fills_up_leaves_nothing(zipped, out, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive_module.os, "fsync", full)
    with pytest.raises(NoSpaceError):
        unpack_archive(zipped(zip_of(CHECKPOINT)), out)
    assert not list(out.parent.iterdir())


def test_many_small_members_that_grow_are_refused_by_their_sum(zipped, out):
    """Each is below the size from which its own ratio counts."""
    zeros = {f"slot-{number}": bytes(1 << 20) for number in range(70)}
    with pytest.raises(ArchiveError, match="grow more than 200 times when unpacked"):
        unpack_archive(zipped(zip_of(zeros)), out)
    sound = {"weights": os.urandom(1 << 20), **zeros}
    assert len(unpack_archive(zipped(zip_of(sound)), out)) == 71


def test_members_over_one_another_are_refused(zipped, out):
    path = zipped(zip_of({"a": os.urandom(4096), "b": os.urandom(4096), "c": os.urandom(4096)}))
    content = bytearray(path.read_bytes())
    for name in (b"b", b"c"):  # their entries of the directory say that they are packed larger than all of it
        entry = content.rindex(b"PK\x01\x02", 0, content.rindex(name))
        struct.pack_into("<I", content, entry + 20, 9000)
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="cannot be read") as raised:
        unpack_archive(path, out)
    assert "lie in the same bytes" in raised.value.details


@pytest.mark.parametrize("wide", [False, True])
def test_a_directory_larger_than_any_is_refused_unread(tmp_path, out, wide):
    path = tmp_path / "many.zip"
    size = 5 << 20
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 9, 9, 0xFFFFFFFF if wide else size, 0xFFFFFFFF if wide else 0, 0)
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 9, 9, size, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, size, 1)
    path.write_bytes(bytes(size) + (record + locator if wide else b"") + end)
    with pytest.raises(ArchiveError, match="its directory has 5,242,880 bytes; at most 4,194,304 are read"):
        unpack_archive(path, out)


@pytest.mark.parametrize(("offset", "value"), [(10, 1), (8, 1), (4, 7), (6, 7)])
def test_a_directory_that_contradicts_itself_is_refused(zipped, out, offset, value):
    """zipfile reads as many entries as the directory has bytes for, and says nothing of the others."""
    content = bytearray(zip_of(CHECKPOINT))
    struct.pack_into("<H", content, content.rindex(b"PK\5\6") + offset, value)
    assert_refused(zipped(bytes(content)), out, "cannot be read")


def test_a_directory_of_nothing_behind_members_is_refused(zipped, out):
    content = zip_of(CHECKPOINT)
    assert_refused(zipped(content[: content.rindex(b"PK\5\6")] + b"PK\5\6" + bytes(18)), out, "cannot be read")


def test_an_entry_that_hides_those_behind_it_is_refused(zipped, out):
    content = bytearray(zip_of(CHECKPOINT))
    struct.pack_into("<H", content, content.index(b"PK\1\2") + 32, 0xFFFF)  # the length of its comment
    assert_refused(zipped(bytes(content)), out, "cannot be read")
