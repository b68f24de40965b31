"""examples/github-actions.yml and gitlab-ci.yml: valid, careful, and their steps work (stages are played)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from event_schema import check
from example_files import GITHUB, GITLAB, github_job, scripts
from make_checkpoints import config, write_google
from pipeline import run_github, run_gitlab
from ruamel.yaml import YAML

from bertbuild.backends import BACKENDS, lock_file
from bertbuild.isolation.images import recipe
from bertbuild.project import ROOT
from bertbuild.stages import image_code

HERE = Path(__file__).parents[2] / "shared"
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
    """By the official schemas, which check-jsonschema brings along."""
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", *schema, str(file)])
    assert done.exit_code == 0, done.output


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
    globs = [re.sub(r"\*\*$", "**/*", pattern.removeprefix(SUBMODULE)) for pattern in patterns]
    hashed = {path for pattern in globs for path in ROOT.glob(pattern)}
    assert all(pattern.startswith(SUBMODULE) for pattern in patterns)
    for backend in BACKENDS:
        assert {*recipe(backend), lock_file(backend), *image_code(backend).values()} <= hashed
    assert ROOT / "compose.yaml" in hashed


PLAYED = {
    "bertbuild": 'exec "{python}" "{here}/lock_program.py" "$@"',
    "python": "",  # installs nothing
    "apt-get": "",
    "docker": """
        case "$1 $2" in
          "image ls") case "$*" in *--quiet*) true ;; *) printf '{images}' ;; esac ;;
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


def read_events(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def delivered(folder):
    """What is uploaded is whole: events that the schema knows, a page, files and no links."""
    events = read_events(folder)
    for event in events:
        check(event)
    assert "</html>" in (folder / "report.html").read_text()
    assert not [path for path in (folder / "targets").rglob("*") if path.is_symlink()]
    return events[-1], sorted(str(path.parent.relative_to(folder)) for path in folder.glob("targets/*/*/manifest.json"))


TARGETS = ["targets/tiny/frozen", "targets/tiny/ir"]


def test_github_builds_proves_and_delivers_and_next_time_has_nothing_to_do(project):
    folder, env = project
    ran = run_github(folder, env)
    assert ran.code == 0, ran.outputs
    last, targets = delivered(folder)
    assert (last["event"], targets) == ("result", TARGETS)
    calls = folder.parent / "calls.txt"
    assert "docker save --output images.tar bertbuild/tf1:local bertbuild/openvino:local\n" in calls.read_text()
    assert "2 of 2 results are what their statements say" in ran.outputs["Verify the provenance"]
    assert "2 of 2 targets answer like their source" in ran.outputs["Prove every target again"]
    assert "targets in " in (folder.parent / "summary.md").read_text()

    calls.unlink()
    shutil.rmtree(folder / "targets")
    (folder / "images.tar").touch()
    told = ("Look at the machine", "Verify the provenance", "Prove every target again", "Report")
    ran = run_github(folder, env, images_restored=True, without=told)
    assert ran.code == 0, ran.outputs
    assert {event["state"] for event in read_events(folder) if event["event"] == "stage"} == {"cached"}
    assert "docker load --quiet --input images.tar\n" in calls.read_text()
    assert "docker save" not in calls.read_text()


def test_gitlab_builds_proves_reports_and_delivers(project):
    ran = run_gitlab(*project)
    assert ran.code == 0, ran.outputs
    last, targets = delivered(project[0])
    assert (last["event"], targets) == ("result", TARGETS)


def test_a_build_that_fails_fails_the_job_and_delivers_what_there_is(project):
    folder, env = project
    ran = run_github(folder, env | {"HOST_PROGRAM_OFFSET": "1"}, without=("Look at the machine", "Images"))
    assert ran.code == 20, ran.outputs
    last, targets = delivered(folder)
    assert (last["event"], last["exit_code"]) == ("error", 20)
    assert targets == ["targets/tiny/frozen"]
