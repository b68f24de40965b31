"""How much memory there is, and how much processes use: read from Linux's /proc and /sys, in bytes."""

import os

from stage import StageInputError

GB = 10**9
BERT_LARGE_PARAMETERS = 335 * 10**6
BERT_LARGE_BYTES = 32 * GB
"""What AWS says the compiler needs for BERT-Large."""


def require(parameters, wanted_gb, available=None):
    """Make sure that there is the memory a compilation takes.

    Args:
        parameters: of the model, their number.
        wanted_gb: GB to ask for; 0 asks for none, None for a BERT-Large's need in proportion to the parameters.
        available: bytes; None: as many as this machine and container have.

    Raises:
        StageInputError: there is less.
    """
    wanted = BERT_LARGE_BYTES * parameters // BERT_LARGE_PARAMETERS if wanted_gb is None else int(wanted_gb * GB)
    free = available_memory() if available is None else available
    if free < wanted:
        raise StageInputError(
            "compiling a model of %d M parameters takes about %.1f GB of memory, and %.1f GB are free; use a larger "
            "machine (for BERT-Large c5.4xlarge or larger), raise BERTBUILD_MEMORY if that is the limit, or try "
            "nevertheless with --min-memory 0" % (parameters // 10**6, wanted / GB, free / GB)
        )


def available_memory(root="/"):
    """What new processes can use, in bytes: what the kernel says is available, or a control group's limit below it.

    Args:
        root: the folder that holds proc and sys.
    """
    with open(os.path.join(root, "proc/meminfo")) as file:
        fields = dict(line.split(":") for line in file)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    return min([available, *_limits(root)])


def _limits(root):
    """The memory limits of this process's control group and of those above it; a container sees only the last."""
    with open(os.path.join(root, "proc/self/cgroup")) as file:
        groups = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, group in groups:
        if controllers == "":  # version 2
            folder, name = "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        parts = group.strip("/").split("/")
        for depth in range(len(parts) + 1):
            try:
                with open(os.path.join(root, folder, *parts[:depth], name)) as file:
                    limit = file.read().strip()
            except OSError:
                continue  # the root has no limit, and a container's own group lies at its root
            if limit != "max":
                yield int(limit)


def used_by(pids):
    """The resident memory of some processes together, in bytes; those that are gone use none."""
    return sum(map(_pages, pids)) * os.sysconf("SC_PAGE_SIZE")


def _pages(pid):
    try:
        with open("/proc/%d/statm" % pid) as file:
            return int(file.read().split()[1])
    except OSError:
        return 0
