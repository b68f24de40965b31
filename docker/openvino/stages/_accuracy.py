"""What an IR is worth on labelled examples, and quantization that keeps it within a bound."""

import dataclasses

import numpy as np
from metric import ROUNDING, Metric


class Accuracy(Metric):
    """The metric of an openvino.Model's head, on examples."""

    def __init__(self, head, model, examples, shape):
        """As of `Metric`; `model` is the openvino.Model to be quantized."""
        sizes = {name: port.get_partial_shape()[-1] for port in model.outputs for name in port.get_names()}
        classes = {name: size.get_length() if size.is_static else None for name, size in sizes.items()}
        super().__init__(head, classes, examples, shape)

    def of(self, model):
        """The metric of an openvino.Model, computed in float32 where it is not int8."""
        import openvino

        return self.of_run(openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}))

    def validate(self, compiled, items):
        """What NNCF asks of some items: the metric, and a figure for each that is the higher the better.

        Given the answers themselves, NNCF 2.14 puts back first what helps least: it sorts by what error is left, and
        takes the largest. Where some examples have no metric, the mean of the figures takes its place.
        """
        items = list(items)
        answers = self._answers(compiled, items)
        figures = [self._judge.each(found, rows) for found, (_, rows) in zip(answers, items)]
        numbers = np.concatenate([rows for _, rows in items])
        if self._judge.of_parts or len(numbers) == len(self.examples):
            return self._judge.figure(self._joined(answers), numbers), figures
        return float(np.mean(figures)), figures

    def quantize(self, model, dataset, max_drop, advanced, **options):
        """Quantize, and put operators back into float32 until the metric falls by no more than `max_drop`.

        `advanced` is an nncf.AdvancedQuantizationParameters.
        """
        import nncf

        before = self.of(model)
        quantized = nncf.quantize(model, dataset, advanced_parameters=advanced, **options)
        if before - self.of(quantized) <= max_drop + ROUNDING:
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
            validation_fn=self.validate,
            # One example in reserve: weights are packed afterwards, and other kernels may round one to another class.
            max_drop=max(0, max_drop - 1 / len(self.examples)) + ROUNDING,
            advanced_quantization_parameters=dataclasses.replace(advanced, smooth_quant_alphas=smooth),
            advanced_accuracy_restorer_parameters=restorer,
            **options,
        )
