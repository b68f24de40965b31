"""Compilations that go wrong, each in its own way: how they end, what they say, what they leave behind.

The compiler is a stand-in that is told to misbehave; `--stand-in` is an argument that only it knows.
"""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from matrix import cells
from neuron_checkout import PackageIndex, build_wheels, changed, stubs, with_few_packages
from processes import left_after, processes_over
from program import ROOT, Bertbuild, events_until

pytestmark = pytest.mark.integration

TIMEOUT = 5
ACTS = {
    "fail": ("--compiler-args", "--stand-in fail"),
    "killed": ("--compiler-args", "--stand-in killed"),
    "late": ("--compiler-args", "--stand-in hang", "--timeout", str(TIMEOUT)),
    "empty": ("--compiler-args", "--stand-in empty"),
    "few": ("--compiler-args", "--stand-in few", "--standard"),
    "floor": ("--min-on-neuron", "0.99"),
    "memory": ("--min-memory", "1000", "--batch-size", "3"),  # a batch that no other test compiles
}
SENTENCES = {
    "fail": ["neuron-cc failed with exit code 1"],
    "killed": ["neuron-cc was killed (exit 137)", "memory runs out", "about 32 GB for BERT-Large", "c5.4xlarge"],
    "late": [f"the compilation did not finish in {TIMEOUT} s", "--timeout"],
    "empty": ["the executable of device/neuron_op is empty: neuron-cc made nothing of it"],
    "few": ["only 3 of 209 operators are on the Neuron device", "--min-on-neuron=0.5 asks for more"],
    "floor": ["only 113 of 137 operators are on the Neuron device (82.5 %)", "--min-on-neuron=0.99 asks for more"],
    "memory": ["takes about 1000.0 GB of memory", "GB are free", "c5.4xlarge", "--min-memory 0"],
}
LIKE_AWS = "tensorflow-neuron and neuron-cc come from https://pip.repos.neuron.amazonaws.com; name another index"


@pytest.fixture(scope="module")
def ended(neuron, tiny, tiny_exported, tiny_ready_half):
    """How each of them ended; two at a time."""
    assert {tiny_exported.code, tiny_ready_half.code} == {0}
    with ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(lambda flags: neuron("neuron-compile", "--checkpoint", tiny, *flags), ACTS.values())
        found = dict(zip(ACTS, outcomes, strict=True))
    found["left"] = left_after(1.0, neuron.artifacts)
    return found


@pytest.mark.parametrize("act", ACTS)
def test_every_failure_has_its_own_sentence(ended, neuron, act):
    outcome = ended[act]
    assert outcome.code == 13, outcome.last
    assert (outcome.last["error"], outcome.last["exit_code"]) == ("StageError", 13)
    for words in SENTENCES[act]:
        assert words in outcome.last["message"]
    assert outcome.last["next_step"]
    assert "Traceback" not in outcome.stderr + outcome.last["details"]
    assert outcome.ids("failed") == ["neuron-compile"]
    assert not (neuron.artifacts / "objects" / "neuron-compile" / outcome.of("stage")[-1]["key"]).exists()


def test_the_compilers_last_words_are_shown(ended):
    assert "[neuron-cc stand-in]: ERROR: told to fail" in ended["fail"].last["details"]
    assert "$ neuron-cc compile graph_def.pb" in ended["fail"].last["details"]


def test_a_compilation_that_was_not_begun_says_nothing_of_compiling(ended):
    assert "compiling" not in [event["text"] for event in ended["memory"].of("step")]
    assert "compiling" in [event["text"] for event in ended["late"].of("step")]


def test_nothing_is_left_of_any_of_them(ended, neuron):
    assert ended["left"] == []
    assert list((neuron.artifacts / "work").iterdir()) == []


def test_a_compiler_that_is_late_is_ended_in_time(ended):
    (seconds,) = [event["seconds"] for event in ended["late"].of("stage") if event["state"] == "failed"]
    assert TIMEOUT <= seconds < TIMEOUT + 15


