import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from bertbuild import __version__
from bertbuild.backends import BACKENDS as TABLE
from bertbuild.backends import lock_file
from bertbuild.errors import ImageBuildError
from bertbuild.isolation import docker_engine, image_builds, images
from bertbuild.isolation.compose_file import compose_command
from bertbuild.isolation.process import Children
from bertbuild.project import ROOT

pytestmark = pytest.mark.docker

BACKENDS = ("tf1", "openvino", "mo", "onnx", "tf2", "data")
OF_EACH_PYTHON = ("tf1", "data", *(pytest.param(name, marks=pytest.mark.whole) for name in BACKENDS[1:-1]))
BUDGET = {
    "tf1": 1600,
    "openvino": 900,
    "mo": 1800,
    "onnx": 450,
    "tf2": 2200,
    "data": 500,
}  # MB (10^6), base image and all


def docker(*arguments, **options):
    return subprocess.run(["docker", *arguments], stdout=subprocess.PIPE, text=True, check=True, **options).stdout


def inside(backend, *command):
    return docker(
        "run", "--rm", "--network=none", f"--entrypoint={command[0]}", images.image_name(backend), *command[1:]
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_built_image_is_ready_and_says_what_it_is_made_of(isolation, backend):
    image = docker_engine.image(images.image_name(backend))
    assert isolation.is_ready(backend)
    assert isolation.environment(backend) == images.facts(backend, image)
    base = images.base_name(backend)
    assert image.labels["org.bertbuild.base"] == images.identity(base, docker_engine.image(base))
    assert image.labels["org.bertbuild.lock"] == images.lock_digest(backend)
    assert image.labels["org.bertbuild.source"] == images.source_digest(backend)


def test_an_image_of_other_sources_is_stale(isolation, derived, monkeypatch):
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", derived("openvino", "stale", ["LABEL org.bertbuild.source=older"]))
    assert not isolation.is_ready("openvino")
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", "never-built")
    assert not isolation.is_ready("openvino")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.usefixtures("isolation")
def test_size_is_within_budget(backend):
    size = int(docker("image", "inspect", "--format={{.Size}}", images.image_name(backend)))
    assert size <= BUDGET[backend] * 10**6


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.usefixtures("isolation")
def test_packages_are_those_of_the_lock_and_no_others(backend):
    listing = inside(backend, "sh", "-c", "ls -d /opt/venv/lib/python3*/site-packages/*.dist-info")
    found = {
        f"{name.lower().replace('_', '-')}=={version}"
        for name, version in re.findall(r"/([^/]+)-([^/-]+)\.dist-info$", listing, re.MULTILINE)
    }
    assert found == set(re.findall(r"^(\S+==\S+)", lock_file(backend).read_text(), re.MULTILINE))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.usefixtures("isolation")
def test_no_compiler_no_cache_no_secret_and_all_byte_compiled(backend):
    script = """
        command -v gcc cc g++ make
        ls ~root/.cache /var/cache/pip /run/secrets 2>/dev/null
        find /opt/bertbuild -name '*.py' | while read -r file; do
            ls "${file%/*}"/__pycache__/"$(basename "$file" .py)".cpython-*.pyc >/dev/null || echo "$file"
        done
    """
    assert inside(backend, "sh", "-c", script + "true") == ""


@pytest.mark.parametrize("backend", OF_EACH_PYTHON)
@pytest.mark.usefixtures("isolation")
def test_byte_code_never_looks_at_its_source_again(backend):
    """PEP 552: bit 0 of the flags is for a hash in the place of a date, bit 1 for one that is compared."""
    script = (
        "import pathlib; print({int.from_bytes(open(path, 'rb').read(8)[4:], 'little')"
        " for path in pathlib.Path('/opt').rglob('*.pyc')"
        " if not path.match('numpy/distutils/__pycache__/conv_template.*')})"  # NumPy's wheel has that one
    )
    assert inside(backend, "python", "-c", script) == "{1}\n"


@pytest.mark.parametrize("backend", OF_EACH_PYTHON)
@pytest.mark.usefixtures("isolation")
def test_no_program_of_an_image_makes_anybody_another_user_and_it_says_what_it_is(backend):
    command = ["run", "--rm", "--network=none", "--user=0", "--entrypoint=find", images.image_name(backend)]
    assert docker(*command, "/", "-xdev", "-type", "f", "-perm", "/6000") == ""
    labels = docker_engine.image(images.image_name(backend)).labels
    of_images = "org.opencontainers.image"
    assert labels[f"{of_images}.title"] == f"bertbuild {backend}"
    assert labels[f"{of_images}.version"] == __version__
    assert labels[f"{of_images}.base.name"] == images.base_name(backend)
    assert labels[f"{of_images}.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.usefixtures("isolation")
def test_an_image_lists_its_stages(backend):
    command = ["docker", "run", "--rm", "--network=none", images.image_name(backend)]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert listing.returncode == 2
    assert "the stages of this image:" in listing.stderr
    assert ("tf1/metagraph" in listing.stderr) == (backend == "tf2")  # TensorFlow 1's code, for v1 mode


@pytest.mark.whole
@pytest.mark.usefixtures("isolation")
def test_what_builds_it_secretly_is_in_no_layer(tmp_path):
    marker = "marker-of-a-secret-7f3a9c"
    bundle = tmp_path / "ca.pem"
    system = (
        os.environ.get("BERTBUILD_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    )
    bundle.write_bytes(Path(system).read_bytes() + f"\n# {marker}\n".encode())
    pip_conf = tmp_path / "pip.conf"
    pip_conf.write_text(f"[global]\nglobal-extra = {marker}\n")
    env = {
        **image_builds._build_environment("openvino", "sha256:base"),
        "BERTBUILD_IMAGE_TAG": "secrets",
        "BERTBUILD_CA_BUNDLE": str(bundle),
        "BERTBUILD_PIP_CONF": str(pip_conf),
    }
    lines = []
    command = [*compose_command(), "build", "--no-cache", "openvino"]
    assert image_builds.run_lines(command, env=env, on_line=lines.append, children=Children()) == 0
    image = "bertbuild/openvino:secrets"
    assert marker not in "\n".join(lines) + docker("history", "--no-trunc", image) + docker("image", "inspect", image)
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        seen = b""
        for chunk in iter(lambda: saved.stdout.read(1 << 22), b""):
            assert marker.encode() not in seen + chunk
            seen = chunk[-len(marker) :]
    docker("rmi", image)


def test_a_base_that_cannot_be_had_is_an_image_build_error_with_a_next_step(isolation, monkeypatch):
    monkeypatch.setenv("BERTBUILD_BASE_PYTHON311", "localhost:1/bertbuild/no-such-base:1")
    with pytest.raises(ImageBuildError, match="backend openvino") as caught:
        isolation.prepare("openvino", lambda _line: None)
    assert "BERTBUILD_BASE_PYTHON311" in caught.value.next_step
    assert "no-such-base" in caught.value.details


def test_compose_yaml_confines_every_service():
    config = json.loads(docker("compose", "--profile=neuron", "config", "--format=json", cwd=ROOT))
    assert sorted(config["services"]) == sorted([*BACKENDS, "neuron", "neuron-device"])
    for name, service in config["services"].items():
        assert service["network_mode"] == "none"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["pull_policy"] == "never"
        assert service["user"] == "65534:65534"
        assert service.get("memswap_limit") == service.get("mem_limit")
        assert name == "neuron" or int(service["mem_limit"]) > 0  # the compiler asks for what it needs before it starts
        assert ("devices" in service) == (name == "neuron-device")
        assert service["pids_limit"] > 0


@pytest.mark.whole
@pytest.mark.parametrize("pair", [("openvino@2024.6", "mo"), ("tf2", "data")])
@pytest.mark.usefixtures("isolation")
def test_images_that_are_built_together_share_the_layers_of_what_they_have_in_common(pair):
    """The base, the standard library's byte-code, and the packages of both lock files.

    Both are built again, with files of another date: of images that were built at different times each may have layers
    of its own, as the builder's cache forgets them, with the same files in folders of other dates.
    """
    together = {"BERTBUILD_IMAGE_TAG": "together", "SOURCE_DATE_EPOCH": "315619200"}
    for backend in pair:
        env = {**image_builds._build_environment(backend, "sha256:base"), **together}
        lines = []
        command = [*compose_command(), "build", TABLE[backend].folder]
        assert image_builds.run_lines(command, env=env, on_line=lines.append, children=Children()) == 0, lines
    of_base = len(docker_engine.image(images.base_name(pair[0])).layers)
    names = [f"bertbuild/{TABLE[backend].image}:together" for backend in pair]
    layers = [docker_engine.image(name).layers[: of_base + 2] for name in names]
    docker("rmi", *names)
    assert len(layers[0]) == of_base + 2
    assert set(layers) == {layers[0]}


@pytest.mark.whole
@pytest.mark.usefixtures("isolation")
def test_two_builds_without_a_cache_have_the_same_layers():
    """Of the smallest image; bench/image_layers.py does it for all."""
    layers = []
    for tag in ("first", "second"):
        env = {**image_builds._build_environment("data", "sha256:base"), "BERTBUILD_IMAGE_TAG": tag}
        command = [*compose_command(), "build", "--no-cache", "data"]
        assert image_builds.run_lines(command, env=env, on_line=print, children=Children()) == 0
        layers.append(docker_engine.image(f"bertbuild/data:{tag}").layers)
        docker("rmi", f"bertbuild/data:{tag}")
    assert layers[0] == layers[1]
