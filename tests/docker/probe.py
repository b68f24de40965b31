"""A stage that is none: it tells what it finds around itself, or misbehaves. Put into an image by the tests."""

import json
import os
import socket
import sys
import time
from pathlib import Path

from stage import Stage, emit

STAGE = Stage("probe", "tells what it finds around itself, or misbehaves")
STAGE.input("data", "anything")
STAGE.param("act", "what to do", default="look")

FOLDERS = ("/", "/etc", "/opt", "/opt/bertbuild", "/usr", "/bertbuild", "/tmp")  # noqa: S108 - the container's own


def writable(folder):
    """Whether a file can be made in a folder."""
    try:
        Path(folder, "written").write_text("x")
    except OSError:
        return False
    return True


def reaches(address):
    """Whether there is a route to an address; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return False
    return True


def answered(port):
    """Which of an address far away and of this network's gateway take a connection at a port."""
    lines = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    gateways = [socket.inet_ntoa(bytes.fromhex(line[2])[::-1]) for line in lines if line[1] == "00000000"]
    found = []
    for address in ("192.0.2.1", *gateways):
        try:
            socket.create_connection((address, port), timeout=2).close()
        except OSError:
            continue
        found.append(address)
    return found


def status():
    """/proc/self/status as a dictionary."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def look(args):
    """What a stage can see and do."""
    tmp = os.statvfs(FOLDERS[-1])
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "status": status(),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "reaches": reaches("192.0.2.1"),
        "writable": [folder for folder in (*FOLDERS, args.data, args.out) if writable(folder)],
        "data": {path.name: path.read_text() for path in Path(args.data).iterdir()},
        "artifacts": sorted(path.name for path in Path("/bertbuild/artifacts").iterdir()),
        "tmp_bytes": tmp.f_blocks * tmp.f_frsize,
        "init": Path("/proc/1/comm").read_text().strip(),
        "modules_without_bytecode": [
            name
            for name, module in sys.modules.items()
            if name != "__main__" and not Path(getattr(module, "__cached__", None) or "/").exists()
        ],
    }


def run(args, _report):
    """Do what --act says."""
    emit("probe", act=args.act)
    sys.stderr.write("a line on stderr\n")
    sys.stdout.write("a line on stdout that is not an event\n")
    if args.act == "look":
        Path(args.out, "look.json").write_text(json.dumps(look(args)))
    elif args.act == "dial":
        port = int(Path(args.data, "port").read_text())
        Path(args.out, "look.json").write_text(json.dumps({**look(args), "answered": answered(port)}))
    elif args.act == "eat":
        eaten = []
        while True:
            eaten.append(b"x" * (8 << 20))
    elif args.act == "sleep":
        time.sleep(600)
    elif args.act == "fail":
        raise RuntimeError("the backend's own words")
    elif args.act == "die":
        os.kill(os.getpid(), 9)


if __name__ == "__main__":
    STAGE.main(run)
