"""The CI files under examples/ run here: their shell steps, in order, as GitHub and GitLab run them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from example_files import github_job, gitlab_job

BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
MISSED = "steps.images.outputs.cache-hit != 'true'"
WEEKLY = "github.event_name == 'schedule'"


@dataclass
class Ran:
    """How a job ended: the exit code of the step that failed first, or 0; each step's output."""

    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)


def _bash(script, folder, env):
    done = subprocess.run(
        [*BASH, script], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def run_github(folder, env, *, images_restored=False, without=()):
    """The workflow's `run:` steps, as once a week; one that fails leaves those with `if: always()`."""
    ran, job = Ran(), github_job()
    for step in job["steps"]:
        condition = step.get("if", "success()")
        assert condition in ("success()", "always()", MISSED, WEEKLY), condition
        if "run" not in step or step["name"] in without or (ran.code and condition != "always()"):
            continue
        if condition == MISSED and images_restored:
            continue
        code, ran.outputs[step["name"]] = _bash(step["run"], folder, env | job["env"])
        ran.code = ran.code or code
    return ran


def run_gitlab(folder, env):
    """`before_script` and `script` in one shell, then `after_script`, whose failures GitLab only shows."""
    ran, job = Ran(), gitlab_job()
    variables = env | job["variables"] | {"CI_PIPELINE_SOURCE": "schedule"}
    ran.code, ran.outputs["script"] = _bash("\n".join([*job["before_script"], *job["script"]]), folder, variables)
    for line in job["after_script"]:
        code, ran.outputs[line] = _bash(line, folder, variables)
        assert code == 0, ran.outputs[line]
    return ran
