"""Built targets in a store, filled by hand: files, statement, record, verdict, name."""

from __future__ import annotations

import hashlib
import json

from provenance_doubles import checkpoint, publish

from bertbuild.gate.parity import Row, Verdict
from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.store.records import write_record
from bertbuild.text.facts import Text
from bertbuild.text.words import WordPieces

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film")
VOCAB = "".join(f"{word}\n" for word in WORDS)
INPUTS = ("input_ids", "input_mask", "segment_ids")
KINDS = {
    "ir": ("ir-direct", "openvino", {"model.xml": "<net/>", "model.bin": "weights"}),
    "onnx": ("onnx-direct", "onnx", {"model.onnx": "graph"}),
    "saved-model": ("export", "tf1", {"saved_model.pb": "graph", "variables/variables.index": "index"}),
    "tf2-savedmodel": ("tf2-saved-model", "tf2", {"saved_model.pb": "graph", "fingerprint.pb": "print"}),
    "frozen": ("freeze", "data", {"inference_graph.pb": "graph"}),
    "hub": ("tf2-saved-model", "tf2", {"saved_model.pb": "graph"}),
}
"""Kind → the stage that makes it, its backend, and the files that it has of its own."""
OUTPUTS = {
    "classifier": {"probabilities": [-1, 2]},
    "multi-label": {"probabilities": [-1, 2]},
    "regression": {"score": [-1]},
    "tokens": {"probabilities": [-1, -1, 2]},
    "span": {"start_logits": [-1, -1], "end_logits": [-1, -1]},
    "masked-lm": {"masked_lm_logits": [-1, -1, 8]},
    "next-sentence": {"next_sentence_logits": [-1, 2]},
    "": {"pooled_output": [-1, 4]},
}


def text_facts(head="classifier", labels=("no", "yes"), task="own-mood"):
    """What text.json says."""
    asked = {"stage": "openvino-infer", "flag": "ir", "params": {}}
    text = Text(task=task, head=head, labels=labels, max_positions=32, do_lower_case=True, asked=asked)
    digest = hashlib.sha256(VOCAB.encode()).hexdigest()
    return {**text.as_json(WordPieces(WORDS)), "max_seq_length": 16, "vocab_sha256": digest}


def signature(kind="ir", head="classifier", shape=(-1, -1), outputs=None):
    """What signature.json says."""
    if kind in ("tf2-savedmodel", "hub"):
        return {"kind": kind.removeprefix("tf2-"), "gelu": "erf", "heads": []}
    names = [*INPUTS, "label_ids"] if kind == "saved-model" else INPUTS
    whole, real = ("i32", "f32") if kind == "ir" else ("int32", "float32")
    inputs = {name: {"dtype": whole, "shape": list(shape[: 1 if name == "label_ids" else 2])} for name in names}
    given = OUTPUTS[head] if outputs is None else outputs
    return {"gelu": "erf", "inputs": inputs, "outputs": {n: {"dtype": real, "shape": s} for n, s in given.items()}}


def verdict(*, passed=True):
    """Of a gate."""
    row = Row(
        probe="b1_s16",
        output="probabilities",
        max_abs=2e-6 if passed else 0.5,
        cosine=1.0,
        argmax=1.0,
        limit=1e-5,
        cosine_limit=None,
        passed=passed,
    )
    return Verdict(precision="fp32", rows=(row,), skipped=(), references=("TensorFlow 1.15.5",))


def target_files(kind="ir", head="classifier", *, labels=("no", "yes"), task="own-mood", **more):
    """Name → text of all that a target's folder has but its statement and manifest."""
    return {
        **KINDS[kind][2],
        "text.json": json.dumps(text_facts(head, labels, task)),
        "signature.json": json.dumps(signature(kind, head, **more)),
        "vocab.txt": VOCAB,
        "tokenizer.json": "{}\n",
        "stage.json": "{}",
    }


def build_target(
    store, folder, kind="ir", name="ir-fp32", *, files=None, inputs=None, judged=True, model="mine", stage=""
):
    """A target on record under a name, made by the first stage of its kind, or another; `judged` is whether it passed
    its gate, None where it was not asked.
    """
    first, backend, _ = KINDS[kind]
    stage = stage or first
    made = inputs or [checkpoint(store, folder)]
    stored = publish(store, stage, files or target_files(kind), made, backend=backend)
    given = File(path=folder, digest=made[0].digest, files=("bert_config.json", "weights"))
    probes = File(path=folder / "probes.json", digest="p")
    steps = (
        Step(id=name, stage=stage, inputs={"checkpoint": given}),
        Step(id="reference", stage="tf1-infer", inputs={"checkpoint": given, "probes": probes}),
        Step(id="answers", stage="openvino-infer", inputs={"ir": name, "probes": probes}),
    )
    goal = Target(name=name, step=name, reference="reference", answers="answers", precision="fp32")
    told = None if judged is None else verdict(passed=judged).as_json()
    write_record(store, Plan(model=model, steps=steps, targets=(goal,)), goal, {name: stored}, told)
    store.link(model, name, stored)
    return stored
