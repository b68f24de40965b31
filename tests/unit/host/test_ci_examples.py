"""examples/github-actions.yml and gitlab-ci.yml: valid, careful, and their steps work (stages are played)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from event_schema import check
from example_files import GITHUB, GITLAB, github_job, scripts
from make_checkpoints import config, write_google
from pipeline import run_github, run_gitlab
from ruamel.yaml import YAML

from bertbuild.config import ROOT
from bertbuild.stages import BACKENDS, lock_file, shared_code

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
SUBMODULE = "tools/bertbuild/"
IMAGES = "bertbuild/tf1:local\\nbertbuild/openvino:local\\n"


def passes(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        (GITHUB, ["vendor.github-workflows"]),
        (GITHUB, ["custom.github-workflows-require-timeout"]),
        (GITLAB, ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
)
def test_each_is_what_its_platform_takes(file, schema):
    passes(PROGRAMS / "check-jsonschema", "--builtin-schema", *schema, file)


def test_a_linter_for_security_finds_nothing_in_the_workflow():
    passes(PROGRAMS / "zizmor", "--offline", "--no-config", "--persona", "pedantic", "--no-progress", GITHUB)


def test_bash_can_read_every_script():
    for texts in scripts().values():
        for text in texts:
            passes("bash", "-n", "-c", text)


def test_actions_are_pinned_by_their_commit_and_say_their_version():
    pins = re.findall(r"uses: (\S+)( # v\d+\.\d+\.\d+)?$", GITHUB.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pins) == GITHUB.read_text(encoding="utf-8").count("uses:")
    versions = {}
    for action, version in pins:
        name, _, commit = action.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit), action
        assert version, action
        repository = "/".join(name.split("/")[:2])
        assert versions.setdefault(repository, (commit, version)) == (commit, version)


def test_the_workflow_may_read_and_nothing_else():
    workflow = YAML(typ="safe", pure=True).load(GITHUB)
    assert workflow["permissions"] == {}
    assert github_job()["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    assert "secrets." not in GITHUB.read_text(encoding="utf-8")


def test_no_expression_is_put_into_a_script():
    """What a branch or a title is called would be run by the shell."""
    assert not [step["name"] for step in github_job()["steps"] if "${{" in step.get("run", "")]


def test_the_key_of_the_images_covers_all_that_they_are_built_of():
    (restore,) = (step for step in github_job()["steps"] if step.get("id") == "images")
    patterns = re.findall(r"'([^']+)'", restore["with"]["key"])
    hashed = {path for pattern in patterns for path in ROOT.glob(pattern.removeprefix(SUBMODULE))}
    assert all(pattern.startswith(SUBMODULE) for pattern in patterns)
    for backend in BACKENDS:
        folder = ROOT / "docker" / backend
        built_of = [folder / "Dockerfile", *folder.glob("*.sh"), lock_file(backend), *(folder / "stages").glob("*.py")]
        assert {*built_of, *shared_code(backend)} <= {*hashed, *folder.glob("**/*")}
    assert ROOT / "compose.yaml" in hashed


PLAYED = {
    "bertbuild": 'exec "{python}" "{here}/host_program.py" "$@"',
    "python": "",  # installs nothing
    "apt-get": "",
    "docker": """
        case "$1 $2" in
          "image ls") case "$*" in *--quiet*) cat images.txt 2>/dev/null ;; *) printf '{images}' ;; esac ;;
          "save --output") shift 2; echo "$@" ;;
          "load --quiet") test -f "$4" ;;
          *) exit 64 ;;
        esac""",
}


@pytest.fixture
def project(tmp_path):
    """A team's repository with a tiny model and two targets, and its environment: programs that are played first."""
    folder, programs = tmp_path / "project", tmp_path / "bin"
    write_google(folder / "checkpoints" / "tiny", config("tiny"))
    (folder / "bertbuild.toml").write_text(
        '[targets.ir]\nkind = "ir"\n\n[targets.frozen]\nkind = "frozen"\n\n'
        '[models.tiny]\ncheckpoint = "checkpoints/tiny"\n'
    )
    programs.mkdir()
    for name, script in PLAYED.items():
        text = script.format(python=sys.executable, here=HERE, images=IMAGES)
        (programs / name).write_text(f'#!/bin/bash\necho "{name} $*" >>"{tmp_path}/calls.txt"\n{text}\n')
        (programs / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BERTBUILD_")}
    path = f"{programs}:{os.environ['PATH']}"
    return folder, {**kept, "PATH": path, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def delivered(folder):
    """What is uploaded is whole: events that the schema knows, a page, files and no links."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for event in events:
        check(event)
    assert "</html>" in (folder / "report.html").read_text()
    assert not [path for path in (folder / "targets").rglob("*") if path.is_symlink()]
    return events[-1], sorted(str(path.parent.relative_to(folder)) for path in folder.glob("targets/*/*/manifest.json"))


@pytest.mark.parametrize("run", [run_github, run_gitlab])
def test_the_steps_build_prove_report_and_deliver(project, run):
    ran = run(*project)
    assert ran.code == 0, ran.outputs
    last, targets = delivered(project[0])
    assert last["event"] == "result"
    assert targets == ["targets/tiny/frozen", "targets/tiny/ir"]


@pytest.mark.parametrize("run", [run_github, run_gitlab])
def test_a_build_that_fails_fails_the_job_and_delivers_what_there_is(project, run):
    folder, env = project
    ran = run(folder, env | {"HOST_PROGRAM_OFFSET": "1"})
    assert ran.code == 20, ran.outputs
    last, targets = delivered(folder)
    assert (last["event"], last["exit_code"]) == ("error", 20)
    assert targets == ["targets/tiny/frozen"]


def test_images_that_were_restored_are_loaded_and_not_saved_again(project):
    folder, env = project
    (folder / "images.tar").write_text("")
    ran = run_github(folder, env, images_restored=True)
    assert ran.code == 0, ran.outputs
    calls = (folder.parent / "calls.txt").read_text()
    assert "docker load --quiet --input images.tar" in calls
    assert "docker save" not in calls


def test_images_that_were_made_are_saved(project):
    assert run_github(*project).code == 0
    assert (
        "docker save --output images.tar bertbuild/tf1:local bertbuild/openvino:local"
        in (project[0].parent / "calls.txt").read_text()
    )


def test_a_store_that_was_restored_leaves_nothing_to_build(project):
    folder, env = project
    assert run_github(folder, env).code == 0
    for name in ("events.jsonl", "report.html"):
        (folder / name).unlink()
    subprocess.run(["rm", "-rf", folder / "targets"], check=True)
    assert run_github(folder, env).code == 0
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["state"] for event in events if event["event"] == "stage"} == {"cached"}
