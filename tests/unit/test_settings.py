from __future__ import annotations

import re
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
    given = {"isolation": "venv", "jobs": "7", "memory": "8g", "offline": "True", "fetch": "all"}
    given |= {"remote_read": "False", "remote_write": "True"}
    environ = {variable: given.get(name, "/x") for name, variable in config.VARIABLES.items()}
    settings = load_settings(environ=environ, folder=tmp_path)
    assert {name: str(getattr(settings, name)) for name in config.VARIABLES} == {
        name: given.get(name, "/x") for name in config.VARIABLES
    }
    assert set(config.VARIABLES) == set(Settings.__dataclass_fields__)


def test_the_remote_store_has_a_table_of_its_own(written):
    folder = written('[remote]\nurl = "file:///r"\nwrite = true\ntrust = ["a", "b"]\nkey = "k"\nfetch = "all"')
    settings = load_settings(environ={"BERTBUILD_REMOTE_WRITE": "0"}, folder=folder)
    assert (settings.remote, settings.remote_read, settings.remote_write) == ("file:///r", True, False)
    assert (settings.remote_trust, settings.remote_key, settings.fetch) == ("a,b", Path("k"), "all")


def test_the_cluster_has_a_table_of_its_own(written):
    folder = written('[cluster]\nscheduler = "tls://s:1"\ncertificates = "c"')
    settings = load_settings(environ={}, folder=folder)
    assert (settings.scheduler, settings.certificates) == ("tls://s:1", Path("c"))
    assert load_settings({"scheduler": "tls://t:1"}, environ={}, folder=folder).scheduler == "tls://t:1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[cluster]\nschedulers = "x"', 'line 2: [cluster] knows no key "schedulers"; did you mean "scheduler"?'),
        ('[remote]\nurls = "x"', 'line 2: [remote] knows no key "urls"; did you mean "url"?'),
        ("[remote]\nread = 1", 'line 2: "read" must be true or false, not 1.'),
        ("[remote]\ntrust = [1]", 'line 2: "trust" must be a string, or an array of strings, not an array.'),
        ('[remote]\nfetch = "some"', 'line 2: "fetch" must be one of targets, all, none, not "some".'),
        ('remote = "x"', "[remote] must be a table"),
    ],
)
def test_what_is_wrong_in_the_remote_stores_table_is_told_with_its_line(written, text, told):
    with pytest.raises(UsageError) as raised:
        load_settings(environ={}, folder=written(text))
    assert told in str(raised.value)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False), ("FALSE", False), ("", False)])
def test_offline_is_a_truth_as_variables_and_files_write_it(written, text, value):
    assert load_settings(environ={"BERTBUILD_OFFLINE": text}, folder=written("")).offline is value
    folder = written("offline = true")
    assert load_settings(environ={}, folder=folder).offline is True
    assert load_settings(environ={"BERTBUILD_OFFLINE": "0"}, folder=folder).offline is False
    assert load_settings({"offline": "true"}, environ={"BERTBUILD_OFFLINE": "0"}, folder=written("")).offline is True


def test_offline_that_is_neither_true_nor_false_is_refused(written):
    with pytest.raises(UsageError, match="BERTBUILD_OFFLINE must be true or false"):
        load_settings(environ={"BERTBUILD_OFFLINE": "perhaps"}, folder=written(""))


def test_jobs_and_memory_come_from_each_of_the_four_places(written):
    assert (Settings().jobs, Settings().memory, Settings().memory_bytes) == (0, "", None)
    folder = written('jobs = 3\nmemory = "800m"')
    from_file = load_settings(environ={}, folder=folder)
    assert (from_file.jobs, from_file.memory_bytes) == (3, 800 * 2**20)
    environ = {"BERTBUILD_JOBS": "0", "BERTBUILD_MEMORY_BUDGET": "1.5G"}
    from_variables = load_settings(environ=environ, folder=folder)
    assert (from_variables.jobs, from_variables.memory_bytes) == (0, 3 * 2**29)
    from_flags = load_settings({"jobs": "4", "memory": "1048576"}, environ=environ, folder=folder)
    assert (from_flags.jobs, from_flags.memory_bytes) == (4, 2**20)


def test_the_limit_of_one_container_is_no_budget(tmp_path):
    assert load_settings(environ={"BERTBUILD_MEMORY": "6g"}, folder=tmp_path).memory == ""


def test_the_build_file_may_be_named(tmp_path):
    (tmp_path / "fleet.toml").write_text("jobs = 5")
    assert load_settings(environ={}, folder=tmp_path, file=tmp_path / "fleet.toml").jobs == 5


