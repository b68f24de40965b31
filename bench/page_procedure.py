"""From a checkpoint to an fp32 IR: bertbuild against the procedure of OpenVINO's page on TensorFlow BERT, by hand.

    .venv/bin/python bench/page_procedure.py [--size base|tiny|both|large] [--runs 3]

The page's side: google-research/bert's run_classifier.py on MRPC, edited as the page says (page_freeze.py), then `mo`
with the page's flags, in the virtual environments bertbuild keeps for tf1 and mo. The other side, judged: the stage
ir-direct as a process of its own. After each side what it wrote is flushed to disk, which counts. Judged too:
`invoke build-ir --isolation venv` as a whole from an empty store, after one that is not counted. Told: the same without
the time in which it does nothing but prove the result (the page proves nothing); what it adds to its stages; a second
build-ir, which has nothing to do; peak memory. All read one checkpoint of random weights, in turn. Of BERT-Large's size
the stage ir-direct runs alone, and its peak memory is judged.
Make the environments first: `invoke images --isolation venv`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from common import MIB, ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint

from bertbuild.config import load_settings
from bertbuild.isolation.venv import VenvIsolation

BACKENDS = ("tf1", "openvino", "mo")
LIMITS = {"base": 0.10, "tiny": 0.10}
"""Time of the stage ÷ the page's, at most."""
WHOLE_LIMITS = {"base": 0.45, "tiny": 0.30}
"""Time of the whole build-ir ÷ the page's, at most."""
MOST_CPU = 0.05
"""Processor time of the stage ÷ the page's, at most; judged on base size."""

MOST_SECONDS_AGAIN, MOST_OVERHEAD = 0.3, 0.5
MOST_MEMORY = 1.25
"""Peak memory ÷ the checkpoint's bytes, judged on base size and BERT-Large's; tiny's peak is that of libraries."""

MO_INPUT = "IteratorGetNext:0{i32}[1 128],IteratorGetNext:1{i32}[1 128],IteratorGetNext:4{i32}[1 128]"
SENTENCES = ("the company said its shares rose 2 % in may .", "shares of the company went up by 2 % , it said .")
MAKING = ("ir-fp32",)
"""The stage of build-ir that makes the IR, as its events name it; with everything between stages it counts."""


@dataclass
class Figures:
    """What was measured of one size, a value for each run."""

    page: list[float] = field(default_factory=list)
    stages: list[float] = field(default_factory=list)
    making: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    page_cpu: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)
    peaks: list[int] = field(default_factory=list)

    def part(self, name: str, seconds: float) -> float:
        """Keep the time of a part of a side; returns it."""
        self.parts.setdefault(name, []).append(seconds)
        return seconds


