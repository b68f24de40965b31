"""Virtual environments, made by a uv that only makes folders."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from host_doubles import alive, exit_code, in_child, wait_until

from bertbuild import stages
from bertbuild.errors import EnvironmentBuildError, NoSpaceError, StageError, StageKilledForMemoryError
from bertbuild.graph import processor
from bertbuild.isolation import unlocked, venv
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.venv import MARKER, VenvIsolation, installed

UV = """
import os, pathlib, sys, time
folder = pathlib.Path({folder!r})
with (folder / "uv.log").open("a") as log:
    log.write(" ".join(sys.argv[1:3]) + "\\n")
(folder / "uv.last").write_text("\\n".join(sys.argv[1:]))
if sys.argv[1] == "venv":
    made = pathlib.Path(sys.argv[-1])
    (made / "bin").mkdir(parents=True)
    os.symlink({python!r}, made / "bin" / "python")
else:
    {install}
    made = pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).parent.parent
    names = ("toy-2.0",) if "--constraints" in sys.argv else ("numpy-1.18.5", "Ruamel_Yaml-0.1")
    for name in names:
        (made / "lib/python3.11/site-packages" / (name + ".dist-info")).mkdir(parents=True)
print("did", sys.argv[1])
"""


@pytest.fixture
def uv(monkeypatch, tmp_path):
    """Puts a uv in place, whose `pip install` begins with a line of Python."""

    def write(install="pass"):
        path = tmp_path / "uv"
        source = UV.format(folder=str(tmp_path), python=sys.executable, install=install)
        path.write_text(f"#!{sys.executable} -S\n{source}")
        path.chmod(0o755)
        return path

    monkeypatch.setattr(venv, "find_uv", lambda: str(tmp_path / "uv"))
    monkeypatch.setattr(venv, "find_interpreter", lambda version, _fetcher: (Path(sys.executable), f"{version}.99"))
    write()
    return write


@pytest.fixture
def lock(monkeypatch, tmp_path):
    """The lock file of every backend."""
    path = tmp_path / "requirements.txt"
    path.write_text("numpy==1.18.5")
    monkeypatch.setattr(venv, "lock_file", lambda _backend: path)
    return path


@pytest.fixture
def environments(request, tmp_path):
    for needed in ("uv", "lock"):
        request.getfixturevalue(needed)
    return VenvIsolation(tmp_path / "environments")


@pytest.fixture
def made(environments):
    """The folder of a finished environment."""
    environments.prepare("tf1", lambda _: None)
    return environments._path("tf1")


def calls(tmp_path):
    return (tmp_path / "uv.log").read_text().splitlines()


def packages(made):
    return made / "lib" / "python3.11" / "site-packages"


def test_an_environment_is_made_of_the_lock_file_and_remembered(environments, lock, tmp_path):
    lines = []
    assert not environments.is_ready("tf1")
    environments.prepare("tf1", lines.append)
    assert environments.is_ready("tf1")
    assert lines == [f"Python 3.7.99 at {sys.executable}", "did venv", "did pip"]
    facts = environments.environment("tf1")
    assert facts["lock"] == hashlib.sha256(lock.read_bytes()).hexdigest()
    assert facts["python"] == "3.7.99"
    assert set(facts) == {"lock", "python", "machine"}
    assert calls(tmp_path) == ["venv --python", "pip install"]


def test_packages_are_listed_by_their_normal_names(made):
    assert installed(made) == ["numpy==1.18.5", "ruamel-yaml==0.1"]


CHANGES = {
    "a package added": lambda made: (packages(made) / "extra-1.0.dist-info").mkdir(),
    "a package removed": lambda made: (packages(made) / "numpy-1.18.5.dist-info").rmdir(),
    "a package changed": lambda made: (packages(made) / "numpy-1.18.5.dist-info").rename(
        packages(made) / "numpy-1.19.0.dist-info"
    ),
    "the interpreter gone": lambda made: (made / "bin" / "python").unlink(),
    "the interpreter's link broken": lambda made: (
        (made / "bin" / "python").unlink(),
        (made / "bin" / "python").symlink_to("/nowhere"),
    ),
    "no marker": lambda made: (made / MARKER).unlink(),
    "an empty marker": lambda made: (made / MARKER).write_text(""),
    "a strange marker": lambda made: (made / MARKER).write_text("[]"),
    "a marker of another version": lambda made: (made / MARKER).write_text(json.dumps({"lock": "x"})),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_environment_that_is_not_what_was_locked_is_made_anew(environments, made, change):
    CHANGES[change](made)
    assert not environments.is_ready("tf1")
    environments.prepare("tf1", lambda _: None)
    assert environments.is_ready("tf1")
    assert installed(made) == ["numpy==1.18.5", "ruamel-yaml==0.1"]


def test_another_lock_file_means_another_environment(environments, made, lock):
    lock.write_text("numpy==1.19.0")
    assert not environments.is_ready("tf1")
    environments.prepare("tf1", lambda _: None)
    assert environments._path("tf1") != made
    assert made.exists()


def test_one_that_was_broken_off_is_made_anew(environments, uv, tmp_path):
    started = tmp_path / "started"
    uv(f"pathlib.Path({str(started)!r}).touch(); time.sleep(60)")
    child = in_child(lambda: environments.prepare("tf1", lambda _: None))
    wait_until(started.exists)
    os.kill(child, signal.SIGKILL)
    exit_code(child)
    assert environments._path("tf1").exists()
    assert not environments.is_ready("tf1")
    uv()
    environments.prepare("tf1", lambda _: None)
    assert environments.is_ready("tf1")


@pytest.mark.parametrize("count", [2, 5])
def test_processes_that_want_the_same_environment_at_once_make_it_once(environments, uv, tmp_path, count):
    uv("time.sleep(0.2)")

    def prepare():
        environments.prepare("tf1", lambda _: None)
        if not environments.is_ready("tf1"):
            raise AssertionError

    assert [exit_code(child) for child in [in_child(prepare) for _ in range(count)]] == [0] * count
    assert calls(tmp_path) == ["venv --python", "pip install"]


def test_who_waits_for_an_environment_says_so(environments, uv, tmp_path):
    started = tmp_path / "started"
    uv(f"pathlib.Path({str(started)!r}).touch(); time.sleep(0.3)")
    child = in_child(lambda: environments.prepare("tf1", lambda _: None))
    wait_until(started.exists)
    lines = []
    environments.prepare("tf1", lines.append)
    assert exit_code(child) == 0
    assert lines == ["another process is making the environment of tf1; waiting for it"]


def test_ctrl_c_ends_uv(environments, uv, tmp_path):
    told = tmp_path / "pid"
    uv(f"pathlib.Path({str(told)!r}).write_text(str(os.getpid())); print('now', flush=True); time.sleep(60)")

    def stop(line):
        if line == "now":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        environments.prepare("tf1", stop)
    assert not alive(int(told.read_text()))


def test_a_uv_that_fails_is_quoted(environments, uv):
    uv("[print('line', number) for number in range(30)]; sys.exit('hash mismatch')")
    with pytest.raises(EnvironmentBuildError, match="The virtual environment of tf1 could not be made") as raised:
        environments.prepare("tf1", lambda _: None)
    assert "hash mismatch" in raised.value.details
    assert len(raised.value.details.splitlines()) == 20
    assert not environments.is_ready("tf1")


def test_a_disk_that_uv_filled_is_told_as_one(environments, uv):
    uv("sys.exit('error: No space left on device (os error 28)')")
    with pytest.raises(NoSpaceError) as raised:
        environments.prepare("tf1", lambda _: None)
    assert "BERTBUILD_ENVIRONMENTS" in raised.value.next_step


def test_a_missing_uv_is_told(environments, monkeypatch):
    monkeypatch.setattr(venv, "find_uv", lambda: "/nowhere/uv")
    with pytest.raises(EnvironmentBuildError, match="uv cannot be started"):
        environments.prepare("tf1", lambda _: None)


def test_a_folder_that_may_not_be_written_is_told(environments, monkeypatch):
    def forbidden(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", "/environments")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(EnvironmentBuildError, match="/environments cannot be written: Permission denied") as raised:
        environments.prepare("tf1", lambda _: None)
    assert "BERTBUILD_ENVIRONMENTS" in raised.value.next_step


@pytest.fixture
def toy_packages(monkeypatch, tmp_path):
    """Gives the backend packages that its lock file does not hold; its wheels' folder is returned."""
    folder = tmp_path / "backend"
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    (folder / "build-constraints.txt").touch()
    (folder / "requirements-toy.in").write_text("toy==2.0\n")
    (folder.parent / "Dockerfile").write_text("ARG BERTBUILD_TOY_INDEX=https://toys.example/simple\n")
    monkeypatch.setattr(unlocked, "backend_folder", lambda _backend: folder)
    monkeypatch.delenv("BERTBUILD_TOY_INDEX_URL", raising=False)
    return wheels


