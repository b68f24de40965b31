"""A scheduler or worker that is told to end, which is how it ends: what it says."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

pytest.importorskip("distributed")

from bertbuild.cluster.processes import until_told
from bertbuild.commands.opening import opened


class Shown(list):
    def __call__(self, event):
        self.append(event)

    def close(self):
        pass


def test_it_is_not_told_to_run_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = Shown()

    async def run():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(10)

    with pytest.raises(KeyboardInterrupt), opened(shown, {}):
        until_told(run())
    assert (shown[-1]["message"], shown[-1]["next_step"], shown[-1]["exit_code"]) == (
        "Told to end; nothing that ran here runs any more.",
        "",
        130,
    )
