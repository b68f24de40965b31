"""examples/fleet.toml in containers, two at a time."""

import json
import os
import shutil
import subprocess
import sys

import make_checkpoints
import pytest

from bertbuild.project import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.whole]


@pytest.fixture(scope="module")
def build(isolation, tmp_path_factory):
    """Builds the example; gives exit code and events."""
    assert isolation
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copy(ROOT / "examples" / "fleet.toml", folder)
    make_checkpoints.main(folder / "checkpoints")

    def run(*words):
        command = [sys.executable, "-m", "bertbuild", "build", "--file", str(folder / "fleet.toml"), *words]
        environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(folder / "artifacts")}
        done = subprocess.run(
            [*command, "--isolation", "docker", "--json"], cwd=ROOT, env=environment, capture_output=True, check=False
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_thirty_targets_are_built_and_then_up_to_date(build):
    for state in ("built", "up to date"):
        code, events = build("--jobs", "2")
        assert code == 0, events[-1]
        ended = [event["state"] for event in events if event["event"] == "target"]
        assert ended == [state] * 30
    assert not subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", "name=bertbuild-"], capture_output=True, check=True
    ).stdout
