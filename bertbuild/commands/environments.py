"""images: what stages run in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertbuild.backends import BACKENDS, canonical
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.errors import RemoteError, UsageError
from bertbuild.isolation.unlocked import unlocked
from bertbuild.names import did_you_mean
from bertbuild.places import PLACES
from bertbuild.plans.placing import OF_1, TF1
from bertbuild.report.columns import tabbed

if TYPE_CHECKING:
    from bertbuild.remote.images import Images

DOCKER = "docker"
"""The place whose environments are images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments(Result):
    """What stages run in.

    Attributes:
        environments: backend → what its environment is made of.
        isolation: the place where they run.
        pulled: backend → the digest of its image in the registry that it was pulled from.
        pushed: backend → the digest of its image in the registry that it was pushed to.
    """

    environments: Mapping[str, Mapping[str, str]]
    isolation: str
    pulled: Mapping[str, str]
    pushed: Mapping[str, str]


def images(session: Session, backends: tuple[str, ...], *, push: bool = False, pull: bool = False) -> Environments:
    """Make the environments of some backends: images where Docker is used, else virtual environments.

    Without any named, those whose packages every index has, and TensorFlow 1's where this machine can have it; the
    others are made when asked for, or when needed. With `pull`, an image that a key in trust signed is pulled from the
    remote store's registry, and only others are built; with `push`, all that it lacks are signed and pushed.

    Raises:
        UsageError: there is no such backend, or images are to be pushed or pulled where there are none.
        RemoteError: the registry does not take one, or no key is named.
    """
    backends = tuple(dict.fromkeys(map(canonical, backends)))
    unknown = [name for name in backends if name not in BACKENDS]
    if unknown:
        near = did_you_mean(unknown[0], BACKENDS)
        raise UsageError(f"There is no backend {unknown[0]}{near}", next_step=f"There are {', '.join(BACKENDS)}.")
    registry = _registry(session) if push or pull else None
    session.isolation.require()
    facts: dict[str, Mapping[str, str]] = {}
    pulled: dict[str, str] = {}
    pushed: dict[str, str] = {}
    if registry is not None and push:
        registry.require_signer()
    wanted = backends or tuple(_usual(session))
    if session.settings.offline:
        session.engine.require(wanted)
    for backend in wanted:
        if registry is not None and pull and not session.isolation.is_ready(backend):
            pulled |= _pulled(session, registry, backend)
        session.engine.prepare(backend)
        facts[backend] = session.isolation.environment(backend)
        if registry is not None and push:
            pushed |= _pushed(session, registry, backend, facts[backend])
    lines = [
        tabbed([backend, *(f"{name} {value[:19]}" for name, value in fact.items())]) for backend, fact in facts.items()
    ]
    lines += session.isolation.by_hand()
    value = Environments(environments=facts, isolation=session.isolation.name, pulled=pulled, pushed=pushed)
    return session.result(value, *lines)


def _registry(session: Session) -> Images:
    """Where images are pushed to and pulled from.

    Raises:
        UsageError: the network must not be used, stages run in no images, or the remote store is no registry.
        RemoteError: the extra is not installed.
    """
    if session.settings.offline:
        raise UsageError(
            "--push and --pull ask a registry, and the network must not be used (--offline).", next_step="Omit one."
        )
    if session.isolation.name != DOCKER:
        raise UsageError(
            f"Images are pushed and pulled, and stages run in {PLACES[session.isolation.name].title} here.",
            next_step="Add --isolation docker, or omit --push and --pull.",
        )
    from bertbuild.remote.opening import open_images

    return open_images(session.settings)


def _pulled(session: Session, registry: Images, backend: str) -> dict[str, str]:
    """Pull a backend's image; its digest, nothing where it has to be built, which is told."""
    from bertbuild.isolation.image_transfer import pull_image

    try:
        found = registry.look(backend)
    except RemoteError as error:
        session.warn([f"{error} The image of {backend} is built"])
        return {}
    if found is None or isinstance(found, str):
        why = "has none" if found is None else f"has one that is not used: {found}"
        session.warn([f"image {backend}: {registry.address} {why}; it is built"])
        return {}
    bar = session.bar(f"pulling the image {backend}", backend)
    if why := pull_image(backend, registry.pinned(found), found.environment, bar):
        session.warn([f"image {backend}: the one of {registry.address} is not used: {why}; it is built"])
        return {}
    session.report({"event": "note", "text": f"image {backend} pulled: {registry.pinned(found)}"})
    return {backend: f"sha256:{found.digest}"}


def _pushed(session: Session, registry: Images, backend: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Push a backend's image, and sign its digest; nothing where a trusted one is there, which stays."""
    from bertbuild.isolation.image_transfer import push_image
    from bertbuild.remote.images import SignedImage

    if isinstance(registry.look(backend), SignedImage):
        return {}
    digest = push_image(backend, registry.reference(backend), session.bar(f"pushing the image {backend}", backend))
    registry.sign(backend, digest, environment)
    session.report({"event": "note", "text": f"image {backend} pushed: sha256:{digest}"})
    return {backend: f"sha256:{digest}"}


def _usual(session: Session) -> list[str]:
    without = () if session.usual_reference == OF_1 else (TF1,)
    rows = ((name, row) for name, row in BACKENDS.items() if row.usual and not row.beside)
    return [name for name, _ in rows if unlocked(name) is None and name not in without]