class Bench:
    """One size: its checkpoint, and the sides that are timed."""

    def __init__(self, folder: Path, size: str) -> None:
        self.figures = Figures()
        self._folder = folder
        self._tf1, self._openvino, self._mo = (StageRuns(backend, folder) for backend in BACKENDS)
        self._mrpc = mrpc(folder)
        self._checkpoint = random_checkpoint(folder, size)
        self.checkpoint_bytes = checkpoint_bytes(self._checkpoint)

    def page(self) -> None:
        """The page's procedure."""
        work = self._tf1.empty("page")
        freeze = measure(
            [
                *(self._tf1.program("python"), ROOT / "bench" / "page_freeze.py"),
                *("--task_name=MRPC", "--do_eval=true", "--max_seq_length=128", "--output_dir=./"),
                *(f"--data_dir={self._mrpc}", f"--vocab_file={self._checkpoint / 'vocab.txt'}"),
                f"--bert_config_file={self._checkpoint / 'bert_config.json'}",
                f"--init_checkpoint={self._checkpoint / 'bert_model.ckpt'}",
            ],
            cwd=work,
        )
        mo = measure(
            [
                *(self._mo.program("mo"), "--input_model", "inference_graph.pb", "--input", MO_INPUT),
                "--compress_to_fp16=False",
            ],
            cwd=work,
        )
        assert (work / "inference_graph.xml").exists()
        figures = self.figures
        figures.page.append(
            figures.part("page: run_classifier.py", freeze.seconds)
            + figures.part("page: mo", mo.seconds)
            + figures.part("page: flushing", flushed())
        )
        figures.page_cpu.append(freeze.cpu_seconds + mo.cpu_seconds)

    def stages(self) -> None:
        """The stage ir-direct as a process of its own."""
        _, ir = self._openvino.run("ir-direct", "ir", f"--checkpoint={self._checkpoint}")
        figures = self.figures
        figures.stages.append(
            figures.part("bertbuild: ir-direct", ir.seconds) + figures.part("bertbuild: flushing", flushed())
        )
        figures.cpu.append(ir.cpu_seconds)
        figures.peaks.append(ir.peak_bytes)

    def build(self) -> None:
        """`invoke build-ir` from an empty store, and once more when there is nothing to do."""
        first = self._build_ir(self._tf1.empty("artifacts"))
        spans = stage_spans(first)
        proving = {name: span for name, span in spans.items() if name not in (*MAKING, "inspect")}
        busy = covered(spans.values())
        alone = busy - covered(span for name, span in spans.items() if name not in proving)
        self.figures.whole.append(first.seconds)
        self.figures.making.append(first.seconds - alone)
        self.figures.overhead.append(first.seconds - busy)
        self.figures.again.append(self._build_ir(self._folder / "artifacts").seconds)

    def warm(self) -> None:
        """`invoke build-ir` once without counting: bytecode and files are where people have them from the second on."""
        self._build_ir(self._tf1.empty("artifacts"))

    def _build_ir(self, artifacts: Path) -> Measured:
        command = [Path(sys.executable).with_name("invoke"), "build-ir", "--checkpoint", self._checkpoint]
        env = os.environ | {"BERTBUILD_ARTIFACTS": str(artifacts)}
        return measure([*command, "--isolation", "venv", "--json"], env=env, cwd=ROOT)


def flushed() -> float:
    """Seconds to have all on disk that was written."""
    begin = time.perf_counter()
    os.sync()
    return time.perf_counter() - begin


