from __future__ import annotations

from pathlib import PurePosixPath

from host_doubles import golden_plan

from bertbuild.plans.plan import File
from bertbuild.plans.pretraining_data import PretrainingRequest, plan_pretraining_data, target_name

TEXT = File(path=PurePosixPath("/texts"), digest="d-text")
VOCAB = File(path=PurePosixPath("/vocab.txt"), digest="d-vocab")


def test_pretraining_data_has_the_plan_on_record():
    request = PretrainingRequest(do_whole_word_mask=True, max_seq_length=512, masked_lm_prob=0.2)
    plan = plan_pretraining_data("uncased", TEXT, VOCAB, request)
    golden_plan("plan_pretraining_data", plan)
    assert target_name(request) == "pretraining-512"
