"""What may go, decided over plain data: random graphs of results, records, runs and ages."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertbuild.errors import UsageError
from bertbuild.store.garbage import HOUR, Name, Object, Record, Run, Snapshot, Thing, parse_keep, removable

NOW = 1_000_000_000.0
DAY = 86400
TARGETS = parse_keep("targets")
AGES = [0, HOUR, DAY, 6 * DAY, 8 * DAY, 29 * DAY, 31 * DAY, 400 * DAY]
STATES = st.sampled_from([(age, False) for age in AGES] + [(8 * DAY, True), (400 * DAY, True)])
"""How long ago something was used, and whether it is in use."""

DIGESTS = [f"digest {number}" for number in range(6)]


def of_result(number):
    return f"ir/{number:012d}"


@st.composite
def stores(draw):
    """A store with results made of each other (some with the same content), and all else that lies in one."""

    def facts(kind, path):
        age, busy = draw(STATES)
        return {"kind": kind, "path": path, "used": NOW - age, "busy": busy}

    def an_object(path, result):
        inputs = draw(st.frozensets(st.sampled_from([*DIGESTS, "a file's"]), max_size=2))
        digest = draw(st.sampled_from(["", *DIGESTS]))
        judges = draw(st.sampled_from(["", "", "", f"verdict on {sorted(inputs)}"]))
        return Object(**facts("object", path), result=result, digest=digest, inputs=inputs, judges=judges)

    count = draw(st.integers(0, 9))
    paths = [f"objects/ir/{number}" for number in range(count)]
    results = [of_result(number) for number in range(count)]
    here = st.sampled_from([*paths, "objects/ir/gone"])
    objects = tuple(map(an_object, paths, results))
    names = tuple(
        Name(**facts("name", f"out/toy/{number}"), target=draw(here))
        for number in draw(st.sets(st.integers(0, 3), max_size=3))
    )
    sources = st.sampled_from(["downloads/one", "downloads/two", "probes/a", *paths])
    records = tuple(
        Record(
            **facts("record", f"targets/toy/{number}.json"),
            name=f"out/toy/{number}",
            target=draw(here),
            results=draw(st.frozensets(here, max_size=4)),
            sources=draw(st.frozensets(sources, max_size=2)),
        )
        for number in draw(st.sets(st.integers(0, 3), max_size=3))
    )
    some = st.sampled_from([*results, of_result(99)])
    runs = tuple(
        Run(
            **facts("run", f"runs/{number}.jsonl"),
            began=NOW - draw(st.sampled_from(AGES)),
            results=draw(st.frozensets(some)),
        )
        for number in range(draw(st.integers(0, 4)))
    )
    others = [
        Thing(**facts("unfinished", f"unfinished/ir/{number}"), result=of_result(number))
        for number in draw(st.sets(st.integers(0, 9), max_size=3))
    ]
    others += [Thing(**facts("log", f"logs/{number}"), result=draw(some)) for number in range(draw(st.integers(0, 4)))]
    kinds = {"downloads/one": "download", "downloads/two": "download", "probes/a": "probes", "damaged/a": "damaged"}
    kinds |= {"work/a": "work", "locks/a": "lock", "reports/a": "report", "sbom/a": "sbom"}
    others += [Thing(**facts(kinds[path], path)) for path in sorted(draw(st.sets(st.sampled_from(sorted(kinds)))))]
    return Snapshot(objects=objects, names=names, records=records, runs=runs, others=tuple(others))


KEEPS = st.sampled_from(["targets", "12h", "7d", "30d", "1", "2", "9"]).map(parse_keep)


def without(store, gone):
    paths = {thing.path for thing in gone}
    left = {
        part: tuple(thing for thing in getattr(store, part) if thing.path not in paths)
        for part in ("objects", "names", "records", "runs", "others")
    }
    return Snapshot(**left)


def whole(path, before, after, seen=frozenset()):
    """Whether a result is there with all that it was made of, as far as that was there before."""
    there = {item.path: item for item in after.objects}
    if path not in there:
        return False
    had = {item.digest for item in before.objects} - {""}
    return all(
        any(
            item.path in seen or whole(item.path, before, after, seen | {path})
            for item in after.objects
            if item.digest == wanted
        )
        for wanted in there[path].inputs & had
        if not any(there[above].digest == wanted for above in seen | {path})
    )


@settings(max_examples=60)
@given(stores(), KEEPS)
def test_what_is_left_is_whole_and_nothing_more_of_it_may_go(store, keep):
    gone = removable(store, keep, NOW)
    left = without(store, gone)
    assert not any(thing.busy for thing in gone)
    assert all(whole(item.path, store, left) for item in left.objects)
    assert removable(left, keep, NOW) == ()
    check_targets(store, left)
    check_names(left)


def check_targets(store, left):
    """What a named target needs is there, directly or not."""
    there = {item.path for item in store.objects}
    for name in store.names:
        if name.target not in there:
            continue
        assert name in left.names
        assert whole(name.target, store, left)
        for record in store.records:
            if record.name == name.path:
                assert record in left.records
                assert all(whole(path, store, left) for path in record.results & there)
                assert all(thing in left.others for thing in store.others if thing.path in record.sources)
                assert all(item in left.objects for item in store.objects if item.path in record.sources)


def check_names(left):
    """Names and records of what is gone are gone."""
    there = {item.path for item in left.objects}
    assert all(name.busy or name.target in there for name in left.names)
    pointing = {name.path for name in left.names if name.target in there}
    assert all(record.busy or record.target in there or record.name in pointing for record in left.records)


@given(stores(), st.integers(1, 50), st.integers(1, 50))
def test_who_keeps_longer_loses_nothing_more(store, days, more):
    short, long = parse_keep(f"{days}d"), parse_keep(f"{days + more}d")
    assert set(removable(store, long, NOW)) <= set(removable(store, short, NOW)) <= set(removable(store, TARGETS, NOW))


@given(stores(), st.integers(1, 5))
def test_what_the_last_runs_used_stays_and_so_do_their_logs(store, count):
    gone = set(removable(store, parse_keep(str(count)), NOW))
    for run in sorted(store.runs, key=lambda run: run.path)[-count:]:
        assert run not in gone
        assert not any(thing.result in run.results for thing in gone if thing.kind in ("object", "log"))


@given(stores(), KEEPS, st.integers(0, 99))
def test_the_order_in_which_things_are_found_decides_nothing(store, keep, seed):
    chance = random.Random(seed)  # noqa: S311 - an order, no secret

    def shuffled(things):
        return tuple(chance.sample(things, len(things)))

    mixed = replace(store, objects=shuffled(store.objects), names=shuffled(store.names), others=shuffled(store.others))
    assert set(removable(mixed, keep, NOW)) == set(removable(store, keep, NOW))


def an(number, *, days=400, inputs=(), digest="", judges=""):
    digest = digest or f"of {number}"
    facts = {"kind": "object", "path": f"objects/ir/{number}", "used": NOW - days * DAY, "result": of_result(number)}
    return Object(**facts, digest=digest, inputs=frozenset(inputs), judges=judges)


def named(number):
    return Name(kind="name", path=f"out/toy/{number}", used=0, target=f"objects/ir/{number}")


def gone(store, keep="30d"):
    return [thing.path for thing in removable(store, parse_keep(keep), NOW)]


def test_what_nobody_needs_goes():
    chain = (an(1), an(2, inputs=["of 1"]), an(3, inputs=["of 2"]), an(4, inputs=["of 1"]))
    assert gone(Snapshot(objects=chain, names=(named(2),))) == ["objects/ir/3", "objects/ir/4"]


def test_of_several_with_the_content_that_is_needed_the_one_used_last_stays():
    same = [an(number, days=days, digest="same") for number, days in ((1, 50), (2, 40), (3, 60))]
    store = Snapshot(objects=(*same, an(4, inputs=["same"])), names=(named(4),))
    assert gone(store) == ["objects/ir/1", "objects/ir/3"]
    assert gone(replace(store, names=(named(4), named(3)))) == ["objects/ir/1", "objects/ir/2"]


def test_a_verdict_stays_while_all_it_is_about_does():
    verdict = an(3, inputs=["of 1", "of 2"], judges="fp32")
    older = an(4, inputs=["of 1", "of 2"], judges="fp32", days=500)
    store = Snapshot(objects=(an(1), an(2), verdict, older), names=(named(1), named(2)))
    assert gone(store) == ["objects/ir/4"]
    assert gone(replace(store, names=(named(1),))) == ["objects/ir/2", "objects/ir/3", "objects/ir/4"]


def test_the_last_log_of_a_result_stays_as_long_as_the_result():
    logs = [Thing(kind="log", path=f"logs/{when}", used=0, result=of_result(1)) for when in (1, 2)]
    store = Snapshot(objects=(an(1),), names=(named(1),), others=tuple(logs))
    assert gone(store) == ["logs/1"]
    assert gone(replace(store, names=())) == ["objects/ir/1", "logs/1", "logs/2"]


def test_a_bill_of_materials_stays_while_a_result_names_it():
    bill = Thing(kind="sbom", path="sbom/tf1.json", used=0)
    item = replace(an(1), mentions=frozenset({"sbom/tf1.json"}))
    assert gone(Snapshot(objects=(item,), names=(named(1),), others=(bill,))) == []
    assert gone(Snapshot(objects=(item,), others=(bill,))) == ["objects/ir/1", "sbom/tf1.json"]


def test_training_that_has_its_result_is_left_over_however_young():
    rest = Thing(kind="unfinished", path="unfinished/ir/1", used=NOW, result=of_result(1))
    assert gone(Snapshot(objects=(an(1),), names=(named(1),), others=(rest,))) == ["unfinished/ir/1"]
    assert gone(Snapshot(others=(rest,))) == []


def test_of_fewer_runs_than_asked_for_nothing_counts_as_old():
    run = Run(kind="run", path="runs/1.jsonl", used=0, began=NOW - DAY)
    store = Snapshot(objects=(an(1),), runs=(run,))
    assert gone(store, "2") == []
    assert gone(store, "1") == ["objects/ir/1"]


def test_what_was_used_just_before_the_runs_that_count_goes():
    runs = [
        Run(
            kind="run",
            path=f"runs/{number}",
            used=NOW,
            began=NOW - 60 * (9 - number),
            results=frozenset([of_result(number)]),
        )
        for number in (1, 2, 3)
    ]
    store = Snapshot(objects=(an(1, days=0), an(2, days=0), an(3, days=0)), runs=tuple(runs))
    assert gone(store, "2") == ["objects/ir/1", "runs/1"]


def test_an_hour_is_added_because_a_use_is_noted_once_an_hour():
    for seconds, stays in ((DAY + HOUR - 1, True), (DAY + HOUR + 1, False)):
        store = Snapshot(objects=(replace(an(1), used=NOW - seconds),))
        assert (gone(store, "1d") == []) is stays


def test_what_is_dated_in_the_future_stays():
    assert gone(Snapshot(objects=(an(1, days=-3),)), "12h") == []


@pytest.mark.parametrize(
    ("text", "seconds", "runs", "words"),
    [
        ("12h", 12 * HOUR, None, "in the last 12 hours"),
        ("1d", DAY, None, "in the last 1 day"),
        ("4w", 28 * DAY, None, "in the last 4 weeks"),
        ("3", None, 3, "in the last 3 runs"),
        ("1", None, 1, "in the last run"),
        ("targets", None, None, "nothing else"),
    ],
)
def test_what_keep_means(text, seconds, runs, words):
    keep = parse_keep(text)
    assert (keep.seconds, keep.runs) == (seconds, runs)
    assert str(keep).endswith(words)


@pytest.mark.parametrize("text", ["", "0", "0d", "-1d", "d", "7 d", "7m", "1.5d", "all", "9999999d", "\u0663d"])
def test_what_keep_cannot_mean(text):
    with pytest.raises(UsageError, match="is invalid") as raised:
        parse_keep(text)
    assert "12h, 30d, 4w" in raised.value.next_step