@pytest.mark.usefixtures("toy_packages")
def test_unlocked_packages_come_second_and_into_the_key(environments, tmp_path):
    environments.prepare("tf1", lambda _: None)
    assert calls(tmp_path) == ["venv --python", "pip install", "pip install"]
    words = (tmp_path / "uv.last").read_text().splitlines()
    assert words[words.index("--index") + 1] == "https://toys.example/simple"
    assert "--index-strategy" in words
    assert "--require-hashes" not in words
    facts = environments.environment("tf1")
    assert set(facts) == {"lock", "python", "machine", "unlocked"}
    assert environments.is_ready("tf1")
    made = environments._path("tf1")
    assert installed(made) == ["numpy==1.18.5", "ruamel-yaml==0.1", "toy==2.0"]
    assert not (made / "constraints.txt").exists()


def test_unlocked_packages_from_elsewhere_mean_another_environment_and_key(environments, toy_packages, monkeypatch):
    paths, facts = [], []
    for index in ("https://toys.example/simple", "http://mirror.example/simple", ""):
        monkeypatch.setenv("BERTBUILD_TOY_INDEX_URL", index)
        if not index:
            (toy_packages / "toy-2.0-py3-none-any.whl").write_bytes(b"wheel")
        assert not environments.is_ready("tf1")
        environments.prepare("tf1", lambda _: None)
        paths.append(environments._path("tf1"))
        facts.append(environments.environment("tf1")["unlocked"])
    assert len(set(paths)) == len(set(facts)) == 3


