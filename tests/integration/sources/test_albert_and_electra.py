"""ALBERT and ELECTRA through every kind that is made of them; transformers' TensorFlow classes are the reference."""

from __future__ import annotations

import json
from pathlib import Path

import family_models
import family_sources
import pytest
from family_models import ALBERT_CONFIG, GENERATOR_CONFIG, SIZES, H, NumpyFamily, values, write_family
from matrix import cells
from torch_reference import needs_torch, require_like_source

from bertbuild.checkpoint.bundle import CheckpointReader

pytestmark = pytest.mark.integration

CASES = {
    "family-albert": (
        family_models.albert_shapes() | family_models.masked_lm_shapes(),
        "pooled,sequence",
        "tanh",
        {"ir": "TFAlbertModel", "onnx": "TFAlbertModel"},
    ),
    "family-albert-zh": (family_models.albert_zh_shapes(), "pooled,all-layers", "tanh", {"ir": "TFBertModel"}),
    "family-electra": (
        family_models.electra_shapes(generator=True),
        "sequence,replaced-token-logits",
        "erf",
        {"hf": "frozen", "ir": "TFElectraForPreTraining"},
    ),
    "family-electra-base": (family_models.electra_shapes(embedding=H), "sequence", "erf", {"ir": "TFElectraModel"}),
}
"""Name → variables, outputs, the form of gelu of the family's code, and kinds with who answers for the source."""
COMMANDS = {"ir": "build-ir", "onnx": "convert-onnx", "frozen": "freeze", "hf": "convert-hf"}
WORDS = [*("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), *(f"w{number}" for number in range(family_models.V - 5))]


def checkpoint(folder, name):
    config = dict(ALBERT_CONFIG) if "albert" in name else dict(SIZES, embedding_size=H if "base" in name else 16)
    called = "albert_config.json" if "albert" in name else "electra_config.json"
    if not folder.exists():
        write_family(folder, values(CASES[name][0]), config, config_name=called)
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    return folder


@pytest.mark.parametrize("name", cells(CASES, "family-albert", "family-electra"))
def test_targets_of_a_family_answer_like_transformers_own_classes(bertbuild, session_folder, name):
    _, outputs, _, kinds = CASES[name]
    folder = checkpoint(session_folder / name, name)
    for kind, judge in kinds.items():
        flags = () if kind == "hf" else ("--output", outputs)
        built = bertbuild.ok(COMMANDS[kind], "--checkpoint", folder, *flags)
        verdict = built.verdict(built.last["target"])
        assert verdict["passed"]
        assert judge in verdict["answered_by"][0]["what"] or kind == "hf"


@pytest.mark.whole
@pytest.mark.parametrize("name", [name for name in CASES if name != "family-albert-zh"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_every_kind_of_every_family(bertbuild, session_folder, name, kind):
    flags = () if kind == "hf" else ("--output", CASES[name][1])
    built = bertbuild.ok(COMMANDS[kind], "--checkpoint", checkpoint(session_folder / name, name), *flags)
    assert built.verdict(built.last["target"])["passed"]


@pytest.mark.whole
@pytest.mark.parametrize("name", CASES)
def test_an_ir_answers_as_the_papers_say(bertbuild, session_folder, name):
    shapes, outputs, activation, _ = CASES[name]
    built = bertbuild.ok("build-ir", "--checkpoint", checkpoint(session_folder / name, name), "--output", outputs)
    target = built.last["target"]
    numpy = NumpyFamily(values(shapes), activation=activation)
    answers = bertbuild.answers(name, target)
    for probe, inputs in bertbuild.probes(name, target).items():
        expected = numpy.layers(**inputs)[-1]
        found = answers.get(f"{probe}/sequence_output", answers.get(f"{probe}/layer_2_output"))
        read = inputs["input_mask"].astype(bool)
        assert abs(found - expected)[read].max() < 2e-5


@pytest.mark.whole
@pytest.mark.parametrize("outputs", ["probabilities", "pooled,logits", "masked-lm-logits,next-sentence-logits"])
def test_heads_of_an_albert(bertbuild, session_folder, outputs):
    kinds = "tuned" if "masked" not in outputs else "pretrained"
    head = {"output_weights": (3, H), "output_bias": (3,)}
    more = head if kinds == "tuned" else family_models.masked_lm_shapes()
    folder = session_folder / f"family-albert-{kinds}"
    if not folder.exists():
        write_family(folder, values(family_models.albert_shapes() | more), ALBERT_CONFIG, vocab=False)
    built = bertbuild.ok("build-ir", "--checkpoint", folder, "--output", outputs, "--precision", "fp32,fp16")
    assert all(built.verdict(target["target"])["passed"] for target in built.last["targets"])


@pytest.mark.whole
def test_the_generator_of_an_electra_and_its_masked_lm(bertbuild, session_folder):
    folder = checkpoint(session_folder / "family-electra", "family-electra")
    config = session_folder / "generator.json"
    config.write_text(json.dumps(GENERATOR_CONFIG))
    source = ("--checkpoint", folder, "--config", config, "--scope", "generator", "--name", "family-generator")
    for command, flags in (("build-ir", ("--output", "sequence,masked-lm-logits")), ("convert-hf", ())):
        built = bertbuild.ok(command, *source, *flags)
        assert built.verdict(built.last["target"])["passed"]


@pytest.mark.whole
@pytest.mark.parametrize(
    ("format_", "head"),
    [("encoder", "none"), ("keras-bert", "classifier"), ("keras-bert", "span"), ("savedmodel", "tokens")],
)
def test_an_albert_is_restored_into_the_model_gardens_classes(bertbuild, tmp_path, format_, head):
    name = f"family-garden-{format_}-{head}"
    told = family_sources.write(tmp_path / name, "albert", head)
    flags = ("--head", told["head"]) if "head" in told else ()
    made = bertbuild.ok("convert-tf2", "--checkpoint", told["checkpoint"], "--format", format_, *flags)
    verdict = made.verdict(made.last["target"])
    assert verdict["passed"]
    assert "transformers' TFAlbert" in verdict["answered_by"][0]["what"]
    folder = bertbuild.artifacts / "out" / name / made.last["target"]
    if format_ != "savedmodel":
        told = json.loads((folder / "mapping.json").read_text())
        assert (told["family"], told["left_out"]) == ("albert", [])


@pytest.mark.whole
@needs_torch
@pytest.mark.parametrize("name", ["family-albert", "family-electra", "family-electra-base"])
def test_pytorchs_classes_answer_like_the_source(bertbuild, session_folder, name):
    built = bertbuild.ok("convert-hf", "--checkpoint", checkpoint(session_folder / name, name))
    require_like_source(bertbuild, name, built)


@pytest.mark.whole
@pytest.mark.parametrize("name", ["family-albert", "family-electra"])
def test_there_and_back_through_a_hugging_face_folder(bertbuild, session_folder, name):
    """convert-hf, then what is made of that folder: judged by the folder's own class, and of the same numbers."""
    made = bertbuild.ok("convert-hf", "--checkpoint", checkpoint(session_folder / name, name))
    folder = Path(made.last["targets"][0]["path"])
    kinds = ("build-ir", "convert-hf") if name == "family-albert" else ("build-ir",)
    for command in kinds:
        back = bertbuild.ok(command, "--checkpoint", folder, "--name", f"{name}-back")
        verdict = back.verdict(back.last["targets"][0]["target"])
        assert verdict["passed"]
        assert "transformers' TF" in verdict["answered_by"][0]["what"]
    found = bertbuild.ok("inspect", "--checkpoint", folder).last["inspection"]
    reader, own = CheckpointReader(Path(found["prefix"])), values(CASES[name][0])
    assert found["family"] == name.removeprefix("family-")
    for variable in reader.entries:
        theirs = variable if variable in own else variable.replace("bert/", "electra/", 1)  # ELECTRA's encoder
        assert reader.tensor(variable).tobytes() == own[theirs].tobytes(), variable
