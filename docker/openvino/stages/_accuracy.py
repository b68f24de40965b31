"""The accuracy of a classifier's IR, and quantization that keeps it within a bound."""

import dataclasses

import numpy as np
from stage import StageInputError

from bertbuild.heads.classifier import TENSOR as OUTPUT

ROUNDING = 1e-9  # of a difference of two shares: 1 - 0.99 is more than 0.01
LENGTHS = 32  # sequences are padded to multiples of it: for each length that is new, OpenVINO makes kernels anew


class Accuracy:
    """The share of examples for which a model's probabilities have their largest value at the label."""

    def __init__(self, model, examples, shape):
        """Refuse a model without a head, and labels it has no class for.

        Args:
            model: the openvino.Model to be quantized.
            examples: `_calibration.Examples` with labels.
            shape: batch size and sequence length, each None where free.
        """
        outputs = [port for port in model.outputs if OUTPUT in port.get_names()]
        if not outputs:
            raise StageInputError("the model gives no probabilities, so it has no accuracy to bound")
        classes = outputs[0].get_partial_shape()[-1]
        if classes.is_static and examples.labels.max() >= classes.get_length():
            raise StageInputError(
                "%s has the label %d, and the model knows %d classes"
                % (examples.path, examples.labels.max(), classes.get_length())
            )
        self.examples = examples
        self._shape = shape

    def of(self, model):
        """The accuracy of an openvino.Model, computed in float32 where it is not int8."""
        import openvino

        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return validate(compiled, self.items())[0]

    def items(self):
        """(feeds, labels of the rows) of each run."""
        rows = self._shape[0] or 1
        starts = range(0, len(self.examples), rows)
        labels = (self.examples.labels[start : start + rows] for start in starts)
        return list(zip(self.examples.feeds(*self._shape, multiple=LENGTHS), labels))

    def quantize(self, model, dataset, max_drop, advanced, **options):
        """Quantize, and put operators back into float32 until the accuracy falls by no more than `max_drop`.

        `advanced` is an nncf.AdvancedQuantizationParameters.
        """
        import nncf

        quantized = nncf.quantize(model, dataset, advanced_parameters=advanced, **options)
        if self.of(model) - self.of(quantized) <= max_drop + ROUNDING:
            return quantized
        # Once more without SmoothQuant. It moves scales from activations into weights, and NNCF 2.14 puts back the
        # weights of before and leaves the activations scaled: every operator put back would make the answers worse.
        smooth = nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
        # One worker: NNCF would choose how many by how long things took, and what it puts back must not depend on that.
        restorer = nncf.AdvancedAccuracyRestorerParameters(num_ranking_workers=1)
        return nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(self.items()),
            validation_fn=validate,
            # One example in reserve: weights are packed afterwards, and other kernels may round one to another class.
            max_drop=max(0, max_drop - 1 / len(self.examples)) + ROUNDING,
            advanced_quantization_parameters=dataclasses.replace(advanced, smooth_quant_alphas=smooth),
            advanced_accuracy_restorer_parameters=restorer,
            **options,
        )


def validate(compiled, items):
    """What NNCF asks of some (feeds, labels): the accuracy, and a figure for each item that is the higher the better.

    The figure is the probability of the right class. Given the probabilities themselves, NNCF 2.14 puts back first what
    helps least: it sorts by what error is left, and takes the largest.
    """
    right, figures = [], []
    for feeds, labels in items:
        probabilities = np.array(compiled(feeds)[OUTPUT])[: len(labels)]
        right.append(probabilities.argmax(axis=-1) == labels)
        figures.append(float(probabilities[np.arange(len(labels)), labels].mean()))
    return float(np.concatenate(right).mean()), figures
