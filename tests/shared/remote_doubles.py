"""Doubles of remote stores: one in memory that can be made to lie, and what tests of any of them need."""

from __future__ import annotations

import hashlib

from bertbuild.errors import RemoteError
from bertbuild.remote.protocols import GoneError
from bertbuild.remote.results import Results
from bertbuild.remote.signing import Signer, Trust, generate

GONE = "The remote store memory://r does not answer."


class Memory:
    """A transport that keeps all in memory, counts what it is asked, and does as `lies` says.

    Attributes:
        lies: (method, name or digest) → what it gives in place of the truth; an error is raised.
        asked: each call, as (method, name or digest).
        gone: whether nothing answers.
    """

    address = "memory://r"

    def __init__(self):
        self.manifests, self.blobs, self.lies, self.asked, self.gone = {}, {}, {}, [], False
        self.before_put = None

    def _ask(self, method, what, truth):
        self.asked.append((method, what))
        if self.gone:
            raise RemoteError(GONE, next_step="Look.")
        told = self.lies.get((method, what), truth)
        if isinstance(told, Exception):
            raise told
        return told

    def count(self, method):
        return sum(one == method for one, _ in self.asked)

    def has_manifest(self, name):
        return self._ask("has_manifest", name, name in self.manifests)

    def manifest(self, name, most):
        content = self._ask("manifest", name, self.manifests.get(name))
        return None if content is None else content[: most + 1]

    def put_manifest(self, name, content, *, replace):
        self._ask("put_manifest", name, None)
        if self.before_put is not None:
            self.before_put()
        if name in self.manifests and not replace:
            return False
        self.manifests[name] = content
        return True

    def has_blob(self, digest):
        return self._ask("has_blob", digest, digest in self.blobs)

    def blob(self, digest, start):
        content = self._ask("blob", digest, self.blobs.get(digest))
        if content is None:
            raise GoneError
        yield content[start : start + 5]
        yield content[start + 5 :]

    def put_blob(self, digest, size, opened, progress):
        self._ask("put_blob", digest, None)
        with opened() as source:
            content = source.read()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, size)
        self.blobs[digest] = content
        progress(len(content))

    def names(self):
        yield from sorted(self._ask("names", "", self.manifests))

    def remove(self, name):
        self._ask("remove", name, None)
        self.manifests.pop(name, None)

    def collect(self, used):
        needed = set(used())
        gone = [digest for digest in self.blobs if digest not in needed]
        return sum(len(self.blobs.pop(digest)) for digest in gone)


def keys_in(folder, name="key"):
    """A private key in a folder; gives its path and the public key."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pem"
    return path, generate(path)


def results_over(transport, folder, *, trusted=None, writes=True):
    """A remote store that signs with a new key in a folder, and trusts that one where no other is given."""
    path, public = keys_in(folder)
    return Results(transport, Trust(public if trusted is None else trusted), Signer(path) if writes else None)
