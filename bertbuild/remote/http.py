"""Requests to a registry: its credentials as `docker login` left them, tokens, patience, and words for what goes wrong.

https://distribution.github.io/distribution/spec/auth/token/ and RFC 9110. Certificates are the system's, or those of
SSL_CERT_FILE; the `*_proxy` variables work.
"""

from __future__ import annotations

import base64
import importlib
import re
import ssl
import threading
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError
from urllib3.response import BaseHTTPResponse

from bertbuild import __version__
from bertbuild.addresses import bare
from bertbuild.errors import RemoteError
from bertbuild.json_text import parse_json

CONNECTIONS = 40
_TRIES = 3
_LONGEST_WAIT = 5.0
"""Seconds that a server may ask to be left alone for; one that asks for more is given up, and the build goes on."""
_REDIRECTS = 5
_TOKEN_BYTES = 1 << 20
_OF_NO_MATTER = 1 << 16
_FOR_NOW = (429, 500, 502, 503, 504)
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_CERTIFICATES = (
    ("has expired", "it has expired", "Let it be renewed; or set this machine's clock, if that is wrong."),
    ("not yet valid", "it is not valid yet", "Set this machine's clock, if that is wrong."),
    ("match", "it is another server's", "Name the registry as its certificate does."),
    ("", "its issuer is not known", "Point SSL_CERT_FILE at the bundle that has its issuer."),
)
"""Of what OpenSSL says: a part, what it means, what helps."""
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")


