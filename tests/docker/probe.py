"""A stage that is none: it tells what it finds around itself, or misbehaves. Put into an image by the tests."""

import json
import os
import socket
import sys
import time

from stage import Stage, emit

STAGE = Stage("probe", "tells what it finds around itself, or misbehaves")
STAGE.input("data", "anything")
STAGE.param("act", "what to do", default="look")


def writable(path):
    """Whether a file can be made in a folder."""
    try:
        with open(os.path.join(path, "written"), "w") as file:
            file.write("x")
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


def status():
    """/proc/self/status as a dictionary."""
    with open("/proc/self/status") as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


def look(args):
    """What a stage can see and do."""
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "status": status(),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "reaches": reaches("192.0.2.1"),
        "writable": {
            path: writable(path)
            for path in ("/", "/etc", "/opt", "/opt/bertbuild", "/usr", "/work", "/tmp", args.data, args.out)
        },
        "data": {name: open(os.path.join(args.data, name)).read() for name in os.listdir(args.data)},
        "artifacts": sorted(os.listdir("/work/artifacts")),
        "tmp_bytes": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "init": open("/proc/1/comm").read().strip(),
        "modules_without_bytecode": [
            name
            for name, module in sys.modules.items()
            if name != "__main__" and not os.path.exists(getattr(module, "__cached__", None) or "/")
        ],
    }


def run(args, report):
    """Do what --act says."""
    emit("probe", act=args.act)
    sys.stderr.write("a line on stderr\n")
    print("a line on stdout that is no event")
    if args.act == "look":
        with open(os.path.join(args.out, "look.json"), "w") as file:
            json.dump(look(args), file)
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
