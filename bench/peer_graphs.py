"""The graph of jobs behind a store's targets, written for Snakemake and for DVC, with the files it made.

Every model must have the same targets, as those of bench/fleet_store.py have: then a job is a rule over {model}, as
people write them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

OURS = ("manifest.json", "stage.json", "provenance.json")
"""What bertbuild keeps beside a result's files; its peers keep theirs in .snakemake and in dvc.lock."""


@dataclass(frozen=True)
class Job:
    """One job of one model: its files are in `model/name/`, each with the object or file that it is a copy of.

    Attributes:
        name: the same in every model.
        stage: what runs; `code/stage.py` is its program.
        params: flag → value.
        inputs: paths below the project, with {model} in place of the model.
        outputs: likewise.
        copies: output → the file of the store.
    """

    name: str
    stage: str
    params: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    copies: dict[str, Path]


def read_jobs(store: Path, model: str) -> tuple[list[Job], dict[str, Path]]:
    """The jobs behind a model's targets, and its source files: path below the project → the file."""
    jobs: dict[tuple[str, str], Job] = {}
    sources: dict[str, Path] = {}
    names: dict[str, int] = {}

    def add(step_id: str, stage: str, key: str, params: dict[str, str], inputs: list[str]) -> Job:
        if (stage, key) not in jobs:
            names[step_id] = names.get(step_id, 0) + 1
            name = step_id if names[step_id] == 1 else f"{step_id}-{names[step_id]}"
            folder = store / "objects" / stage / key
            files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in OURS)
            copies = {f"made/{{model}}/{name}/{path.relative_to(folder)}": path for path in files}
            jobs[stage, key] = Job(name, stage, params, tuple(dict.fromkeys(inputs)), tuple(copies), copies)
        return jobs[stage, key]

    def given(source: dict[str, Any]) -> list[str]:
        path = store / source["path"]  # what lies in the store is recorded by its place there
        for file in [path / name for name in source["files"]] or [path]:
            sources[f"given/{{model}}/{file.name}"] = file
        return [f"given/{{model}}/{name}" for name in source["files"]] or [f"given/{{model}}/{path.name}"]

    for record in sorted((store / "targets" / model).glob("*.json")):
        facts = json.loads(record.read_text(encoding="utf-8"))
        made: dict[str, Job] = {}
        for step in facts["steps"]:
            if step["id"] not in facts["results"]:  # of another target of the same plan
                continue
            inputs = [
                file
                for source in step["inputs"].values()
                for file in (made[source].outputs if isinstance(source, str) else given(source))
            ]
            stage, key = facts["results"][step["id"]]
            made[step["id"]] = add(step["id"], stage, key, step["params"], inputs)
        target = facts["target"]
        compared = [*made[target["reference"]].outputs, *made[target["answers"]].outputs, *made[target["step"]].outputs]
        add(f"parity-{target['name']}", "parity", _verdict(store, facts), {"precision": target["precision"]}, compared)
    return list(jobs.values()), sources


def _verdict(store: Path, facts: dict[str, Any]) -> str:
    """The key of a target's verdict: the object that was made of its own answers."""
    digests = tuple(_digest(store, facts, step) for step in ("reference", "answers", "step"))
    return _verdicts(store)[(*digests, facts["target"]["precision"])]


def _digest(store: Path, facts: dict[str, Any], step: str) -> str:
    stage, key = facts["results"][facts["target"][step]]
    return str(json.loads((store / "objects" / stage / key / "manifest.json").read_text(encoding="utf-8"))["digest"])


@cache
def _verdicts(store: Path) -> dict[tuple[str, ...], str]:
    """Digests of reference, answers and target, and the precision → the key of the verdict."""
    found = {}
    for path in (store / "objects" / "parity").glob("*/manifest.json"):
        parts = json.loads(path.read_text(encoding="utf-8"))["components"]
        inputs = (parts["inputs"][name] for name in ("reference", "answers", "target"))
        found[(*inputs, parts["params"]["precision"])] = path.parent.name
    return found


KEPT = "kept"
"""The folder of results that a peer's jobs have still to make, by copying them from there."""


def write_files(store: Path, models: list[str], project: Path, *, made: bool) -> list[Job]:
    """Copy all files of all models into a new project; gives the jobs, which are the same for every model.

    In the order in which they are made, so that their times tell it: programs, sources, results. Unless `made`, the
    results are below `KEPT`.
    """
    read = [read_jobs(store, model) for model in models]
    jobs = read[0][0]
    (project / "code").mkdir(parents=True)
    for stage in {job.stage for job in jobs}:
        (project / "code" / f"{stage}.py").write_text(f"# stands for the program of the stage {stage}\n")
    for model, (own, sources) in zip(models, read, strict=True):
        assert [(job.name, job.outputs) for job in own] == [(job.name, job.outputs) for job in jobs], model
        _copy(sources, project, model)
        for job in own:
            _copy(job.copies, project if made else project / KEPT, model)
    return jobs


def _copy(copies: dict[str, Path], folder: Path, model: str) -> None:
    for path, file in copies.items():
        copy = folder / path.format(model=model)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def final(job: Job, jobs: list[Job]) -> bool:
    """Whether no other job needs what this one makes."""
    return not any(set(job.outputs) & set(other.inputs) for other in jobs)


def write_snakefile(jobs: list[Job], models: list[str], project: Path) -> None:
    """A rule over {model} for each job."""
    wanted = [file for job in jobs if final(job, jobs) for file in job.outputs]
    lines = [f"MODELS = {models!r}", "", "rule all:", f"    input: expand({wanted!r}, model=MODELS)", ""]
    for job in jobs:
        params = "".join(f", {_word(name)}={value!r}" for name, value in job.params.items())
        lines += [
            f"rule {_word(job.name)}:",
            f"    input: {', '.join(repr(path) for path in (f'code/{job.stage}.py', *job.inputs))}",
            f"    output: {', '.join(repr(path) for path in job.outputs)}",
            f"    params: stage={job.stage!r}{params}",
            f'    shell: "cd {KEPT} && cp --parents {{output}} .."',
            "",
        ]
    (project / "Snakefile").write_text("\n".join(lines), encoding="utf-8")


def write_dvc_yaml(jobs: list[Job], models: list[str], project: Path) -> None:
    """A stage with a matrix over the models for each job."""
    stages: dict[str, Any] = {}
    for job in jobs:
        flags = " ".join(f"--{name}={value}" for name, value in job.params.items())
        stages[job.name] = {
            "matrix": {"model": models},
            "cmd": f"python code/{job.stage}.py {flags}",
            "deps": [f"code/{job.stage}.py", *map(_item, job.inputs)],
            "outs": [{_item(path): {"cache": False}} for path in job.outputs],
        }
    (project / "dvc.yaml").write_text(json.dumps({"stages": stages}, indent=1), encoding="utf-8")  # JSON is YAML


def _item(path: str) -> str:
    return path.replace("{model}", "${item.model}")


def _word(name: str) -> str:
    return name.replace("-", "_").replace("/", "_")
