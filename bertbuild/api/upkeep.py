"""What is built, checked and kept in order; and what stages run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertbuild.api.base import Base
from bertbuild.api.named import Path, check_names

if TYPE_CHECKING:
    from bertbuild.commands.cluster import Certificates
    from bertbuild.commands.environments import Environments
    from bertbuild.commands.gc import Audited, Swept
    from bertbuild.commands.provenance import Provenance, Sboms
    from bertbuild.commands.remote import Generated, Pulled, Pushed, RemoteStatus, RemoteSwept
    from bertbuild.commands.verify import Verified


class Upkeep(Base):
    """The commands on what is there."""

    def verify(self, *names: str, runtime: str = "") -> Verified:
        """Hash every byte of what is built, and compare its answers with its source's once more.

        Args:
            names: models, targets, "model/target", or patterns of these; none for all.
            runtime: the backend that answers instead: another version, as "openvino@2026.4", or "hf-torch"; its verdict
                is recorded nowhere.

        Raises:
            ParityError: a target does not answer like its source.
            NotVerifiedError: one cannot be run on this machine.
        """
        from bertbuild.commands.verify import verify

        with self._session() as session:
            check_names(names)
            return verify(session, names, runtime)

    def verify_provenance(self, *names: str, path: Path = "") -> Provenance:
        """Compare what is built, or the artifact in the folder `path`, with the statements of how it was made.

        Args:
            names: as of `verify`.
            path: the folder of an artifact; then no names.

        Raises:
            ProvenanceError: one is not what its statement says, or has none.
        """
        from bertbuild.commands.provenance import verify_provenance

        with self._session() as session:
            check_names(names)
            return verify_provenance(session, names, path=str(path))

    def verify_store(self) -> Audited:
        """Hash every byte of every result in the store.

        Raises:
            StoreError: something is wrong.
        """
        from bertbuild.commands.gc import verify_store

        with self._session() as session:
            return verify_store(session)

    def gc(self, keep: str = "", *, dry_run: bool = False) -> Swept:
        """Remove results that no named target needs and that were not used lately; `keep` as the flag `--keep`."""
        from bertbuild.commands.gc import gc

        with self._session() as session:
            return gc(session, keep, dry_run=dry_run)

    def remote_status(self, *names: str) -> RemoteStatus:
        """Say which results of what is built the remote store has, and would be used; `names` as of `verify`."""
        from bertbuild.commands.remote import status

        with self._session() as session:
            check_names(names)
            return status(session, names)

    def remote_push(self, *names: str, dry_run: bool = False) -> Pushed:
        """Put the results of what is built into the remote store, signed; `names` as of `verify`.

        Raises:
            RemoteError: it does not answer, or no key is named.
            NotReproducibleError: it has others under the same keys, which differ as two runs must not.
        """
        from bertbuild.commands.remote import push

        with self._session() as session:
            check_names(names)
            return push(session, names, dry_run=dry_run)

    def remote_pull(self, *names: str, file: Path = "", dry_run: bool = False) -> Pulled:
        """Bring all results of targets that the remote store has; `names` as of `build_file`, none for all.

        Raises:
            RemoteError: it does not answer.
        """
        from bertbuild.commands.remote import pull

        with self._session(build_file=file) as session:
            check_names(names)
            return pull(session, names, str(file), dry_run=dry_run)

    def remote_gc(self, keep: str = "", *, dry_run: bool = False) -> RemoteSwept:
        """Remove old results from the remote store that nothing built here needs; `keep` as the flag `--keep`."""
        from bertbuild.commands.remote import gc

        with self._session() as session:
            return gc(session, keep, dry_run=dry_run)

    def remote_keygen(self, key: Path = "") -> Generated:
        """Make a key that signs what is put into a remote store: the private one in the new file `key`."""
        from bertbuild.commands.remote import keygen

        with self._session() as session:
            return keygen(session, str(key))

    def worker(self, *backends: str, file: Path = "", name: str = "", death_timeout: int = 60) -> None:
        """Run stages that builds elsewhere ask of a scheduler, with these backends, until the process is told to end.

        In the main thread of a program, since it takes SIGINT and SIGTERM.

        Raises:
            ClusterError: the scheduler does not answer within `death_timeout` seconds, or is gone.
            KeyboardInterrupt: the process was told to end.
        """
        from bertbuild.commands.workers import worker

        with self._session(build_file=file) as session:
            check_names(backends)
            worker(session, backends, name=name, death_timeout=death_timeout)

    def cluster_scheduler(self, file: Path = "", dashboard: str = "") -> None:
        """Run a scheduler, until the process is told to end; `dashboard`: where Dask's pages are, as "127.0.0.1:8787".

        In the main thread of a program, as `worker`.
        """
        from bertbuild.commands.workers import scheduler

        with self._session(build_file=file) as session:
            scheduler(session, dashboard=dashboard)

    def cluster_local(self, *backends: str, file: Path = "", workers: int = 2) -> None:
        """Run a scheduler and some workers on this machine alone, until the process is told to end.

        In the main thread of a program, as `worker`.
        """
        from bertbuild.commands.workers import local

        with self._session(build_file=file) as session:
            check_names(backends)
            local(session, backends, workers=workers)

    def cluster_certificates(self, folder: Path, days: int = 365) -> Certificates:
        """Make in `folder` what it lacks of a cluster's certificates, valid for `days`."""
        from bertbuild.commands.cluster import certificates

        with self._session() as session:
            return certificates(session, str(folder), days)

    def sbom(self, *backends: str) -> Sboms:
        """Write a CycloneDX bill of materials of each backend, or of those that are named."""
        from bertbuild.commands.provenance import sbom

        with self._session() as session:
            return sbom(session, backends)

    def images(self, *backends: str, push: bool = False, pull: bool = False) -> Environments:
        """Make what stages run in: of some backends, or of the usual ones; images also by the remote store's registry.

        Args:
            backends: none for the usual ones.
            push: whether those that the registry lacks are signed and pushed.
            pull: whether signed ones are pulled where there are any, and others built.
        """
        from bertbuild.commands.environments import images

        with self._session() as session:
            return images(session, backends, push=push, pull=pull)
