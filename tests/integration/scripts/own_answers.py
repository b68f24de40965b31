"""In the tf1 or tf2 environment: what the stage infer answers for several checkpoints, in one process.

Request: {"root": checkout, "probes": probes.json, "out": folder, "cases": [{"name": …, "folder": checkpoint,
"output": …, "heads": …, "gelu": …}]}. Writes out/<name>.npz; gives name → the rows of reference.json.
"""

import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
request = json.load(sys.stdin)
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf1", "docker/common", "")]
answers, stage, found_heads, reference, sources = map(
    importlib.import_module,
    ("answers", "stage", "bertbuild.heads.found", "stages._reference", "stages._source"),
)

rows = {}
for case in request["cases"]:
    source = sources.Source(case["folder"], None, found_heads.from_parameter(case["heads"]))
    gelu = source.gelu(case.get("gelu", "auto"), stage.Report("infer"))
    probes = answers.Probes(request["probes"])
    found, rows[case["name"]] = reference.answer(source, gelu, case["output"].split(","), probes)
    np.savez(str(Path(request["out"], case["name"] + ".npz")), **found)
sys.stdout.write("\n" + json.dumps(rows) + "\n")
