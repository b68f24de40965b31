from __future__ import annotations

import pytest

from bertbuild.cluster.settings import read_address, scheduler_of
from bertbuild.config import Settings
from bertbuild.errors import UsageError


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tls://scheduler.example.com:8786", "tls://scheduler.example.com:8786"),
        ("tls://10.0.0.1", "tls://10.0.0.1:8786"),
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1"),
        ("tcp://127.0.0.2:8786", "tcp://127.0.0.2:8786"),
        ("tcp://localhost:8786", "tcp://localhost:8786"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
    ],
)
def test_addresses(text, told):
    assert str(read_address(text)) == told


@pytest.mark.parametrize(
    "text",
    ["localhost:8786", "http://a:1", "tls://", "tls://a:b", "tls://a:70000", "tls://u:p@a:1", "tcp://127.0.0.1/"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="is of no known form"):
        read_address(text)


@pytest.mark.parametrize("text", ["tcp://10.0.0.1:8786", "tcp://scheduler:8786"])
def test_another_machine_is_reached_over_tls_alone(text):
    with pytest.raises(UsageError, match="neither encrypted nor authenticated"):
        read_address(text)


def test_a_command_that_needs_a_scheduler_says_how_to_name_one():
    with pytest.raises(UsageError, match="No scheduler is named"):
        scheduler_of(Settings())
