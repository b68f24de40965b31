"""Run logs as the engine writes them, of runs that were only played: slots, memory, failures, kills, stored jobs."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

START = 1_763_733_792.25
LIMITS = {"pooled_output": 1e-5, "probabilities": 1e-5}
PROBES = ("b1_s16", "b1_s128", "b4_s16", "b4_s128", "b4_s16 rows alone", "b4_s128 rows alone")
BACKENDS = {
    "tf1": {"python": "3.7.17", "packages": {"numpy": "1.18.5", "tensorflow": "1.15.5", "protobuf": "3.20.3"}},
    "data": {"python": "3.11.7", "packages": {"numpy": "2.2.6"}},
    "openvino": {"python": "3.11.7", "packages": {"numpy": "1.26.4", "openvino": "2024.6.0"}},
    "tf2": {"python": "3.11.7", "packages": {"numpy": "1.26.4", "tensorflow": "2.20.0", "keras": "3.12.0"}},
}
TARGETS = ("frozen", "ir-fp32", "ir-fp16", "ir-all-layers-fp32", "hub")


@dataclass
class Played:
    """A job of a played run: what the graph says of it, and what becomes of it."""

    job: str
    kind: str
    stage: str
    backend: str
    model: str
    needs: list[str]
    targets: list[str]
    seconds: float
    memory: int
    state: str = "done"
    message: str = ""
    lines: list[str] = field(default_factory=list)
    training: list[tuple[int, float]] = field(default_factory=list)

    def described(self):
        names = ("job", "kind", "stage", "backend", "model", "needs", "targets", "memory")
        described = {name: getattr(self, name) for name in names}
        return {**described, "targets": [f"{self.model}/{target}" for target in self.targets]}

    @property
    def key(self):
        return hashlib.sha256(self.job.encode()).hexdigest()


def environment(backend, seconds=12.0):
    return Played(f"environment {backend}", "environment", "", backend, "", [], [], seconds, 0)


def model_jobs(model, targets=TARGETS, *, seed=0, base="", layers=6):
    """The jobs of one model, in an order in which each comes after its needs; `base`: it is fine-tuned from there."""
    chance = random.Random(f"{model} {seed}")  # noqa: S311 - no secret

    def job(name, stage, backend, needs, names, seconds, *, kind="stage", memory=400):
        took = round(seconds * chance.uniform(0.7, 1.6), 3)
        size = int(memory * 1e6 * chance.uniform(0.8, 1.2))
        job_id = model if not name else f"{model}/{name}"
        envs = [f"environment {backend}"] if backend else []
        return Played(job_id, kind, stage, backend, model, [*needs, *envs], list(names), took, size)

    first = job("", "", "", [f"{base}/import"] if base else [], targets, 0.4, kind="model", memory=50)
    jobs = [first]
    if base:
        tuned = job("finetune", "finetune", "tf1", [model], targets, 60, memory=2200)
        tuned.training = [(step, 0.7 * 0.985**step + 0.05 * chance.random()) for step in range(2, 230, 2)]
        jobs.append(tuned)
    source = jobs[-1].job
    if not base:
        jobs.append(job("import", "import", "data", [model], targets, 2.2))
        source = jobs[-1].job
    jobs.append(job("freeze", "freeze", "tf1", [source], [name for name in targets if name != "hub"], 2.4))
    judged = [name for name in targets if name != "frozen"]
    if judged:
        jobs.append(job("reference", "tf1-infer", "tf1", [source], judged, 4.1, memory=900))
    for name in judged:
        backend, made_by, needs = ("openvino", "ir", [f"{model}/freeze"])
        if name == "hub":
            jobs.append(job("convert-tf2", "convert-tf2", "tf2", [source], [name], 1.1))
            backend, made_by, needs = ("tf2", "tf2-saved-model", [f"{model}/convert-tf2"])
        jobs.append(job(name, made_by, backend, needs, [name], 3.0, memory=800))
        jobs.append(job(f"{name}-infer", f"{backend}-infer", backend, [f"{model}/{name}"], [name], 1.6, memory=500))
        gate = job(f"{name} parity", "parity", "", [f"{model}/reference", f"{model}/{name}-infer"], [name], 0.1)
        gate.kind = "gate"
        jobs.append(gate)
    for played in jobs:
        played.layers = layers
    return jobs


def verdict(job, name, *, passed=True):
    """The event of a gate: small errors, or one beyond its limit."""
    chance = random.Random(job.job)  # noqa: S311 - no secret
    layers = getattr(job, "layers", 6)
    outputs = [f"layer_{layer}_output" for layer in range(layers)] if "all-layers" in name else ["pooled_output"]
    fp16 = "fp16" in name
    rows = []
    for probe in PROBES:
        for number, output in enumerate(outputs):
            limit = LIMITS.get(output, 1e-4) * (500 if fp16 else 1)
            error = limit * chance.uniform(0.01, 0.1) * (1 + number / 2)
            rows.append(
                {
                    "probe": probe,
                    "output": output,
                    "max_abs": 0.0 if probe.endswith("alone") and not fp16 else error,
                    "cosine": 1 - error * 1e-3,
                    "argmax": 1.0,
                    "limit": limit,
                    "cosine_limit": 0.9999 if fp16 else None,
                    "argmax_limit": None,
                    "passed": True,
                    "reason": "",
                }
            )
    if not passed:
        rows[1] |= {"max_abs": 0.25, "passed": False}
        rows[2] |= {
            "max_abs": None,
            "cosine": 0.0,
            "argmax": 0.0,
            "passed": False,
            "reason": "the answer is not finite",
        }
    precision = "fp16" if fp16 else "fp32"
    return {
        "event": "verdict",
        "model": job.model,
        "target": name,
        "precision": precision,
        "passed": passed,
        "rows": rows,
        "skipped": [],
    }


class Log:
    """Events with their times."""

    def __init__(self):
        self.events = []

    def add(self, now, kind, **more):
        self.events.append((now, {"event": kind, "time": round(START + now, 3), **more}))

    def lines(self):
        return [json.dumps(event) for _, event in sorted(self.events, key=lambda pair: pair[0])]


def play(run_id, jobs, *, slots=2, memory=8_000_000_000, command=("build", "--jobs", "2"), ending="result", targets=()):
    """The lines of a run in which jobs begin as soon as their needs, a slot and memory are there.

    Args:
        run_id: the run's name.
        jobs: each after its needs; one whose state is "failed" takes what needs it with it.
        slots: how many run at once.
        memory: what may be expected of those together, bytes.
        command: what was asked.
        ending: "result", "error", or "" for a log that just stops.
        targets: state by (model, target) in the place of what the jobs' states say.
    """
    log = Log()
    models = list(dict.fromkeys(job.model for job in jobs if job.model))
    host = {"machine": "x86_64", "cpus": 2, "memory": 25_274_793_984, "python": "3.11.7", "system": "Linux 6.1"}
    log.add(
        0, "run", run=run_id, command=list(command), version="0.6.0", isolation="venv", jobs=slots, memory=memory,
        models=models, host=host,
    )  # fmt: skip
    log.add(0.01, "graph", jobs=[job.described() for job in jobs if not job.model])
    for model in models:
        log.add(0.02, "graph", jobs=[job.described() for job in jobs if job.model == model])
    end = _schedule(log, jobs, slots, memory)
    _tell_targets(log, jobs, end, dict(targets))
    failed = [job for job in jobs if job.state == "failed"]
    if ending == "result":
        log.add(end + 0.05, "result", lines=["artifacts/out/mrpc/ir-fp32/model.xml"], targets=[])
    elif ending == "error":
        log.add(
            end + 0.05, "error", error="BuildFailedError", exit_code=23, message=f"{len(failed)} jobs failed.",
            next_step=f"Make the report: invoke report --run {run_id}", details="",
        )  # fmt: skip
    return log.lines()


def _schedule(log, jobs, slots, memory):
    by_id = {job.job: job for job in jobs}
    ended: dict[str, float] = {}
    waiting, running, now = list(jobs), [], 0.1
    while waiting or running:
        for job in list(waiting):
            needs = [by_id[need] for need in job.needs if need in by_id]
            bad = next((need for need in needs if need.state in ("failed", "skipped")), None)
            if bad is not None:
                waiting.remove(job)
                job.state, job.because = "skipped", getattr(bad, "because", bad.job)
                ended[job.job] = now
                _stage(log, now, job, "skipped", because=job.because)
            elif all(need.job in ended for need in needs):
                if job.state == "cached":
                    waiting.remove(job)
                    ended[job.job] = now
                    _stage(log, now, job, "cached")
                elif not running or (
                    len(running) < slots and sum(one.memory for _, one in running) + job.memory <= memory
                ):
                    waiting.remove(job)
                    running.append((now + job.seconds, job))
                    _begin(log, now, job)
        if not running:
            if not any(all(need in ended for need in job.needs if need in by_id) for job in waiting):
                break
            continue
        running.sort(key=lambda pair: pair[0])
        now, job = running.pop(0)
        ended[job.job] = now
        _end(log, now, job)
        now += 0.004
    return now


def _stage(into, now, job, state, **more):
    words = {"job": job.job, "id": job.job.split("/")[-1], "stage": job.stage, "model": job.model, "key": job.key}
    into.add(now, "stage", **words, state=state, **more)


def log_name(job):
    return f"20251121-140312-{job.stage}-{job.key[:12]}.log"


def _begin(log, now, job):
    if job.kind == "environment":
        log.add(now, "environment", backend=job.backend, isolation="venv", state="started")
        for index in range(3):
            log.add(
                now + 1 + index, "environment", backend=job.backend, isolation="venv", state="line", text=f"+ {index}"
            )
        return
    _stage(log, now, job, "started")
    log.add(now + job.seconds / 3, "step", job=job.job, stage=job.stage, text="reading")
    for number, (step, loss) in enumerate(job.training):
        at = now + job.seconds * (number + 1) / (len(job.training) + 1)
        figures = {"step": step, "steps": job.training[-1][0], "loss": loss, "learning_rate": 2e-5}
        log.add(at, "training", job=job.job, stage=job.stage, seconds_per_step=0.25, **figures)


def _end(log, now, job):
    if job.kind == "environment" and job.state == "done":
        log.add(now, "environment", backend=job.backend, isolation="venv", state="done", seconds=job.seconds)
        return
    if job.kind == "gate":
        log.add(now, "verdict", **{**verdict(job, job.targets[0], passed=job.state == "done"), "event": "verdict"})
    more = {"message": job.message} if job.state == "failed" else {"bytes": int(job.memory * 0.2)}
    figures = {"seconds": job.seconds, "cpu_seconds": round(job.seconds * 1.3, 2), "peak_memory": int(job.memory * 0.9)}
    _stage(log, now, job, job.state, **figures, log=f"artifacts/logs/{log_name(job)}", **more)


def _tell_targets(log, jobs, end, told):
    for model, name in dict.fromkeys((job.model, name) for job in jobs for name in job.targets):
        own = [job for job in jobs if job.model == model and name in job.targets]
        gates = [job for job in own if job.kind == "gate"]
        states = {job.state for job in (gates or own)}
        state = next((state for state in ("failed", "skipped") if state in states), "")
        state = state or ("up to date" if {job.state for job in own} == {"cached"} else "built")
        state = told.get((model, name), state)
        if not state:
            continue
        rows = [verdict(job, name)["rows"] for job in gates if job.state == "done"]
        worst = max((row for row in rows[0]), key=lambda row: row["max_abs"] / row["limit"]) if rows else None
        spent = sum(job.seconds for job in own if job.state == "done")
        log.add(
            end + 0.01, "target", model=model, target=name, state=state, path=f"artifacts/out/{model}/{name}",
            key=own[-1].key, bytes=90_000_000 + 1_000_000 * len(name), seconds=round(spent, 3),
            max_abs=worst["max_abs"] if worst else None, allowed=worst["limit"] if worst else None,
            message=next((job.message for job in own if job.state == "failed"), None),
        )  # fmt: skip


def write(root: Path, run_id, lines, jobs=(), *, torn=False):
    """Put a log, and what the store has of its jobs, below a store's root."""
    (root / "runs").mkdir(parents=True, exist_ok=True)
    (root / "logs").mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (root / "runs" / f"{run_id}.jsonl").write_text(text[: -len(lines[-1]) // 2] if torn else text, encoding="utf-8")
    for job in jobs:
        if job.lines:
            (root / "logs" / log_name(job)).write_text("\n".join(job.lines) + "\n", encoding="utf-8")
        if job.kind == "stage" and job.state in ("done", "cached"):
            _write_object(root / "objects" / job.stage / job.key, job)
    return root


def _write_object(folder, job):
    folder.mkdir(parents=True, exist_ok=True)
    lock = hashlib.sha256(job.backend.encode()).hexdigest()
    facts = BACKENDS[job.backend]
    pinned = {"lock": lock, "machine": "x86_64", "python": facts["python"]}
    manifest = {"stage": job.stage, "key": job.key, "components": {"environment": pinned}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "stage.json").write_text(json.dumps({**facts, "peak_memory_bytes": int(job.memory * 0.9)}))


def ordinary():
    """Three models, two at once, with environments to be made, one of them fine-tuned from another, some up to date."""
    jobs = [environment("data", 3), environment("tf1", 14), environment("openvino", 9), environment("tf2", 16)]
    jobs += model_jobs("minilm") + model_jobs("mrpc", ("ir-fp32", "ir-fp16", "hub"), base="minilm")
    old = model_jobs("sst2", ("frozen", "ir-fp32"))
    for job in old:
        job.state = "cached"
    return "20251121-140312-7f3a", [*jobs, *old]


def failing():
    """A stage that fails, a gate that does not pass, and what is skipped because of them; names and words bite."""
    model = '<script>document.title="bitten"</script> & co'
    jobs = [environment("data", 2), environment("tf1", 5), environment("openvino", 4)]
    jobs += model_jobs(model, ("frozen", "ir-fp32", "ir-fp16")) + model_jobs("mrpc", ("ir-fp32", "ir-all-layers-fp32"))
    bite = "<img src=x onerror=\"document.title='bitten'\"> \x1b[31mred\x1b[0m ]]> </pre></script>"
    for job in jobs:
        if job.job == f"{model}/freeze":
            job.state, job.message = "failed", f"The stage freeze stopped: {bite}."
            job.lines = [*(f"line {number}" for number in range(60)), bite, "RuntimeError: no kernel"]
        if job.job == "mrpc/ir-fp32 parity":
            job.state, job.message = "failed", "ir-fp32 of mrpc does not answer like its source."
    return "20251121-150000-bad0", jobs


def large(models=40):
    """200 targets: 40 models of 5, a quarter of them up to date."""
    jobs = [environment("data", 3), environment("tf1", 14), environment("openvino", 9), environment("tf2", 16)]
    for number in range(models):
        own = model_jobs(f"model-{number:02}", seed=number, layers=12)
        if number % 4 == 3:
            for job in own:
                job.state = "cached"
        jobs += own
    return "20251121-160000-1a26", jobs
