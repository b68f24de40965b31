"""Whether what packages come from can be reached: asked before something is begun that would fail minutes later."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeoutError
from urllib.parse import urlsplit

from bertbuild.addresses import bare, with_credentials
from bertbuild.errors import BertbuildError
from bertbuild.isolation.unlocked import unlocked

TIMEOUT_SECONDS = 10.0
NOT_FOUND = 404

OTHER_INDEXES = ("BERTBUILD_PIP_CONF", "PIP_CONFIG_FILE")
"""Files that may name more indexes, so that one that does not answer says nothing."""


def unresolved(address: str) -> str:
    """Why the host of an address has no known address on the network, "" where it has, or where a proxy finds it."""
    try:
        parts = urlsplit(address)
        port = parts.port or 443
    except ValueError as error:
        return f"{bare(address)} is not an address: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    if urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(parts.hostname):
        return ""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        pool.submit(socket.getaddrinfo, parts.hostname, port).result(TIMEOUT_SECONDS)
    except OSError as error:
        return f"{parts.hostname} has no address: {error.strerror or error}"
    except FuturesTimeoutError:
        return f"{parts.hostname} has no address: no answer within {TIMEOUT_SECONDS:.0f} seconds"
    finally:
        pool.shutdown(wait=False)
    return ""


def require_index(backend: str, failure: type[BertbuildError]) -> None:
    """Make sure that the index answers which has the packages of a backend that no lock file holds.

    What only a whole build can tell (a password, a certificate) is left to it.

    Raises:
        BertbuildError: nobody answers there, or it does not have them; of the class `failure`.
    """
    packages = unlocked(backend)
    if packages is None or packages.wheels or any(os.environ.get(name) for name in OTHER_INDEXES):
        return
    if not packages.index.startswith(("http://", "https://")):
        return
    name = packages.names[0]
    why = unresolved(packages.index) or _asked(f"{packages.index.rstrip('/')}/{name}/", name)
    if why:
        raise failure(
            f"The package index {bare(packages.index)} cannot be used ({why}).",
            next_step=packages.sentence,
            details=f"{' and '.join(packages.names)} were looked for at {bare(packages.index)}",
        )


def _asked(address: str, name: str) -> str:
    """Why a page of an index cannot be had, "" where it can or that is not known."""
    bundle = os.environ.get("BERTBUILD_CA_BUNDLE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
        url, authorization = with_credentials(address)
        headers = {"Authorization": authorization} if authorization else {}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http or https
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context):  # noqa: S310 - http or https
            return ""
    except urllib.error.HTTPError as error:
        return f"it does not have {name}" if error.code == NOT_FOUND else ""
    except urllib.error.URLError as error:
        return "" if isinstance(error.reason, ssl.SSLError) else f"{error.reason}"
    except TimeoutError:
        return f"no answer within {TIMEOUT_SECONDS:.0f} seconds"
    except (OSError, ValueError, http.client.HTTPException):
        return ""
