"""A result copied where upstream's scripts would have written it: --output_dir, --model_dir, --model_export_path."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

from bertbuild.checkpoint.task_file import TASK
from bertbuild.commands.session import shown
from bertbuild.errors import UsageError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.files.disk import full_disk_told
from bertbuild.kinds.kind import Kind
from bertbuild.report.mapping import MAPPING
from bertbuild.text.words import TOKENIZER_FILES

MODEL = ("*.ckpt.*", CONFIG_FILE, *TOKENIZER_FILES, "saved_model.pb", "variables/*", "assets/*")
"""Files that make up a model. What a run says besides, as eval_results.txt, is replaced by what the next run says."""


def check_destination(flag: str, folder: str) -> None:
    """Refuse what cannot be a folder, before anything runs.

    Raises:
        UsageError: there is a file of that name.
    """
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--{flag} {folder} is a file.", next_step="Give a folder; it is made if need be.")


def copied(result: Path, folder: Path) -> Path:
    """The folder, with all of the result in it; a model that was there stays.

    Raises:
        UsageError: it holds another model.
        NoSpaceError: the disk is full.
    """
    files = [path.relative_to(result) for path in sorted(result.rglob("*")) if path.is_file()]
    changed = [name for name in files if not _holds(folder / name, result / name)]
    other = [name for name in changed if (folder / name).exists() and any(map(name.match, MODEL))]
    if other:
        raise UsageError(
            f"{folder} holds another {other[0]} than the result, which is in {shown(result)}.",
            next_step="Name another folder, or remove what is there first.",
        )
    with full_disk_told(folder):
        for name in changed:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).unlink(missing_ok=True)
            shutil.copyfile(result / name, folder / name)
    return folder


def check_copy(kind: Kind, destination: str) -> None:
    """Refuse where a target of a kind cannot be copied to, before anything runs.

    Raises:
        UsageError: a file of its name is there.
    """
    if not kind.is_prefix:
        check_destination(kind.command.copied.flag if kind.command.copied else "copy-to", destination)
    elif Path(destination + ".index").exists():
        raise UsageError(
            f"There is a checkpoint {destination} already.", next_step="Name another, or remove that one first."
        )


def copied_as(kind: Kind, target: Path, destination: Path) -> Path:
    """A target of a kind, its folder being `target`, copied to where its command says: a folder, or a prefix."""
    return _under_prefix(target / kind.main_file, destination) if kind.is_prefix else copied(target, destination)


def _under_prefix(path: Path, destination: Path) -> Path:
    """A checkpoint under the prefix that was asked for, with what lies beside it."""
    with full_disk_told(destination.parent):
        destination.parent.mkdir(parents=True, exist_ok=True)
        for file in path.parent.iterdir():
            if file.name.startswith(path.name):
                shutil.copyfile(file, destination.with_name(destination.name + file.name.removeprefix(path.name)))
            elif file.name in (CONFIG_FILE, *TOKENIZER_FILES, MAPPING, TASK):
                shutil.copyfile(file, destination.with_name(file.name))
    return destination


def _holds(path: Path, wanted: Path) -> bool:
    return path.is_file() and filecmp.cmp(path, wanted, shallow=False)
