"""Which TensorFlow a verdict says that answered for a source."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from bertbuild.gate.judges import is_one_tensorflow, judges, tensorflow_of
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.tf2 import Tf2, plan_convert_tf2
from bertbuild.plans.convert_tf1 import plan_convert_tf1
from bertbuild.plans.placing import BOTH, OF_1, OF_2, placed
from bertbuild.plans.plan import File, Source, Step

FOLDER = File(path=PurePosixPath("/c"), digest="d-checkpoint")
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
CHECKPOINT = Source(model="bert", kind="checkpoint", file=FOLDER, gelu="erf")
TWO = Source(model="tf2", kind="tf2-checkpoint", prefix="", file=FOLDER, gelu="tanh")
PLANS = {
    "freeze": plan_freeze(CHECKPOINT, Frozen(), PROBES),
    "ir": plan_ir(CHECKPOINT, Ir(precision="fp32,fp16"), PROBES),
    "convert_tf2": plan_convert_tf2(CHECKPOINT, Tf2(), PROBES),
    "convert_tf1": plan_convert_tf1(TWO, PROBES),
}
IN_1, IN_2 = "TensorFlow 1.15.5", "TensorFlow 2.20.0 in v1 mode"


@pytest.mark.parametrize(
    ("name", "reference", "expected", "one"),
    [
        ("ir", OF_1, (IN_1,), False),
        ("ir", OF_2, (IN_2,), False),
        ("ir", BOTH, (IN_1, IN_2), False),
        ("freeze", OF_1, (IN_1,), True),
        ("freeze", OF_2, (IN_2,), True),
        ("convert_tf2", OF_1, (IN_1,), False),
        ("convert_tf2", OF_2, (IN_2,), True),
        ("convert_tf2", BOTH, (IN_1, IN_2), False),
        ("convert_tf1", OF_1, ("TensorFlow 2.20.0",), False),
        ("convert_tf1", OF_2, ("TensorFlow 2.20.0",), True),
    ],
)
def test_a_verdict_names_who_answered_for_the_source(name, reference, expected, one):
    there = placed(PLANS[name], reference)
    assert judges(there, there.targets[0]) == expected
    assert is_one_tensorflow(there, there.targets[0]) is one


def test_only_what_runs_tensorflow_is_named_one():
    assert tensorflow_of(Step(id="a", stage="openvino-infer", inputs={})) == ""
    assert tensorflow_of(Step(id="a", stage="tf2-infer", inputs={})) == "TensorFlow 2.20.0"