@pytest.mark.parametrize("ending", cells(("SIGINT", "SIGTERM", "SIGKILL"), "SIGINT", "SIGKILL"))
def test_no_compiler_outlives_its_program(neuron, tiny, tiny_ready_half, ending):
    assert tiny_ready_half.code == 0
    hanging = ("--compiler-args", f"--stand-in hang --ended-by {ending}")
    with neuron.start("neuron-compile", "--checkpoint", tiny, *hanging) as process:
        assert events_until(process, lambda event: event.get("text") == "compiling") is not None
        deadline = time.monotonic() + 30
        while not (started := child_of_a_compiler(neuron.artifacts)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(getattr(signal, ending))
        stdout, stderr = process.communicate(timeout=60)
    assert started
    assert left_after(5.0, neuron.artifacts) == []
    assert process.returncode == (-signal.SIGKILL if ending == "SIGKILL" else 130)
    assert "Traceback" not in stdout + stderr


def child_of_a_compiler(artifacts):
    """The process that the stand-in starts before it hangs, as the real compiler starts some."""
    return [words for words in processes_over(artifacts) if words.endswith("time.sleep(3600) ")]


def test_a_compiler_that_takes_long_is_seen_to_be_alive(neuron, tiny, tmp_path):
    patient = changed(
        neuron, tmp_path, "docker/neuron/stages/_watch.py", "\nHEARTBEAT_SECONDS = 30\n", "\nHEARTBEAT_SECONDS = 1\n"
    )
    built = patient.ok("neuron-compile", "--checkpoint", tiny, "--compiler-args", "--stand-in slow", "--name", "slow")
    beats = [event["text"] for event in built.of("step") if event["text"].startswith("compiling: ")]
    assert len(beats) >= 2
    assert beats[0].startswith("compiling: 1 s, neuron-cc uses 0.")
    assert max(float(beat.split()[-2]) for beat in beats) >= 0.2, "the stand-in takes 200 MB when it is slow"


def test_a_model_that_fails_its_gate_never_gets_to_the_compiler(neuron, tiny, tmp_path):
    other = "gelu = own_gelu if args.gelu == EXACT or own_gelu is None else args.gelu"
    sabotaged = changed(neuron, tmp_path, "docker/tf1/stages/neuron_ready.py", other, 'gelu = "sigmoid"')
    outcome = sabotaged("neuron-compile", "--checkpoint", tiny, "--name", "gated-compile")
    assert (outcome.code, outcome.last["error"]) == (20, "ParityError")
    assert "neuron-ready-float16 of gated-compile does not answer like its source" in outcome.last["message"]
    assert "neuron-compile" not in outcome.ids("started")
    assert "neuron-compile" in outcome.ids("skipped")
    assert not neuron.out("gated-compile", "neuron-ready-float16").exists()
    assert not neuron.out("gated-compile", "neuron-float16-b4").exists()


@pytest.fixture
def unequipped(tmp_path):
    """A function that gives the program with environments of its own and some index instead of AWS's."""

    def make(index, *requirements):
        root = with_few_packages(tmp_path / "checkout", *requirements)
        program = Bertbuild(tmp_path / "artifacts", root)
        return program.having(BERTBUILD_NEURON_INDEX_URL=index, BERTBUILD_ENVIRONMENTS=tmp_path / "environments")

    return make


@pytest.mark.parametrize("found", cells(("the public index's hollow ones", "none"), "the public index's hollow ones"))
def test_without_the_packages_it_says_where_they_come_from(unequipped, tmp_path, found):
    (tmp_path / "wheels").mkdir()
    if found != "none":
        stubs(tmp_path / "wheels")
    with PackageIndex(tmp_path / "wheels") as index:
        error = unequipped(index.url).refused("images", "--backend", "neuron", code=11)
        assert any("neuron" in path for path in index.asked)
    assert error["error"] == "EnvironmentBuildError"
    assert error["next_step"].startswith(LIKE_AWS)
    assert "BERTBUILD_NEURON_INDEX_URL" in error["next_step"]
    assert "docker/neuron/wheels" in error["next_step"]
    assert "neuron" in error["details"]


def test_an_index_that_does_not_answer_is_as_good_as_none(unequipped):
    program = unequipped("http://127.0.0.1:9/simple/").having(UV_HTTP_RETRIES=0)
    error = program.refused("images", "--backend", "neuron", code=11)
    assert error["next_step"].startswith(LIKE_AWS)


def test_the_address_of_an_index_is_all_that_it_takes(unequipped, tmp_path):
    build_wheels(tmp_path / "wheels")
    stubs(tmp_path / "wheels")
    with PackageIndex(tmp_path / "wheels") as index:
        unequipped(index.url, "neuron-cc==1.13.5.0").ok("images", "--backend", "neuron")
        assert "/simple/neuron-cc/" in index.asked
    installed = {path.name for path in (tmp_path / "environments").glob("neuron-*/lib/python3.7/site-packages/*")}
    assert "neuron_cc-1.13.5.0+stand.in.dist-info" in installed


def test_the_product_knows_no_stand_in():
    files = [path for folder in ("bertbuild", "docker") for path in (ROOT / folder).rglob("*") if path.is_file()]
    files = [ROOT / "compose.yaml", *(path for path in files if path.suffix != ".pyc")]
    assert len(files) > 100
    for path in files:
        text = path.read_bytes()
        assert b"stand_in" not in text, path
        assert b"stand.in" not in text.replace(b"stand in", b""), path
