"""An OpenVINO IR: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bertbuild.backends import of_version
from bertbuild.errors import UsageError
from bertbuild.heads.answers import ENCODER, OUTPUT_OF_PART, heads_for
from bertbuild.heads.pooled import OUTPUT as POOLED
from bertbuild.kinds.frozen import (
    frozen_step,
    gelu_form,
    reference_steps,
    source_params,
    tensors,
)
from bertbuild.kinds.guard import GUARD, guard_params
from bertbuild.kinds.int8 import Calibration, compress_step, quantize_step
from bertbuild.kinds.ir_request import (
    DIRECT,
    FLOAT,
    INT4_WEIGHTS,
    INT8,
    INT8_WEIGHTS,
    MADE_OF_FLOAT,
    OPENVINO,
    RESHAPEABLE,
    SAVEDMODEL,
    STATIC,
    Ir,
    check_route,
    check_saved,
)
from bertbuild.kinds.ir_text import with_text_models
from bertbuild.kinds.kind import FROM_CHECKPOINT, Asked, Command, Evaluated, Kind
from bertbuild.kinds.measured import Measured, training_of
from bertbuild.kinds.tf2 import model_steps
from bertbuild.plans.family_reference import check_family
from bertbuild.plans.outputs import output_params, output_word, outputs_of, taken_parts
from bertbuild.plans.plan import (
    File,
    Plan,
    Source,
    Step,
    Target,
    check_garden,
    check_seq_len,
)
from bertbuild.plans.tolerance import FLOAT16, FLOAT32, Tolerance
from bertbuild.stages import STAGES

MO_SHAPE = (1, 128)
"""Batch and sequence length on the OpenVINO page's command lines."""

ASKED = Asked(stage="openvino-infer", flag="ir")


def plan_ir(source: Source, request: Ir, probes: File, calibration: Calibration | None = None) -> Plan:
    """Source → IR of each precision, with the answers that its parity gate compares; int8 is made of the fp32 one.

    Args:
        source: what to begin with.
        request: what the IRs are to be like.
        probes: what they are asked.
        calibration: what int8 is calibrated on; None where int8 is not asked for.

    Raises:
        UsageError: the request contradicts itself or the source.
    """
    if any(precision in MADE_OF_FLOAT for precision in request.precisions):
        plan = _plan_made_of_float(source, request, probes, calibration)
    else:
        plan = _plan_floats(source, request, request.precisions, probes)
    if request.text:
        plan = with_text_models(plan, source, probes, ASKED, special=request.special_tokens_in_text)
    return in_version(plan, request.version)


