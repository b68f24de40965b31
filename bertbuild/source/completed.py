"""A checkpoint whose bert_config.json or vocab.txt lies elsewhere, as run_classifier leaves what it trained.

Stages read one folder, so one is made of links: below downloads/.unpacked, as an unpacked zip is, under the digest of
its files.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from bertbuild import keys
from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.folder import CheckpointFiles, find_checkpoint
from bertbuild.checkpoint.judging import judge_family
from bertbuild.checkpoint.sentencepiece import MODELS, models_in
from bertbuild.checkpoint.tensors import open_tensors
from bertbuild.checkpoint.tokenizer_file import tokenizer_in
from bertbuild.checkpoint.vocabulary import is_pieces
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.families.table import BERT
from bertbuild.files.disk import full_disk_told
from bertbuild.files.locking import exclusive
from bertbuild.huggingface.folder import is_huggingface
from bertbuild.store.store import Store, remove_tree
from bertbuild.text.words import PIECES_FILE


def completed(checkpoint: Path, config: str, vocab: str, store: Store) -> Path:
    """The checkpoint's own path where its folder has these very files, else a folder of the store that has all.

    Args:
        checkpoint: a folder or prefix.
        config: path of its bert_config.json; empty: its own, which may be called as another family's.
        vocab: path of its vocab.txt, or its model of SentencePiece, likewise.
        store: where the folder is made.

    Raises:
        UsageError: a file is not there, or the checkpoint is a Hugging Face folder.
        CheckpointError: there is no TensorFlow 1 checkpoint.
    """
    given = {"--config": config, "--vocab": vocab}
    for flag, path in given.items():
        if path and not Path(path).is_file():
            raise UsageError(f"{flag} {path} is not a file.", next_step="Give the one that came with the model.")
    if is_huggingface(checkpoint):
        flag = next(flag for flag, path in given.items() if path)
        raise UsageError(
            f"{flag} goes with a TensorFlow checkpoint, and {checkpoint} is a Hugging Face folder.",
            next_step=f"Leave {flag} out; the folder must have the files itself.",
        )
    found = find_checkpoint(checkpoint, config=_path(config), vocab=_path(vocab))
    words = PIECES_FILE if vocab and is_pieces(Path(vocab)) else VOCAB_FILE
    named = {CONFIG_FILE: _path(config), words: _path(vocab)}
    own = found.config == found.folder / CONFIG_FILE or config
    alone = words == PIECES_FILE or not models_in(found.folder)  # else the folder does not tell which one it is
    is_own = not vocab or (alone and tokenizer_in(found.folder) == found.folder / words)
    if own and is_own and all(path is None or _same(path, found.folder / name) for name, path in named.items()):
        return checkpoint
    _require_own_config(found)
    files = {path.name: path for path in (found.index, *found.data, *filter(None, [found.meta]))}
    if not vocab:
        files |= {path.name: path for path in found.folder.glob(MODELS) if path.is_file()}
    files |= {CONFIG_FILE: found.config} | ({words: found.vocab} if found.vocab else {})
    return _made(files, store)


def _require_own_config(found: CheckpointFiles) -> None:
    """Raise `CheckpointError` for a configuration of another family that says what is not computed: by its own name,
    and not by that which it gets in the store.
    """
    try:
        entries = {} if found.v1 else open_tensors(found).entries
    except CheckpointError:
        return  # told by who looks at the variables
    family = judge_family(found, entries)
    if family != BERT:
        read_config(found.config, family)


def _made(files: dict[str, Path], store: Store) -> Path:
    digests = {name: store.inputs.of(path.resolve()) for name, path in files.items()}
    folder = store.root / "downloads" / ".unpacked" / keys.digest(digests)[:32]
    store.use(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.with_name(folder.name + ".lock")), full_disk_told(folder):
        if not _is_whole(folder, digests, store):
            remove_tree(folder)
            work = folder.with_name(folder.name + ".part")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            for name, path in files.items():
                _link(path.resolve(), work / name)
            work.rename(folder)
    return folder


def _is_whole(folder: Path, digests: Mapping[str, str], store: Store) -> bool:
    """Whether a folder that was made before still has these bytes: a file that was written over in its place has
    changed here too, where it is a link.
    """
    try:
        return all(store.inputs.of(folder / name) == digest for name, digest in digests.items())
    except FileNotFoundError:
        return False


def _link(source: Path, target: Path) -> None:
    """A hard link where both are on one disk, else a copy: a container does not see where a soft link leads."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)
