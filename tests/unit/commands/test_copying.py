"""Results copied where upstream's scripts would have written them."""

from __future__ import annotations

import pytest

from bertbuild.commands.copying import check_destination, copied
from bertbuild.errors import UsageError


@pytest.fixture
def result(tmp_path):
    folder = tmp_path / "result"
    (folder / "events").mkdir(parents=True)
    (folder / "bert_model.ckpt.index").write_text("index")
    (folder / "eval_results.txt").write_text("eval_accuracy = 0.5\n")
    (folder / "events" / "log").write_text("log")
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_all_of_it_goes_to_a_folder_that_is_made(result, tmp_path):
    folder = copied(result, tmp_path / "a" / "b")
    assert contents(folder) == contents(result)
    assert copied(result, folder) == folder


def test_what_a_run_says_is_replaced_and_what_is_not_ours_stays(result, tmp_path):
    folder = copied(result, tmp_path / "out")
    (folder / "notes.txt").write_text("mine")
    (result / "eval_results.txt").unlink()
    (result / "eval_results.txt").write_text("eval_accuracy = 0.9\n")
    assert contents(copied(result, folder)) == {**contents(result), "notes.txt": "mine"}


@pytest.mark.parametrize("name", ["bert_model.ckpt.index", "vocab.txt", "saved_model.pb", "variables/variables.index"])
def test_another_model_is_never_replaced(result, tmp_path, name):
    (result / name).parent.mkdir(exist_ok=True)
    (result / name).unlink(missing_ok=True)
    (result / name).write_text("new")
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("old")
    with pytest.raises(UsageError, match=f"holds another {name} than the result, which is in ") as raised:
        copied(result, tmp_path / "out")
    assert "another folder" in raised.value.next_step
    assert contents(tmp_path / "out") == {name: "old"}


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--output-dir .*/file is a file"):
        check_destination("output-dir", str(tmp_path / "file"))
    check_destination("output-dir", "")
    check_destination("output-dir", str(tmp_path / "new"))
