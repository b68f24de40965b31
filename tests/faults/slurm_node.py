"""Slurm on this machine: its controller and one node, from Debian's packages, with files and ports of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time

from registry_server import free_port

PROGRAMS = {
    name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("munged", "slurmctld", "slurmd")
}
WHY_NOT = (
    "Slurm is not installed (apt-get install munge slurmctld slurmd slurm-client)"
    if None in PROGRAMS.values()
    else "Slurm's programs run as root alone"
    if os.geteuid()
    else ""
)
CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={control}
SlurmdPort={node}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=40000
PartitionName=all Nodes=node Default=YES
"""
"""One node that says to have as much as two of our jobs ask for; all else is Slurm's default."""


class Slurm:
    """Starts its three daemons; as a context it ends them, with all jobs."""

    def __init__(self, folder):
        self.folder = folder
        self._running = []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._end)
            self._start_all()
            stack.pop_all()
        return self

    def __exit__(self, *_error):
        self("scancel", "--user", "root", "--signal", "KILL", check=False)
        self._end()

    def _start_all(self):
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        ports = {"control": free_port(), "node": free_port()}
        (folder / "slurm.conf").write_text(CONF.format(host=socket.gethostname().split(".")[0], folder=folder, **ports))
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"key-file": key, "socket": folder / "munge.socket"}
        files |= {f"{name}-file": folder / f"munge.{name}" for name in ("pid", "log", "seed")}
        self._start("munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in files.items()))
        self._wait("munge's socket", (folder / "munge.socket").exists)
        self._start("slurmctld", "-D", "-f", folder / "slurm.conf")
        self._start("slurmd", "-D", "-f", folder / "slurm.conf", "-N", "node")
        self._wait("an idle node", lambda: "idle" in self("sinfo", "--noheader", "--format=%T", check=False))

    def _start(self, name, *words):
        with (self.folder / f"{name}.said").open("w") as said:
            command = [PROGRAMS[name], *map(str, words)]
            self._running.append(subprocess.Popen(command, env=self.environ(), stdout=said, stderr=said))

    def _end(self):
        for process in reversed(self._running):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()

    def _wait(self, what, there, seconds=30.0):
        until = time.monotonic() + seconds
        while not there():
            said = {path.name: path.read_text()[-1000:] for path in self.folder.glob("*.said")}
            assert time.monotonic() < until, (what, said)
            time.sleep(0.1)

    def environ(self, **more):
        """Variables of a person who uses it."""
        return os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")} | more

    def __call__(self, *words, check=True, **variables):
        """What a command of Slurm's says."""
        command = list(map(str, words))
        done = subprocess.run(command, env=self.environ(**variables), capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def jobs(self):
        """Those that wait or run."""
        return self("squeue", "--noheader", "--array", "--format=%i %T").split("\n")[:-1]
