"""The CI files under examples/ that share a registry, run here: their own lines, against the real docker-registry.

Stages, Docker's login and what installs are played. Images go through a registry in tests/docker.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from example_files import GITHUB, GITLAB
from make_checkpoints import config, write_google
from pipeline import BASH
from registry_server import BCRYPT, PROGRAM, registry
from ruamel.yaml import YAML

pytest.importorskip("securesystemslib")

from remote_doubles import keys_in

from bertbuild.remote.http import Http
from bertbuild.remote.registry import Registry

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed (apt-get install docker-registry)"),
]
SHARED = Path(__file__).parents[2] / "shared"
HUB, LAB = (YAML(typ="safe", pure=True).load(file.with_name(f"{file.stem}-remote.yml")) for file in (GITHUB, GITLAB))
PARTS = 3
PLAYED = {
    "bertbuild": """
        echo "$* write=$BERTBUILD_REMOTE_WRITE key=$BERTBUILD_REMOTE_KEY" >>"$CALLS"
        [[ $1 == images ]] && exit
        exec "{python}" "{shared}/lock_program.py" "$@" --json""",
    "python": "",  # installs nothing
    "apt-get": "",
    "docker": """
        [[ $1 == login && $3 == --username && $5 == --password-stdin ]] || exit 64
        login=$(printf '%s' "$4:$(cat)" | base64 -w 0)
        mkdir -p ~/.docker
        printf '{{"auths":{{"%s":{{"auth":"%s"}}}}}}' "$HOST" "$login" >~/.docker/config.json""",
}


@pytest.fixture
def place(tmp_path):
    """A registry that wants a login, a key, and machines that have neither till a job's lines say so."""
    programs, users = tmp_path / "bin", tmp_path / "users"
    programs.mkdir()
    for name, script in PLAYED.items():
        (programs / name).write_text(f"#!/bin/bash\n{script.format(python=sys.executable, shared=SHARED)}\n")
        (programs / name).chmod(0o755)
    users.write_text(f"team:{BCRYPT}\n")
    with registry(tmp_path / "registry", more=f"auth: {{htpasswd: {{realm: r, path: {users}}}}}\n") as host:
        yield Place(tmp_path, host, programs)


class Place:
    def __init__(self, folder, host, programs):
        self.folder, self.host, self._programs, self._count = folder, host, programs, 0
        self.key, self.public = keys_in(folder / "keys")

    def run(self, scripts, models, **variables):
        """The lines of a job on a machine of its own with these models; its calls, and the stages that it ran."""
        self._count += 1
        machine = self.folder / f"machine-{self._count}"
        for name, layers in models.items():
            write_google(machine / "checkpoints" / name, config("tiny", num_hidden_layers=layers))
        lines = [
            '[targets.frozen]\nkind = "frozen"\n',
            *(f'[models.{n}]\ncheckpoint = "checkpoints/{n}"\n' for n in models),
        ]
        (machine / "bertbuild.toml").write_text("\n".join(lines))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BERTBUILD_")}
        env = {**kept, "PATH": f"{self._programs}:{kept['PATH']}", "HOME": str(machine), "HOST": self.host}
        env |= {"CALLS": str(machine / "calls"), "RUNNER_TEMP": str(machine), **variables}
        said = []
        for script, more in scripts:
            done = subprocess.run(
                [*BASH, script], cwd=machine, env=env | more, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
            said += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        ran = [event["stage"] for event in said if event["event"] == "stage" and event["state"] == "started"]
        calls = (machine / "calls").read_text().replace(str(machine), "").replace(str(self.key), "KEY").splitlines()
        assert not list(machine.glob("*.pem"))
        return calls, sorted(name for name in ran if name != "inspect")

    def results(self):
        """What the registry has."""
        http = Http(self.host, "team/models/bertbuild")
        http._login = ("team", "s3cret", "")
        return sorted(Registry("", http, "team/models/bertbuild").names())


def on_github(place, job, part, models):
    """A job of the workflow; expressions have their values, and the registry is the one that is here."""
    values = {
        "github.repository": "team/models",
        "github.token": "s3cret",
        "vars.BERTBUILD_TRUST": place.public,
        "secrets.BERTBUILD_KEY": place.key.read_text(),
        "matrix.part": str(part),
    }

    def known(variables):
        texts = {name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: values[found[1]], v) for name, v in variables.items()}
        return {name: text.replace("ghcr.io", place.host) for name, text in texts.items()}

    value = HUB["jobs"][job]
    scripts = [(step["run"], known(step.get("env", {}))) for step in value["steps"] if "run" in step]
    return place.run(scripts, models, **known(HUB["env"]), **known(value["env"]), GITHUB_ACTOR="team")


