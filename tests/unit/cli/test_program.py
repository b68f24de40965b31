"""The program as it is typed: real processes, with stages that are only played."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from event_schema import check
from host_doubles import alive, wait_until
from small_fleet import write_tiny

import bertbuild.development.tasks  # noqa: F401 - adds the commands of a checkout
from bertbuild.backends import BACKENDS
from bertbuild.cli.call import run as run_line
from bertbuild.commands.session import Session
from bertbuild.errors import NoSpaceError
from bertbuild.project import ROOT
from bertbuild.store.store import Store

HERE = Path(__file__).parents[2] / "shared"


@pytest.fixture
def environ(tmp_path):
    """An environment and a home of the test's own."""
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "BERTBUILD_ARTIFACTS": str(tmp_path / "my artefacts"),
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture
def program(environ, tmp_path):
    """Runs the program with played stages to its end."""

    def run(*words, **more):
        return subprocess.run(
            [sys.executable, str(HERE / "host_program.py"), *words],
            env=environ | more,
            capture_output=True,
            encoding="utf-8",
            check=False,
            cwd=tmp_path,
        )

    return run


@pytest.fixture
def command(environ, isolation, monkeypatch, capsys, tmp_path):
    """Runs one command in this process, which takes a tenth of the time: its code, its output, its errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "BERTBUILD_ARTIFACTS"):
        monkeypatch.setenv(name, environ[name])
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    handler = signal.getsignal(signal.SIGTERM)

    def run(*words, offset=0.0, started="bertbuild"):
        isolation.offset = offset
        typed = [started, *words]
        monkeypatch.setattr(sys, "argv", typed)
        try:
            run_line(typed, by_invoke=started == "invoke")
            code = 0
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "tiny model"
    write_tiny(folder)
    return folder


def last(run):
    return json.loads(run.stdout.splitlines()[-1])


LOOKS = (
    "status",
    "why",
    "graph",
    "log x",
    "verify",
    "verify-provenance",
    "verify-store",
    "gc",
    "gc --dry-run",
    "report",
)


@pytest.mark.parametrize("line", LOOKS)
def test_what_only_looks_makes_no_store(command, tmp_path, line):
    command(*line.split())
    assert list(tmp_path.iterdir()) == []


def test_build_build_again_status_verify_and_damage(command, checkpoint, tmp_path):
    build = ("build-ir", "--checkpoint", str(checkpoint))
    first = command(*build)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines()[-1] == "my artefacts/out/tiny-model/ir-fp32/model.xml"
    assert re.search(
        r"✓ ir-fp32 +answers like its source: max abs 0\.0e\+00 \(1e-05 allowed\) over \d comparisons", first.stdout
    )

    again = command(*build)
    assert again.returncode == 0
    marks = [line[0] for line in again.stdout.splitlines() if " up to date " in line or re.search(r"\d s\b", line)]
    assert marks == ["="] * 6

    status = last(command("status", "--json"))
    (target,) = status["targets"]
    assert (target["model"], target["target"], target["state"], target["damage"]) == (
        "tiny-model",
        "ir-fp32",
        "built",
        [],
    )
    assert target["path"] == "my artefacts/out/tiny-model/ir-fp32"

    verified = last(command("verify", "--json"))
    assert verified["verified"] == [{"model": "tiny-model", "target": "ir-fp32"}]
    assert list((tmp_path / "my artefacts" / "work").iterdir()) == []

    model = tmp_path / "my artefacts" / "out" / "tiny-model" / "ir-fp32" / "model.bin"
    model.chmod(0o644)
    model.write_text("spoilt")
    damaged = command("verify", "--json")
    assert (damaged.returncode, last(damaged)["error"]) == (15, "StoreError")
    assert "model.bin changed" in last(damaged)["message"]
    assert last(command("status", "--json"))["targets"][0]["state"] == "damaged"
    assert "warning: ir-direct " in command(*build).stderr
    assert last(command("status", "--json"))["targets"][0]["state"] == "built"


def test_a_target_that_does_not_answer_like_its_source_ends_with_20_and_has_no_name(command, checkpoint, tmp_path):
    run = command("build-ir", "--checkpoint", str(checkpoint), offset=0.5)
    assert run.returncode == 20
    assert "FAIL" in run.stdout
    assert "differs by 0.5, and 1e-05 is allowed" in run.stderr
    assert not (tmp_path / "my artefacts" / "out").exists()
    assert last(command("status", "--json"))["targets"][0]["state"] == "failed"


def test_verify_takes_the_name_away_from_what_no_longer_answers_like_its_source(command, checkpoint, tmp_path):
    command("build-ir", "--checkpoint", str(checkpoint))
    run = command("verify", offset=float("nan"))
    assert run.returncode == 20
    assert "the answer is not finite (NaN or infinity)" in run.stderr
    assert not (tmp_path / "my artefacts" / "out" / "tiny-model" / "ir-fp32").is_symlink()


def test_verify_by_another_version_asks_it_and_keeps_nothing_of_it(command, checkpoint, isolation, tmp_path):
    command("build-ir", "--checkpoint", str(checkpoint))
    record = next((tmp_path / "my artefacts" / "targets").rglob("*.json"))
    before = record.read_bytes()
    run = command("verify", "tiny-model/ir-fp32", "--runtime", "openvino@2024.6")
    assert run.returncode == 0
    assert "1 of 1 target answers like its source by openvino@2024.6" in run.stdout
    assert (isolation.runs[-1], isolation.backends[-1]) == ("openvino-infer", "openvino@2024.6")
    wrong = command("verify", "--runtime", "openvino@2024.6", offset=0.5)
    assert wrong.returncode == 20
    assert "ir-fp32 of tiny-model does not answer like its source by openvino@2024.6" in wrong.stderr
    assert "its name in out/ stays" in wrong.stderr
    assert (tmp_path / "my artefacts" / "out" / "tiny-model" / "ir-fp32").is_symlink()
    assert record.read_bytes() == before


def test_verify_by_the_usual_version_under_its_long_name_asks_that(command, checkpoint, isolation):
    command("build-ir", "--checkpoint", str(checkpoint), "--openvino", "2024.6")
    assert command("verify", "--runtime", "openvino@2026.4").returncode == 0
    assert (isolation.runs[-1], isolation.backends[-1]) == ("openvino-infer", "openvino")


def test_verify_by_what_cannot_ask_it_is_refused(command, checkpoint):
    command("freeze", "--checkpoint", str(checkpoint), "--name", "mine")
    for words, told in (
        (("--runtime", "openvino@2024.7"), 'There is no backend openvino@2024.7; did you mean "openvino@2024.6"?'),
        (("--runtime", "openvino@2024.6"), "mine/frozen is asked by tf1; --runtime openvino@2024.6 cannot ask it."),
    ):
        run = command("verify", *words)
        assert run.returncode == 2
        assert run.stderr.startswith(f"error: {told}\n")
    command("build-ir", "--checkpoint", str(checkpoint), "--name", "mine")
    assert command("verify", "mine", "--runtime", "openvino@2024.6").returncode == 2
    assert command("verify", "mine/ir-*", "--runtime", "openvino@2024.6").returncode == 0
    assert command("verify", "--runtime", "openvino@2024.6").returncode == 0


def test_verify_goes_on_while_other_commands_start(command, checkpoint, isolation, tmp_path):
    command("build-ir", "--checkpoint", str(checkpoint))
    run = isolation.run

    def run_while_another_starts(*args):
        Store(tmp_path / "my artefacts")  # which removes what looks like a crash's work
        run(*args)

    isolation.run = run_while_another_starts
    assert command("verify").returncode == 0


def test_verify_without_the_source_says_what_is_missing(command, checkpoint):
    command("build-ir", "--checkpoint", str(checkpoint))
    checkpoint.rename(checkpoint.with_name("moved"))
    run = command("verify")
    assert run.returncode == 4
    assert "is gone, so nothing can be compared with it" in run.stderr


def test_verify_of_nothing_is_refused(command):
    run = command("verify", "toy")
    assert run.returncode == 2
    assert run.stderr.startswith("error: Nothing is built yet.\n  → ")


def test_verify_of_a_mistyped_name_says_what_is_nearest(command, checkpoint):
    command("freeze", "--checkpoint", str(checkpoint), "--name", "mine")
    for words, told in (
        (("frosen",), 'Nothing is called "frosen"; did you mean "frozen"?'),
        (("mime",), 'Nothing is called "mime"; did you mean "mine"?'),
        (("mine/frosen",), 'Nothing is called "mine/frosen"; did you mean "mine/frozen"?'),
        (("--model", "mime"), 'Nothing is called "mime/*"'),
    ):
        run = command("verify", *words)
        assert run.returncode == 2
        assert run.stderr.splitlines()[-2].startswith(f"error: {told}")


def test_verify_takes_names_and_patterns_and_the_old_flags(command, checkpoint):
    command("freeze", "--checkpoint", str(checkpoint), "--name", "mine")
    command("freeze", "--checkpoint", str(checkpoint), "--name", "yours")
    mine = [{"model": "mine", "target": "frozen"}]
    for words, found in (
        (("mine",), mine),
        (("mine/frozen",), mine),
        (("m*",), mine),
        (("*/frozen",), [*mine, {"model": "yours", "target": "frozen"}]),
        (("--model", "mine"), mine),
        (("--model", "mine", "--target=frozen"), mine),
    ):
        run = command("verify", *words, "--json")
        assert last(run)["verified"] == found
        assert run.stdout.count('"warning"') == sum(word.startswith("--") for word in words)


def test_a_spoilt_record_is_told_by_its_path(command, checkpoint, tmp_path):
    command("build-ir", "--checkpoint", str(checkpoint))
    (record,) = (tmp_path / "my artefacts" / "targets").rglob("*.json")
    record.write_text("{")
    run = command("status")
    assert run.returncode == 15
    assert str(record) in run.stderr
    assert "Delete it" in run.stderr


def test_freeze_names_its_result(command, checkpoint):
    run = command("freeze", "--checkpoint", str(checkpoint), "--output", "pooled,sequence")
    assert run.stdout.splitlines()[-1] == "my artefacts/out/tiny-model/frozen-pooled+sequence-auto/inference_graph.pb"


def test_a_build_with_nothing_to_do_loads_next_to_nothing(program, checkpoint, tmp_path):
    build = ("build-ir", "--checkpoint", str(checkpoint))
    program(*build)
    program(*build, HOST_PROGRAM_MODULES=str(tmp_path / "modules"))
    loaded = set((tmp_path / "modules").read_text().splitlines())
    assert "bertbuild.engine.engine" in loaded
    assert loaded & {"invoke", "asyncio", "numpy", "rich", "docker", "requests", "jinja2"} == set()
    assert not [name for name in loaded if name.split(".")[0] in ("dask", "distributed") or "bertbuild.cluster" in name]


def test_the_commands_load_next_to_nothing(environ):
    source = "import sys, bertbuild.cli.tasks; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", source], env=environ, capture_output=True, text=True, check=True)
    assert (
        set(run.stdout.split()) & {"numpy", "rich", "docker", "requests", "jinja2", "bertbuild.commands.target"}
        == set()
    )


OF_A_BUILD = "cli.tasks", "buildfile.load", "commands.build", "commands.target", "isolation.virtual_environments"
NOT_OF_A_BUILD = {
    *("asyncio", "bz2", "concurrent.futures", "docker", "email", "http", "invoke", "jinja2", "logging", "numpy"),
    *("requests", "rich", "shutil", "socket", "ssl", "tempfile", "unittest"),
    *(
        "bertbuild.catalogue.models",
        "bertbuild.commands.data",
        "bertbuild.commands.finetune",
        "bertbuild.graph.graphdef",
    ),
    *(
        "bertbuild.plans.pretraining_data",
        "bertbuild.plans.tf2_train",
        "bertbuild.provenance",
    ),
}


def test_what_a_build_is_made_of_loads_nothing_that_it_needs_only_to_run_something(environ):
    source = f"import sys, {', '.join(f'bertbuild.{name}' for name in OF_A_BUILD)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", source], env=environ, capture_output=True, text=True, check=True)
    started = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert ({*run.stdout.split()} - {*started.stdout.split()}) & NOT_OF_A_BUILD == set()


REFUSED = {
    "no source": (("build-ir",), 2, "Name one source"),
    "two sources": (("build-ir", "--model=minilm-l6", "--frozen=x.pb"), 2, "Name one source"),
    "an unknown model": (("build-ir", "--model=minilm-l7"), 3, "Did you mean minilm-l6"),
    "no such folder": (("build-ir", "--checkpoint=nowhere"), 4, "nowhere"),
    "no such frozen graph": (("build-ir", "--frozen=nowhere.pb"), 4, "nowhere.pb is not a file"),
    "an unknown precision": (("build-ir", "--model=minilm-l6", "--precision=int4"), 2, "--precision must be one of"),
    "int8 and nothing to calibrate it on": (
        ("build-ir", "--model=minilm-l6", "--precision=int8"),
        2,
        "int8 needs examples",
    ),
    "a name that leads elsewhere": (("build-ir", "--checkpoint=x", "--name=../x"), 2, "cannot be a folder's name"),
    "no TensorFlow 2 model": (("convert-tf1",), 2, "Name a TensorFlow 2 model"),
    "a name of a way back that leads elsewhere": (("convert-tf1", "--tf2=x", "--name=../x"), 2, "cannot be a folder's"),
    "a hidden name": (("freeze", "--checkpoint=x", "--name=.x"), 2, "cannot be a folder's name"),
    "an unknown isolation": (
        ("status", "--json"),
        2,
        'BERTBUILD_ISOLATION must be one of auto, docker, venv, not "podman".',
    ),
    "nothing to fetch": (("fetch",), 2, "Name what to fetch"),
    "an unknown model to fetch": (
        ("fetch", "--model=uncased_L-12_H-768_A-13"),
        3,
        "Did you mean uncased_L-12_H-768_A-12",
    ),
    "no data set": (("fetch-data",), 2, "Name what to fetch"),
    "an unknown data set": (("fetch-data", "--task=RTE", "--task=MRCP"), 3, "Did you mean MRPC"),
    "a folder without the data set": (("fetch-data", "--task=RTE", "--from=."), 5, "has no RTE"),
    "a mirror that is not an address": (("fetch-data", "--task=RTE", "--mirror=/data"), 2, "is not an http"),
    "nothing to inspect": (("inspect",), 2, "Name what to inspect"),
    "an unknown backend": (("images", "--backend=tf9"), 2, "There is no backend tf9"),
    "an unknown suite": (("test", "--suite=slow"), 2, "There is no suite slow"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_ends_with_its_code_a_sentence_and_a_next_step(command, monkeypatch, name):
    words, code, sentence = REFUSED[name]
    if "isolation" in name:
        monkeypatch.setenv("BERTBUILD_ISOLATION", "podman")
    run = command(*words, "--json")
    assert run.stderr == ""
    event = last(run)
    assert event["event"] == "error"
    assert run.returncode == event["exit_code"] == code
    assert sentence in event["message"]
    assert event["next_step"]
    assert set(event) == {"event", "error", "exit_code", "message", "next_step", "details"}
    for_people = command(*(word for word in words if word != "--json"))
    assert for_people.returncode == code
    assert for_people.stderr.splitlines()[-2:] == [f"error: {event['message']}", f"  → {event['next_step']}"]


def test_a_hugging_face_folder_without_its_vocabulary_is_told(command, tmp_path):
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "model.safetensors").touch()
    (folder / "config.json").write_text("{}")
    run = command("build-ir", "--checkpoint", str(folder))
    assert run.returncode == 4
    assert "has a model.safetensors but no vocab.txt" in run.stderr


CHILD = """
import os, time
print('{"event": "pid", "pid": %d}' % os.getpid(), flush=True)
time.sleep(60)
"""
LONG = f"""
import sys
from pathlib import Path
from bertbuild.commands import status as commands
from bertbuild.isolation.process import Children, run_logged
from bertbuild.cli.main import main

