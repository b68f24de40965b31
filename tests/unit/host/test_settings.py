from __future__ import annotations

from pathlib import Path

import pytest

from bertbuild import config
from bertbuild.config import Settings, load_settings
from bertbuild.errors import UsageError


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "bertbuild.toml").write_text(text)
        return tmp_path

    return write


def test_without_anything_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={}, folder=tmp_path)
    assert settings.artifacts == tmp_path / "artifacts"
    assert settings.environments == Path("~/.cache/bertbuild/environments").expanduser()
    assert (settings.isolation, settings.mirror, settings.local) == ("auto", None, None)


def test_flags_win_over_variables_over_the_file_over_the_defaults(written):
    folder = written('isolation = "docker"\nmirror = "file"\nartifacts = "/file"\nlocal = "/file"')
    environ = {"BERTBUILD_ISOLATION": "auto", "BERTBUILD_MIRROR": "variable", "BERTBUILD_ARTIFACTS": "/variable"}
    settings = load_settings({"isolation": "venv", "mirror": "flag"}, environ=environ, folder=folder)
    assert settings == Settings(
        isolation="venv",
        mirror="flag",
        artifacts=Path("/variable"),
        local=Path("/file"),
        environments=Settings().environments.expanduser(),
    )


def test_empty_flags_and_variables_count_as_not_given(written):
    folder = written('isolation = "docker"')
    assert load_settings({"isolation": ""}, environ={"BERTBUILD_ISOLATION": ""}, folder=folder).isolation == "docker"


def test_every_setting_has_a_variable(tmp_path):
    environ = {variable: "venv" if name == "isolation" else "/x" for name, variable in config.VARIABLES.items()}
    settings = load_settings(environ=environ, folder=tmp_path)
    assert {str(getattr(settings, name)) for name in config.VARIABLES} == {"/x", "venv"}
    assert set(config.VARIABLES) == set(Settings.__dataclass_fields__)


def test_paths_may_begin_with_a_tilde(tmp_path):
    settings = load_settings({"artifacts": "~/a", "local": "~/b"}, environ={}, folder=tmp_path)
    assert (settings.artifacts, settings.local) == (Path.home() / "a", Path.home() / "b")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('artefacts = "/x"', "'artefacts' is no setting"),
        ("isolation = 7", "'isolation' must be a string, not int"),
        ("[isolation]", "'isolation' must be a string, not dict"),
        ("isolation = ", "is not valid TOML"),
        ('isolation = "podman"', "Isolation 'podman' is none of auto, docker, venv"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_a_next_step(written, text, sentence):
    with pytest.raises(UsageError, match=sentence) as raised:
        load_settings(environ={}, folder=written(text))
    assert raised.value.next_step


def test_a_misspelt_setting_brings_the_known_ones(written):
    with pytest.raises(UsageError) as raised:
        load_settings(environ={}, folder=written('artefacts = "/x"'))
    assert "artifacts, environments, isolation" in raised.value.next_step


def test_a_bad_flag_and_a_bad_variable_are_refused(tmp_path):
    for flags, environ in (({"isolation": "podman"}, {}), ({}, {"BERTBUILD_ISOLATION": "podman"})):
        with pytest.raises(UsageError, match="'podman'"):
            load_settings(flags, environ=environ, folder=tmp_path)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "bertbuild.toml").mkdir()
    with pytest.raises(UsageError, match=r"bertbuild\.toml cannot be read: Is a directory"):
        load_settings(environ={}, folder=tmp_path)


def test_a_file_in_another_encoding_is_told(tmp_path):
    (tmp_path / "bertbuild.toml").write_bytes('artifacts = "/Müll"'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"bertbuild\.toml is not UTF-8 text"):
        load_settings(environ={}, folder=tmp_path)
