from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest
from host_doubles import facts_of, golden

from bertbuild.errors import UsageError
from bertbuild.plans.plan import File
from bertbuild.plans.prepare_data import OWN, TASKS, PrepareRequest, plan_prepare_data, target_name

DATA = File(path=PurePosixPath("/d"), digest="d-data")
VOCAB = File(path=PurePosixPath("/vocab.txt"), digest="d-vocab")


def test_plans_of_all_tasks_are_those_on_record():
    requests = [PrepareRequest(task=task) for task in TASKS]
    requests += [
        PrepareRequest(task="MNLI", mnli_type="mismatched", do_lower_case=False, max_seq_length=64),
        PrepareRequest(task="XNLI", xnli_language="all"),
        PrepareRequest(task="SQUAD-2.0", max_seq_length=384, max_query_length=32, doc_stride=100),
        PrepareRequest(task=OWN, own_name="own-ner"),
        PrepareRequest(task=OWN, own_name="own-tags", text_column="t", label_column="a,b", multi_label=True),
    ]
    plans = {target_name(request): facts_of(plan_prepare_data("bert", DATA, VOCAB, request)) for request in requests}
    assert len(plans) == len(requests)  # results that differ have names that differ
    lines = (json.dumps({name: plan}, default=str) + "\n" for name, plan in plans.items())
    golden("plans_prepare_data.jsonl", "".join(lines))


REFUSED = {
    "a share that is none": (
        {"task": OWN, "dev_share": "1"},
        "--dev-share must be a number above 0 and below 1 (got 1).",
    ),
    "an unknown task": ({"task": "IMDB"}, f"--task must be one of {', '.join((*TASKS, OWN))} (got 'IMDB')."),
    "a column of a task that has its own": (
        {"task": "MRPC", "text_column": "text"},
        "--text-column is for your own data, and MRPC says it already.",
    ),
    "several labels of a task that has one": (
        {"task": "STS-B", "multi_label": True},
        "--multi-label is for your own data, and STS-B says it already.",
    ),
    "an unknown set": (
        {"task": "MNLI", "mnli_type": "both"},
        "--mnli-type must be one of matched, mismatched (got 'both').",
    ),
    "no room": ({"task": "MRPC", "max_seq_length": 0}, "--max-seq-length must be at least 1 (got 0)."),
    "no stride": ({"task": "SQUAD-1.1", "doc_stride": -1}, "--doc-stride must be at least 1 (got -1)."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused(name):
    words, sentence = REFUSED[name]
    with pytest.raises(UsageError) as raised:
        PrepareRequest(**words)
    assert str(raised.value) == sentence
