"""compress: an fp32 IR → an IR whose weights take 8 or 4 bits, computed in float32 (NNCF's compress_weights).

No examples are needed: activations stay as they are. Weights of int8 have a scale and a zero point for each row; those
of int4 a scale for each --group-size numbers of a row, so that the width of a layer must be a multiple of it. Layers of
another width, embeddings and the last layer take 8 bits. Writes model.xml, model.bin and signature.json.
"""

import os

import guarded
from stage import Stage, StageInputError, read_json, step

from stages._weights import FLOATS, origin, out_of_the_way, readers_of_weights, stored_in

INT8, INT4 = "int8-weights", "int4-weights"
GROUP_SIZE = 128  # NNCF's own default

STAGE = Stage("compress", __doc__.splitlines()[0])
STAGE.input("ir", "folder with model.xml, model.bin and signature.json, fp32")
STAGE.param("precision", "of the weights (default: %s)" % INT8, choices=(INT8, INT4), default=INT8)
STAGE.param("group-size", "of int4: numbers that share a scale (default: %d)" % GROUP_SIZE, type=int)
STAGE.param("model", "the source model's name, written into the IR", default="")


def run(args, report):
    """Read, compress, save."""
    size = args.group_size or GROUP_SIZE
    if size < 1:
        raise StageInputError("--group-size must be at least 1 (got %d)" % size)
    step("loading OpenVINO")
    import openvino
    from ir_file import packages, per_position, write_ir

    from stages._folding import fold_constants

    model = openvino.Core().read_model(os.path.join(args.ir, "model.xml"))
    # The shape of a table is a constant. Left as an operator, it would keep the table in float32 beside its int8 form.
    fold_constants(model)
    step("loading NNCF")
    with out_of_the_way():
        other = compress(model, args.precision, size)
    step("writing model.xml and model.bin")
    report.packages = packages("nncf", "openvino", "numpy")
    signature = read_json(args.ir, "signature.json")
    more = {**({"group_size": str(size)} if args.precision == INT4 else {}), **guarded.kept(signature)}
    write_ir(model, args, report, origin(model), signature["gelu"], per_position(signature), **more)
    report.facts.update(facts(model))
    kept = report.facts["left_in_float32"]
    counts = ["%d in %s" % (count, kind) for kind, count in sorted(report.facts["weights"].items())]
    report.note("weights: %s" % ", ".join(counts + (["%d in float32" % len(kept)] if kept else [])))
    if other:
        report.facts["of_another_width"] = other
        named = ", ".join("%s (%d)" % each for each in sorted(other.items()))
        report.note("in 8 bits, since their width is no multiple of %d: %s" % (size, named))


def compress(model, precision, size):
    """Compress the weights of an openvino.Model; gives the layers that int4 cannot have, name → width."""
    import nncf

    if precision == INT8:
        nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
        return {}
    widths = {
        node.get_friendly_name(): width_of(node, weight)
        for node, weight in readers_of_weights(model)
        if node.get_type_name() == "MatMul"
    }
    other = {name: width for name, width in widths.items() if width % size}
    if len(other) == len(widths):
        raise StageInputError(
            "int4 needs layers whose width is a multiple of --group-size=%d; widths here: %s"
            % (size, ", ".join(map(str, sorted(set(other.values())))))
        )
    if other:  # first, as what is compressed is left alone afterwards
        rest = [name for name in widths if name not in other]
        scope = nncf.IgnoredScope(names=rest)
        nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM, ignored_scope=scope)
    nncf.compress_weights(
        model,
        mode=nncf.CompressWeightsMode.INT4_SYM,
        group_size=size,
        ratio=1.0,
        ignored_scope=nncf.IgnoredScope(names=list(other)),
    )
    return other


def width_of(node, weight):
    """How many numbers of its weights a matrix product adds up for one of its results."""
    transposed = node.get_attributes()["transpose_b"]
    return weight.get_output_shape(0)[-1 if transposed else -2]


def facts(model):
    """How many operators read weights of each type, and which read float32."""
    weights, left = {}, []
    for node, weight in readers_of_weights(model):
        kind = stored_in(weight)
        if kind in FLOATS:
            left.append(node.get_friendly_name())
        else:
            weights[kind] = weights.get(kind, 0) + 1
    return {"weights": weights, "left_in_float32": sorted(left)}


if __name__ == "__main__":
    STAGE.main(run)
