from __future__ import annotations

import json

import pytest
from disks import small_disks
from killing import WHOLE, undisturbed
from program import ROOT, Bertbuild
from stand_ins import light_checkout
from tiny_models import weights, write_google

FLEET = """
[targets.ir]
kind = "ir"
[targets.frozen]
kind = "frozen"
[models.tiny]
checkpoint = {tiny}
[models.bare]
checkpoint = "bare"
"""
COUNTS = pytest.StashKey[dict[str, dict[str, int]]]()


def pytest_configure(config):
    config.stash[COUNTS] = {}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == ROOT / "tests" / "faults":
            item.add_marker(pytest.mark.faults)


def pytest_terminal_summary(terminalreporter, config):
    """The counts as a table for docs/results.md."""
    rows = {title: counts for title, counts in config.stash[COUNTS].items() if counts}
    if rows:
        terminalreporter.section("faults, whole" if WHOLE else "faults, short")
        for title, counts in rows.items():
            terminalreporter.write_line(f"| {title} | {', '.join(f'{name} {n}' for name, n in counts.items())} |")


@pytest.fixture(scope="session")
def times():
    """times(short, whole): how often, in CI and by `invoke test --whole`."""
    return lambda short, whole: whole if WHOLE else short


@pytest.fixture
def counts(request):
    """The test's line of the table that is printed at the end."""
    title = request.node.name.removeprefix("test_").replace("_", " ")
    return request.config.stash[COUNTS].setdefault(title, {})


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return write_google(tmp_path_factory.mktemp("models") / "tiny", weights(seed=1, labels=3))


@pytest.fixture(scope="session")
def light_root(tmp_path_factory):
    return light_checkout(tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="session", autouse=True)
def _prepared(tmp_path_factory):
    """The environments of the stages are made."""
    Bertbuild(tmp_path_factory.mktemp("prepared") / "artifacts").ok("images", "--backend", "tf1,openvino")


@pytest.fixture
def real(tmp_path):
    """A function that gives the program over an empty store: the n-th of the test, or one at a place."""
    return _stores(tmp_path, ROOT)


@pytest.fixture
def light(light_root, tmp_path):
    """The same with stages that do next to nothing."""
    return _stores(tmp_path, light_root)


def _stores(folder, root):
    made = []

    def make(place=None):
        made.append(place)
        own = place or folder / f"store {len(made)}"
        own.mkdir(exist_ok=True)
        return Bertbuild(own / "artifacts", root=root)

    return make


@pytest.fixture(scope="session")
def light_build(light_root, tiny, tmp_path_factory):
    """Both precisions of the tiny model by the light stages, undisturbed."""
    program = Bertbuild(tmp_path_factory.mktemp("undisturbed") / "artifacts", root=light_root)
    return undisturbed(program, ("build-ir", "--checkpoint", tiny, "--precision", "fp32,fp16"))


@pytest.fixture(scope="session")
def light_ir(light_root, tiny, tmp_path_factory):
    """One precision of it."""
    program = Bertbuild(tmp_path_factory.mktemp("undisturbed") / "artifacts", root=light_root)
    return undisturbed(program, ("build-ir", "--checkpoint", tiny))


@pytest.fixture(scope="session")
def fleet_words(tiny, tmp_path_factory):
    """A build file of two models, two targets each, two jobs at once."""
    folder = tmp_path_factory.mktemp("fleet")
    write_google(folder / "bare", weights(seed=2))
    build_file = folder / "bertbuild.toml"
    build_file.write_text(FLEET.format(tiny=json.dumps(str(tiny))))
    return "build", "--file", build_file, "--jobs", "2"


@pytest.fixture(scope="session")
def light_fleet(light_root, fleet_words, tmp_path_factory):
    """Two models by two targets by the light stages."""
    return undisturbed(Bertbuild(tmp_path_factory.mktemp("undisturbed") / "artifacts", root=light_root), fleet_words)


@pytest.fixture(scope="session")
def real_fleet(fleet_words, tmp_path_factory):
    """The same by the real ones."""
    return undisturbed(Bertbuild(tmp_path_factory.mktemp("undisturbed") / "artifacts"), fleet_words)


@pytest.fixture(scope="session")
def real_build(tiny, tmp_path_factory):
    """The tiny model's IR, undisturbed."""
    program = Bertbuild(tmp_path_factory.mktemp("undisturbed") / "artifacts")
    return undisturbed(program, ("build-ir", "--checkpoint", tiny))


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of its own; skipped where that is not allowed."""
    with small_disks(tmp_path) as mount:
        yield mount
