"""What docker/Dockerfile runs: a lock split in two, files removed that no stage uses, the code of an image laid out."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bertbuild.backends import BACKENDS, backend_folder, lock_file
from bertbuild.project import ROOT
from bertbuild.stages import STAGES, image_code

DOCKER = ROOT / "docker"
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")


def run(script, *words):
    return subprocess.run([sys.executable, "-I", DOCKER / script, *words], check=True, capture_output=True, text=True)


@pytest.fixture
def parts(tmp_path):
    """The two parts of a lock beside another: names in file by part."""

    def split(lock, other, from_source=""):
        for name, text in (("lock", lock), ("other", other), ("from-source", from_source)):
            (tmp_path / name).write_text(text)
        shutil.rmtree(tmp_path / "parts", ignore_errors=True)
        run("split_lock.py", tmp_path / "lock", tmp_path / "other", tmp_path / "from-source", tmp_path / "parts")
        return {
            part: {path.stem: path.read_text().splitlines() for path in (tmp_path / "parts" / part).iterdir()}
            for part in ("shared", "own")
        }

    return split


def entry(package, *hashes):
    return "".join([f"{package} \\\n", " \\\n".join(f"    --hash=sha256:{value}" for value in hashes), "\n"])


def test_what_both_locks_hold_is_one_part_and_the_rest_the_other(parts):
    both, mine = entry("numpy==1.26.4", "a", "b"), entry("nncf==2.14.1", "c")
    found = parts(both + mine, entry("absl-py==2.1.0", "d") + both)
    assert found["shared"]["requirements"] == both.splitlines()
    assert found["own"]["requirements"] == mine.splitlines()
    assert found["shared"]["all"] == ["numpy==1.26.4"]
    assert found["own"]["all"] == ["numpy==1.26.4", "nncf==2.14.1"]


@pytest.mark.parametrize("other", [entry("numpy==1.26.4", "x"), entry("numpy==1.26.3", "a"), ""])
def test_another_version_or_another_hash_is_not_shared(parts, other):
    found = parts(entry("numpy==1.26.4", "a"), other)
    assert found["shared"]["requirements"] == []
    assert found["own"]["all"] == ["numpy==1.26.4"]


def test_a_package_without_a_wheel_comes_with_what_builds_it_and_pips_options(parts):
    tools = entry("setuptools==68.0.0", "s") + entry("wheel==0.42.0", "w")
    lock = entry("gast==0.2.2", "g") + tools
    source = "# why\ngast==0.2.2\njstyleson==0.0.2\n"
    for other, part, empty in ((lock, "shared", "own"), ("", "own", "shared")):
        found = parts(lock, other, source)
        assert found[part]["build-tools"] == tools.splitlines()
        assert found[part]["no-binary"] == ["--use-pep517", "--no-build-isolation", "--no-binary=gast"]
        assert found[empty]["build-tools"] == found[empty]["no-binary"] == []
    assert parts(entry("gast==0.7.0", "g"), "", source)["own"]["no-binary"] == []


def test_packages_without_a_wheel_are_those_that_some_lock_holds():
    named = re.findall(r"^\S+==\S+$", (DOCKER / "from-source.txt").read_text(), re.MULTILINE)
    locked = "\n".join(lock_file(backend).read_text() for backend in BACKENDS)
    assert named
    assert all(f"\n{name} " in f"\n{locked}" for name in named)


@pytest.fixture
def tree(tmp_path):
    """A folder with files; gives those that are there."""
    folder = tmp_path / "tree"

    def make(*names):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        return folder

    make.left = lambda: sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()
    )
    return make


PATTERNS = {
    "a file": ("a/one.py", ["a/two.py", "a/deep/one.py"]),
    "a folder": ("a/deep", ["a/one.py", "a/two.py"]),
    "anywhere below": ("a/**/one.py", ["a/two.py"]),
    "all but": ("a/*\n!a/two.py", ["a/two.py"]),
    "nothing": ("b/*  # not here", ["a/one.py", "a/two.py", "a/deep/one.py"]),
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_files_that_patterns_match_are_removed(tree, tmp_path, kind):
    patterns, left = PATTERNS[kind]
    folder = tree("a/one.py", "a/two.py", "a/deep/one.py")
    (tmp_path / "patterns").write_text(f"# why\n\n{patterns}\n")
    run("unused.py", folder, tmp_path / "patterns")
    assert tree.left() == sorted(left)


def test_what_another_folder_has_too_is_removed_and_what_differs_is_not(tree, tmp_path):
    folder = tree("same/a", "same/deep/b", "other/c", "changed/d")
    (folder / "same" / "link").symlink_to("a")
    (folder / "other" / "link").symlink_to("c")
    shutil.copytree(folder, tmp_path / "shared", symlinks=True)
    shutil.rmtree(tmp_path / "shared" / "other")
    (tmp_path / "shared" / "changed" / "d").write_text("else")
    run("unused.py", "--same-as", tmp_path / "shared", folder)
    assert tree.left() == ["changed/d", "other/c", "other/link"]
    assert not (folder / "same").exists()


@pytest.mark.parametrize("folder", sorted({backend_folder(name).name for name in BACKENDS}))
def test_the_code_of_an_image_is_laid_out_as_the_host_knows_it(tmp_path, folder):
    run("lay_out.py", folder, tmp_path)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {name: path.read_bytes() for name, path in image_code(folder).items()}


def test_an_image_carries_the_stages_of_others_that_the_table_lets_it_run():
    for name in {backend_folder(backend).name for backend in BACKENDS}:
        carried = {
            path for path in image_code(name) if path.count("/") == 2 and "/stages/" in path and "/_" not in path
        }
        may = [spec for spec in STAGES.values() if name in spec.also]
        assert carried == {f"{spec.backend}/stages/{spec.command.replace('-', '_')}.py" for spec in may}


@pytest.mark.parametrize("backend", BACKENDS)
def test_compose_builds_each_image_of_its_own_lock_and_python(backend):
    row = BACKENDS[backend]
    (service,) = re.findall(rf"^  {row.folder}:\n((?:    .*\n)+)", COMPOSE, re.MULTILINE)
    version = f"/{row.version}" if row.beside else ""
    service = service.replace("${BERTBUILD_BACKEND_VERSION:+/${BERTBUILD_BACKEND_VERSION:-}}", version)
    arguments = dict(re.findall(r'(BACKEND|LOCK|BESIDE|BASE): "?([\w./-]+)', service))
    assert arguments["BACKEND"] == row.folder
    assert arguments["LOCK"] == row.lock_folder
    assert arguments["BASE"] == "base" + row.python.replace(".", "")
    beside = next(other for other in BACKENDS.values() if other.lock_folder == arguments["BESIDE"])
    assert beside.python == row.python


def test_scripts_of_the_images_are_shell_of_every_shell():
    for path in DOCKER.glob("*.sh"):
        subprocess.run(["sh", "-n", path], check=True)


def test_every_python_has_one_base_named_by_its_digest():
    bases = re.findall(
        r"^ARG BERTBUILD_BASE_PYTHON(\d+)=\S+@sha256:[0-9a-f]{64}$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE
    )
    assert sorted(bases) == sorted({row.python.replace(".", "") for row in BACKENDS.values()})


def test_there_is_one_dockerfile():
    assert [path.relative_to(DOCKER) for path in DOCKER.rglob("*Dockerfile*")] == [Path("Dockerfile")]