def mrpc(folder: Path) -> Path:
    """The MRPC data: the real one where there is one beside the checkout, else some made-up rows."""
    real = ROOT.parent / "shared" / "data" / "glue" / "MRPC"
    if (real / "dev.tsv").exists():
        return real
    made = folder / "MRPC"
    made.mkdir()
    rows = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
    rows += ["\t".join(("1", str(2 * row), str(2 * row + 1), *SENTENCES)) for row in range(400)]
    (made / "dev.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return made


def stage_spans(run: Measured) -> dict[str, tuple[float, float]]:
    """Stage → the seconds between which it ran, by the events of `--json`."""
    begun: dict[str, float] = {}
    spans = {}
    for second, line in run.lines:
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "stage" and event["state"] == "started":
            begun[event["id"]] = second
        elif event.get("event") == "stage" and event["state"] == "done":
            spans[event["id"]] = (begun[event["id"]], second)
    missing = set(MAKING) - spans.keys()
    if missing:
        sys.exit(f"build-ir ran no stage {', '.join(sorted(missing))}; it ran {', '.join(spans)}")
    return spans


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The seconds that lie in at least one of the spans; stages may run side by side."""
    total, end = 0.0, 0.0
    for begin, finish in sorted(spans):
        total += max(0.0, finish - max(begin, end))
        end = max(end, finish)
    return total


def memory(size: str, bench: Bench, targets: Targets) -> tuple[str, str, str]:
    """Peak memory of the stage in MiB, beside the checkpoint's bytes, and what is judged of it."""
    peak = median(bench.figures.peaks)
    ratio = peak / bench.checkpoint_bytes
    verdict = "" if size == "tiny" else targets.at_most(f"{size}: peak memory ÷ checkpoint", ratio, MOST_MEMORY)
    return f"{peak / MIB:.0f}", f"{ratio:.2f} × checkpoint", verdict


def print_memory(size: str, bench: Bench, targets: Targets) -> None:
    """The table of a size whose stage runs alone."""
    peak, ratio, verdict = memory(size, bench, targets)
    print(f"\n{size}, a checkpoint of {bench.checkpoint_bytes / MIB:.0f} MiB\n")
    rows = [
        ("ir-direct, flushed to disk, s", f"{median(bench.figures.stages):.2f}", "", ""),
        ("its processor time, s", f"{median(bench.figures.cpu):.2f}", "", ""),
        ("peak memory of ir-direct, MiB", peak, ratio, verdict),
    ]
    print_table(("", "bertbuild", "", "target"), rows)


def print_figures(size: str, bench: Bench, targets: Targets) -> None:
    """The table of one size."""
    figures = bench.figures
    print(f"\n{size}, a checkpoint of {bench.checkpoint_bytes / MIB:.0f} MiB\n")
    page = f"{median(figures.page):.2f}"

    def compared(what: str, ours: list[float]) -> tuple[str, ...]:
        return (what, f"{median(ours):.2f}", page, f"{paired_ratio(ours, figures.page):.2f}")

    ratio = paired_ratio(figures.stages, figures.page)
    verdict = targets.at_most(f"{size}: ir-direct ÷ the page's procedure", ratio, LIMITS[size])
    rows = [(*compared("ir-direct, flushed to disk, s", figures.stages), verdict)]
    ratio = paired_ratio(figures.cpu, figures.page_cpu)
    verdict = targets.at_most(f"{size}: processor time ÷ the page's", ratio, MOST_CPU) if size == "base" else ""
    cpu = (f"{median(figures.cpu):.2f}", f"{median(figures.page_cpu):.2f}", f"{ratio:.2f}")
    rows.append(("its processor time, s", *cpu, verdict))
    rows.append((*compared("build-ir without its proof, s", figures.making), ""))
    ratio = paired_ratio(figures.whole, figures.page)
    verdict = targets.at_most(f"{size}: build-ir ÷ the page's procedure", ratio, WHOLE_LIMITS[size])
    rows.append((*compared("build-ir, s", figures.whole), verdict))
    again, overhead = median(figures.again), median(figures.overhead)
    verdict = targets.at_most(f"{size}: seconds build-ir adds to its stages", overhead, MOST_OVERHEAD)
    rows.append(("of that outside stages, s", f"{overhead:.2f}", "", "", verdict))
    verdict = targets.at_most(f"{size}: seconds of a second build-ir", again, MOST_SECONDS_AGAIN)
    rows.append(("build-ir, nothing to do, s", f"{again:.2f}", "", "", verdict))
    peak, ratio, verdict = memory(size, bench, targets)
    rows.append(("peak memory of ir-direct, MiB", peak, "", ratio, verdict))
    print_table(("", "bertbuild", "page", "ratio", "target"), rows)
    print("\nparts, s: " + ", ".join(f"{name} {median(times):.2f}" for name, times in figures.parts.items()))


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size", choices=(*LIMITS, "both", "large"), default="both", help="of the checkpoint (default: both)"
    )
    parser.add_argument("--runs", type=int, default=3, help="of each side (default: 3)")
    args = parser.parse_args()
    isolation = VenvIsolation(load_settings().environments)
    missing = [backend for backend in BACKENDS if not isolation.is_ready(backend)]
    if missing:
        sys.exit(f"no environment of {', '.join(missing)}; make them with: invoke images --isolation venv")

    targets = Targets()
    print(f"{machine()}; medians of {args.runs} paired runs, page cache warm")
    for size in LIMITS if args.size == "both" else (args.size,):
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), size)
            if size == "large":
                interleaved(args.runs, bench.stages)
                print_memory(size, bench, targets)
                continue
            bench.warm()
            interleaved(args.runs, bench.page, bench.stages, bench.build)
            print_figures(size, bench, targets)
    targets.finish()


if __name__ == "__main__":
    main()
