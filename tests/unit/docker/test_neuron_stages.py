"""The helpers of docker/neuron's stages that need no TensorFlow: memory, operators, compilers, flags."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from graph_builder import GraphBuilder
from host_doubles import alive, wait_until
from hostile_graphs import saved

from bertbuild.project import ROOT

LARGE = 335 * 10**6
PREAMBLE = """
import os, subprocess, sys, threading, time
from stage import StageInputError
from stages import _compilers, _memory, _operators, _watch
"""


@pytest.fixture
def program(tmp_path):
    """Runs lines of Python with a stage's path; gives what they printed. A StageInputError is printed too."""

    def run(source):
        lines = "\n".join("    " + line for line in source.strip().splitlines())
        path = tmp_path / "program.py"
        path.write_text(f"{PREAMBLE}\ntry:\n{lines}\nexcept StageInputError as error:\n    print('refused:', error)\n")
        paths = (ROOT / "docker" / "neuron", ROOT / "docker" / "common")
        done = subprocess.run(
            [sys.executable, str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def compiler(tmp_path):
    """Writes a compiler: a program that is started as `neuron-cc compile …`, of a line of Python."""

    def write(line):
        path = tmp_path / "neuron-cc"
        path.write_text(f"#!{sys.executable} -S\nimport os, signal, subprocess, sys, time\n{line}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def compilation(program, compiler, tmp_path):
    """Watches one compilation by a compiler of a line of Python."""

    def run(line, seconds=20, more=""):
        command = [str(compiler(line)), "compile", str(tmp_path / "work" / "graph_def.pb")]
        return program(
            f"""
_watch.HEARTBEAT_SECONDS = _watch.GRACE_SECONDS = 0.5
{more}
def work():
    with open(os.devnull, "w") as nowhere:
        return subprocess.run({command!r}, stdout=nowhere, stderr=nowhere).returncode
with _compilers.Compilers("compile.log", {str(tmp_path / "work")!r}) as compilers:
    print("returned", _watch.watched(work, compilers, {seconds}))
print(compilers.commands)
"""
        )

    return run


def meminfo(root, kilobytes):
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {kilobytes} kB\n")
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/\n", {}, 64_000_000 * 1024),
        ("0::/\n", {"memory.max": "max\n"}, 64_000_000 * 1024),
        ("0::/\n", {"memory.max": "8589934592\n"}, 8 * 2**30),
        ("0::/a/b\n", {"a/memory.max": "4294967296\n", "a/b/memory.max": "max\n"}, 4 * 2**30),
        ("5:cpu:/x\n4:memory:/docker/1\n", {"memory/memory.limit_in_bytes": "2147483648\n"}, 2 * 2**30),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 64_000_000 * 1024),
    ],
)
def test_free_memory_is_the_machines_or_the_containers(program, tmp_path, cgroup, files, expected):
    root = meminfo(tmp_path / "root", 64_000_000)
    (root / "proc" / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert program(f"print(_memory.available_memory({str(root)!r}))") == f"{expected}\n"


@pytest.mark.parametrize(
    ("parameters", "wanted", "free_gb", "enough"),
    [
        (LARGE, None, 33, True),
        (LARGE, None, 31, False),
        (LARGE // 3, None, 11, True),
        (LARGE // 3, None, 10, False),
        (LARGE, 0, 1, True),
        (LARGE, 12.5, 12, False),
    ],
)
def test_a_compilation_asks_for_memory_in_proportion_to_its_model(program, parameters, wanted, free_gb, enough):
    said = program(f"_memory.require({parameters}, {wanted}, {free_gb} * 10**9)")
    assert said == "" if enough else "--min-memory 0" in said
    assert enough or "GB are free" in said


def test_older_forms_of_an_operator_are_the_same_to_the_compiler(program):
    known = {"Add", "BatchMatMul", "MatMul"}
    assert program(f"_operators.require_known(['AddV2', 'BatchMatMulV2', 'SquaredDifference', 'Const'], {known})") == ""


def test_unknown_operators_are_named_and_gelu_has_a_next_step(program):
    said = program("_operators.require_known(['Erf', 'OneHot', 'MatMul'], {'MatMul'})")
    assert said.startswith("refused: neuron-cc cannot compile Erf, OneHot; ")
    assert "--gelu-approximation tanh" in said
    assert "gelu" not in program("_operators.require_known(['OneHot'], {'MatMul'})")


def test_a_compiler_that_lists_nothing_does_not_work(program, compiler):
    path = compiler("sys.exit('no licence')")
    assert "list-operators ended with 1 (no licence)" in program(f"_operators.known_to({str(path)!r})")
    compiler("print('Add'); print('MatMul')")
    assert program(f"print(sorted(_operators.known_to({str(path)!r})))") == "['Add', 'MatMul']\n"


def test_what_a_compiler_says_is_kept_and_its_place_is_not(compilation, tmp_path):
    said = compilation("print('all is well'); sys.stderr.write('a warning\\n')")
    told = [line for line in said.splitlines() if '"event": "step"' not in line]  # a slow machine's compiler is alive
    assert told == ["returned 0", "[['neuron-cc', 'compile', 'graph_def.pb']]"]
    log = (tmp_path / "compile.log").read_text().splitlines()
    assert log[0] == "$ neuron-cc compile graph_def.pb"
    assert sorted(log[1:]) == ["a warning", "all is well"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sys.exit(3)", "neuron-cc failed with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed (exit 137), which the system does when memory runs out"),
        ("sys.exit(137)", "killed (exit 137)"),
        ("print('what(): std::bad_alloc', flush=True); os._exit(134)", "ran out of memory (exit 134)"),
    ],
)
def test_how_a_compiler_failed_is_told_in_words(compilation, line, words):
    assert words in compilation(line)


def test_a_compilation_says_that_it_is_alive(compilation):
    said = compilation("time.sleep(1.8)", more="_watch.HEARTBEAT_SECONDS = 0.1")
    assert said.count('"event": "step"') >= 2
    assert "neuron-cc uses 0.0 GB" in said


def test_a_compilation_ends_with_its_time_and_leaves_nobody(compilation, tmp_path):
    told = tmp_path / "grandchild"
    child = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    started = time.monotonic()
    said = compilation(
        f"signal.signal(15, signal.SIG_IGN); subprocess.Popen([sys.executable, '-c', {child!r}], "
        "start_new_session=True); time.sleep(60)",
        seconds=2,
    )
    assert "did not finish in 2 s; give it longer with --timeout" in said
    assert time.monotonic() - started < 15
    assert not alive(int(told.read_text()))


def test_a_stage_that_is_killed_takes_its_compiler_with_it(compiler, tmp_path):
    told = tmp_path / "pid"
    command = [
        str(compiler(f"open({str(told)!r}, 'w').write(str(os.getpid())); os.utime('.'); time.sleep(60)")),
        "compile",
    ]
    paths = os.pathsep.join(str(ROOT / "docker" / name) for name in ("neuron", "common"))
    source = f"{PREAMBLE}\nwith _compilers.Compilers('log', '.'):\n    subprocess.run({command!r}, stdout=sys.stderr)\n"
    with subprocess.Popen(
        [sys.executable, "-c", source], env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path
    ) as stage:
        wait_until(lambda: told.exists() and told.read_text())
        stage.kill()
    wait_until(lambda: not alive(int(told.read_text())))


def test_an_error_of_the_package_comes_through_when_no_compiler_failed(program):
    said = program(
        """
def work():
    raise KeyError("a bug")
try:
    with _compilers.Compilers("compile.log", ".") as compilers:
        _watch.watched(work, compilers, 5)
except KeyError as error:
    print("raised", error)
"""
    )
    assert said == "raised 'a bug'\n"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("neuron_ready='a', compiler_args=''", ["--neuroncore-pipeline-cores", "1", "--fp32-cast", "matmult"]),
        ("neuron_ready=None, compiler_args=''", ["--neuroncore-pipeline-cores", "1"]),
        (
            "neuron_ready='a', compiler_args='--fp32-cast=all --x \"y z\"'",
            ["--neuroncore-pipeline-cores", "1", "--fp32-cast=all", "--x", "y z"],
        ),
    ],
)
def test_the_arguments_for_the_compiler(program, flags, expected):
    said = program(
        f"""
import argparse
from stages import compile
print(compile.compiler_args(argparse.Namespace(neuroncore_pipeline_cores=1, {flags})))
"""
    )
    assert said == f"{expected}\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "give either --neuron-ready or --saved-model"),
        (("--neuron-ready=.", "--saved-model=."), "give either --neuron-ready or --saved-model"),
        (("--neuron-ready=.", "--batch-size=0"), "--batch-size must be at least 1 (got 0)"),
        (("--neuron-ready=.", "--timeout=-1"), "--timeout must be at least 1 (got -1)"),
        (("--neuron-ready=.", "--min-on-neuron=50"), "--min-on-neuron must be in [0, 1] (got 50.0)"),
        (("--neuron-ready=.", "--compiler-args='"), "No closing quotation"),
        (("--neuron-ready=nowhere",), "--neuron-ready=nowhere does not exist"),
        (("--neuron-ready=harmless",), "tensorflow-neuron and neuron-cc come from AWS's package index"),
    ],
)
def test_bad_flags_and_missing_packages_are_refused_in_a_sentence(tmp_path, flags, words):
    graph = GraphBuilder([("ids", "Placeholder", [], {}), ("out", "Identity", ["ids"], {})])
    saved(tmp_path / "harmless", graph.graph_def())
    paths = os.pathsep.join(map(str, (ROOT / "docker" / "neuron", ROOT / "docker" / "common", ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "stages.compile", *flags, f"--out={tmp_path / 'out'}"],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
