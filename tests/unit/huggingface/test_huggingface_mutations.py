"""A changed, cut or lengthened file of a folder is read or refused; it never ends in a traceback."""

from __future__ import annotations

import json
import random

import pytest
from huggingface_folders import masked_lm, theirs, tokenizer, write
from mutations import cleared, mutated, mutated_json, replaced

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.importing import import_tensors
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.vocabulary import lower_case, vocabulary
from bertbuild.huggingface.weights import read_weights

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


def test_no_change_of_a_file_ends_in_a_traceback(folder):
    whole, words, lower = imported(folder)
    assert (len(whole.numbers), words.count(b"\n"), lower) == (46, 60, True)
    chance = random.Random(11)  # noqa: S311
    refused = []
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    for path, content in whole.items():
        others = [other for other in whole if other != path]
        for number in range(TRIES):
            if number % 10 == 9:
                replaced(path, others, chance)
            elif path.suffix == ".json" and number % 2:
                path.write_bytes(mutated_json(content, chance))
            else:
                path.write_bytes(mutated(content, chance))
            try:
                imported(folder)
            except CheckpointError as error:
                refused.append(error)
            cleared(path)
            path.write_bytes(content)
    assert len(refused) > TRIES
    assert all(error.next_step and "\n" not in str(error) for error in refused)