def status(session, file):
    command = [sys.executable, "-S", "-c", {CHILD!r}]
    run_logged(command, env={{}}, cwd=Path("/"), log=Path("log"), on_event=session.report, children=Children())

commands.status = status
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_child_and_the_program_with_130(environ, tmp_path, number):
    (tmp_path / "long.py").write_text(LONG)
    command = [sys.executable, str(tmp_path / "long.py"), "status", "--json"]
    with subprocess.Popen(
        command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        pid = json.loads(process.stdout.readline())["pid"]
        assert alive(pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")
    assert json.loads(out.splitlines()[-1])["error"] == "Interrupted"
    wait_until(lambda: not alive(pid))


WHILE_LOADING = """
import os, sys

class Impatient:
    def find_spec(self, name, *_rest):
        if name == "bertbuild.cli.tasks":
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Impatient())
from bertbuild.cli.main import main
main()
"""
AT_THE_END = """
import atexit, os
from bertbuild.cli.main import main
atexit.register(lambda: os.kill(os.getpid(), {number}))
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("program", "code", "last"), [(WHILE_LOADING, 130, "error"), (AT_THE_END, 0, "result")])
def test_a_signal_before_and_after_the_command_is_no_accident(environ, tmp_path, number, program, code, last):
    words = [sys.executable, "-c", program.format(number=int(number)), "status", "--json"]
    run = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (code, "")
    assert json.loads(run.stdout.splitlines()[-1])["event"] == last


@pytest.mark.parametrize(
    "words",
    [("fetch", "--list"), ("fetch", "--list", "--json"), ("build-ir", "--json"), ("--list",), ("--help", "build-ir")],
)
def test_a_reader_that_has_seen_enough_is_no_reason_to_complain(environ, tmp_path, words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(HERE / "host_program.py"), *words]
    run = subprocess.run(
        command, env=environ, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
    )
    os.close(writing)
    assert run.stderr == ""
    assert run.returncode != 0


def test_a_terminal_that_knows_no_tick_gets_a_question_mark(program, checkpoint):
    run = program("freeze", "--checkpoint", str(checkpoint), PYTHONIOENCODING="ascii")
    assert (run.returncode, run.stderr) == (0, "")
    assert "? freeze " in run.stdout


def test_invoke_and_bertbuild_are_the_same(environ):
    def run(*command):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=ROOT)
        return done.returncode, done.stdout, done.stderr

    programs = [(sys.executable, "-m", "invoke"), (sys.executable, "-m", "bertbuild")]
    names = [set(re.findall(r"^  (\S+)", run(*program, "--list")[1], re.MULTILINE)) for program in programs]
    assert names[0] == names[1] | {"test", "lint", "lock"}  # which are in a checkout alone
    assert {
        "build-ir",
        "doctor",
        "fetch",
        "freeze",
        "images",
        "inspect",
        "lint",
        "lock",
        "status",
        "test",
        "verify",
    } <= names[0]
    one, other = (run(*program, "build-ir", "--model", "nothing") for program in programs)
    assert "`invoke fetch --list` shows" in one[2]
    assert other == (3, one[1], one[2].replace("invoke", "bertbuild"))
    assert one[0] == 3


def test_invoke_runs_a_command_once(environ):
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "schema"], env=environ, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(done.stdout)["title"] == "bertbuild.toml"


def test_the_home_folder_is_left_alone(command, checkpoint, environ):
    command("build-ir", "--checkpoint", str(checkpoint))
    assert not Path(environ["HOME"]).exists()


def test_verify_leaves_a_log_that_report_and_gc_can_read(command, checkpoint, tmp_path):
    command("build-ir", "--checkpoint", str(checkpoint), "--precision", "fp32,fp16")
    before = last(command("log", "tiny-model/ir-fp32", "--json"))["logs"]
    assert command("verify").returncode == 0
    runs = sorted((tmp_path / "my artefacts" / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    assert len(runs) == 2
    events = [json.loads(line) for line in runs[-1].read_text().splitlines()]
    for event in events:
        check(event)
    assert (events[0]["event"], events[0]["command"], events[-1]["event"]) == ("run", ["verify"], "result")
    told = {(event["id"], event["state"]) for event in events if event["event"] == "stage"}
    assert {("ir-fp32", "cached"), ("reference", "done"), ("ir-fp32-infer", "done")} <= told
    ended = [(event["target"], event["state"]) for event in events if event["event"] == "target"]
    assert ended == [("ir-fp16", "up to date"), ("ir-fp32", "up to date")]
    after = last(command("log", "tiny-model/ir-fp32", "--json"))["logs"]
    assert {(row["stage"], row["key"]) for row in after} == {(row["stage"], row["key"]) for row in before}

    written = last(command("report", "--json", "--run", runs[-1].stem))
    page = Path(written["path"]).read_text()
    assert "bertbuild verify" in page
    assert "2 up to date" in page


def test_a_target_that_verify_finds_wrong_is_failed_in_its_log(command, checkpoint, tmp_path):
    command("build-ir", "--checkpoint", str(checkpoint))
    command("verify", offset=0.5)
    log = max((tmp_path / "my artefacts" / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    (target,) = [event for line in log.read_text().splitlines() if (event := json.loads(line))["event"] == "target"]
    assert (target["state"], "differs by 0.5" in target["message"]) == ("failed", True)


@pytest.mark.parametrize("started", ["invoke", "bertbuild"])
def test_the_page_of_a_run_speaks_of_the_program_that_the_run_was_started_with(command, checkpoint, started):
    command("build-ir", "--checkpoint", str(checkpoint), offset=0.5, started=started)
    page = Path(last(command("report", "--json"))["path"]).read_text()
    other = {"invoke": "bertbuild", "bertbuild": "invoke"}[started]
    assert f"{started} build-ir --checkpoint" in page
    assert f"{other} build-ir" not in page


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(
    "words", [("status",), ("status", "--json"), ("--list",), ("build", "--help"), ("build-ir", "--json")]
)
def test_an_output_that_takes_no_more_is_told_on_the_other(environ, tmp_path, words):
    line = [sys.executable, str(HERE / "host_program.py"), *words]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            line, env=environ, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
        )
    assert run.returncode == NoSpaceError.exit_code
    assert "What is printed cannot be written: No space left on device." in run.stderr
    assert "Traceback" not in run.stderr


def test_without_outputs_a_command_works(environ, tmp_path):
    line = f'"{sys.executable}" "{HERE / "host_program.py"}" status >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", line], env=environ, check=False, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("told", ["", "1"])
def test_bytecode_is_kept_under_invoke_as_under_any_other_program(environ, tmp_path, told):
    folder = tmp_path / "bytecode"
    variables = environ | {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": told}
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "status"], env=variables, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    kept = {path.name.split(".")[0] for path in folder.rglob("bertbuild/cli/*.pyc")}
    assert kept >= {"main", "call"} if not told else kept == set()
