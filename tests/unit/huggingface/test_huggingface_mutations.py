"""A changed, cut or lengthened file of a folder is read or refused; it never ends in a traceback."""

from __future__ import annotations

import json
import random

import pytest
from huggingface_folders import masked_lm, theirs, tokenizer, write

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.importing import import_tensors, read_weights
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.vocabulary import lower_case, vocabulary

FORMS = ("safetensors", "bin", "older", "sharded safetensors", "sharded older")
TRIES = 40


@pytest.fixture(params=FORMS)
def folder(request, tmp_path):
    tensors = theirs(prefix="bert.", labels=2)
    made = write(tmp_path / "hf", tensors | masked_lm(tensors), form=request.param, vocab=False)
    (made / "tokenizer.json").write_text(json.dumps(tokenizer([f"w{number}" for number in range(60)])))
    (made / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return made


def imported(folder):
    """All that the stage does but writing."""
    files = find_files(folder)
    found = import_tensors(read_settings(files.config), read_weights(files))
    for name in found.numbers:
        assert found.numbers[name].size
    return found, vocabulary(files), lower_case(files)


def changed(content, chance):
    """The bytes with some changed, taken out, put in, or all after a place gone; most changes near the start."""
    place = int(len(content) * chance.random() ** 4)
    kind = chance.randrange(5)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + bytes(chance.randrange(256) for _ in range(3)) + content[place + 3 :]
    if kind == 2:
        return content[:place] + content[place + chance.randrange(1, 9) :]
    if kind == 3:
        return content[:place] + chance.choice((b"null", b"-1", b"[]", b"1e999", b"\xff", b"9" * 30)) + content[place:]
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def test_no_change_of_a_file_ends_in_a_traceback(folder):
    whole, words, lower = imported(folder)
    assert (len(whole.numbers), words.count(b"\n"), lower) == (46, 60, True)
    chance = random.Random(11)  # noqa: S311
    refused = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for _ in range(TRIES):
            path.write_bytes(changed(content, chance))
            try:
                imported(folder)
            except CheckpointError as error:
                refused.append(error)
        path.write_bytes(content)
    assert len(refused) > TRIES
    assert all(error.next_step and "\n" not in str(error) for error in refused)