def test_wheels_are_taken_without_asking_the_index(environments, toy_packages, tmp_path):
    (toy_packages / "toy-2.0-py3-none-any.whl").write_bytes(b"wheel")
    environments.prepare("tf1", lambda _: None)
    words = (tmp_path / "uv.last").read_text().splitlines()
    assert words[words.index("--find-links") + 1] == str(toy_packages)
    assert "--index" not in words


@pytest.mark.usefixtures("toy_packages")
def test_missing_unlocked_packages_are_told_with_where_they_come_from(environments, uv):
    uv("if '--constraints' in sys.argv: sys.exit('no such package')")
    with pytest.raises(EnvironmentBuildError) as raised:
        environments.prepare("tf1", lambda _: None)
    assert "https://toys.example/simple" in raised.value.next_step
    assert "BERTBUILD_TOY_INDEX_URL" in raised.value.next_step
    assert not environments.is_ready("tf1")


@pytest.fixture
def stage(environments, monkeypatch, tmp_path):
    """Runs a stage whose module is a line of Python."""
    environments.prepare("tf1", lambda _: None)
    (tmp_path / "docker").mkdir()
    backend = tmp_path / "backend"
    (backend / "stages").mkdir(parents=True)
    (tmp_path / "docker" / "tf1").symlink_to(backend)
    monkeypatch.setattr(stages, "ROOT", tmp_path)

    def run(source, **more):
        (backend / "stages" / "openvino_toy.py").write_text(source)
        work = tmp_path / "work space"
        shutil.rmtree(work, ignore_errors=True)
        (work / "out").mkdir(parents=True)
        stage_run = StageRun(
            backend="tf1",
            stage="openvino-toy",
            inputs={"checkpoint": tmp_path / "in put"},
            params={"output": "pooled", "key": "k"},
            work=work,
            log=tmp_path / "toy.log",
            **more,
        )
        events = []
        environments.run(stage_run, events.append)
        return events

    return run


