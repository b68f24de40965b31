"""Addresses without the user information in them: messages, records and files are read by others than their owner."""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s\"'<>\\]*@")


def bare(text: str) -> str:
    """The text with every address in it without user information (RFC 3986 §3.2.1)."""
    return _USER.sub(r"\1", text) if "@" in text and "://" in text else text


def bare_value(value: Any) -> Any:
    """A value of JSON (or lists, tuples and mappings of such) with every text in it `bare`."""
    if isinstance(value, str):
        return bare(value)
    if isinstance(value, Mapping):
        return {bare_value(name): bare_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [bare_value(item) for item in value]
    return value


def with_credentials(url: str) -> tuple[str, str]:
    """An address without its user information, and the `Authorization` that this stands for; "" where there is none.

    Raises:
        ValueError: it is not an address.
    """
    parts = urllib.parse.urlsplit(url)
    user, found, host = parts.netloc.rpartition("@")
    if not found:
        return url, ""
    said = base64.b64encode(urllib.parse.unquote_to_bytes(user if ":" in user else f"{user}:")).decode()
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), f"Basic {said}"
