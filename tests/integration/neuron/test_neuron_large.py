"""Models of BERT-Base's and BERT-Large's size, random, compiled with the stand-ins: minutes, and 8 GB of disk each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiled_models import CompiledModel
from program import ROOT, Bertbuild

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.environ.get("BERTBUILD_TEST_LARGE") != "1", reason="only with BERTBUILD_TEST_LARGE=1"),
]

GB = 10**9


def free_memory():
    lines = Path("/proc/meminfo").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kilobytes) * 1024


@pytest.fixture
def room(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(("size", "layers", "gigabytes"), [("base", 12, 10.5), ("large", 24, 32.0)])
def test_a_model_of_that_size_is_proved_and_compiled(neuron, room, capsys, size, layers, gigabytes):
    script = ROOT / "bench" / "random_checkpoint.py"
    subprocess.run([sys.executable, script, size, room / size, "--labels", "2"], check=True)
    program = Bertbuild(room / "artifacts", neuron.root, neuron.variables)
    build = ("neuron-compile", "--checkpoint", room / size)
    enough = free_memory() > gigabytes * GB * 1.1
    outcome = program(*build)
    seconds = outcome.figures
    if not enough:
        assert outcome.code == 13, outcome.last
        assert f"takes about {gigabytes:.1f} GB of memory" in outcome.last["message"]
        outcome = program.ok(*build, "--min-memory", "0")
        assert outcome.ids("done") == ["neuron-compile"]
    assert outcome.code == 0, outcome.last
    ready, compiled = outcome.last["targets"]
    assert ready["max_abs"] <= 1e-2
    model = CompiledModel(compiled["path"])
    assert model.neuron_op.work["BatchMatMulV2"] == 2 * layers
    assert model.stage["facts"]["operators_on_neuron"] == sum(model.neuron_op.work.values())
    with capsys.disabled():
        sys.stdout.write(f"\n{size}: {seconds | outcome.figures}\n")
        for path in sorted((room / "artifacts").glob("objects/*/*/stage.json")):
            peak = json.loads(path.read_text())["peak_memory_bytes"]
            sys.stdout.write(f"  {path.parent.parent.name}: {peak / GB:.2f} GB\n")
