from __future__ import annotations

import pytest
from damage import flip_a_byte

pytestmark = pytest.mark.integration

SABOTAGE = '''
import openvino

_save_model = openvino.save_model


def _sabotaged(model, *args, **options):
    """Save the model with 1e-3 added to the pooler's bias."""
    from openvino import opset13

    tanh = model.get_results()[0].input_value(0).get_node()
    add = tanh.input_value(0).get_node()
    assert (tanh.get_type_name(), add.get_type_name()) == ("Tanh", "Add")
    for source in add.inputs():
        bias = source.get_source_output().get_node()
        if bias.get_type_name() == "Constant":
            other = opset13.constant(bias.data + 1e-3, dtype=bias.get_element_type())
            source.replace_source_output(other.output(0))
    return _save_model(model, *args, **options)


openvino.save_model = _sabotaged
'''


@pytest.fixture
def sabotaged(altered):
    """The program of a checkout whose stage `ir-direct` changes a weight, over the session's store."""
    return altered("openvino", "ir_direct", SABOTAGE)


def test_a_damaged_ir_is_found_set_aside_and_built_again(bertbuild, tiny, tiny_built):
    assert tiny_built.code == 0
    build = ("build-ir", "--checkpoint", tiny, "--name", "damaged")
    key = bertbuild.ok(*build).last["targets"][0]["key"]
    assert bertbuild.ok("verify", "damaged").last["verified"] == [{"model": "damaged", "target": "ir-fp32"}]
    binary = bertbuild.out("damaged", "ir-fp32") / "model.bin"
    whole = binary.read_bytes()

    flip_a_byte(binary.resolve())
    assert "model.bin changed" in bertbuild.refused("verify", "damaged", code=15)["message"]
    again = bertbuild.ok(*build)
    (warning,) = [text for text in again.warnings if "in the store is damaged" in text]
    assert "model.bin changed" in warning
    assert again.ids("done") == ["ir-fp32"], "the same bytes were made again, so nothing after them is new"
    assert binary.read_bytes() == whole
    aside = list((bertbuild.artifacts / "damaged").glob(f"ir-direct-{key}*/model.bin"))
    assert len(aside) == 1
    assert aside[0].read_bytes() != whole
    bertbuild.ok("verify", "damaged")


def test_verify_answers_for_minilm_in_half_precision(bertbuild, minilm):
    assert minilm.code == 0
    outcome = bertbuild.ok("verify", "minilm-l6/ir-fp16")
    assert outcome.verdict("ir-fp16")["rows"] == minilm.verdict("ir-fp16")["rows"]


def test_an_ir_that_answers_otherwise_gets_no_name_and_keeps_failing(bertbuild, sabotaged, tiny, tiny_built):
    assert tiny_built.code == 0
    build = ("build-ir", "--checkpoint", tiny, "--name", "gated", "--output", "pooled")
    good = bertbuild.ok(*build)
    link = bertbuild.out("gated", "ir-pooled-fp32")
    assert link.is_symlink()

    first = sabotaged(*build)
    assert first.code == 20, first.last
    assert first.last["error"] == "ParityError"
    assert "ir-pooled-fp32 of gated does not answer like its source" in first.last["message"]
    assert "reference" in first.ids("cached")
    assert not link.is_symlink(), "the name of an earlier, good result is taken away"
    verdict = bertbuild.record("gated", "ir-pooled-fp32")["verdict"]
    assert verdict["passed"] is False
    worst = max(row["max_abs"] for row in verdict["rows"])
    assert 1e-4 < worst <= 1.1e-3
    assert all(row["limit"] == 1e-5 for row in verdict["rows"])

    second = sabotaged(*build)
    assert second.code == 20
    assert second.last == first.last
    assert second.ids("started") == []
    states = {target["model"]: target["state"] for target in bertbuild.ok("status").last["targets"]}
    assert states["gated"] == "failed"

    third = bertbuild.ok(*build)
    assert third.ids("started") == []
    assert third.last == good.last
    assert link.is_symlink()
