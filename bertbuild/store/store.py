"""Artifacts on disk: results published in one atomic step, checked before use, never changed afterwards.

| found on disk                         | means                     | what happens                        |
| ------------------------------------- | ------------------------- | ----------------------------------- |
| object with manifest, hashes agree    | built                     | used                                |
| object, a file changed or missing     | damaged                   | reported, set aside, rebuilt        |
| folder in work/ with a live lock      | another process builds it | wait, with a message                |
| folder in work/ without one           | crash                     | removed at the next start           |
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bertbuild.errors import BertbuildError, StoreError
from bertbuild.files.digests import DigestCache, TreeDigestCache, sha256_file
from bertbuild.files.disk import FULL, mark_used, no_space
from bertbuild.files.listing import files_below, links
from bertbuild.files.locking import exclusive, if_free, remove_lock
from bertbuild.json_text import parse_json
from bertbuild.keys import digest
from bertbuild.plans.carrying import computed
from bertbuild.stages import MANIFEST, PROVENANCE, UNTRACKED
from bertbuild.store.in_use import Uses
from bertbuild.store.naming import Given, Names, lock_name

MADE = "made"
"""Of a file in a manifest that the host added to: its sha256 as the stage wrote it, "" where it wrote none."""

IN_USE = "in-use"
"""The folder in locks/ that says what living processes work with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A published result: a read-only folder and its manifest."""

    stage: str
    key: str
    path: Path
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """Digest of the result's files, whichever run made them."""
        return str(self.manifest["digest"])

    @property
    def manifest_digest(self) -> str:
        """Digest of its manifest: of every file's sha256, the facts of its run among them."""
        # The bytes of `canonical_json`, without its look for floats: a build of many targets notes hundreds.
        text = json.dumps(self.manifest, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """The artifacts folder, made when something is first written. Opening one cleans up what crashed runs left."""

    def __init__(self, root: Path, *, tidy: bool = True) -> None:
        self.root = root
        self.objects = root / "objects"
        self.work = root / "work"
        self.logs = root / "logs"
        self.locks = root / "locks"
        self._is_there = False
        if root.exists():
            self._make_folders()
        else:
            self.uses = Uses(self.locks / IN_USE)
        self.digests = DigestCache(root / "cache" / "digests.json")
        self.inputs = TreeDigestCache(root / "cache" / "inputs.json")
        self.names = Names(root)
        self._computed: dict[str, dict[str, str]] = {}  # stage → key → digest of what it computes; see `alike`
        self.recalled: dict[str, tuple[tuple[int, int, int], Any]] = {}  # records as they were read; see records.py
        if tidy and self._is_there:
            self._remove_abandoned_work()
            self._remove_outlived()
            self._remove_unwritten()

    def _make_folders(self) -> None:
        with translated_os_errors(self.root):
            for folder in (self.objects, self.work, self.logs, self.locks):
                folder.mkdir(parents=True, exist_ok=True)
            (self.root / ".gitignore").write_text("*\n") if not (self.root / ".gitignore").exists() else None
        self.uses = Uses(self.locks / IN_USE)  # its locks are files in there
        self._is_there = True

    def use(self, path: Path | str) -> None:
        """Say that this process works with something in the store, so that `gc` leaves it alone until we end; and note
        that it was used today.
        """
        if not self._is_there:
            self._make_folders()
        self.uses.add(str(path).removeprefix(f"{self.root}/"))
        mark_used(path)

    def find(self, stage: str, key: str) -> StoredObject | None:
        """The published result, or None: there is none, or it is damaged."""
        path = f"{self.objects}/{stage}/{key}"
        self.use(path)
        _, manifest = self._check(path)
        return None if manifest is None else StoredObject(stage=stage, key=key, path=Path(path), manifest=manifest)

    def alike(self, stage: str, parts: Mapping[str, Any]) -> StoredObject | None:
        """A whole result of the same computation as a key's: one that differs in the text that it carries, if at all.

        Args:
            stage: what makes it.
            parts: the components of the key.
        """
        known, wanted = self._computed.setdefault(stage, {}), digest(computed(parts))
        there = sorted(path.name for path in (self.objects / stage).glob("*"))
        for key in there:
            if key not in known:
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                    manifest = (self.objects / stage / key / MANIFEST).read_bytes()
                    known[key] = digest(computed(parse_json(manifest)["components"]))
        found = (self.find(stage, key) for key in there if known.get(key) == wanted)
        return next((stored for stored in found if stored is not None), None)

    def find_or_set_aside(self, stage: str, key: str, *, on_damage: Callable[[str], None]) -> StoredObject | None:
        """As `find`, but a damaged result is reported and set aside. Only for the holder of the key's lock: anyone else
        might set aside what the holder has just built again.
        """
        path = self.objects / stage / key
        if not path.exists():
            return None
        problem, manifest = self._check(str(path))
        if manifest is None:
            aside = self._set_aside(path, stage, key)
            on_damage(f"{stage} {key[:12]} in the store is damaged ({problem}); set aside as {aside}, built again")
            return None
        return StoredObject(stage=stage, key=key, path=path, manifest=manifest)

    @contextlib.contextmanager
    def lock(self, stage: str, key: str, *, on_wait: Callable[[str], None]) -> Iterator[Path]:
        """Hold the right to build one result; gives the (empty) work folder, which is gone afterwards."""
        name = f"{stage}-{key}"
        folder = self.work / name
        if not self._is_there:
            self._make_folders()
        with contextlib.ExitStack() as held:
            with translated_os_errors(self.root):
                waiting = f"another process is building {stage} {key[:12]}; waiting for it"
                held.enter_context(exclusive(self.lock_path(name), on_wait=lambda: on_wait(waiting)))
                remove_tree(folder)
            try:
                with translated_os_errors(self.root):
                    (folder / "out").mkdir(parents=True)
                yield folder
            finally:
                with translated_os_errors(self.root):
                    remove_tree(folder)

    def publish(
        self,
        stage: str,
        key: str,
        work: Path,
        components: dict[str, Any],
        statement: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
        *,
        isolation: str = "",
        made: Mapping[str, str] | None = None,
    ) -> StoredObject:
        """Make `work/out` the result of `stage` under `key`: hash, fsync, make read-only, one rename.

        Args:
            stage: the stage's name.
            key: the digest of `components`.
            work: the folder that `lock` gave.
            components: what the key is made of.
            statement: given each file's bytes and sha256 by name, what to say of their provenance.
            isolation: the name of the place where its stage ran; "" for what bertbuild made itself.
            made: of the files that the host added to, their sha256 as the stage wrote them; "" where it wrote none.
        """
        from concurrent.futures import ThreadPoolExecutor

        out = work / "out"
        with translated_os_errors(self.root):
            files: dict[str, Any] = {}
            paths = sorted(path for path in out.rglob("*") if path.is_file())
            with ThreadPoolExecutor() as pool:  # the disk writes while the processor hashes
                flushing = [pool.submit(_flush, path) for path in paths]
                for path in paths:
                    path.chmod(0o444)
                    files[str(path.relative_to(out))] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
                for flushed in flushing:
                    flushed.result()
            for name, before in (made or {}).items():
                files[name][MADE] = before
            if statement is not None:
                files[PROVENANCE] = _write(out / PROVENANCE, statement(dict(files)))
            manifest = {
                "stage": stage,
                "key": key,
                "components": components,
                **({"isolation": isolation} if isolation else {}),
                "files": files,
                "digest": content_digest(files),
            }
            self._put(out, manifest)
        return StoredObject(stage=stage, key=key, path=self.objects / stage / key, manifest=manifest)

    def publish_fetched(self, stage: str, key: str, work: Path, manifest: dict[str, Any]) -> StoredObject:
        """Make `work/out` a result, as `publish` does, of the files of `manifest`, which were hashed as they came."""
        from concurrent.futures import ThreadPoolExecutor

        out = work / "out"
        with translated_os_errors(self.root):
            for name in manifest["files"]:
                (out / name).chmod(0o444)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda name: _flush(out / name), manifest["files"]))
            self._put(out, manifest)
        return StoredObject(stage=stage, key=key, path=self.objects / stage / key, manifest=manifest)

    def _put(self, out: Path, manifest: Mapping[str, Any]) -> None:
        """Write the manifest of a folder whose files are flushed, and give it its name in one step."""
        _write(out / MANIFEST, manifest)
        target = self.objects / manifest["stage"] / manifest["key"]
        target.parent.mkdir(parents=True, exist_ok=True)
        for folder in (out, *(path for path in out.rglob("*") if path.is_dir())):
            _flush(folder)
        out.rename(target)
        _flush(target.parent)
        _flush(self.objects)
        for name, entry in manifest["files"].items():
            self.digests.remember(target / name, str(entry["sha256"]))

    def unfinished(self, stage: str, key: str) -> Path:
        """The folder of from which a stage's next run under the same key resumes, however this one ends."""
        folder = self.root / "unfinished" / stage / key
        self.use(folder)
        with translated_os_errors(self.root):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def forget_unfinished(self, stage: str, key: str) -> None:
        """Remove that folder: there is a result."""
        with translated_os_errors(self.root):
            remove_tree(self.root / "unfinished" / stage / key)

    def link(self, model: str, target: str, stored: StoredObject) -> Path:
        """Point the name people open (`out/<model>/<target>`) at a result, in one step."""
        link = Path(f"{self.root}/out/{model}/{target}")
        self.use(link)
        destination = os.path.relpath(stored.path, link.parent)
        with translated_os_errors(self.root):
            if _leads_to(link) == destination:
                self._remember(model, target, stored)
                return link
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary = link.with_name(f".{link.name}.new")
            with exclusive(self.lock_path(lock_name(model, target))):
                temporary.unlink(missing_ok=True)  # a killed process left it
                temporary.symlink_to(destination)
                temporary.replace(link)
            self._remember(model, target, stored)
        return link

    def _remember(self, model: str, target: str, stored: StoredObject) -> None:
        self.names.remember(model, target, Given(stage=stored.stage, key=stored.key, manifest=stored.manifest_digest))

    def unlink(self, model: str, target: str) -> None:
        """Take the name away from a result that no longer deserves it."""
        with translated_os_errors(self.root):
            (self.root / "out" / model / target).unlink(missing_ok=True)
            self.names.forget(model, target)

    def load(self, path: Path) -> StoredObject:
        """The object in a folder of the store, every byte hashed again.

        Raises:
            StoreError: a file is missing, changed, or there is no manifest.
        """
        self.digests.forget((path, *path.rglob("*")))
        return self.peek(path)

    def peek(self, path: Path) -> StoredObject:
        """The object in a folder of the store, its files hashed only where `stat` says that they changed.

        Raises:
            StoreError: as `load`.
        """
        problem, manifest = self._check(str(path))
        if manifest is None:
            raise StoreError(
                f"{path} is damaged: {problem}.", next_step="Build it again: the damaged one will be set aside."
            )
        return StoredObject(stage=manifest["stage"], key=manifest["key"], path=path, manifest=manifest)

    def problem(self, path: Path) -> str:
        """What is wrong with the object in a folder of the store, "" if nothing; reads as `peek` does."""
        return self._check(str(path))[0]

    def _check(self, path: str) -> tuple[str, dict[str, Any] | None]:
        """What is wrong with the object in a folder of the store, "" if nothing; and its manifest.

        The path is text: to put `Path`s together would take longer than to look there.
        """
        try:
            with open(f"{path}/{MANIFEST}", "rb", buffering=0) as file:  # noqa: PTH123
                status = os.fstat(file.fileno())
                manifest: dict[str, Any] = parse_json(file.read())
            files: dict[str, Any] = manifest["files"]
            present = files_below(path)
            if problem := self._difference(path, files, present):
                return problem, None
            if self.digests.known(path, status) != manifest["digest"]:
                # The manifest answers for the files; the key in the folder's name, and the digest, for the manifest.
                named = [manifest["stage"], manifest["key"], digest(manifest["components"])]
                stage, key = Path(path).parts[-2:]
                if named != [stage, key, key] or manifest["digest"] != content_digest(files):
                    return f"{MANIFEST} changed", None
                self.digests.note(path, status, manifest["digest"])
        except FileNotFoundError as error:
            return f"{Path(str(error.filename)).name} is missing", None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return f"{MANIFEST} cannot be read: {error}", None
        extra = sorted(present.keys() - files.keys() - {MANIFEST})
        return (f"{extra[0]} does not belong there", None) if extra else ("", manifest)

    def _difference(self, path: str, files: Mapping[str, Any], present: Mapping[str, os.stat_result]) -> str:
        """What is a link, missing or changed of a manifest's files; "" where nothing is."""
        link = "it" if os.path.islink(path) else next(links(present), "")  # noqa: PTH114 - text, as in `_check`
        if link:
            return f"{link} is a link"
        for name, entry in files.items():
            if name not in present:
                return f"{Path(name).name} is missing"
            if present[name].st_size != entry["bytes"] or self._digest(path, name, present[name]) != entry["sha256"]:
                return f"{name} changed"
        return ""

    def _digest(self, folder: str, name: str, status: os.stat_result) -> str:
        return self.digests.known(f"{folder}/{name}", status) or self.digests.of(Path(folder, name))

    def _set_aside(self, path: Path, stage: str, key: str) -> Path:
        for number in range(1, 1000):
            aside = self.root / "damaged" / f"{stage}-{key}-{number}"
            if not aside.exists():
                break
        with translated_os_errors(self.root):
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.rename(aside)
            os.utime(aside)  # `gc` counts from now on
        return aside

    def _remove_abandoned_work(self) -> None:
        for folder in self.work.iterdir():
            # Another user's folders, and those of a read-only store, are not ours to clean.
            with contextlib.suppress(OSError), if_free(self.lock_path(folder.name)) as free:
                if free:  # nobody is at work there: a crash left it
                    remove_tree(folder)

    def _remove_outlived(self) -> None:
        """What a stage would have resumed from, where its result is there: killed between publishing and tidying up."""
        for folder in (self.root / "unfinished").glob("*/*"):
            if (self.objects / folder.parent.name / folder.name).exists():
                with contextlib.suppress(OSError):
                    remove_tree(folder)

    def _remove_unwritten(self) -> None:
        """What killed runs left of caches: the next run may have learnt nothing, and so have nothing to write."""
        for temporary in (self.root / "cache").glob(".*.new"):
            with contextlib.suppress(OSError):  # a read-only store stays as it is
                remove_lock(temporary)

    def elsewhere(self, stage: str, key: str) -> Path:
        """The note on a result that a build used and that is in the remote store alone: its statement."""
        return Path(f"{self.root}/remote/{stage}/{key}.json")

    def lock_path(self, name: str) -> Path:
        """The lock of a folder in work/; a result's is STAGE-KEY."""
        return self.locks / name


