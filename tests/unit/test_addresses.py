"""User information in addresses: sent to the server that it is for, and found nowhere else."""

from __future__ import annotations

import json

import pytest

from bertbuild.addresses import bare, bare_value, with_credentials


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pass@host/path", "https://host/path"),
        ("https://token@host", "https://host"),
        ("https://user:p@ss@host:80/x", "https://host:80/x"),
        (
            "Looking in indexes: https://u:p@a/simple, http://u:p@b/simple",
            "Looking in indexes: https://a/simple, http://b/simple",
        ),
        ('{"url": "https://u:p@host/x"}', '{"url": "https://host/x"}'),
        ("git+https://u:p@host/x", "git+https://host/x"),
        ("socks5://u:p@host:1", "socks5://host:1"),
        ("https://host/path@v1", "https://host/path@v1"),
        ("https://host/?to=a@b", "https://host/?to=a@b"),
        ("someone@example.org", "someone@example.org"),
        ("pkg:generic/python@3.11", "pkg:generic/python@3.11"),
        ("image@sha256:abc", "image@sha256:abc"),
        ("", ""),
    ],
)
def test_addresses_lose_their_user_information_alone(text, expected):
    assert bare(text) == expected
    assert bare(bare(text)) == expected


def test_values_are_stripped_however_deep_and_in_names_too():
    value = {"https://u:p@h/": [{"a": ("https://u:p@h/x", 1, None)}]}
    assert bare_value(value) == {"https://h/": [{"a": ["https://h/x", 1, None]}]}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:pass@host/x?y#z", ("https://host/x?y#z", "Basic dXNlcjpwYXNz")),
        ("https://us%40er:p%3Aw@host", ("https://host", "Basic dXNAZXI6cDp3")),
        ("https://token@host/", ("https://host/", "Basic dG9rZW46")),
        ("https://host/a@b", ("https://host/a@b", "")),
    ],
)
def test_credentials_are_what_rfc_7617_makes_of_them(url, expected):
    assert with_credentials(url) == expected


def test_a_pass_over_a_large_event_is_quick_and_exact():
    event = {"lines": ["no address here"] * 1000, "n": 1.5}
    assert json.dumps(bare_value(event)) == json.dumps(event)
