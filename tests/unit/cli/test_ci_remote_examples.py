"""The examples with a registry as the store: valid, careful, and only the protected branch writes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from example_files import GITHUB, GITLAB
from ruamel.yaml import YAML

HUB, LAB = (file.with_name(f"{file.stem}-remote.yml") for file in (GITHUB, GITLAB))


def jobs(file):
    value = YAML(typ="safe", pure=True).load(file)
    return value["jobs"] if file == HUB else {name: value[name] for name in ("sign", "read")}


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        (HUB, ["vendor.github-workflows"]),
        (HUB, ["custom.github-workflows-require-timeout"]),
        (LAB, ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
)
def test_each_is_what_its_platform_takes(file, schema):
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", *schema, str(file)])
    assert done.exit_code == 0, done.output


def test_a_linter_for_security_finds_nothing_in_the_workflow():
    program = Path(sys.executable).parent / "zizmor"
    command = [program, "--offline", "--no-config", "--persona", "pedantic", "--no-progress", HUB]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_actions_are_those_of_the_other_example():
    def pins(file):
        return set(re.findall(r"uses: (\S+ # \S+)$", file.read_text(encoding="utf-8"), re.MULTILINE))

    assert pins(HUB) <= pins(GITHUB)


def test_a_pull_request_can_neither_write_nor_sign():
    read, sign = jobs(HUB)["read"], jobs(HUB)["sign"]
    assert read["permissions"] == {"contents": "read", "packages": "read"}
    assert (read["if"], sign["if"]) == ("github.event_name == 'pull_request'", "github.event_name == 'push'")
    assert sign["environment"] == "signing"
    assert "secrets." not in str(read)
    assert "BERTBUILD_REMOTE_WRITE" not in str(read)
    assert "BERTBUILD_REMOTE_WRITE" in str(sign)
    read, sign = jobs(LAB)["read"], jobs(LAB)["sign"]
    assert "BERTBUILD_REMOTE_WRITE" not in read["variables"]
    assert sign["variables"]["BERTBUILD_REMOTE_WRITE"] == "true"
    assert "merge_request" in str(read["rules"])


def test_no_expression_is_put_into_a_script():
    assert not [step for job in jobs(HUB).values() for step in job["steps"] if "${{" in step.get("run", "")]


def test_bash_can_read_every_script():
    texts = [step["run"] for job in jobs(HUB).values() for step in job["steps"] if "run" in step]
    whole = YAML(typ="safe", pure=True).load(LAB)
    texts += [*whole[".build"]["before_script"], *whole["sign"]["script"], *whole["read"]["script"]]
    for text in texts:
        done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_all_parts_are_built():
    for job in jobs(HUB).values():
        parts = job["strategy"]["matrix"]["part"]
        assert parts == list(range(1, len(parts) + 1))
        assert f"$PART/{len(parts)}" in str(job["steps"])
