"""Machines as network namespaces on one bridge, whose cables can be cut: packets are lost, and nothing is refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

import pytest

NET = "10.213.47"
"""The first three bytes of all addresses; they are those of namespaces alone."""
BRIDGE = "bridge"


class Network:
    """Each machine has an address, and a cable to a bridge that is in a namespace of its own."""

    def __init__(self, tag):
        self._tag, self._numbers = tag, {}

    def __enter__(self):
        _ip("netns", "add", self._named(BRIDGE))
        self._ip_in(BRIDGE, "link", "add", BRIDGE, "type", "bridge")
        self._ip_in(BRIDGE, "link", "set", BRIDGE, "up")
        return self

    def __exit__(self, *_error):
        for name in (*self._numbers, BRIDGE):
            subprocess.run(["ip", "netns", "del", self._named(name)], check=False)

    def address(self, name):
        """The address of a machine, which is new where it is named for the first time."""
        if name not in self._numbers:
            number = self._numbers[name] = len(self._numbers) + 1
            _ip("netns", "add", self._named(name))
            ends = ("netns", self._named(BRIDGE), "type", "veth", "peer", "name", "eth0", "netns", self._named(name))
            _ip("link", "add", self._cable(name), *ends)
            self._ip_in(name, "addr", "add", f"{NET}.{number}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                self._ip_in(name, "link", "set", device, "up")
            self._ip_in(BRIDGE, "link", "set", self._cable(name), "up")
            self.mend(name)
        return f"{NET}.{self._numbers[name]}"

    def within(self, name):
        """The words before a command that runs on a machine; it is the same process then."""
        self.address(name)
        return ["ip", "netns", "exec", self._named(name)]

    def cut(self, name):
        """Cut a machine's cable: what it sends, and what is sent to it, is lost."""
        self._ip_in(BRIDGE, "link", "set", self._cable(name), "nomaster")

    def mend(self, name):
        """Join it again."""
        self._ip_in(BRIDGE, "link", "set", self._cable(name), "master", BRIDGE)

    def cut_between(self, name, other):
        """What one machine sends to another is lost."""
        self._ip_in(name, "route", "add", "blackhole", self.address(other))
        self._ip_in(name, "route", "flush", "cache")

    def mend_between(self, name, other):
        """Join them again."""
        self._ip_in(name, "route", "del", "blackhole", self.address(other))

    def _named(self, name):
        return f"bertbuild-{self._tag}-{name}"

    def _cable(self, name):
        return f"cable{self._numbers[name]}"

    def _ip_in(self, name, *words):
        _ip("-netns", self._named(name), *words)


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)


@contextlib.contextmanager
def network():
    """A network of this process; the test is skipped where none can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root makes network namespaces, with iproute2")
    with Network(os.getpid()) as made:
        yield made
