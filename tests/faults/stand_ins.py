"""A copy of the checkout whose stages start no TensorFlow: what is left of a build is the host's own work."""

from __future__ import annotations

import shutil

from program import ROOT

BEFORE_MAIN = '\nif __name__ == "__main__":\n'

# The stage's own command line, events and stage.json; its work is replaced. Python 3.7, as the stages are.
COMMON = '''

def told(args):
    """sha256 of the inputs' bytes and of the parameters: same question, same bytes."""
    import hashlib
    import json
    import os

    words = []
    for name, value in sorted(vars(args).items()):
        if value is None or name in ("out", "key"):
            continue
        paths = [value] if os.path.isfile(value) else []
        if os.path.isdir(value):
            paths = [os.path.join(folder, file) for folder, _, files in os.walk(value) for file in files]
        if name not in STAGE._inputs:
            words.append([name, str(value)])
        for path in sorted(paths):
            if os.path.basename(path) not in ("stage.json", "manifest.json", "provenance.json"):
                with open(path, "rb") as file:
                    words.append([name, os.path.basename(path), hashlib.sha256(file.read()).hexdigest()])
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()
'''

FILES = '''

def run(args, report):
    """Files of some size, made of nothing but the inputs' bytes and the parameters."""
    import os
    import time

    content = told(args)
    for name in {outputs}:
        step("writing " + name)
        with open(os.path.join(args.out, name), "w") as file:
            if name.endswith(".json"):
                file.write('{{"told": "%s"}}' % content)
                continue
            for _ in range(20):
                file.write(content * 256)
                file.flush()
                time.sleep(0.001)

'''

ANSWERS = '''

def run(args, report):
    """The same answers whatever is asked."""
    import answers
    import json
    import numpy as np

    with open(args.probes) as file:
        probes = json.load(file)["probes"]
    found = {}
    for probe in probes:
        pooled = np.array([[0.25, row / 8 - 0.5] for row in range(len(probe["input_ids"]))], np.float32)
        found[probe["name"] + "/pooled_output"] = pooled
        if len(pooled) > 1:
            found[probe["name"] + "/alone/pooled_output"] = pooled
    answers.write_answers(args.out, found)

'''

REPLACED = {
    ("tf1", "infer"): ANSWERS,
    ("openvino", "ir_direct"): FILES.format(outputs=("model.xml", "model.bin", "signature.json")),
    ("openvino", "infer"): ANSWERS,
    ("data", "tokenizer"): FILES.format(outputs=("text_gate.json",)),
}

IMPORTS = """

import dataclasses

for _name, _row in BACKENDS.items():
    if _row.slow_imports:
        BACKENDS[_name] = dataclasses.replace(_row, slow_imports=("numpy",))
"""
"""Stages are forked, as ever, from a process that has imported what these stand-ins import."""


def light_checkout(folder):
    """A copy of the checkout in a new folder; its `build-ir` of a checkpoint takes about two seconds."""
    for name in ("bertbuild", "docker"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "compose.yaml", folder / "compose.yaml")
    for (backend, stage), work in REPLACED.items():
        path = folder / "docker" / backend / "stages" / f"{stage}.py"
        before, main, after = path.read_text().partition(BEFORE_MAIN)
        assert main, path
        path.write_text(before + COMMON + work + main + after)
    backends = folder / "bertbuild" / "backends.py"
    backends.write_text(backends.read_text() + IMPORTS)
    return folder