def in_version(plan: Plan, version: str) -> Plan:
    """The plan with all that OpenVINO does done by a version of it.

    Raises:
        UsageError: there is no such version.
    """
    backend = of_version(OPENVINO, version)
    if backend == OPENVINO:
        return plan
    steps = (replace(step, backend=backend) if STAGES[step.stage].backend == OPENVINO else step for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def _plan_made_of_float(source: Source, request: Ir, probes: File, calibration: Calibration | None) -> Plan:
    floats = tuple(precision for precision in request.precisions if precision not in MADE_OF_FLOAT)
    with_base = tuple(dict.fromkeys((*floats, FLOAT)))
    plan = _plan_floats(source, request, with_base, probes)
    made = dict(zip(with_base, plan.targets, strict=True))
    steps = [step for step in plan.steps if FLOAT in floats or step.id != made[FLOAT].answers]
    steps += calibration.steps if calibration else ()
    for precision in request.precisions:
        if precision in floats:
            continue
        if precision == INT8:
            assert calibration is not None  # noqa: S101 - `Ir.is_calibrated`
            step = quantize_step(made[FLOAT], source, request, calibration)
        else:
            step = compress_step(made[FLOAT], source, request, precision)
        answers = ASKED.step(f"{step.id}-infer", step.id, probes)
        made[precision] = replace(made[FLOAT], name=step.id, step=step.id, answers=answers.id, precision=precision)
        steps += [step, answers]
    return Plan(model=plan.model, steps=tuple(steps), targets=tuple(made[one] for one in request.precisions))


def _plan_floats(source: Source, request: Ir, precisions: tuple[str, ...], probes: File) -> Plan:
    route = _route(source, request)
    if route in (STATIC, SAVEDMODEL):
        check_family(source, f"the {route} route")
    _check(source, request, route)
    steps: dict[str, Step] = {}

    def add(step: Step) -> str:
        steps[step.id] = step
        return step.id

    base = _base(source, request, route, add)
    reference = [add(step) for step in reference_steps(source, request.output, request.gelu, probes)][-1]
    targets = []
    for precision in precisions:
        name = _target_name(source, request, route, precision)
        params = {"precision": precision, "model": source.model, **_converter_params(source, request, route)}
        stage = "mo" if request.converter == "mo" else "ir-direct" if route == DIRECT else "ir"
        made = add(Step(id=name, stage=stage, inputs=base, params=params))
        answers = add(ASKED.step(f"{name}-infer", made, probes))
        judged = "float16" if source.half else precision
        targets.append(Target(name=name, step=made, reference=reference, answers=answers, precision=judged))
    return Plan(model=source.model, steps=tuple(steps.values()), targets=tuple(targets))


def _base(source: Source, request: Ir, route: str, add: Callable[[Step], str]) -> dict[str, File | str]:
    """The inputs of the converting stage."""
    if route == DIRECT:
        return {"checkpoint": source.file}
    if route == SAVEDMODEL:
        return {"saved-model": _saved_model(source, request, add)}
    if route == RESHAPEABLE:
        if source.kind == "frozen" and request.converter == "mo":
            return {"graph": source.file}
        return {"frozen": add(frozen_step(source, request.output, request.gelu))}
    inputs: dict[str, File | str] = {"checkpoint": source.file}
    outputs = outputs_of(source, request.output)
    if outputs != (POOLED,) or not source.published or gelu_form(source, request.gelu) != source.gelu:
        told = output_params(source, outputs) if outputs != (POOLED,) else {}
        inputs["metagraph"] = add(
            Step(
                id="metagraph",
                stage="metagraph",
                inputs={"checkpoint": source.file},
                params={**told, **source_params(source, request.gelu)},
            )
        )
    return inputs


def _saved_model(source: Source, request: Ir, add: Callable[[Step], str]) -> str:
    """The steps from a checkpoint to a TensorFlow 2 SavedModel; the id of the last."""
    gelu = gelu_form(source, request.gelu)
    outputs = outputs_of(source, request.output)
    heads, default = heads_for(outputs, source.heads), ENCODER if set(outputs) <= set(ENCODER) else outputs
    steps = model_steps(source, "savedmodel", heads, default, {"gelu": gelu} if gelu else {})
    return [add(step) for step in steps][-1]


def _route(source: Source, request: Ir) -> str:
    if request.route:
        return request.route
    if source.kind == "frozen":
        return RESHAPEABLE
    return STATIC if request.converter == "mo" else DIRECT


def _target_name(source: Source, request: Ir, route: str, precision: str) -> str:
    parts = ["ir"]
    if request.converter == "mo":
        parts.append("mo")
    if route != (RESHAPEABLE if source.kind == "frozen" or request.converter == "mo" else DIRECT):
        parts.append(route)
    if request.version != request.usual_version:
        parts.append(f"{OPENVINO}{request.version}")
    if request.guard:
        parts.append(GUARD)
    parts += [f"{letter}{size}" for letter, size in (("b", request.batch_size), ("s", request.seq_len)) if size]
    if source.kind == "checkpoint" and output_word(source, request.output):
        parts.append(output_word(source, request.output))
    if request.gelu != "auto":
        parts.append(request.gelu)
    if source.chosen:
        parts.append(source.chosen)
    return "-".join([*parts, precision])


def _converter_params(source: Source, request: Ir, route: str) -> dict[str, str]:
    if route == STATIC:
        return {"prefix": source.prefix}
    output = {"output": ",".join(outputs_of(source, request.output))} if route == SAVEDMODEL else {}
    if route == DIRECT:
        output = {
            **output_params(source, outputs_of(source, request.output)),
            **source_params(source, request.gelu),
            **guard_params(source, request.guard),
        }
    batch, seq_len = request.batch_size, request.seq_len
    if request.converter == "mo":  # the page's command fixes both
        batch = batch or source.batch or MO_SHAPE[0]
        seq_len = seq_len or source.seq_len or min(MO_SHAPE[1], source.max_positions)
        output = tensors(source) if source.kind == "frozen" else output
    return {name: str(size) for name, size in (("batch", batch), ("seq-len", seq_len)) if size} | output


def _check(source: Source, request: Ir, route: str) -> None:
    if source.kind == "frozen":
        _check_frozen(source, request, route)
    else:
        _check_made(source, outputs_of(source, request.output), request, route)
    if route == SAVEDMODEL:
        check_garden(source)
    check_route(request, route)
    check_seq_len(source, request.seq_len)


def _check_made(source: Source, outputs: tuple[str, ...], request: Ir, route: str) -> None:
    """Refuse outputs that a route cannot make of a checkpoint.

    Raises:
        UsageError: it names the route that can.
    """
    if route == STATIC and request.converter == "mo" and outputs != (POOLED,):
        raise UsageError(
            f"The Model Optimizer's command line cuts the .meta at the pooler; it gives no {' and no '.join(outputs)}.",
            next_step="Use the reshapeable route (--route reshapeable, or without --converter), or --output pooled.",
        )
    if route == STATIC and not source.pooler:
        raise UsageError(
            f"The static route builds modeling.py's graph, which has a pooler, and {source.model} has none.",
            next_step="Leave --route out.",
        )
    if route == SAVEDMODEL:
        check_saved(outputs)


def _check_frozen(source: Source, request: Ir, route: str) -> None:
    if route != RESHAPEABLE:
        raise UsageError(
            f"The {route} route starts from a checkpoint; a frozen graph is not one.",
            next_step="Leave --route out, or give --checkpoint.",
        )
    if (request.output, request.gelu) != ("", "auto"):
        raise UsageError(
            "A frozen graph's outputs and gelu are built in; --output and --gelu cannot change them.",
            next_step="Leave them out, name nodes of the graph with --outputs, or build from the checkpoint.",
        )
    for flag, wanted, built_in in (
        ("batch-size", request.batch_size, source.batch),
        ("seq-len", request.seq_len, source.seq_len),
    ):
        if wanted and built_in is not None and wanted != built_in:
            raise UsageError(
                f"--{flag} {wanted}, but the graph is frozen for {built_in}: that is built into its inputs.",
                next_step=f"Leave --{flag} out, or freeze it again from the checkpoint (--checkpoint), which fixes "
                "none.",
            )


def _evaluated_float(precision: str) -> Callable[[Source, Measured, File, str], Plan]:
    return lambda source, data, probes, _int8_for: plan_ir(source, Ir(precision=precision, output=data.output), probes)


def _evaluated_int8(source: Source, data: Measured, probes: File, int8_for: str) -> Plan:
    training = training_of(data, "ir-int8")
    request = Ir(precision=INT8, output=data.output, calibration=str(training.path), int8_for=int8_for)
    return plan_ir(source, request, probes, Calibration(examples=training))


KIND = Kind(
    name="ir",
    about="an OpenVINO IR",
    command=Command(
        name="build-ir",
        about="Make an OpenVINO IR that is proved to answer like its source.",
        sources=(*FROM_CHECKPOINT, "frozen", "outputs"),
        example="--model minilm-l6 --precision fp32,fp16",
    ),
    request=Ir,
    plan=plan_ir,
    stage="ir",
    asked=ASKED,
    tolerances={
        "fp32": FLOAT32,
        # Weights rounded to 11 bits (relative 2^-11 each), computed in float32. Measured on six random layers of
        # MiniLM's size: 6.5e-3 on masked-LM logits, 3.4e-3 on others, 1.1e-3 on a score, 5.6e-4 on probabilities.
        "fp16": {
            "pooled_output": Tolerance(max_abs=5e-3, cosine=0.9999),
            "probabilities": Tolerance(max_abs=5e-3, cosine=0.9999),
            "score": Tolerance(max_abs=2e-2),
            "logits": Tolerance(max_abs=5e-2, cosine=0.999),
            "hidden": Tolerance(max_abs=5e-2, cosine=0.9999),
        },
        # Weights and activations rounded to 8 bits. The probes are harder than text: their ids are random, and
        # activations beyond those of the calibration are cut. Smallest cosines of the pooled output and the last layer,
        # largest difference of the probabilities of a head fitted to it, measured on MiniLM: calibrated on 300 examples
        # of MRPC 0.991, 0.917, 0.11; on 300 of CoLA, which have no second segment as the probes do, 0.934, 0.587, 0.16;
        # on one full stop 0.66, 0.04, 0.45. A single element on tanh's slope may move far while the vector stays: 0.40
        # at a cosine of 0.985, on 2 random layers. No class changes here that leads by 0.4; what int8 costs on a task
        # `evaluate` tells. Heads were measured on two layers of 16 units alone (docs/heads.md): 8e-2 on a score, 2e-1
        # on logits of a span, 3e-1 on those of words. A logit adds hidden states up, so it is held to what they are.
        INT8: {
            "pooled_output": Tolerance(max_abs=5e-1, cosine=0.9),
            "probabilities": Tolerance(max_abs=2e-1),
            "score": Tolerance(max_abs=1.0),
            "logits": Tolerance(max_abs=3.0, cosine=0.5),
            "hidden": Tolerance(max_abs=3.0, cosine=0.5),
        },
        # Weights alone rounded to 8 or 4 bits; docs/int8.md has what was measured of every head, largest differences of
        # MiniLM's size, random and trained encoders, heads of deviation 0.3: 9e-3 and 1.4e-1 on the pooled output, 0.10
        # and 0.44 on probabilities, 2.3e-2 and 2.0e-1 on a score, 0.42 and 3.9 on logits that reach 7 (0.11 and 0.95 on
        # others that reach 20), 0.12 and 1.0 on hidden states. The limits are 2 to 5 times that. Of an ELECTRA's
        # replaced-token head logits reach 60 with such weights, and are off by 0.63 and 6.9: a share of 0.011 and 0.12
        # of the largest, so that large logits are held to a share. int4's have no bound on the cosine: it was measured
        # of single short rows alone (-0.99). With 4 bits a sound model and a trained head may change a class on
        # random ids: this tells a broken one, and `evaluate` the loss.
        INT8_WEIGHTS: {
            "pooled_output": Tolerance(max_abs=4e-2, cosine=0.998),
            "probabilities": Tolerance(max_abs=3e-1),
            "score": Tolerance(max_abs=1e-1),
            "logits": Tolerance(max_abs=1.0, cosine=0.5, relative=3e-2),
            "hidden": Tolerance(max_abs=5e-1, cosine=0.98),
        },
        INT4_WEIGHTS: {
            "pooled_output": Tolerance(max_abs=5e-1, cosine=0.7),
            "probabilities": Tolerance(max_abs=8e-1),
            "score": Tolerance(max_abs=1.0),
            "logits": Tolerance(max_abs=8.0, relative=3e-1),
            "hidden": Tolerance(max_abs=3.0, cosine=0.5),
        },
        "float16": FLOAT16,  # of a frozen graph that computes so itself
    },
    families=True,
    guarded=lambda request: bool(request.guard),
    taken=lambda source, request: taken_parts(source, request.output),
    taken_by=OUTPUT_OF_PART,
    main_file="model.xml",
    evaluated=(
        Evaluated(name="ir-fp32", plan=_evaluated_float("fp32")),
        Evaluated(name="ir-fp16", plan=_evaluated_float("fp16")),
        Evaluated(name="ir-int8", plan=_evaluated_int8, usual=False),
    ),
)