def test_a_stage_that_measures_waits_until_its_turn_has_come(stage):
    source = """
import json, os, tempfile, time
path = os.path.join(tempfile.gettempdir(), "bertbuild-waits")
print(json.dumps({"event": "seen", "there": os.path.exists(path)}), flush=True)
print(json.dumps({"event": "ready"}), flush=True)
while os.path.exists(path):
    time.sleep(0.01)
print(json.dumps({"event": "measured"}))
"""
    turns = []
    assert stage(source, turn=lambda: turns.append(1)) == [{"event": "seen", "there": True}, {"event": "measured"}]
    assert turns == [1]
    assert stage("import json, os; print(json.dumps({'event': 'seen', 'has': os.listdir(os.environ['TMPDIR'])}))") == [
        {"event": "seen", "has": []}
    ]


def test_a_stage_gets_its_command_line_and_a_clean_environment(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PYTHONSTARTUP", "x")
    monkeypatch.setenv("TZ", "UTC")
    source = "import json, os, sys; print(json.dumps({'event': 'seen', 'argv': sys.argv[1:], 'env': dict(os.environ)}))"
    (seen,) = stage(source)
    work = tmp_path / "work space"
    assert seen["argv"] == [
        f"--checkpoint={tmp_path}/in put",
        "--output=pooled",
        "--key=k",
        f"--out={work}/out",
    ]
    environ = seen["env"]
    assert "SECRET" not in environ
    assert "PYTHONSTARTUP" not in environ
    assert environ["TZ"] == "UTC"
    assert environ["HOME"] == environ["TMPDIR"] == str(work / "tmp")
    assert environ["BERTBUILD_PARENT"] == str(os.getpid())
    assert environ["PYTHONHASHSEED"] == "0"


def test_a_stage_of_another_backend_runs_with_that_ones_code_and_in_its_own_environment(stage, tmp_path):
    (tmp_path / "docker" / "tf1").rename(tmp_path / "docker" / "tf2")
    (seen,) = stage("import json, sys; print(json.dumps({'event': 'seen', 'python': sys.executable}))", code="tf2")
    assert Path(seen["python"]).parent.parent.name.startswith("tf1-")


def test_bytecode_of_packages_is_kept_and_that_of_the_checkout_is_not(stage, environments, tmp_path):
    (packages,) = environments._path("tf1").glob("lib/python3*/site-packages")
    (packages / "package.py").write_text("")
    (tmp_path / "backend" / "stages" / "__init__.py").write_text("")
    (tmp_path / "backend" / "stages" / "_ours.py").write_text("")
    source = f"import sys; sys.path.append({str(packages)!r}); sys.prefix = {str(environments._path('tf1'))!r}\n"
    stage(source + "from stages import _ours\nimport package")
    assert [path.name.split(".")[0] for path in packages.glob("__pycache__/*")] == ["package"]
    assert not list((tmp_path / "backend").rglob("__pycache__"))


def test_a_stage_can_import_the_code_that_its_key_tells_of_and_no_other_of_ours(stage, tmp_path):
    """Only a name that is put together when the code runs can hide from the key, and then it is not there."""
    for name in ("_told", "_hidden"):
        (tmp_path / "backend" / "stages" / f"{name}.py").write_text("")
    stage("def late():\n    from stages import _told\nlate()")
    hidden_ones = {"stages._hidden": "stages._hidden", "bertbuild.keys": "bertbuild", "answers": "answers"}
    for hidden, missing in hidden_ones.items():
        with pytest.raises(StageError) as raised:
            stage(f"__import__({hidden!r})")
        assert f"No module named '{missing}'" in raised.value.details


def test_a_program_that_a_stage_starts_elsewhere_finds_the_same_code(stage, tmp_path):
    (tmp_path / "backend" / "stages" / "_told.py").write_text('print(\'{"event": "seen"}\')')
    source = "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'stages._told'], cwd='/', check=True)\n"
    assert stage(source + "if False:\n    from stages import _told") == [{"event": "seen"}]


def test_a_stage_that_fails_is_quoted_and_its_log_named(stage, tmp_path):
    with pytest.raises(StageError, match="The stage openvino-toy failed with exit code 3") as raised:
        stage("import sys; [print('line', number) for number in range(30)]; sys.exit(3)")
    assert raised.value.details.splitlines() == [f"line {number}" for number in range(10, 30)]
    assert raised.value.next_step == f"Its whole log: {tmp_path}/toy.log"


@pytest.mark.parametrize("words", ["std::bad_alloc", "what():  Resource temporarily unavailable"])
def test_a_stage_that_gets_no_memory_or_no_thread_says_so(stage, words):
    with pytest.raises(StageKilledForMemoryError, match="no memory, or no further thread") as raised:
        stage(f"import os; print({words!r}, flush=True); os.abort()")
    assert words in raised.value.details


def test_a_stage_that_a_signal_ends_is_told_with_its_name(stage):
    with pytest.raises(StageError, match=r"failed with exit code -11 \(SIGSEGV\)"):
        stage("import os; os.kill(os.getpid(), 11)")


@pytest.fixture
def without_avx(tmp_path, monkeypatch):
    """A processor of 2010: https://ark.intel.com tells that Westmere has SSE4.2 and no AVX."""
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: fpu sse2 ssse3 sse4_1 sse4_2 popcnt aes\n")
    monkeypatch.setattr(processor, "CPUINFO", str(path))


NO_AVX = "This machine's processor has no AVX, which TensorFlow's packages need; tf1 has TensorFlow."


def test_without_avx_no_environment_of_tensorflow_is_made(environments, without_avx, tmp_path):  # noqa: ARG001
    with pytest.raises(EnvironmentBuildError) as raised:
        environments.prepare("tf1", lambda _: None)
    assert str(raised.value) == NO_AVX
    assert raised.value.exit_code == 11
    assert "a machine whose processor has AVX" in raised.value.next_step
    assert not (tmp_path / "uv.log").exists()
    environments.prepare("openvino", lambda _: None)
    assert environments.is_ready("openvino")


def test_without_avx_a_stage_of_tensorflow_is_not_begun(stage, request):
    stage("print()")
    request.getfixturevalue("without_avx")
    with pytest.raises(EnvironmentBuildError) as raised:
        stage("raise SystemExit('begun')")
    assert str(raised.value) == NO_AVX


def test_a_stage_that_is_killed_is_thought_out_of_memory(stage):
    with pytest.raises(StageKilledForMemoryError) as raised:
        stage("import os; print('working', flush=True); os.kill(os.getpid(), 9)")
    assert raised.value.exit_code == 14
    assert raised.value.details == "working"


def test_a_stage_that_ends_well_gives_its_events(stage):
    started = time.monotonic()
    assert stage('print(\'{"event": "step", "text": "a"}\')') == [{"event": "step", "text": "a"}]
    assert time.monotonic() - started < 5


def test_workers_know_each_other_and_write_apart(stage, tmp_path):
    source = "import json, os, sys; config = json.loads(os.environ['TF_CONFIG']); print(json.dumps(config))\n"
    source += "open(sys.argv[-1].removeprefix('--out=') + '/made', 'w').write(str(config['task']['index']))"
    source += '\nprint(\'{"event": "seen"}\')'
    assert stage(source, workers=3) == [{"event": "seen"}]
    work = tmp_path / "work space"
    assert (work / "out" / "made").read_text() == "0"
    logs = [tmp_path / "toy.log", tmp_path / "toy.worker-1.log", tmp_path / "toy.worker-2.log"]
    told = [json.loads(log.read_text().splitlines()[-1]) for log in logs if log.read_text()]
    (addresses,) = {tuple(one["cluster"]["worker"]) for one in told}
    assert len(set(addresses)) == 3
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", address) for address in addresses)


def test_a_worker_that_fails_is_quoted_and_its_log_named(stage, tmp_path):
    source = "import json, os, time; config = json.loads(os.environ['TF_CONFIG'])\n"
    source += "time.sleep(60) if config['task']['index'] == 0 else 1 / 0"
    with pytest.raises(StageError, match="failed with exit code 1") as raised:
        stage(source, workers=2)
    assert "ZeroDivisionError" in raised.value.details
    assert raised.value.next_step == f"Its whole log: {tmp_path}/toy.worker-1.log"