def content_digest(files: Mapping[str, Any]) -> str:
    """Digest of a result's files as its stage wrote them, the facts of its run left out."""
    made = {name: entry.get(MADE, entry["sha256"]) for name, entry in files.items() if name not in UNTRACKED}
    return digest({name: sha256 for name, sha256 in made.items() if sha256})


def _leads_to(link: Path) -> str:
    """What a link says; "" where there is none."""
    try:
        return os.readlink(link)  # noqa: PTH115 - as text, which it is compared as
    except OSError:
        return ""


def _write(path: Path, value: Mapping[str, Any]) -> dict[str, Any]:
    """Write JSON to last, read-only; gives its entry in a manifest."""
    text = (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
    path.write_bytes(text)
    _flush(path)
    path.chmod(0o444)
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def remove_tree(path: Path) -> None:
    """Remove a folder, read-only ones inside too; one that is not there is no error."""
    if path.exists():
        import shutil

        path.chmod(0o755)
        for folder, names, _ in os.walk(path):
            for name in names:  # a stage may have left read-only folders; a link is not followed
                if not (inner := Path(folder) / name).is_symlink():
                    inner.chmod(0o755)
        shutil.rmtree(path)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def translated_os_errors(place: Path) -> Iterator[None]:
    """Turn the system's errors about `place` into ours."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads our output has gone; no file is a pipe
    except OSError as error:
        _raise_translated(error, place)


def _raise_translated(error: OSError, place: Path) -> NoReturn:
    translated: BertbuildError
    if error.errno in FULL:
        translated = no_space(place)
    else:
        translated = StoreError(
            f"The store at {place} cannot be used: {error.strerror or error}.",
            next_step="Check its permissions, or choose another folder with BERTBUILD_ARTIFACTS.",
            details=str(error),
        )
    raise translated from error
