from __future__ import annotations

import pytest
from build_files import load

from bertbuild.buildfile.entries import Recipe
from bertbuild.buildfile.select import select
from bertbuild.errors import UsageError

FLEET = """
[targets.ir]
kind = "ir"
matrix = { precision = ["fp32", "fp16"] }
[targets.hub]
kind = "hub"
[models.rte]
finetune = { from = "mrpc", task = "RTE" }
targets = ["hub"]
[models.mrpc]
finetune = { from = "minilm", task = "MRPC" }
[models.minilm]
model = "minilm-l6"
[models.other]
checkpoint = "c"
targets = ["ir"]
"""


@pytest.fixture
def chosen(tmp_path):
    fleet = load(tmp_path, FLEET)

    def choose(*names):
        return {model.name: [target.name for target in model.targets] for model in select(fleet, names).models}

    return choose


IRS = ["ir-fp32", "ir-fp16"]
ALL = {"rte": ["hub"], "mrpc": [*IRS, "hub"], "minilm": [*IRS, "hub"], "other": IRS}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ALL),
        (["*"], ALL),
        (["other"], {"other": IRS}),
        (["other", "minilm"], {"minilm": ALL["minilm"], "other": IRS}),
        (["minilm/hub"], {"minilm": ["hub"]}),
        (["minilm/ir"], {"minilm": IRS}),
        (["minilm/ir-fp16", "other/ir-fp32"], {"minilm": ["ir-fp16"], "other": ["ir-fp32"]}),
        (["mini*/*16"], {"minilm": ["ir-fp16"]}),
        (["ir-fp16"], {"mrpc": ["ir-fp16"], "minilm": ["ir-fp16"], "other": ["ir-fp16"]}),
        (["ir"], {"mrpc": IRS, "minilm": IRS, "other": IRS}),
        (["*-fp32"], {"mrpc": ["ir-fp32"], "minilm": ["ir-fp32"], "other": ["ir-fp32"]}),
        (["o*"], {"other": IRS}),
        (["[mo]*/ir-fp3[12]"], {"mrpc": ["ir-fp32"], "minilm": ["ir-fp32"], "other": ["ir-fp32"]}),
        (["rte"], {"rte": ["hub"], "mrpc": [], "minilm": []}),
        (["mrpc/hub"], {"mrpc": ["hub"], "minilm": []}),
        (["rte", "minilm/hub"], {"rte": ["hub"], "mrpc": [], "minilm": ["hub"]}),
        (["rte", "rte/hub"], {"rte": ["hub"], "mrpc": [], "minilm": []}),
    ],
)
def test_names_patterns_and_what_comes_along(chosen, names, expected):
    assert chosen(*names) == expected
    assert list(chosen(*names)) == [name for name in ALL if name in expected]  # in the order of the file


def test_what_comes_along_keeps_its_source(tmp_path):
    (_, mrpc, minilm) = select(load(tmp_path, FLEET), ["rte"]).models
    assert isinstance(mrpc.source, Recipe)
    assert minilm.source.model == "minilm-l6"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("minlm", '; did you mean "minilm"?'),
        ("irfp16", '; did you mean "ir-fp16"?'),
        ("minilm/irfp16", '; did you mean "minilm/ir-fp16"?'),
        ("rte/ir", "."),
        ("x*", "."),
        ("", "."),
        ("/", "."),
        ("[", "."),
    ],
)
def test_a_name_of_nothing_is_refused_with_what_is_nearest(chosen, name, near):
    with pytest.raises(UsageError) as raised:
        chosen("other", name)
    assert f'"{name}"' in str(raised.value)
    assert str(raised.value).endswith(near) or near == "."
    assert "Models: rte, mrpc, minilm, other. Targets: hub, ir, ir-fp32, ir-fp16." in raised.value.next_step