def on_gitlab(place, job, models, **protected):
    """A job of the pipeline, not split; `protected` variables are there where a protected branch is built."""
    value, shared = LAB[job], LAB[".build"]
    known = {"CI_REGISTRY_IMAGE": f"{place.host}/team/models"}
    known |= dict.fromkeys(("CI_REGISTRY_USER", "BERTBUILD_READER"), "team")
    known |= dict.fromkeys(("CI_REGISTRY_PASSWORD", "BERTBUILD_READER_TOKEN"), "s3cret")
    texts = {**shared["variables"], **value["variables"]}
    env = {name: re.sub(r"\$(\w+)", lambda found: known[found[1]], text) for name, text in texts.items()}
    env |= {"BERTBUILD_REMOTE_TRUST": place.public, "CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "1", **protected}
    lines = "\n".join([*shared["before_script"], *value["script"]])
    return place.run([(lines, {})], models, CI_REGISTRY=place.host, **env)


MODELS = {"one": 1, "two": 2, "three": 3}
STEPS = ["freeze", "parity", "tf1-infer", "tf1-infer"]
"""Of one model: its target, the verdict, the answers of source and target."""
OF_WORDS = ["tokenizer"]
"""Of all models, which have one vocabulary: what each part may run."""


@pytest.mark.whole
def test_on_github_the_branch_writes_and_signs_and_a_pull_request_reads(place):
    made = []
    for part in range(1, PARTS + 1):
        (images, build), ran = on_github(place, "sign", part, MODELS)
        assert images == "images --backend data,tf1,openvino,tf2 --pull --push write= key=/remote.pem"
        assert build == f"build --shard {part}/{PARTS} --keep-going write=true key=/remote.pem"
        made += ran
    assert sorted(name for name in made if name not in OF_WORDS) == sorted(STEPS * 3)  # each once
    there, made = place.results(), []
    for part in range(1, PARTS + 1):
        (images, build), ran = on_github(place, "read", part, MODELS | {"one": 4})
        assert images == "images --backend data,tf1,openvino,tf2 --pull write= key="
        assert build == f"build --shard {part}/{PARTS} --keep-going --fetch none write= key="
        made += ran
    assert sorted(name for name in made if name not in OF_WORDS) == STEPS  # what the pull request changed
    assert place.results() == there


def test_on_gitlab_the_branch_writes_and_signs_and_a_merge_request_reads(place):
    calls, ran = on_gitlab(place, "sign", {"one": 1}, BERTBUILD_REMOTE_KEY=str(place.key))
    assert calls == [
        "images --backend data,tf1,openvino,tf2 --pull --push write=true key=KEY",
        "build --shard 1/1 --keep-going write=true key=KEY",
    ]
    assert ran == [*STEPS, *OF_WORDS]
    assert len(place.results()) == len(ran)
    calls, ran = on_gitlab(place, "read", {"one": 1})
    assert calls == [
        "images --backend data,tf1,openvino,tf2 --pull write= key=",
        "build --shard 1/1 --keep-going --fetch none write= key=",
    ]
    assert ran == []
