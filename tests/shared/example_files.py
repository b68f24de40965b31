"""The CI files under examples/, read."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / "examples" / "github-actions.yml"
GITLAB = ROOT / "examples" / "gitlab-ci.yml"


def github_job():
    """The one job of the GitHub workflow."""
    (job,) = YAML(typ="safe", pure=True).load(GITHUB)["jobs"].values()
    return job


def gitlab_job():
    """The one job of the GitLab pipeline."""
    return YAML(typ="safe", pure=True).load(GITLAB)["models"]


def scripts():
    """File → the shell texts in it, in the order in which they are run."""
    job = gitlab_job()
    return {
        GITHUB: [step["run"] for step in github_job()["steps"] if "run" in step],
        GITLAB: [line for part in ("before_script", "script", "after_script") for line in job[part]],
    }