def test_the_tables_of_a_build_are_no_settings(written):
    text = 'jobs = 2\n[defaults]\nseq_len = 128\n[targets.hub]\nkind = "hub"\n[models.m]\nmodel = "minilm-l6"'
    assert load_settings(environ={}, folder=written(text)).jobs == 2


def test_paths_may_begin_with_a_tilde(tmp_path):
    settings = load_settings({"artifacts": "~/a", "local": "~/b"}, environ={}, folder=tmp_path)
    assert (settings.artifacts, settings.local) == (Path.home() / "a", Path.home() / "b")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('artefacts = "/x"', 'line 1: no setting or table is called "artefacts"; did you mean "artifacts"?'),
        (
            'jobs = 1\n\nmodel_lock = "/x"',
            'line 3: no setting or table is called "model_lock"; did you mean "models_lock"?',
        ),
        ("isolation = 7", 'line 1: "isolation" must be one of auto, docker, venv, not 7.'),
        ("[isolation]", 'line 1: "isolation" must be one of auto, docker, venv, not a table.'),
        ("jobs = 2\nisolation = ", "line 2: not valid TOML"),
        ("a = 1\n# two\na = 2\n", "line 3: not valid TOML"),
        ("jobs = [\n1,\n", "line 2: not valid TOML"),
        ("jobs = " + "9" * 5000, "not valid TOML"),
        ("jobs = " + "[" * 5000, "is nested too deeply"),
        ('isolation = "podman"', '"isolation" must be one of auto, docker, venv, not "podman".'),
        ('isolation = "dokcer"', 'not "dokcer"; did you mean "docker"?'),
        ('jobs = "2"', '"jobs" must be a whole number, 0 or more, not "2".'),
        ("jobs = -1", "not -1."),
        ("jobs = true", "not true."),
        ("jobs = 2.0", "not 2.0."),
        ("memory = 16", '"memory" must be an amount of memory such as "16g" or "800m", not 16.'),
        ('memory = "sixteen"', 'not "sixteen".'),
        ('memory = "0g"', 'not "0g".'),
        ("artifacts = 2020-01-01", '"artifacts" must be a string, not a date or time.'),
        ('artifacts = "a\\u0000b"', '"artifacts" must be a string, not'),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_line_and_next_step(written, text, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)) as raised:
        load_settings(environ={}, folder=written(text))
    assert raised.value.next_step


def test_a_misspelt_setting_brings_the_known_ones(written):
    with pytest.raises(UsageError) as raised:
        load_settings(environ={}, folder=written('artefacts = "/x"'))
    assert "artifacts, isolation, environments" in raised.value.next_step


@pytest.mark.parametrize(
    ("flags", "environ", "sentence"),
    [
        ({"isolation": "podman"}, {}, '--isolation must be one of auto, docker, venv, not "podman".'),
        ({}, {"BERTBUILD_ISOLATION": "podman"}, "BERTBUILD_ISOLATION must be one of"),
        ({"jobs": "two"}, {}, '--jobs must be a whole number, 0 or more, not "two".'),
        ({"jobs": "-1"}, {}, 'not "-1".'),
        ({}, {"BERTBUILD_JOBS": "9" * 5000}, "BERTBUILD_JOBS must be a whole number"),
        ({}, {"BERTBUILD_MEMORY_BUDGET": "lots"}, "BERTBUILD_MEMORY_BUDGET must be an amount of memory"),
    ],
)
def test_a_bad_flag_and_a_bad_variable_are_refused(tmp_path, flags, environ, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        load_settings(flags, environ=environ, folder=tmp_path)


def test_a_mark_at_the_beginning_of_utf8_is_passed_over(tmp_path):
    (tmp_path / "bertbuild.toml").write_bytes("\ufeffjobs = 2\r\n".encode())
    assert load_settings(environ={}, folder=tmp_path).jobs == 2


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "bertbuild.toml").mkdir()
    with pytest.raises(UsageError, match=r"bertbuild\.toml cannot be read: Is a directory"):
        load_settings(environ={}, folder=tmp_path)


def test_a_file_in_another_encoding_is_told(tmp_path):
    (tmp_path / "bertbuild.toml").write_bytes('artifacts = "/Müll"'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"bertbuild\.toml is not UTF-8 text"):
        load_settings(environ={}, folder=tmp_path)


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    with pytest.raises(UsageError, match="has no home folder") as caught:
        load_settings(environ={}, folder=tmp_path)
    assert "BERTBUILD_ENVIRONMENTS" in caught.value.next_step
    there = load_settings(environ={"BERTBUILD_ENVIRONMENTS": str(tmp_path)}, folder=tmp_path)
    assert there.environments == tmp_path