class Http:
    """Requests to one registry."""

    def __init__(self, host: str, repository: str, *, plain: bool = False, timeout: float = 20.0) -> None:
        """`plain`: without TLS, which otherwise only a registry on this machine is asked."""
        self.host, self._repository = host, repository
        scheme = "http" if plain or is_loopback(host) else "https"
        self.base = f"{scheme}://{host}"
        self._pool = _pool(self.base, timeout)
        self._lock = threading.Lock()
        self._authorization: dict[bool, str] = {}  # by whether writing is wanted
        self._login: tuple[str, str, str] | None = None

    def close(self) -> None:
        """Let all connections go."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        writes: bool = False,
        tries: int = _TRIES,
    ) -> BaseHTTPResponse:
        """The answer to a request, its body not read; the caller reads it or lets it go.

        Args:
            method: of HTTP.
            path: below the registry, or an address that it gave.
            headers: of the request.
            body: likewise.
            writes: whether a token for writing is needed.
            tries: how often it is asked while it is busy.

        Raises:
            RemoteError: it does not answer, goes on being busy, or does not let us in.
        """
        url = self._followed(f"{self.base}/", path)
        challenged = False
        for number in range(1, 100):
            answer = self._once(method, url, headers or {}, body, writes=writes, last=number >= tries)
            if answer is None:
                time.sleep(0.2 * 2**number)
                continue
            if answer.status == 401 and not challenged and self._is_ours(url):
                challenged = True
                self._answer_challenge(answer, writes=writes)
                continue
            if answer.status in (401, 403):
                let_go(answer)
                raise self._refused(answer.status, writes=writes)
            if answer.status in _FOR_NOW:
                wait = _seconds(answer.headers.get("Retry-After"), 0.2 * 2**number)
                let_go(answer)
                if number >= tries or wait > _LONGEST_WAIT:
                    raise self._busy(answer.status)
                time.sleep(wait)
                continue
            return answer
        raise AssertionError  # the last try returns or raises

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, writes: bool, last: bool
    ) -> BaseHTTPResponse | None:
        """One attempt, sent on where the server says so; None where the connection failed and it is not the last."""
        for _ in range(_REDIRECTS):
            told = {"User-Agent": f"bertbuild/{__version__}", **headers}
            if self._is_ours(url) and (known := self._authorization.get(writes)):
                told["Authorization"] = known  # and to no other server
            try:
                answer = self._pool.request(
                    method, url, headers=told, body=body, preload_content=False, redirect=False, retries=False
                )
            except (HTTPError, OSError, ValueError) as error:
                reason = error.reason if isinstance(error, MaxRetryError) else error
                if isinstance(reason, SSLError):
                    raise self._certificate(reason) from error
                if last:
                    raise self.silent(error) from error
                return None
            if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
                return answer
            let_go(answer)
            url = self._followed(url, answer.headers["Location"])
        raise self._sent_elsewhere()

    def _followed(self, url: str, place: str) -> str:
        """An address that the registry gave, seen from another one: its own, or one with TLS.

        Raises:
            RemoteError: it is neither.
        """
        try:
            found = urllib.parse.urljoin(url, place)
        except ValueError as error:
            raise self._sent_elsewhere() from error
        if not found.startswith(("https://", f"{self.base}/")):
            raise self._sent_elsewhere()
        return found

    def _sent_elsewhere(self) -> RemoteError:
        return RemoteError(
            f"The registry {self.host} redirects to an address that is not followed.",
            next_step="Name the registry itself in [remote] url.",
        )

    def _is_ours(self, url: str) -> bool:
        return url.startswith(f"{self.base}/")

    def _answer_challenge(self, answer: BaseHTTPResponse, *, writes: bool) -> None:
        """Get what a registry wants to see: https://distribution.github.io/distribution/spec/auth/token/."""
        asked = answer.headers.get("WWW-Authenticate", "")
        let_go(answer)
        scheme, _, rest = asked.partition(" ")
        with self._lock:
            if scheme.lower() == "basic":
                user, password, _ = self._credentials()
                if not user:
                    raise self._refused(401, writes=writes)
                self._authorization[writes] = _basic(user, password)
            elif scheme.lower() == "bearer":
                found = {one[0].lower(): one[1] or one[2] for one in _PARAMETER.findall(rest)}
                self._authorization[writes] = f"Bearer {self._token(found, writes=writes)}"
            else:
                raise self._refused(401, writes=writes)

    def _token(self, challenge: Mapping[str, str], *, writes: bool) -> str:
        realm = challenge.get("realm", "")
        parts = urllib.parse.urlsplit(realm)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.netloc)):
            raise RemoteError(
                f"The registry {self.host} wants a login to be sent without TLS, to {bare(realm)[:200]!r}.",
                next_step="Use a registry whose token service has https.",
            )
        scope = f"repository:{self._repository}:{'pull,push' if writes else 'pull'}"
        user, password, identity = self._credentials()
        asked = {"service": challenge.get("service", ""), "scope": scope, "client_id": "bertbuild"}
        try:
            if identity:
                asked |= {"grant_type": "refresh_token", "refresh_token": identity}
                form = {"Content-Type": "application/x-www-form-urlencoded"}
                body = urllib.parse.urlencode(asked).encode()
                answer = self._pool.request(
                    "POST", realm, headers=form, body=body, preload_content=False, redirect=False
                )
            else:
                headers = {"Authorization": _basic(user, password)} if user else {}
                url = f"{realm}?{urllib.parse.urlencode(asked)}"
                answer = self._pool.request("GET", url, headers=headers, preload_content=False, redirect=False)
            content = read(answer, _TOKEN_BYTES)
        except (HTTPError, OSError) as error:
            raise self.silent(error) from error
        if answer.status != 200:
            raise self._refused(answer.status, writes=writes)
        try:
            value = parse_json(content)
            return str(value.get("token") or value["access_token"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._refused(answer.status, writes=writes) from error

    def _credentials(self) -> tuple[str, str, str]:
        """User, password and identity token, as `docker login` left them; read once, and never written."""
        if self._login is None:
            auth, errors = importlib.import_module("docker.auth"), importlib.import_module("docker.errors")
            try:
                with warnings.catch_warnings():  # of a helper that is not there, which is told below
                    warnings.simplefilter("ignore")
                    found: Mapping[str, Any] = auth.load_config().resolve_authconfig(self.host) or {}
            except (errors.DockerException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise RemoteError(
                    f"The login for the registry {self.host} cannot be read: {type(error).__name__}.",
                    next_step=f"Log in again: docker login {self.host}.",
                ) from error
            names = (("Username", "username"), ("Password", "password"), ("IdentityToken", "identitytoken"))
            user, password, identity = (str(found.get(one) or found.get(other) or "") for one, other in names)
            self._login = (user, password, identity)
        return self._login

    def _refused(self, status: int, *, writes: bool) -> RemoteError:
        what = "take results" if writes else "give results"
        return RemoteError(
            f"The registry {self.host} does not {what} (HTTP {status}).",
            next_step=f"Log in: docker login {self.host}; or ask whoever runs it to let you use {self._repository}.",
        )

    def _busy(self, status: int) -> RemoteError:
        why = "it is asked too often" if status == 429 else "it has a fault"
        return RemoteError(
            f"The registry {self.host} does not serve now: {why} (HTTP {status}).", next_step="Try again later."
        )

    def silent(self, error: object) -> RemoteError:
        """The error of a registry that does not answer."""
        return RemoteError(
            f"The registry {self.host} does not answer ({_kind(error)}).",
            next_step="Check its address, the network and the proxy settings.",
        )

    def _certificate(self, error: object) -> RemoteError:
        said = str(error)
        why, helps = next((rest for sign, *rest in _CERTIFICATES if sign in said))
        return RemoteError(f"The certificate of the registry {self.host} is not trusted here: {why}.", next_step=helps)


def read(answer: BaseHTTPResponse, most: int) -> bytes:
    """The first bytes of an answer, at most so many. Its connection is used again if these are all, else closed.

    A connection of which an answer was not read to the end takes no other request.

    Raises:
        HTTPError, OSError: it broke.
    """
    content = answer.read(most, decode_content=False)
    answer.release_conn() if len(content) < most else answer.close()
    return content


def let_go(answer: BaseHTTPResponse) -> None:
    """Be done with an answer whose body does not matter."""
    try:
        read(answer, _OF_NO_MATTER)
    except (HTTPError, OSError):
        answer.close()


def is_loopback(host: str) -> bool:
    """Whether a host, with its port or without, is this machine."""
    return _LOOPBACK.fullmatch(re.sub(r":[0-9]+$", "", host)) is not None


def _pool(base: str, timeout: float) -> urllib3.PoolManager:
    waits = urllib3.Timeout(connect=5.0, read=timeout)
    shared: dict[str, Any] = {"maxsize": CONNECTIONS, "timeout": waits, "blocksize": 1 << 20}
    shared["ssl_context"] = ssl.create_default_context()
    scheme, _, host = base.partition("://")
    proxy = urllib.request.getproxies().get(scheme)
    if proxy and not is_loopback(host) and not urllib.request.proxy_bypass(host):
        return urllib3.ProxyManager(proxy, **shared)
    return urllib3.PoolManager(**shared)


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _kind(error: object) -> str:
    reason = getattr(error, "reason", None) or error
    return type(reason).__name__


def _seconds(text: str | None, otherwise: float) -> float:
    """Of `Retry-After`: seconds alone; a date is as good as none."""
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,6}", text.strip()) else otherwise
