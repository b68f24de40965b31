"""int8 IRs of a classifier trained on MRPC against Optimum-Intel's OVQuantizer: latency, and accuracy on the dev set.

    .venv/bin/bertbuild finetune --model minilm-l6 --task MRPC --max-seq-length 104 --train-batch-size 16
    .venv/bin/python bench/int8_optimum.py CHECKPOINT PREPARED [--openvino 2026.4,2024.6] [--cores 1,2] [--runs 200]

CHECKPOINT is what finetune made, PREPARED the folder of prepare-data that it was trained on. Both sides quantize the
same weights, calibrated on the same first 300 training examples without padding: ours by its stages, for any processor
and for those with VNNI; Optimum-Intel's by its defaults, from the folder of convert-hf. All answer 1 x 128 in one
process, in turn; then every example of the dev set. Each row is told on stderr as soon as it is measured. The fp32 IR
is told beside them, and how large the int8 IR is by the NNCF of each version of OpenVINO (3.4.0 of 2026.4, 2.14.1 of
2024.6).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optimum_intel
from common import ROOT, Targets, machine, measure, median, paired_ratio, print_table, told
from latency import BACKENDS
from stage_runs import StageRuns

from bertbuild.graph.processor import instruction_set

sys.path.append(str(ROOT / "docker" / "common"))
from tfrecords import read_columns

SHAPE = (1, 128)
CALIBRATED_ON = 300
MOST, MOST_SIZE = 1.0, 1.02
HEAD = "classifier:output_weights:output_bias"
ROLES = ("input_ids", "input_mask", "segment_ids")
FP32, ANY, VNNI, THEIRS = "fp32 IR", "int8 IR", "int8 IR for VNNI", "Optimum-Intel"


def ours(checkpoint: Path, examples: Path, version: str, folder: Path) -> dict[str, str]:
    """Name → .xml of bertbuild's IRs."""
    openvino = StageRuns(BACKENDS[version], folder)
    fp32, _ = openvino.run("ir-direct", "fp32", f"--checkpoint={checkpoint}", f"--heads={HEAD}", "--output=logits")
    flags = (f"--ir={fp32}", f"--examples={examples}", f"--examples-used={CALIBRATED_ON}")
    made, _ = openvino.run("quantize", "int8", *flags)
    vnni, _ = openvino.run("quantize", "int8-vnni", *flags, "--int8-for=vnni")
    return {name: str(path / "model.xml") for name, path in ((FP32, fp32), (ANY, made), (VNNI, vnni))}


def theirs(checkpoint: Path, examples: Path, version: str, folder: Path) -> str:
    """The .xml of Optimum-Intel's int8 IR."""
    weights = optimum_intel.weights(checkpoint, folder, f"--heads={HEAD}")
    path, out = optimum_intel.environment(version), folder / "optimum"
    command = [path / "bin" / "python", ROOT / "bench" / "int8_optimum_quantize.py", weights, examples, out]
    measure(command, env=optimum_intel.variables(path))
    return str(out / "openvino_model.xml")


def write_examples(prepared: Path, name: str, out: Path, *, most: int | None = None, labels: bool = False) -> Path:
    """Prepared examples as an .npz."""
    columns = read_columns(str(prepared / name), (*ROLES, *(("label_ids",) if labels else ())), most)
    arrays = {column: values.astype(np.int32)[:most] for column, values in columns.items()}
    if labels:
        arrays["label_ids"] = arrays["label_ids"].reshape(-1)
    np.savez(out, **arrays)
    return out


def compare(version: str, models: dict[str, str], **request: Any) -> dict[str, Any]:
    """What int8_optimum_worker.py answers."""
    text = json.dumps({"models": models, "shape": SHAPE, **request})
    command = [StageRuns(BACKENDS[version], ROOT).program("python"), ROOT / "bench" / "int8_optimum_worker.py"]
    env = os.environ | {"CI": "true"}
    answer = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True, env=env)
    return dict(json.loads(answer.stdout))


def size(model: str) -> int:
    """Bytes of an IR: .xml and .bin."""
    return sum(Path(model).with_suffix(suffix).stat().st_size for suffix in (".xml", ".bin"))


def rows(what: str, answer: dict[str, Any], count: int, targets: Targets) -> list[list[str]]:
    """A line for each model, ours judged."""
    times = {name: found["milliseconds"] for name, found in answer.items()}
    table = []
    for name, found in answer.items():
        ratio = paired_ratio(times[name], times[THEIRS])
        judged = ""
        if name == ANY:
            judged = targets.at_most(f"{what}: {name} ÷ {THEIRS}", ratio, MOST, 3)
            targets.at_most(f"{what}: more wrong answers than {THEIRS}'s", answer[THEIRS]["right"] - found["right"], 0)
        products = ", ".join(f"{number} {precision}" for precision, number in sorted(found["products"].items()))
        fused = found["operators"].get("Subgraph", 0)
        accuracy = f"{found['right'] / count:.4f}"
        table.append([what, name, f"{median(times[name]):.2f}", f"{ratio:.3f}", judged, accuracy, products, str(fused)])
    return table


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="what finetune made of MRPC")
    parser.add_argument("prepared", type=Path, help="the folder of prepare-data")
    parser.add_argument("--openvino", default=",".join(BACKENDS), help="versions (default: both)")
    parser.add_argument("--cores", default="1,2", help="how many cores all run on (default: 1,2)")
    parser.add_argument("--runs", type=int, default=200, help="inferences of each model (default: 200)")
    args = parser.parse_args()
    checkpoint, prepared = args.checkpoint.absolute(), args.prepared.absolute()
    os.chdir(ROOT)
    targets, table, sizes = Targets(), list[Sequence[object]](), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples = write_examples(prepared, "train.tf_record", folder / "train.npz", most=CALIBRATED_ON)
        dev = write_examples(prepared, "eval.tf_record", folder / "dev.npz", labels=True)
        count = len(np.load(dev)["label_ids"])
        for version in args.openvino.split(","):
            made = folder / version
            made.mkdir()
            models = ours(checkpoint, examples, version, made)
            models[THEIRS] = theirs(checkpoint, examples, version, made)
            sizes[version] = [size(models[name]) for name in (ANY, VNNI, THEIRS)]
            for cores in map(int, args.cores.split(",")):
                answer = compare(version, models, cores=cores, runs=args.runs, examples=str(dev))
                table += map(told, rows(f"{version}, cores: {cores}", answer, count, targets))
    print(f"\n{machine()}; instructions: {instruction_set()}; 1 x 128, free shapes; medians of {args.runs} in turn")
    print(f"accuracy of {count} examples of MRPC's dev set, calibrated on {CALIBRATED_ON} of its training set\n")
    columns = ("", "model", "ms", f"÷ {THEIRS}", "target", "accuracy", "matrix products", "Subgraphs")
    print_table(columns, table)
    print()
    print_table(("bytes", ANY, VNNI, THEIRS), [(version, *map(str, found)) for version, found in sizes.items()])
    if len(sizes) == len(BACKENDS):
        ratio = sizes["2026.4"][0] / sizes["2024.6"][0]
        print(f"\n{ANY}, 2026.4 ÷ 2024.6: {ratio:.4f}, {targets.at_most('its size', ratio, MOST_SIZE)}")
    targets.finish()


if __name__ == "__main__":
    main()
