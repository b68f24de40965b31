"""Disks that are full, read-only, or others than the checkout's: a clear error or correct work, and nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from killing import WHOLE, Watch, names_in
from program import Bertbuild
from tiny_models import CONFIG, weights, write_google

FULL, STORE = 8, 15
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Even root's programs obey the permissions of files then."""


def resized(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def check_sentence(outcome, disk):
    """It is said which disk is full and what to do; by a build file's build of each target."""
    if outcome.last["error"] == "NoSpaceError":
        message, next_step = outcome.last["message"], outcome.last["next_step"]
        assert "Free some space" in next_step
    else:
        assert outcome.last["error"] == "BuildFailedError"
        message = next(event["message"] for event in outcome.events if event.get("state") == "failed")
    assert message.endswith("is full.")
    assert str(disk) in message


def fill_and_free(program, build, counts, disk, free):
    """A build that meets a full disk says so; with room made by `free`, the next one finishes."""
    watch = Watch(program=program, wanted=build, counts=counts)
    outcome = program(*build.words)
    if outcome.code == 0:  # it fits, just
        counts["fitting"] += 1
        return
    assert outcome.code == FULL, outcome.last
    check_sentence(outcome, disk)
    assert "Traceback" not in outcome.stderr
    watch.after_kill(outcome.events)
    assert not list(program.artifacts.glob("work/*"))
    counts["full"] += 1
    counts["of them after a result"] += bool(watch.kept)
    resized(disk, free)
    watch.finished(*build.words)


@pytest.fixture
def sizes(times):
    """Shares of what a build needs, so that the disk fills in its first stage, its last writes, and between."""
    count = times(2, 16)
    return [(number + 0.5) / count for number in range(count)] + times([], [0.9 + n / 100 for n in range(10)])


def test_full_disks_of_many_sizes(light, light_build, counts, sizes, small_disk):
    needed = light_build.kilobytes
    counts |= {"full": 0, "of them after a result": 0, "fitting": 0}
    for share in sizes:
        disk = small_disk(f"size={max(16, int(needed * share))}k", f"disk {share:.3f}")
        fill_and_free(light(disk), light_build, counts, disk, "size=64m")
    assert counts["of them after a result"]


@pytest.mark.whole
def test_disks_full_of_files(light, light_build, counts, sizes, small_disk):
    needed = len(light_build.names)
    counts |= {"full": 0, "of them after a result": 0, "fitting": 0}
    for share in sizes:
        disk = small_disk(f"nr_inodes={max(3, int(needed * share))}", f"disk {share:.3f}")
        fill_and_free(light(disk), light_build, counts, disk, "nr_inodes=100000")


@pytest.mark.whole
def test_full_disks_under_a_build_file(light, light_fleet, counts, sizes, small_disk):
    counts |= {"full": 0, "of them after a result": 0, "fitting": 0}
    for share in sizes:
        disk = small_disk(f"size={max(16, int(light_fleet.kilobytes * share))}k", f"disk {share:.3f}")
        fill_and_free(light(disk), light_fleet, counts, disk, "size=64m")


@pytest.mark.whole
def test_full_disks_under_the_real_stages(real, real_build, counts, small_disk):
    needed = real_build.kilobytes
    counts |= {"full": 0, "of them after a result": 0, "fitting": 0}
    for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        disk = small_disk(f"size={int(needed * share)}k", f"disk {share}")
        fill_and_free(real(disk), real_build, counts, disk, "size=64m")


def test_a_disk_that_fills_while_the_weights_of_an_ir_are_written(real, small_disk, tmp_path):
    """Everything else fits; OpenVINO writes model.bin, of 4 MB, in pieces."""
    config = {**CONFIG, "vocab_size": 30_000}
    model = write_google(tmp_path / "many-words", weights(config), config=config)
    disk = small_disk("size=2m", "small")
    program = real(disk)
    outcome = program("build-ir", "--checkpoint", model)
    assert outcome.code == FULL, outcome.last
    check_sentence(outcome, disk)
    assert "Traceback" not in outcome.stderr
    assert "ir-fp32" in outcome.ids("started")
    assert not list(program.artifacts.glob("objects/ir-direct/*"))
    assert not list(program.artifacts.glob("work/*"))
    assert not list(program.artifacts.glob("out/*/*"))


def test_a_store_on_another_file_system_than_the_checkout_and_tmp(request, small_disk):
    kind = "real" if WHOLE else "light"
    make, build = request.getfixturevalue(kind), request.getfixturevalue(f"{kind}_build")
    disk, temporary = small_disk("size=64m", "store"), small_disk("size=64m", "temporary")
    program = make(disk).having(TMPDIR=temporary)
    checkout = program.root.stat().st_dev
    assert len({checkout, disk.stat().st_dev, temporary.stat().st_dev}) == 3
    Watch(program=program, wanted=build).finished(*build.words)
    assert program.ok(*build.words).ids("started") == []


class Powerless(Bertbuild):
    """The program run by one who may not write what is not writable, though he be root."""

    def _command(self, words):
        return [*(WITHOUT_RIGHTS if os.getuid() == 0 else ()), *super()._command(words)]


def mounted_read_only(light, small_disk):
    disk = small_disk("size=64m", "read-only")
    return light(disk), lambda: resized(disk, "ro")


def not_writable(light, _small_disk):
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everything, and there is no setpriv")
    program = light()

    def forbid():
        for path in [program.artifacts, *program.artifacts.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)

    return Powerless(program.artifacts, program.root), forbid


@pytest.mark.parametrize("way", [mounted_read_only, not_writable])
def test_a_read_only_store_serves_what_it_has_and_says_what_it_cannot(light, light_build, small_disk, way):
    program, forbid = way(light, small_disk)
    source, other = light_build.words[:3], ("--precision", "fp16")
    built = program.ok(*source)
    before = names_in(program)
    forbid()

    again = program.ok(*source)
    assert again.ids("started") == []
    assert again.last == built.last
    assert [target["state"] for target in program.ok("status").last["targets"]] == ["built"]

    error = program.refused(*source, *other, code=STORE)
    assert error["error"] == "StoreError"
    assert error["message"].startswith(f"The store at {program.artifacts} cannot be used: ")
    assert error["message"].endswith(("Read-only file system.", "Permission denied."))
    assert "BERTBUILD_ARTIFACTS" in error["next_step"]
    assert names_in(program) == before
    assert program.ok(*source).ids("started") == []


def test_no_store_can_be_made_where_nothing_may_be_written(light, light_build, small_disk):
    program = light(small_disk("size=64m,ro", "read-only"))
    error = program.refused(*light_build.words, code=STORE)
    assert error["message"] == f"The store at {program.artifacts} cannot be used: Read-only file system."
