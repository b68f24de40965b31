"""How far int8-weights and int4-weights are from the fp32 IR, for every head: what their tolerances are set from.

    .venv/bin/python bench/weights_only.py [--sizes tiny,minilm] [--checkpoint PREFIX] [--seeds 3]
                                           [--deviations 0.02,0.3] [--heads replaced-token,…]

Encoders and heads are random (deviation 0.02, as BERT's initialiser draws; the heads' also 0.3), or the encoder is that
of a checkpoint of MiniLM's size, its prefix given. Four rows of 16 and of 128 random ids are asked, as the gate asks.
The first table has, for each answer, its largest element and for each precision the largest difference and in brackets
the smallest cosine, over all seeds and deviations; the second has the same for each column of the tolerances, and what
is allowed. Make the environment first: `invoke images --backend openvino`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from common import ROOT, Targets, machine, print_table
from random_checkpoint import SIZES, VOCABULARY, config
from stage_runs import StageRuns

from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS

SMALL = 2000
"""Words of random models: how many rows a table has changes no row."""
LENGTHS = (16, 128)
ASKED = tuple(head for head in HEADS if head != "all-layers")
PRECISIONS = ("int8-weights", "int4-weights, 128", "int4-weights, 32")


def measured(
    size: str, prefix: Path | None, seeds: int, deviations: list[float], heads: list[str]
) -> list[dict[str, Any]]:
    """What weights_only_worker.py answers."""
    layers, hidden = SIZES[size]
    request = {
        "layers": layers,
        "hidden": hidden,
        "heads": config(layers, hidden)["num_attention_heads"],
        "vocabulary": VOCABULARY if prefix else SMALL,
        "seeds": list(range(seeds)),
        "deviations": deviations,
        "checkpoint": str(prefix) if prefix else None,
        "kinds": heads,
        "lengths": LENGTHS,
    }
    places = [ROOT, ROOT / "docker" / "common", ROOT / "docker" / "openvino"]
    env = os.environ | {"CI": "true", "PYTHONWARNINGS": "ignore", "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [StageRuns("openvino", ROOT).program("python"), ROOT / "bench" / "weights_only_worker.py"]
    done = subprocess.run(command, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True, env=env)
    return [json.loads(line) for line in done.stdout.splitlines()]


def worst(lines: list[dict[str, Any]], precision: str) -> tuple[float, float]:
    """The largest difference and the smallest cosine of some lines."""
    return max(line[precision][0] for line in lines), min(line[precision][1] for line in lines)


def by(lines: list[dict[str, Any]], *keys: str) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Lines by some of their fields, in the order in which these first come."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(tuple(line[key] for key in keys), []).append(line)
    return found


def print_answers(lines: list[dict[str, Any]]) -> None:
    """The first table."""
    rows = []
    for keys, group in by(lines, "model", "head", "answer").items():
        figures = [f"{most:.1e} ({least:.4f})" for most, least in (worst(group, one) for one in PRECISIONS)]
        rows.append((*keys, f"{max(line['largest'] for line in group):.2g}", *figures))
    print_table(("model", "head", "answer", "largest", *PRECISIONS), rows)


def print_columns(lines: list[dict[str, Any]], targets: Targets) -> None:
    """The second table."""
    limits = KINDS["ir"].tolerances
    rows = []
    for (column,), group in by(lines, "column").items():
        for precision in ("int8-weights", "int4-weights"):
            found = [worst(group, one) for one in PRECISIONS if one.startswith(precision)]
            most, least = max(one[0] for one in found), min(one[1] for one in found)
            limit = limits[precision][column]
            allowed = max(limit.most(line["largest"]) for line in group)
            verdict = targets.at_most(f"{precision}: {column}", most, allowed, 3)
            rows.append((column, precision, f"{most:.1e}", verdict, f"{least:.4f}", str(limit.cosine or "")))
    print_table(("column", "precision", "largest difference", "allowed", "smallest cosine", "asked"), rows)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="tiny,minilm", help="of random models (default: tiny,minilm)")
    parser.add_argument("--checkpoint", type=Path, help="also this one's encoder, of MiniLM's size: its prefix")
    parser.add_argument("--seeds", type=int, default=3, help="models of each (default: 3)")
    parser.add_argument("--deviations", default="0.02,0.3", help="of the weights of heads (default: 0.02,0.3)")
    parser.add_argument("--heads", default=",".join(ASKED), help="(default: all)")
    args = parser.parse_args()
    deviations = [float(text) for text in args.deviations.split(",")]
    asked: list[tuple[str, Path | None]] = [(size, None) for size in filter(None, args.sizes.split(","))]
    if args.checkpoint:
        asked.append(("minilm", args.checkpoint.absolute()))
    lines = []
    for size, prefix in asked:
        model = "checkpoint" if prefix else size
        lines += [
            {**line, "model": model} for line in measured(size, prefix, args.seeds, deviations, args.heads.split(","))
        ]
    print(f"{machine()}; OpenVINO 2026.4, float32; {args.seeds} seeds, deviations of heads {args.deviations}\n")
    print_answers(lines)
    print()
    targets = Targets()
    print_columns(lines, targets)
    targets.finish()


if __name__ == "__main__":
    main()
