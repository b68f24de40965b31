"""infer: run probes or examples through an IR on the CPU, in float32, and keep the answers.

Where the CPU computes in something else unless told otherwise, probes are answered that way too
("default/<probe>/<output>"), for people to know.
"""

import os

import questions
from stage import Stage, StageInputError, read_json, step

STAGE = Stage("infer", __doc__.splitlines()[0])
HINT = "INFERENCE_PRECISION_HINT"
IN_FLOAT32 = {HINT: "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
"""Newer CPUs compute in bfloat16, and with weights of 8 or 4 bits in int8, unless told otherwise."""

STAGE.input("ir", "folder with model.xml, model.bin and signature.json")
questions.declare(STAGE)


def run(args, report):
    """Compile, answer, write answers.npz; the operators in the report are those of the compiled model."""
    step("loading OpenVINO")
    import answers
    import numpy as np
    import openvino
    from ir_file import describe, packages, per_position

    from bertbuild.graph.processor import instruction_set

    core = openvino.Core()
    path = os.path.join(args.ir, "model.xml")

    def compiled(config):
        """The model under a configuration, and a function that runs it."""
        step("compiling")
        try:
            model = core.compile_model(path, "CPU", config)
        except RuntimeError as error:
            why = str(error).strip().split("\n")[-1]
            raise StageInputError("OpenVINO %s does not load %s: %s" % (openvino.__version__, path, why)) from error

        def run_model(feeds):
            results = model(feeds)
            return {name: np.array(results[port], np.float32) for port in model.outputs for name in port.get_names()}

        return model, run_model

    model, run_model = compiled(IN_FLOAT32)
    batch, seq_len = model.input("input_ids").get_partial_shape()
    shape = {
        "batch": None if batch.is_dynamic else batch.get_length(),
        "seq_len": None if seq_len.is_dynamic else seq_len.get_length(),
        "per_position": per_position(read_json(args.ir, "signature.json")),
    }
    asked = questions.read(args, report)
    found = asked.answer(run_model, **shape)
    usual = core.get_property("CPU", HINT).get_type_name()
    if args.probes and usual != "f32":
        found.update(asked.answer(compiled({})[1], prefix="default/", singly=False, **shape))
    answers.write_answers(args.out, found)

    report.packages = packages("openvino", "numpy")
    report.inputs = describe(model.inputs)
    report.outputs = describe(model.outputs)
    counts = {}
    for node in model.get_runtime_model().get_ops():
        kind = str(node.get_rt_info()["layerType"].astype(str))
        counts[kind] = counts.get(kind, 0) + 1
    report.operators = counts
    report.facts["matrix_products"] = computed_in(model)
    report.facts["instructions"] = instruction_set()
    report.facts["default_precision"] = usual


def computed_in(model):
    """Precision → how many of a compiled model's matrix products the CPU computes in it."""
    counts = {}
    for node in model.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) in ("FullyConnected", "MatMul"):
            precision = str(info["runtimePrecision"].astype(str))
            counts[precision] = counts.get(precision, 0) + 1
    return counts


if __name__ == "__main__":
    STAGE.main(run)
